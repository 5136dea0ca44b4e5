#include "models/engine.h"

#if defined(__x86_64__)
extern const struct engine engine_avx512, engine_avx2, engine_plain;
const struct engine *const engines[] = {&engine_avx512, &engine_avx2, &engine_plain, NULL};

bool engine_runs(const struct engine *engine)
{
    if (engine == &engine_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
    return engine == &engine_plain || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"));
}
#else
extern const struct engine engine_plain;
const struct engine *const engines[] = {&engine_plain, NULL};

bool engine_runs(const struct engine *engine)
{
    (void)engine;
    return true;
}
#endif

const struct engine *engine_best(void)
{
    int i = 0;
    while (!engine_runs(engines[i]))
        i++;
    return engines[i];
}
