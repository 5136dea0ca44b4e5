/* Rows dealt over a gang: every member reads what it holds as the coordinator reads it, and every row is held where it is used. */
#include "unit.h"

#include "mpi/dealing.h"
#include "toy_flows.h"

static struct toy toy;
static struct task task;

/* Parts of so many rows, those of the toy again and again. */
static void begin(const int n[PART_COUNT], bool stop_is_validation)
{
    toy_init(&toy, "[\"size\",\"direction\"]");
    task = (struct task){.n_classes = TOY_CLASSES, .stop_is_validation = stop_is_validation, .spec.steps = TOY_STEPS};
    for (int part = 0; part < PART_COUNT; part++) {
        task.parts[part] = (struct rows){n[part], memory_new((size_t)n[part] * 4), memory_new((size_t)n[part] * 4)};
        for (int i = 0; i < n[part]; i++) {
            task.parts[part].row[i] = (i * 7 + part) % TOY_ROWS;
            task.parts[part].y[i] = task.parts[part].row[i] % TOY_CLASSES;
        }
    }
}

static void end(void)
{
    for (int part = 0; part < PART_COUNT; part++) {
        free(task.parts[part].row);
        free(task.parts[part].y);
    }
    toy_fini(&toy);
}

/* Rows of a part that stand at hand, all as they were. */
static int rows_at_hand(const struct hand *h, enum part part)
{
    const struct rows *got = &h->task->parts[part], *all = &task.parts[part];
    float mine[2 * TOY_STEPS], theirs[2 * TOY_STEPS];
    int held = 0, wrong = 0;
    for (int i = 0; i < got->n; i++) {
        if (got->row[i] < 0)
            continue;
        features_gather(&h->features, &got->row[i], 1, mine);
        features_gather(&toy.x, &all->row[i], 1, theirs);
        wrong += memcmp(mine, theirs, sizeof mine) != 0;
        held++;
    }
    CU_ASSERT_EQUAL(got->n, all->n);
    CU_ASSERT_EQUAL(wrong, 0);
    return held;
}

static int member_holds(int member, int size, int held[PART_COUNT])
{
    struct dealing d = {&toy.flows, &task, &toy.x, member, size};
    struct buffer head = {0}, rows = {0};
    struct hand h;
    struct error e;
    int at = 0, messages = 0;
    dealing_put(&d, &head);
    CU_ASSERT_EQUAL_FATAL(hand_take(&h, head.data, head.size, member, size, &e), STATUS_OK);
    for (; dealing_rows(&d, &at, &rows); buffer_clear(&rows), messages++)
        CU_ASSERT_EQUAL(hand_add(&h, rows.data, rows.size, &e), STATUS_OK);
    CU_ASSERT_EQUAL(h.n, h.wanted);
    CU_ASSERT_EQUAL(hand_add(&h, head.data, 4 + 9 * TOY_STEPS, &e), STATUS_BUG); /* a row too many */
    for (int part = 0; part < PART_COUNT; part++)
        held[part] += rows_at_hand(&h, part);
    CU_ASSERT_EQUAL(memcmp(h.task->parts[PART_TRAIN].y, task.parts[PART_TRAIN].y, (size_t)task.parts[PART_TRAIN].n * 4), 0);
    CU_ASSERT_EQUAL(memcmp(h.task->parts[PART_STOP].y, task.parts[PART_STOP].y, (size_t)task.parts[PART_STOP].n * 4), 0);
    hand_fini(&h);
    buffer_fini(&head);
    buffer_fini(&rows);
    return messages;
}

static void test_every_row_once(void)
{
    const int n[PART_COUNT] = {90, 10, 33, 65};
    begin(n, false);
    for (int size = 1; size <= 5; size++) {
        int held[PART_COUNT] = {0};
        for (int member = 0; member < size; member++)
            member_holds(member, size, held);
        for (int part = 0; part < PART_COUNT; part++)
            CU_ASSERT_EQUAL(held[part], n[part]);
    }
    end();
}

static void test_stop_is_validation(void)
{
    const int n[PART_COUNT] = {50, 40, 40, 20};
    int held[PART_COUNT] = {0};
    begin(n, true);
    for (int member = 0; member < 2; member++)
        member_holds(member, 2, held);
    CU_ASSERT_EQUAL(held[PART_STOP], 40);
    CU_ASSERT_EQUAL(held[PART_VALIDATION], 0);
    end();
}

static void test_many_messages(void)
{
    const int n[PART_COUNT] = {500000, 0, 0, 1};
    int held[PART_COUNT] = {0};
    begin(n, false);
    CU_ASSERT(member_holds(0, 1, held) > 2);
    CU_ASSERT_EQUAL(held[PART_TRAIN], n[PART_TRAIN]);
    end();
}

static void test_broken(void)
{
    const int n[PART_COUNT] = {20, 5, 5, 5};
    struct buffer head = {0};
    struct hand h;
    struct error e;
    begin(n, false);
    struct dealing d = {&toy.flows, &task, &toy.x, 0, 1};
    dealing_put(&d, &head);
    for (size_t size = 0; size < head.size; size++)
        CU_ASSERT_NOT_EQUAL(hand_take(&h, head.data, size, 0, 1, &e), STATUS_OK);
    buffer_fini(&head);
    end();
}

UNIT_MAIN({"every row is held once, where it is used", test_every_row_once}, {"stop and validation the same rows", test_stop_is_validation},
          {"more rows than a message takes", test_many_messages}, {"broken descriptions", test_broken})
