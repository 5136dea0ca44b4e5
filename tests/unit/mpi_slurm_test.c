/* Slurm's times, and what is refused before Slurm is asked. The script itself: tests/process/submit_test.sh. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "mpi/slurm.h"

static void times(void)
{
    static const struct {
        const char *text;
        double seconds; /* 0: refused */
    } cases[] = {
        {"90", 5400}, {"90:30", 5430}, {"1:30:00", 5400}, {"2-12", 216000}, {"2-12:30", 217800}, {"2-12:30:15", 217815},
        {"0-0:0:1", 1}, {"unlimited", INFINITY}, {"INFINITE", INFINITY},
        {"", 0}, {"0", 0}, {"-5", 0}, {"5-", 0}, {"1:", 0}, {":1", 0}, {"1:2:3:4", 0}, {"1h", 0}, {"1-2-3", 0}, {"1:-2", 0}, {" 1", 0}, {"1\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double seconds;
        enum status s = slurm_time_s(cases[i].text, &seconds, NULL);
        CU_ASSERT_EQUAL(s, cases[i].seconds > 0 ? STATUS_OK : STATUS_USAGE);
        if (cases[i].seconds > 0)
            CU_ASSERT_EQUAL(seconds, cases[i].seconds);
    }
}

static struct slurm_job job_of(void)
{
    return (struct slurm_job){.name = "n", .nodes = 1, .tasks_per_node = 2, .margin_s = 60, .flowsweep = "f", .config = "c", .launcher = "srun"};
}

static void checks(void)
{
    struct error e;
    struct slurm_job j = job_of();
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_OK);
    j.tasks_per_node = 1;
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_USAGE);
    j.launcher = "mpirun"; /* starts the coordinator in addition */
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_OK);
    j.time = "0:60";
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_USAGE);
    j.time = "1:01";
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_OK);
    j.partition = "a b";
    CU_ASSERT_EQUAL(slurm_check(&j, &e), STATUS_USAGE);
}

/* Slurm keeps the signal's time in 16 bits, and takes 0 for none. */
static void margins(void)
{
    static const struct {
        double margin_s;
        const char *line;
    } cases[] = {{0, "B:USR1@1\n"}, {59.5, "B:USR1@60\n"}, {1e9, "B:USR1@65535\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer script = {0};
        struct slurm_job j = job_of();
        j.margin_s = cases[i].margin_s;
        slurm_script(&j, &script);
        CU_ASSERT_PTR_NOT_NULL(strstr(script.data, cases[i].line));
        buffer_fini(&script);
    }
}

UNIT_MAIN({"times", times}, {"checks", checks}, {"margins", margins})
