#include "base/resident.h"

#include <malloc.h>
#include <stdio.h>

uint64_t resident_peak(void)
{
    char line[128];
    unsigned long long peak = 0, shared = 0;
    FILE *in = fopen("/proc/self/status", "r");
    while (in && fgets(line, sizeof line, in)) {
        sscanf(line, "VmHWM: %llu kB", &peak);
        sscanf(line, "RssShmem: %llu kB", &shared); /* it does not shrink: pages of windows stay once they are touched */
    }
    if (in)
        fclose(in);
    return peak > shared ? (peak - shared) * 1024 : 0;
}

void resident_mark(void)
{
    FILE *out = fopen("/proc/self/clear_refs", "w");
    if (!out)
        return;
    fputs("5", out);
    fclose(out);
}

void resident_settle(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* else it rises to the largest piece that was freed, up to 32 MiB */
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}
