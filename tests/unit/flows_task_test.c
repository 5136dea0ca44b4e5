/* Tasks and splits on synthetic flows. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "flows/flows_read.h"
#include "flows/synth.h"
#include "flows/task.h"

static struct flows flows;
static struct params data;

static void set(const char *name, const char *json)
{
    struct value v;
    CU_ASSERT_EQUAL_FATAL(value_from_json(json, &v, NULL), STATUS_OK);
    params_set(&data, name, &v);
    value_fini(&v);
}

static void begin(const char *method)
{
    struct params synth = {0};
    struct error e;
    struct value rows = value_int(2000);
    params_set(&synth, "rows", &rows);
    params_complete(&synth, NULL, synth_params);
    CU_ASSERT_EQUAL_FATAL(synth_flows(&synth, &flows, &e), STATUS_OK);
    params_fini(&synth);
    params_complete(&data, NULL, data_params);
    params_complete(&data, "split", split_params);
    set("split.method", method);
}

static void end(void)
{
    flows_fini(&flows);
    params_fini(&data);
}

static struct task *task(int top_n, uint64_t seed, int repeat)
{
    struct task *t;
    struct error e = {0};
    struct task_spec spec = {top_n, 0, 25};
    CU_ASSERT_EQUAL_FATAL(task_new(&t, &flows, &data, &spec, seed, repeat, &e), STATUS_OK);
    return t;
}

/* Part of every row, -1 for none; a row in two parts fails. */
static void parts_of(const struct task *t, int8_t *part)
{
    memset(part, -1, (size_t)flows.n);
    for (int p = 0; p < PART_COUNT; p++)
        for (int i = 0; i < t->parts[p].n; i++) {
            CU_ASSERT_EQUAL(part[t->parts[p].row[i]], -1);
            part[t->parts[p].row[i]] = (int8_t)p;
            CU_ASSERT_EQUAL(t->classes[t->parts[p].y[i]], flows.label[t->parts[p].row[i]]);
        }
}

static void test_stratified(void)
{
    int8_t a[2000], b[2000], c[2000], d[2000];
    begin("\"stratified\"");
    struct task *all = task(0, 42, 0), *few = task(5, 42, 0), *other = task(0, 43, 0), *again = task(0, 42, 1);
    parts_of(all, a);
    parts_of(few, b);
    parts_of(other, c);
    parts_of(again, d);
    int changed = 0, dealt_anew = 0;
    for (int i = 0; i < flows.n; i++) {
        CU_ASSERT(a[i] >= 0);
        CU_ASSERT(b[i] == -1 || b[i] == a[i]); /* a test row is a test row in every task */
        changed += a[i] != c[i];
        CU_ASSERT_EQUAL(a[i] == PART_TEST, d[i] == PART_TEST);
        dealt_anew += a[i] != d[i];
    }
    CU_ASSERT(changed > 100 && dealt_anew > 50);
    CU_ASSERT(abs(all->parts[PART_TEST].n - 400) <= 20 && abs(all->parts[PART_VALIDATION].n - 200) <= 20);
    task_free(all);
    task_free(few);
    task_free(other);
    task_free(again);
    end();
}

static void test_ordered(void)
{
    int8_t a[2000];
    begin("\"ordered\"");
    struct task *t = task(0, 1, 0);
    parts_of(t, a);
    for (int i = 1; i < flows.n; i++)
        CU_ASSERT(a[i] >= a[i - 1]);
    task_free(t);
    end();
}

static void test_grouped_by_client(void)
{
    int8_t a[2000];
    begin("\"grouped\"");
    set("split.by", "[\"client\"]");
    struct task *t = task(0, 1, 0);
    parts_of(t, a);
    for (int i = 0; i < flows.n; i++)
        for (int j = 0; j < i; j += 7)
            if (strcmp(flows.meta[i * flows.n_meta + 1], flows.meta[j * flows.n_meta + 1]) == 0)
                CU_ASSERT_EQUAL(a[i], a[j]);
    task_free(t);
    end();
}

static void test_grouped_by_sequence(void)
{
    int8_t a[2000];
    begin("\"grouped\"");
    struct task *t = task(0, 1, 0);
    parts_of(t, a);
    for (int i = 0; i < flows.n; i++)
        for (int j = 0; j < i; j++)
            if (task_sequence_hash(&flows, i, flows.steps) == task_sequence_hash(&flows, j, flows.steps))
                CU_ASSERT_EQUAL(a[i], a[j]);
    task_free(t);
    end();
}

UNIT_MAIN({"stratified", test_stratified}, {"ordered", test_ordered}, {"grouped by a meta column", test_grouped_by_client},
          {"grouped by equal sequences", test_grouped_by_sequence})
