/* Rows going down. */
#include <stdlib.h>

#include "base/kernels.h"
#include "models/tree_walk_words.h"

void tree_walk_fini(struct tree_walk *w)
{
    free(w->nodes);
    free(w->shares);
    *w = (struct tree_walk){0};
}

enum { TOGETHER = 256 };              /* rows */
enum { AT_ONCE = 16 };                /* rows whose paths a processor has under way: they do not hang on each other, and a step mostly waits for memory */
enum { FEW = 4 };                     /* too few rows for that */
enum { FIRST_STEPS = 16, STEPS = 6 }; /* before the first look at who has come to a leaf, and between others */

struct rows {
    int n;                                    /* that have not come to a leaf */
    uint32_t at[TOGETHER + AT_ONCE];          /* node of each */
    const uint32_t *keys[TOGETHER + AT_ONCE]; /* of each */
    uint16_t row[TOGETHER + AT_ONCE];         /* which it is */
    uint32_t last[TOGETHER + 1];              /* by row: its node when it went last; of nobody's */
};

/* n_steps down for each row that goes, at_once (up to AT_ONCE) rows side by side; places left beside the last ones are nobody's, who stays in a leaf (a tree's
 * last node is one). Both loops over them must be unrolled: it takes half the time. */
static inline __attribute__((always_inline)) void go_down(const struct tree_walk *w, struct rows *r, int n_steps, int at_once, bool wide)
{
    const struct tree_walk tree = *w; /* whose fields nothing here can change */
    int left = 0, n = r->n;
    for (int i = n; i % at_once; i++) {
        r->at[i] = (uint32_t)tree.n_nodes - 1;
        r->keys[i] = r->keys[0];
        r->row[i] = TOGETHER;
    }
    for (int i = 0; i < n; i += at_once) {
        uint32_t at[AT_ONCE];
        const uint32_t *keys[AT_ONCE];
#pragma GCC unroll 16
        for (int j = 0; j < at_once; j++) {
            at[j] = r->at[i + j];
            keys[j] = r->keys[i + j];
        }
        for (int s = 0; s < n_steps; s++)
#pragma GCC unroll 16
            for (int j = 0; j < at_once; j++)
                at[j] = tree_walk_child(&tree, tree_walk_word(&tree, at[j], wide) + keys[j][tree_walk_column(&tree, at[j], wide)], wide);
#pragma GCC unroll 16
        for (int j = 0; j < at_once; j++) {
            uint16_t row = r->row[i + j];
            r->last[row] = at[j];
            r->at[left] = at[j];
            r->keys[left] = keys[j];
            r->row[left] = row;
            left += tree_walk_child(&tree, tree_walk_word(&tree, at[j], wide), wide) != at[j];
        }
    }
    r->n = left;
}

SHIFTING_KERNEL static void go_narrow(const struct tree_walk *w, struct rows *r)
{
    for (go_down(w, r, FIRST_STEPS, AT_ONCE, false); r->n > 0;)
        go_down(w, r, STEPS, AT_ONCE, false);
}

/* One row, say, as it comes: other trees are what a processor may have under way. */
SHIFTING_KERNEL static void go_few(const struct tree_walk *w, struct rows *r)
{
    while (r->n > 0)
        go_down(w, r, STEPS, 1, false);
}

SHIFTING_KERNEL static void go_wide(const struct tree_walk *w, struct rows *r)
{
    while (r->n > 0)
        go_down(w, r, STEPS, AT_ONCE, true);
}

static void add_leaf(const struct tree_walk *w, int32_t value, double *sum)
{
    if (value >= 0) {
        sum[value] += 1;
        return;
    }
    const struct tree_share *s = &w->shares[~value];
    for (; s->label >= 0; s++)
        sum[s->label] += (double)s->share;
    sum[~s->label] += (double)s->share;
}

enum { LINE = 64 }; /* bytes a processor fetches at once */

static size_t bytes_of(const struct tree_walk *w)
{
    return (size_t)w->n_nodes * (w->wide ? 2 : 1) * sizeof *w->nodes;
}

/* Asks for the i-th of n parts of a tree. */
static void fetch(const struct tree_walk *w, int i, int n)
{
    const char *nodes = (const char *)w->nodes;
    size_t bytes = bytes_of(w), last = bytes * (size_t)(i + 1) / (size_t)n;
    for (size_t at = bytes * (size_t)i / (size_t)n / LINE * LINE; at < last; at += LINE)
        __builtin_prefetch(nodes + at, 0, 2);
}

/* Where rows of a tree stood before, and what its nodes say of that (struct tree_walk_before). */
struct stood {
    const uint32_t *leaf;
    const bool *touched;
    const int32_t *row;
};

/* Up to TOGETHER rows that go. */
static void begin(const uint32_t *x, size_t stride, int n, struct rows *r)
{
    r->n = n;
    for (int i = 0; i < n; i++) {
        r->row[i] = (uint16_t)i;
        r->at[i] = 0;
        r->keys[i] = x + (size_t)i * stride;
    }
}

/* Of those whose leaf stays none goes. */
static void begin_changed(const struct stood *stood, const uint32_t *x, size_t stride, int n, struct rows *r)
{
    r->n = 0;
    for (int i = 0; i < n; i++) {
        uint32_t leaf = stood->leaf[stood->row[i]];
        r->last[i] = leaf;
        r->row[r->n] = (uint16_t)i;
        r->at[r->n] = 0;
        r->keys[r->n] = x + (size_t)i * stride;
        r->n += stood->touched[leaf];
    }
}

/* To r->last. */
static void go(const struct tree_walk *w, struct rows *r)
{
    (w->wide ? go_wide : r->n < FEW ? go_few : go_narrow)(w, r);
}

/* next: the tree to be asked after it, or NULL. Its nodes would be waited for one after another; fetched now, as they lie, they come beside the work here. */
static void add(const struct tree_walk *w, const struct tree_walk *next, struct stood *stood, const uint32_t *x, int n_columns, int n, double *sum,
                int n_classes)
{
    size_t stride = (size_t)n_columns + 1;
    struct rows r;
    for (int first = 0; first < n; first += TOGETHER) {
        int m = n - first < TOGETHER ? n - first : TOGETHER;
        if (next && m == TOGETHER)
            fetch(next, first / TOGETHER, n / TOGETHER);
        if (stood) {
            begin_changed(stood, x + (size_t)first * stride, stride, m, &r);
            stood->row += m;
        } else {
            begin(x + (size_t)first * stride, stride, m, &r);
        }
        go(w, &r);
        for (int i = 0; i < m; i++)
            add_leaf(w, (int32_t)tree_walk_threshold(w, r.last[i]), sum + (size_t)(first + i) * (size_t)n_classes);
    }
}

void tree_walk_add(const struct tree_walk *w, const uint32_t *x, int n_columns, int n, double *sum, int n_classes)
{
    add(w, NULL, NULL, x, n_columns, n, sum, n_classes);
}

size_t tree_walk_bytes(const struct tree_walk *trees, int n_trees)
{
    size_t bytes = 0;
    for (int t = 0; t < n_trees; t++)
        bytes += bytes_of(&trees[t]);
    return bytes;
}

size_t tree_walk_nodes(const struct tree_walk *trees, int n_trees)
{
    size_t nodes = 0;
    for (int t = 0; t < n_trees; t++)
        nodes += (size_t)trees[t].n_nodes;
    return nodes;
}

/* before: NULL where all rows go down all trees. */
static void add_all(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, const int32_t *row, const uint32_t *x, int n_columns,
                    int n, double *sum, int n_classes)
{
    enum { NEAR_BYTES = 1 << 20 }; /* what a core's own cache holds; others come from farther away when they are asked again */
    enum { OF_A_ROW = 2 * LINE };  /* bytes: of a tree that has more for each, most would be fetched in vain */
    bool far = n >= TOGETHER && tree_walk_bytes(trees, n_trees) > NEAR_BYTES;
    const bool *touched = before ? before->touched : NULL;
    for (int t = 0; t < n_trees; t++) {
        const struct tree_walk *next = &trees[t + 1 < n_trees ? t + 1 : 0];
        struct stood stood = {0};
        if (before) {
            stood = (struct stood){before->leaf + (size_t)t * (size_t)before->n, touched, row};
            touched += trees[t].n_nodes;
        }
        add(&trees[t], far && bytes_of(next) <= (size_t)n * OF_A_ROW ? next : NULL, before ? &stood : NULL, x, n_columns, n, sum, n_classes);
    }
}

void tree_walk_add_all(const struct tree_walk *trees, int n_trees, const uint32_t *x, int n_columns, int n, double *sum, int n_classes)
{
    add_all(trees, n_trees, NULL, NULL, x, n_columns, n, sum, n_classes);
}

void tree_walk_add_changed(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, const int32_t *row, const uint32_t *x,
                           int n_columns, int n, double *sum, int n_classes)
{
    add_all(trees, n_trees, before, row, x, n_columns, n, sum, n_classes);
}

void tree_walk_stand(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, int first, const uint32_t *x, int n_columns, int n)
{
    size_t stride = (size_t)n_columns + 1;
    struct rows r;
    for (int t = 0; t < n_trees; t++) {
        uint32_t *leaf = before->leaf + (size_t)t * (size_t)before->n + first;
        for (int at = 0; at < n; at += TOGETHER) {
            int m = n - at < TOGETHER ? n - at : TOGETHER;
            begin(x + (size_t)at * stride, stride, m, &r);
            go(&trees[t], &r);
            memcpy(leaf + at, r.last, (size_t)m * sizeof *leaf);
        }
    }
}

void tree_walk_touch(const struct tree_walk *trees, int n_trees, const struct tree_walk_before *before, const bool *changed)
{
    bool *touched = before->touched;
    for (int t = 0; t < n_trees; touched += trees[t++].n_nodes) {
        const struct tree_walk *w = &trees[t];
        touched[0] = false;
        for (uint32_t at = 0; at < (uint32_t)w->n_nodes; at++) { /* children come after their node; a leaf, its own child, keeps what it has */
            uint32_t child = tree_walk_child_at(w, at);
            touched[child] = touched[child + (child != at)] = touched[at] | changed[tree_walk_column(w, at, w->wide)];
        }
    }
}

int tree_walk_rows(const struct tree_walk *trees, int n_trees, int n_columns, int n_classes, int n)
{
    /* Few, so that what they are asked for stays in a core's cache, or many, where it is the trees that come from far away: one for each TREE_BYTES of these;
     * but no more than fit MOST_BYTES with their sums over all classes. */
    enum { LEAST = TOGETHER, TREE_BYTES = 4096, MOST_BYTES = 1 << 24 };
    size_t row = ((size_t)n_columns + 1) * sizeof(uint32_t) + (size_t)n_classes * sizeof(double), fit = MOST_BYTES / row;
    size_t rows = tree_walk_bytes(trees, n_trees) / TREE_BYTES;
    rows = rows < fit ? rows : fit;
    rows = rows < LEAST ? LEAST : rows > TREE_WALK_ROWS ? TREE_WALK_ROWS : rows;
    return (size_t)n < rows ? n : (int)rows;
}
