/* Parts, slots and joins of the tree of models/gang.h against the tree itself, for every number of leaves and ranks that is likely and some that are not. */
#include "unit.h"

#include <stdint.h>
#include <string.h>

#include "models/gang.h"

enum { LEAVES = 40, SIZES = 9, WIDTH = 3, STRIDE = 5 };

/* Leaf values whose sum depends on the order of additions in float. */
static float value(int leaf, int j)
{
    static const float of[] = {1.0f / 3, 16777216.0f, -5.0f / 7, 3e-5f, -16777215.0f, 0.1f, 1e4f / 3};
    return of[(leaf * 5 + j) % 7] * (float)(1 + leaf % 3);
}

/* The tree, by its definition. */
static void whole(int n_leaves, float sum[WIDTH])
{
    float x[LEAVES][WIDTH];
    for (int i = 0; i < n_leaves; i++)
        for (int j = 0; j < WIDTH; j++)
            x[i][j] = value(i, j);
    for (int stride = 1; stride < n_leaves; stride *= 2)
        for (int i = 0; i + stride < n_leaves; i += 2 * stride)
            gang_add(x[i], x[i + stride], WIDTH);
    memcpy(sum, x[0], sizeof x[0]);
}

/* A rank's leaves one after the other through its slots: the middle WIDTH of STRIDE floats, so that what must stay untouched shows; adds: to the slot before
 * where a leaf joins it. */
static int leaf_after_leaf(int first, int end, int n_leaves, bool adds, float *slots)
{
    int most = 0;
    for (int i = first; i < end; i++) {
        int slot = gang_slot(first, i, n_leaves);
        bool joins = adds && gang_joins_before(first, i, n_leaves);
        most = slot + 1 > most ? slot + 1 : most;
        for (int j = 0; j < WIDTH; j++) {
            float *x = &slots[(slot - joins) * STRIDE + 1 + j];
            *x = joins ? *x + value(i, j) : value(i, j);
        }
        (joins ? gang_merge_rest : gang_merge)(slots + 1, STRIDE, WIDTH, first, i, n_leaves);
    }
    return most;
}

static void sum_of_ranks(int n_leaves, int size, bool adds, float sum[WIDTH])
{
    float parts[LEAVES][WIDTH];
    struct gang_join joins[LEAVES];
    int n = 0;
    for (int r = 0; r < size; r++) {
        float slots[LEAVES * STRIDE];
        int first = gang_first(n_leaves, r, size), end = gang_first(n_leaves, r + 1, size);
        for (int i = 0; i < LEAVES * STRIDE; i++)
            slots[i] = 7;
        CU_ASSERT_EQUAL(leaf_after_leaf(first, end, n_leaves, adds, slots), gang_slots(first, end, n_leaves));
        CU_ASSERT(gang_slots(first, end, n_leaves) <= gang_slots_most(end - first));
        CU_ASSERT(gang_parts(first, end, n_leaves) <= gang_slots_most(end - first));
        CU_ASSERT_EQUAL(n, gang_part_offset(n_leaves, r, size));
        for (int p = 0; p < gang_parts(first, end, n_leaves); p++)
            memcpy(parts[n++], slots + p * STRIDE + 1, sizeof parts[0]);
        for (int i = 0; i < LEAVES; i++)
            CU_ASSERT(slots[i * STRIDE] == 7 && slots[i * STRIDE + STRIDE - 1] == 7);
    }
    CU_ASSERT_EQUAL(gang_joins(n_leaves, size, NULL), n - 1);
    CU_ASSERT_EQUAL(gang_joins(n_leaves, size, joins), n - 1);
    for (int i = 0; i < n - 1; i++) {
        CU_ASSERT(joins[i].into < joins[i].from && joins[i].from < n);
        gang_add(parts[joins[i].into], parts[joins[i].from], WIDTH);
    }
    memcpy(sum, parts[0], sizeof parts[0]);
}

static void test_bits(void)
{
    int differ = 0;
    for (int n = 1; n <= LEAVES; n++) {
        float all[WIDTH], in_order[WIDTH] = {0};
        whole(n, all);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < WIDTH; j++)
                in_order[j] += value(i, j);
        differ += memcmp(all, in_order, sizeof all) != 0;
        for (int size = 1; size <= SIZES; size++) {
            float sum[WIDTH];
            sum_of_ranks(n, size, false, sum);
            CU_ASSERT(memcmp(sum, all, sizeof sum) == 0);
            sum_of_ranks(n, size, true, sum);
            CU_ASSERT(memcmp(sum, all, sizeof sum) == 0);
        }
    }
    CU_ASSERT(differ > LEAVES / 2); /* or the values would show nothing */
}

/* The pictures at the head of models/gang.h. */
static void test_pictures(void)
{
    CU_ASSERT_EQUAL(gang_parts(0, 5, 5), 1);
    CU_ASSERT_EQUAL(gang_parts(1, 5, 5), 3);
    CU_ASSERT_EQUAL(gang_parts(0, 3, 4), 2);
    CU_ASSERT_EQUAL(gang_parts(3, 3, 4), 0);
    const int slots[] = {0, 1, 1, 2, 1};
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(gang_slot(0, i, 5), slots[i]);
    CU_ASSERT_EQUAL(gang_slots(0, 5, 5), 3);
    CU_ASSERT_EQUAL(gang_slots(2, 2, 5), 0);
    CU_ASSERT_EQUAL(gang_joins(0, 4, NULL), 0);
}

/* Few slots whatever the run, also of a batch of 67 million rows. */
static void test_room(void)
{
    for (int n = 1; n <= 70; n++)
        for (int first = 0; first < n; first++)
            for (int end = first + 1; end <= n; end++)
                if (gang_slots(first, end, n) > gang_slots_most(end - first) || gang_parts(first, end, n) > gang_slots(first, end, n))
                    CU_FAIL("more slots than promised");
    CU_ASSERT(gang_slots_most(1 << 21) <= 44);
    CU_ASSERT(gang_slots_most(INT32_MAX) <= GANG_PARTS_EACH);
    CU_ASSERT(gang_parts(1, INT32_MAX - 1, INT32_MAX) <= GANG_PARTS_EACH);
    CU_ASSERT_EQUAL(gang_parts(0, INT32_MAX, INT32_MAX), 1);
}

/* Without memory that members share, each takes its run; the next round begins anew. */
static void test_runs(void)
{
    for (int size = 1; size < SIZES; size++)
        for (int rank = 0; rank < size; rank++) {
            struct gang g = gang_alone(NULL, NULL);
            g.rank = rank;
            g.size = size;
            for (int n = 0; n < 20; n++) {
                for (int i = gang_first(n, rank, size); i < gang_first(n, rank + 1, size); i++)
                    CU_ASSERT_EQUAL(gang_take(&g, n), i);
                CU_ASSERT_EQUAL(gang_take(&g, n), -1);
            }
        }
}

UNIT_MAIN({"sums have the bits of the tree", test_bits}, {"the pictures", test_pictures}, {"few slots", test_room}, {"runs of numbers", test_runs})
