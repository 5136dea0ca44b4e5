#include "base/fault.h"

#ifdef FLOWSWEEP_FAULTS

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const point_words[] = {
#define X(name, word) word,
    FAULT_POINTS(X)
#undef X
};

static const char *const action_words[] = {
#define X(name, word) word,
    FAULT_ACTIONS(X)
#undef X
};

/* The one place in the project with state of its own: a process's faults, in test builds alone. */
static long counts[FAULT_POINT_COUNT];
static int my_rank;
static bool log_promised;

void fault_rank(int rank)
{
    my_rank = rank;
}

static void write_log(void)
{
    const char *path = getenv("FLOWSWEEP_FAULT_LOG");
    int f = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (f < 0)
        return;
    for (int p = 0; p < FAULT_POINT_COUNT; p++) {
        char line[64];
        int n = snprintf(line, sizeof line, "%s %ld %d\n", point_words[p], counts[p], my_rank);
        if (counts[p] && write(f, line, (size_t)n) != n)
            break;
    }
    close(f);
}

static int word_of(const char *text, size_t n, const char *const *words, int n_words)
{
    for (int i = 0; i < n_words; i++)
        if (strlen(words[i]) == n && strncmp(words[i], text, n) == 0)
            return i;
    fprintf(stderr, "FLOWSWEEP_FAULT: \"%.*s\" is none of the words\n", (int)n, text);
    exit(64);
}

/* What "POINT:K:ACTION[:RANK]" at text asks for here and now. */
static enum fault_action asked_by(const char *text, enum fault_point point, long number)
{
    char *rest;
    size_t n = strcspn(text, ":");
    if (word_of(text, n, point_words, FAULT_POINT_COUNT) != (int)point || text[n] != ':')
        return FAULT_ACTION_NONE;
    long k = strtol(text + n + 1, &rest, 10);
    bool later = *rest == '+';
    rest += later;
    if (*rest != ':' || (number != k && !(later && number > k)))
        return FAULT_ACTION_NONE;
    n = strcspn(rest + 1, ":,");
    if (rest[1 + n] == ':' && atoi(rest + 2 + n) != my_rank)
        return FAULT_ACTION_NONE;
    return (enum fault_action)word_of(rest + 1, n, action_words, FAULT_ACTION_COUNT);
}

static enum fault_action asked(enum fault_point point, long number)
{
    const char *text = getenv("FLOWSWEEP_FAULT");
    enum fault_action action = FAULT_ACTION_NONE;
    while (text && *text && action == FAULT_ACTION_NONE) {
        action = asked_by(text, point, number);
        text = strchr(text, ',') ? strchr(text, ',') + 1 : NULL;
    }
    return action;
}

enum fault_action fault_at_number(enum fault_point point, long number)
{
    const struct timespec moment = {0, 300000000};
    enum fault_action action = asked(point, number);
    if (!log_promised)
        atexit(write_log);
    log_promised = true;
    if (action == FAULT_ACTION_DELAY)
        nanosleep(&moment, NULL);
    if (action != FAULT_ACTION_KILL && action != FAULT_ACTION_ABORT && action != FAULT_ACTION_HANG)
        return action;
    write_log();
    if (action == FAULT_ACTION_ABORT)
        abort();
    raise(action == FAULT_ACTION_KILL ? SIGKILL : SIGSTOP);
    return FAULT_ACTION_NONE;
}

enum fault_action fault_at(enum fault_point point)
{
    return fault_at_number(point, ++counts[point]);
}

int fault_node(int rank, int size)
{
    const char *nodes = getenv("FLOWSWEEP_TEST_NODES");
    return nodes ? atoi(nodes) * rank / size : 0;
}

#endif
