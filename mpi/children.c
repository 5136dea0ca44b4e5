#include "mpi/children.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>

static bool is_alive(int pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    bool read = fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
    fclose(f);
    return read && state != 'Z' && state != 'X';
}

/* Those that one of its threads has forked. */
static int alive_of_thread(pid_t pid, const char *thread)
{
    char path[320];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, thread);
    FILE *f = fopen(path, "r");
    if (!f)
        return -1;
    for (int child; fscanf(f, "%d", &child) == 1;)
        n += is_alive(child);
    fclose(f);
    return n;
}

int children_alive(pid_t pid)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (!threads)
        return -1;
    for (struct dirent *t; n >= 0 && (t = readdir(threads));) {
        int of_thread = t->d_name[0] == '.' ? 0 : alive_of_thread(pid, t->d_name);
        n = of_thread < 0 ? -1 : n + of_thread;
    }
    closedir(threads);
    return n;
}
