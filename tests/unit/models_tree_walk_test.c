/* Finished trees against the plain way down the nodes that they were made of: the same sums, to the bit, for any shape of tree, number of rows and
 * width; and their bytes: what was written is read, what was cut off or changed is refused or walks to an end. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "models/tree_walk.h"

/* Values that rows and thresholds share, so that they meet. */
static const float values[] = {-1500, -1.5F, -1e-40F, -0.0F, 0, 1e-40F, 1, 1.0000001F, 2, 517, 1448, 3e38F, -3e38F};
enum { N_VALUES = sizeof values / sizeof *values };

struct shape {
    int leaves, n_columns, n_classes;
    bool chain; /* every right child a leaf */
};

static void add_leaf(struct tree *t, const struct shape *s, struct random *r)
{
    int most = s->n_classes < 5 ? s->n_classes : 5, n = random_below(r, 3) ? 1 : 1 + (int)random_below(r, (uint32_t)most), first = t->n_entries;
    int start = (int)random_below(r, (uint32_t)(s->n_classes - n + 1));
    for (int i = 0; i < n; i++) {
        t->classes[t->n_entries] = start + i;
        t->shares[t->n_entries++] = n == 1 ? 1 : 1 / (float)n;
    }
    t->nodes[t->n_nodes++] = (struct tree_node){.feature = -1, .right = first, .n = n};
}

/* A tree in preorder as tree_grow gives one. */
static void add_tree(struct tree *t, const struct shape *s, int leaves, struct random *r)
{
    if (leaves == 1) {
        add_leaf(t, s, r);
        return;
    }
    int node = t->n_nodes++, left = s->chain ? leaves - 1 : 1 + (int)random_below(r, (uint32_t)(leaves - 1));
    t->nodes[node] = (struct tree_node){.feature = (int32_t)random_below(r, (uint32_t)s->n_columns), .threshold = values[random_below(r, N_VALUES)]};
    add_tree(t, s, left, r);
    t->nodes[node].right = t->n_nodes;
    add_tree(t, s, leaves - left, r);
}

static struct tree tree_of(const struct shape *s, struct random *r)
{
    struct tree t = {0};
    t.nodes = memory_new((size_t)(2 * s->leaves) * sizeof *t.nodes);
    t.classes = memory_new((size_t)(5 * s->leaves) * sizeof *t.classes);
    t.shares = memory_new((size_t)(5 * s->leaves) * sizeof *t.shares);
    add_tree(&t, s, s->leaves, r);
    return t;
}

static void add_plainly(const struct tree *t, const float *x, double *sum)
{
    const struct tree_node *node = t->nodes;
    while (node->feature >= 0)
        node = x[node->feature] <= node->threshold ? node + 1 : t->nodes + node->right;
    for (int i = node->right; i < node->right + node->n; i++)
        sum[t->classes[i]] += (double)t->shares[i];
}

/* Sums of both ways, begun with numbers that no order of additions forgives: of the tree, then of two like it one after another. */
static bool agree(const struct tree *t, const struct tree_walk *w, const struct shape *s, int n, struct random *r)
{
    size_t width = (size_t)s->n_columns, k = (size_t)s->n_classes, cells = (size_t)n * k;
    float *x = memory_new((size_t)n * width * sizeof *x);
    uint32_t *keys = memory_new((size_t)n * (width + 1) * sizeof *keys);
    double *plain = memory_new(cells * sizeof *plain), *walked = memory_new(cells * sizeof *walked);
    for (size_t i = 0; i < (size_t)n * width; i++)
        x[i] = values[random_below(r, N_VALUES)];
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t c = 0; c < width; c++)
            keys[i * (width + 1) + c] = tree_walk_key(x[i * width + c]);
    for (size_t i = 0; i < cells; i++)
        plain[i] = walked[i] = random_double(r) * 1e3;
    bool same = true;
    for (int time = 0; time < 3; time++) {
        for (int i = 0; i < n; i++)
            add_plainly(t, x + (size_t)i * width, plain + (size_t)i * k);
        if (time == 0)
            tree_walk_add(w, keys, s->n_columns, n, walked, s->n_classes);
        if (time == 1)
            tree_walk_add_all((struct tree_walk[]){*w, *w}, 2, keys, s->n_columns, n, walked, s->n_classes);
        same = same && (time == 1 || memcmp(plain, walked, cells * sizeof *plain) == 0);
    }
    free(x);
    free(keys);
    free(plain);
    free(walked);
    return same;
}

static struct tree_walk walk_of(const struct tree *t, const struct shape *s)
{
    struct tree_walk w;
    struct error e;
    CU_ASSERT_EQUAL_FATAL(tree_walk_of(&w, t, s->n_columns, &e), STATUS_OK);
    return w;
}

/* Some of n rows, some columns of which change, after they stood in this tree and a smaller one: the sums of going down anew. */
static bool changed_agree(const struct tree_walk *w, const struct shape *s, int n, int n_changed, struct random *r)
{
    const struct shape small = {s->leaves / 2 + 1, s->n_columns, s->n_classes, false};
    struct tree t = tree_of(&small, r);
    struct tree_walk trees[] = {walk_of(&t, &small), *w};
    size_t stride = (size_t)s->n_columns + 1, cells = (size_t)n * (size_t)s->n_classes;
    uint32_t *keys = memory_new((size_t)n * stride * sizeof *keys), *moved = memory_new((size_t)n * stride * sizeof *moved);
    struct tree_walk_before before = {memory_new(2 * (size_t)n * sizeof *before.leaf), memory_new(tree_walk_nodes(trees, 2) * sizeof *before.touched), n};
    double *plain = memory_new(cells * sizeof *plain), *walked = memory_new(cells * sizeof *walked);
    bool *changed = memory_new(stride * sizeof *changed);
    int32_t *row = memory_new((size_t)n * sizeof *row);
    int m = 0;
    for (size_t i = 0; i < (size_t)n * stride; i++)
        keys[i] = i % stride < stride - 1 ? tree_walk_key(values[random_below(r, N_VALUES)]) : 0;
    for (int c = 0; c < n_changed; c++)
        changed[random_below(r, (uint32_t)s->n_columns)] = true;
    for (int i = 0; i < n; i++)
        if (random_below(r, 3)) {
            for (size_t c = 0; c < stride; c++)
                moved[(size_t)m * stride + c] = changed[c] ? tree_walk_key(values[random_below(r, N_VALUES)]) : keys[(size_t)i * stride + c];
            row[m++] = i;
        }
    tree_walk_stand(trees, 2, &before, 0, keys, s->n_columns, n / 2);
    tree_walk_stand(trees, 2, &before, n / 2, keys + (size_t)(n / 2) * stride, s->n_columns, n - n / 2);
    tree_walk_touch(trees, 2, &before, changed);
    tree_walk_add_changed(trees, 2, &before, row, moved, s->n_columns, m, walked, s->n_classes);
    tree_walk_add_all(trees, 2, moved, s->n_columns, m, plain, s->n_classes);
    bool same = memcmp(plain, walked, cells * sizeof *plain) == 0;
    free(keys);
    free(moved);
    free(before.leaf);
    free(before.touched);
    free(plain);
    free(walked);
    free(changed);
    free(row);
    tree_walk_fini(trees);
    tree_fini(&t);
    return same;
}

static void check_shape(struct shape s, uint64_t seed)
{
    static const int rows[] = {1, 7, 255, 256, 257, 600};
    struct random r = random_of(11, seed);
    struct tree t = tree_of(&s, &r);
    struct tree_walk w = walk_of(&t, &s), again;
    struct buffer bytes = {0}, more = {0};
    struct error e;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && (size_t)rows[i] * (size_t)s.n_columns < 2000000; i++)
        for (int changed = 0; changed < 3; changed++)
            CU_ASSERT((changed || agree(&t, &w, &s, rows[i], &r)) && changed_agree(&w, &s, rows[i], changed, &r));
    tree_walk_write(&w, s.n_columns, s.n_classes, &bytes);
    struct reader reader = reader_of(bytes.data, bytes.size);
    CU_ASSERT_EQUAL_FATAL(tree_walk_read(&again, &reader, s.n_columns, s.n_classes, &e), STATUS_OK);
    CU_ASSERT_PTR_EQUAL(reader.at, reader.end);
    CU_ASSERT(agree(&t, &again, &s, 50, &r));
    tree_walk_write(&again, s.n_columns, s.n_classes, &more);
    CU_ASSERT(more.size == bytes.size && memcmp(more.data, bytes.data, bytes.size) == 0);
    buffer_fini(&bytes);
    buffer_fini(&more);
    tree_walk_fini(&w);
    tree_walk_fini(&again);
    tree_fini(&t);
}

static void test_sums(void)
{
    static const int widths[] = {1, 2, 3, 100, 127, 128, 254, 255, 256, 70000}, classes[] = {1, 2, 25, 254, 255, 256, 5000, 65535};
    uint64_t seed = 0;
    for (size_t c = 0; c < sizeof widths / sizeof *widths; c++)
        for (int leaves = 1; leaves < 900; leaves = leaves * 3 + 1)
            check_shape((struct shape){leaves, widths[c], 25, leaves % 2 == 0}, ++seed);
    for (size_t c = 0; c < sizeof classes / sizeof *classes; c++)
        check_shape((struct shape){300, 100, classes[c], false}, ++seed);
}

/* More nodes than share a word with such columns: two words each. */
static void test_wide(void)
{
    struct shape s = {9000, 300000, 25, false};
    struct random r = random_of(12, 1);
    struct tree t = tree_of(&s, &r);
    struct tree_walk w = walk_of(&t, &s);
    CU_ASSERT(w.wide);
    CU_ASSERT(agree(&t, &w, &s, 20, &r) && changed_agree(&w, &s, 20, 2, &r));
    tree_walk_fini(&w);
    tree_fini(&t);
    check_shape(s, 2);
}

static void test_order(void)
{
    struct shape s = {2, 3, 2, false};
    struct random r = random_of(13, 1);
    struct tree_walk w;
    struct error e;
    struct tree t = tree_of(&(struct shape){4, 3, 2, false}, &r);
    for (int i = 0; i < t.n_nodes; i++) {
        struct tree_node kept = t.nodes[i];
        if (kept.feature >= 0) { /* a right child that another has already, or that is nobody's */
            for (t.nodes[i].right = 1; t.nodes[i].right < t.n_nodes; t.nodes[i].right++)
                CU_ASSERT(t.nodes[i].right == kept.right || tree_walk_of(&w, &t, s.n_columns, &e) == STATUS_DATA);
            t.nodes[i] = kept;
        }
    }
    t.n_nodes--;
    CU_ASSERT_EQUAL(tree_walk_of(&w, &t, s.n_columns, &e), STATUS_DATA);
    tree_fini(&t);
}

/* What bytes make a tree of is walked: that must end, within the classes. */
static int read_and_walk(const struct buffer *b, size_t n, const struct shape *s)
{
    uint32_t keys[3 * 5] = {0};
    double sum[3 * 8] = {0};
    struct tree_walk w;
    struct error e;
    struct reader r = reader_of(b->data, n);
    for (int i = 0; i < 15; i++)
        keys[i] = i % 5 == 4 ? 0 : tree_walk_key(values[i % N_VALUES]);
    if (tree_walk_read(&w, &r, s->n_columns, s->n_classes, &e) != STATUS_OK)
        return 0;
    tree_walk_add(&w, keys, s->n_columns, 3, sum, s->n_classes);
    tree_walk_fini(&w);
    for (int row = 0; row < 3; row++) {
        double whole = 0;
        for (int c = 0; c < s->n_classes; c++)
            whole += sum[row * s->n_classes + c];
        CU_ASSERT(fabs(whole - 1) < 1e-3);
    }
    return 1;
}

static void test_hostile(void)
{
    struct shape s = {40, 4, 8, false};
    struct random r = random_of(14, 1);
    struct tree t = tree_of(&s, &r);
    struct tree_walk w = walk_of(&t, &s);
    struct buffer b = {0};
    int refused = 0, tried = 0;
    tree_walk_write(&w, s.n_columns, s.n_classes, &b);
    for (size_t n = 0; n < b.size; n++)
        CU_ASSERT_EQUAL(read_and_walk(&b, n, &s), 0);
    for (size_t i = 0; i < b.size; i++)
        for (int x = 1; x < 256; x = x < 128 ? 2 * x : x + 127, tried++) { /* each bit, and all */
            b.data[i] = (char)(b.data[i] ^ x);
            refused += !read_and_walk(&b, b.size, &s);
            b.data[i] = (char)(b.data[i] ^ x);
        }
    CU_ASSERT(refused > tried / 4);
    CU_ASSERT_EQUAL(read_and_walk(&b, b.size, &s), 1);
    buffer_fini(&b);
    tree_walk_fini(&w);
    tree_fini(&t);
}

UNIT_MAIN({"sums", test_sums}, {"nodes of two words", test_wide}, {"nodes that are no tree", test_order}, {"hostile bytes", test_hostile})
