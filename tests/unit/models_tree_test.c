/* Trees against a plain reference: at every node all splits of all columns are tried in doubles, and the tree's must be the first of the best; where it
 * made a leaf there must be a reason. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/engine.h"
#include "models/tree.h"

/* --- rows, and their codes --- */

struct table {
    int n, columns, classes;
    float *x;      /* (n, columns) */
    int32_t *y, *times;
    double *weight; /* (classes) or NULL */
    struct tree_column *column;
    uint16_t *records, *planes; /* planes: owned, used where lay_planes was called */
    struct tree_data data;
};

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static struct table table_of(int n, int columns, int classes)
{
    struct table t = {.n = n, .columns = columns, .classes = classes};
    t.x = memory_new((size_t)n * (size_t)columns * sizeof *t.x);
    t.y = memory_new((size_t)n * sizeof *t.y);
    t.times = memory_new((size_t)n * sizeof *t.times);
    t.column = memory_new((size_t)columns * sizeof *t.column);
    for (int i = 0; i < n; i++)
        t.times[i] = 1;
    return t;
}

static uint32_t code_of(const struct tree_column *c, float x)
{
    const float *at = bsearch(&x, c->values, c->n_values, sizeof x, by_value);
    return (uint32_t)(at - c->values);
}

static void code(struct table *t)
{
    uint32_t stride = 0;
    for (int c = 0; c < t->columns; c++) {
        float *v = memory_new((size_t)t->n * sizeof *v);
        uint32_t distinct = 0;
        for (int i = 0; i < t->n; i++)
            v[i] = t->x[i * t->columns + c];
        qsort(v, (size_t)t->n, sizeof *v, by_value);
        for (int i = 0; i < t->n; i++)
            if (i == 0 || v[i] != v[distinct - 1])
                v[distinct++] = v[i];
        t->column[c] = (struct tree_column){stride, distinct > 65536, distinct, v, v};
        stride += distinct > 65536 ? 2 : 1;
    }
    t->records = memory_new((size_t)t->n * stride * sizeof *t->records);
    for (int i = 0; i < t->n; i++)
        for (int c = 0; c < t->columns; c++) {
            uint32_t code = code_of(&t->column[c], t->x[i * t->columns + c]);
            uint16_t *at = t->records + (size_t)i * stride + t->column[c].at;
            at[0] = (uint16_t)code;
            if (t->column[c].wide)
                at[1] = (uint16_t)(code >> 16);
        }
    t->data = (struct tree_data){t->n, t->columns, t->classes, t->records, stride, t->column, t->y};
}

/* Codes column by column too; none of more than 16 bits. */
static void lay_planes(struct table *t)
{
    t->planes = memory_new((size_t)t->n * (size_t)t->columns * sizeof *t->planes);
    for (int c = 0; c < t->columns; c++)
        for (int i = 0; i < t->n; i++)
            t->planes[c * t->n + i] = (uint16_t)tree_table_place(t->records[(size_t)i * t->data.stride + t->column[c].at], t->column[c].n_values);
    t->data.planes = t->planes;
}

static void table_fini(struct table *t)
{
    for (int c = 0; c < t->columns; c++)
        free((void *)(uintptr_t)t->column[c].values);
    free(t->column);
    free(t->records);
    free(t->planes);
    free(t->x);
    free(t->y);
    free(t->times);
    free(t->weight);
}

/* Few distinct values, classes that depend on them, some noise. */
static struct table noisy(int n, int columns, int classes, uint64_t seed)
{
    struct table t = table_of(n, columns, classes);
    struct random r = random_of(seed, 1);
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < columns; c++)
            t.x[i * columns + c] = (float)random_below(&r, 12u + 5u * (uint32_t)c) * 0.25f - 1;
        int signal = (int)(4 * (t.x[i * columns] + 1)) + (columns > 1 ? (int)(t.x[i * columns + 1] + 1) : 0);
        t.y[i] = random_below(&r, 4) == 0 ? (int)random_below(&r, (uint32_t)classes) : signal % classes;
    }
    return t;
}

static void draw(struct table *t, uint64_t seed)
{
    struct random r = random_of(seed, 2);
    memset(t->times, 0, (size_t)t->n * sizeof *t->times);
    for (int i = 0; i < t->n; i++)
        t->times[random_below(&r, (uint32_t)t->n)]++;
}

/* --- the reference --- */

struct best {
    double decrease; /* of weight * impurity, of all splits the most */
    int feature;     /* the first that comes to it, but for rounding */
    double threshold;
};

static double impurity(const double *w, int k, enum tree_criterion criterion) /* times weight */
{
    double sum = 0, total = 0;
    for (int c = 0; c < k; c++)
        total += w[c];
    for (int c = 0; c < k && total > 0; c++)
        sum += criterion == TREE_GINI ? w[c] * w[c] / total : w[c] > 0 ? w[c] * log2(w[c] / total) : 0;
    return criterion == TREE_GINI ? total - sum : -sum;
}

static double weight_of(const struct table *t, int row)
{
    return t->times[row] * (t->weight ? t->weight[t->y[row]] : 1);
}

static const struct table *sorted_table;
static int sorted_column;

static int by_column(const void *a, const void *b)
{
    float x = sorted_table->x[*(const int *)a * sorted_table->columns + sorted_column];
    float y = sorted_table->x[*(const int *)b * sorted_table->columns + sorted_column];
    return (x > y) - (x < y);
}

static void weigh(const struct table *t, const int *rows, int n, double *w)
{
    memset(w, 0, (size_t)t->classes * sizeof *w);
    for (int i = 0; i < n; i++)
        w[t->y[rows[i]]] += weight_of(t, rows[i]);
}

/* Decrease of splitting rows (n) after the first `left` of them. */
static double decrease_at(const double *left, const double *all, double *right, int k, enum tree_criterion criterion)
{
    for (int c = 0; c < k; c++)
        right[c] = fabs(all[c] - left[c]) < 1e-9 ? 0 : all[c] - left[c];
    return impurity(all, k, criterion) - impurity(left, k, criterion) - impurity(right, k, criterion);
}

static void reference(const struct table *t, const struct tree_params *p, int *rows, int n, struct best *out)
{
    size_t k = (size_t)t->classes;
    double *w = memory_new(3 * k * sizeof *w), *left = w + k, *right = left + k;
    *out = (struct best){.decrease = -1, .feature = -1};
    weigh(t, rows, n, w);
    double own = impurity(w, t->classes, p->criterion);
    for (int c = 0; c < t->columns; c++) {
        sorted_table = t;
        sorted_column = c;
        qsort(rows, (size_t)n, sizeof *rows, by_column);
        memset(left, 0, k * sizeof *left);
        for (int i = 0; i + 1 < n; i++) {
            float a = t->x[rows[i] * t->columns + c], b = t->x[rows[i + 1] * t->columns + c];
            left[t->y[rows[i]]] += weight_of(t, rows[i]);
            if (a == b || i + 1 < p->min_samples_leaf || n - i - 1 < p->min_samples_leaf)
                continue;
            double decrease = decrease_at(left, w, right, t->classes, p->criterion);
            if (out->feature < 0 || decrease > out->decrease + 1e-10 * (1 + own))
                *out = (struct best){decrease, c, ((double)a + (double)b) / 2};
        }
    }
    free(w);
}

/* --- a tree beside it --- */

struct walk {
    const struct table *t;
    const struct tree_params *p;
    const struct tree *tree;
    double total;
    double *decrease; /* (nodes) */
    int wrong, inner, leaves, others; /* others: splits as good as the first of the best, but not it */
};

static void check_leaf(struct walk *w, const struct tree_node *leaf, int *rows, int n, int depth)
{
    const struct tree_params *p = w->p;
    struct best best;
    double *weights = memory_new((size_t)w->t->classes * sizeof *weights), total = 0;
    int present = 0;
    weigh(w->t, rows, n, weights);
    for (int c = 0; c < w->t->classes; c++) {
        total += weights[c];
        present += weights[c] > 0;
    }
    w->wrong += leaf->n != present;
    for (int e = 0; e < leaf->n; e++) {
        int32_t class = w->tree->classes[leaf->right + e];
        w->wrong += fabs((double)w->tree->shares[leaf->right + e] - weights[class] / total) > 1e-6;
        w->wrong += e > 0 && class <= w->tree->classes[leaf->right + e - 1];
    }
    bool allowed = present > 1 && n >= p->min_samples_split && (p->max_depth < 0 || depth < p->max_depth) && p->max_leaf_nodes == 0 &&
                   !p->random_thresholds;
    if (allowed) {
        reference(w->t, p, rows, n, &best);
        w->wrong += best.feature >= 0 && best.decrease / w->total >= p->min_impurity_decrease + 1e-9;
    }
    w->leaves++;
    free(weights);
}

static int part(const struct table *t, const struct tree_node *node, const int *rows, int n, int *out)
{
    int n_left = 0, at = 0;
    for (int i = 0; i < n; i++)
        n_left += t->x[rows[i] * t->columns + node->feature] <= node->threshold;
    for (int i = 0, l = 0; i < n; i++)
        if (t->x[rows[i] * t->columns + node->feature] <= node->threshold)
            out[l++] = rows[i];
        else
            out[n_left + at++] = rows[i];
    return n_left;
}

/* Checks the node that begins a subtree; returns the next node in preorder behind it. */
static int check_node(struct walk *w, int at, int *rows, int n, int depth)
{
    const struct tree_node *node = &w->tree->nodes[at];
    if (node->feature < 0) {
        check_leaf(w, node, rows, n, depth);
        return at + 1;
    }
    int k = w->t->classes, *sides = memory_new((size_t)n * sizeof *sides);
    double *all = memory_new(3 * (size_t)k * sizeof *all), *left = all + k;
    int n_left = part(w->t, node, rows, n, sides);
    weigh(w->t, rows, n, all);
    weigh(w->t, sides, n_left, left);
    w->inner++;
    w->decrease[at] = decrease_at(left, all, left + k, k, w->p->criterion);
    w->wrong += n_left < w->p->min_samples_leaf || n - n_left < w->p->min_samples_leaf || n < w->p->min_samples_split;
    w->wrong += w->decrease[at] / w->total < w->p->min_impurity_decrease - 1e-9;
    if (!w->p->random_thresholds) {
        struct best best;
        reference(w->t, w->p, rows, n, &best);
        w->wrong += fabs(best.decrease - w->decrease[at]) > 1e-9 * (1 + fabs(best.decrease));
        w->others += best.feature != node->feature || fabs(best.threshold - (double)node->threshold) > 1e-6 * (1 + fabs(best.threshold));
    }
    int next = check_node(w, at + 1, sides, n_left, depth + 1);
    w->wrong += next != node->right;
    next = check_node(w, node->right, sides + n_left, n - n_left, depth + 1);
    free(all);
    free(sides);
    return next;
}

static struct tree grow(const struct table *t, const struct tree_params *p, uint64_t seed, double *importances)
{
    struct random r = random_of(seed, 0);
    struct tree tree;
    struct error e;
    struct tree_request request = {&t->data, p, t->times, t->weight, &r, importances, NULL, NULL};
    CU_ASSERT_EQUAL_FATAL(tree_grow(&tree, &request, &e), STATUS_OK);
    return tree;
}

/* Grows and checks; importances must be what the splits take away. */
static struct walk check_tree(const struct table *t, const struct tree_params *p, uint64_t seed, struct tree *out)
{
    double *importances = memory_new((size_t)t->columns * sizeof *importances);
    *out = grow(t, p, seed, importances);
    struct walk w = {.t = t, .p = p, .tree = out, .decrease = memory_new((size_t)out->n_nodes * sizeof(double))};
    int *rows = memory_new((size_t)t->n * sizeof *rows), n = 0;
    for (int i = 0; i < t->n; i++)
        if (t->times[i]) {
            rows[n++] = i;
            w.total += weight_of(t, i);
        }
    CU_ASSERT_EQUAL(check_node(&w, 0, rows, n, 0), out->n_nodes);
    for (int i = 0; i < out->n_nodes; i++)
        if (out->nodes[i].feature >= 0)
            importances[out->nodes[i].feature] -= w.decrease[i] / w.total;
    for (int c = 0; c < t->columns; c++)
        w.wrong += fabs(importances[c]) > 1e-6;
    CU_ASSERT_EQUAL(w.wrong, 0);
    /* Different splits may have equal entropy but for rounding, as 6 log 6 = 6 + 2 * 3 log 3; two quotients may too, but in none of these tables. */
    CU_ASSERT(w.others <= (p->criterion == TREE_GINI ? 0 : w.inner / 20));
    free(rows);
    free(importances);
    return w;
}

static struct tree_params all_columns(const struct table *t, enum tree_criterion criterion)
{
    return (struct tree_params){.criterion = criterion, .max_features = t->columns, .max_depth = -1, .min_samples_split = 2, .min_samples_leaf = 1};
}

static struct walk check(const struct table *t, const struct tree_params *p)
{
    struct tree tree;
    struct walk w = check_tree(t, p, 5, &tree);
    tree_fini(&tree);
    free(w.decrease);
    return w;
}

static const enum tree_criterion criteria[] = {TREE_GINI, TREE_ENTROPY};

static void test_splits(void)
{
    for (int c = 0; c < 2; c++)
        for (int variant = 0; variant < 6; variant++) {
            struct table t = noisy(260, 4, 5, 10 + (uint64_t)variant);
            if (variant & 1)
                draw(&t, (uint64_t)variant);
            if (variant & 2) {
                t.weight = memory_new(5 * sizeof *t.weight);
                for (int k = 0; k < 5; k++)
                    t.weight[k] = 0.3 + k * k * 0.7;
            }
            code(&t);
            struct tree_params p = all_columns(&t, criteria[c]);
            p.min_samples_leaf = variant & 4 ? 7 : 1;
            p.min_samples_split = variant == 5 ? 31 : 2;
            struct walk w = check(&t, &p);
            CU_ASSERT(w.inner > (variant & 4 ? 4 : 40));
            table_fini(&t);
        }
}

/* Records that take one vector or several, whole ones and not, or more than are read at once. */
static void test_many_columns(void)
{
    static const int columns[] = {31, 32, 33, 64, 65, 96, 97, 128, 129, 150};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        struct table t = noisy(170, columns[i], 5, 20 + i);
        draw(&t, i);
        code(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        CU_ASSERT(check(&t, &p).inner > 10);
        table_fini(&t);
    }
}

static void test_small(void)
{
    for (int c = 0; c < 2; c++) {
        struct table two = table_of(2, 2, 2); /* column 0 is constant */
        two.x[1] = 1;
        two.x[3] = 4;
        two.y[1] = 1;
        code(&two);
        struct tree_params p = all_columns(&two, criteria[c]);
        struct tree tree;
        struct walk w = check_tree(&two, &p, 1, &tree);
        CU_ASSERT_EQUAL(w.inner, 1);
        CU_ASSERT_EQUAL(tree.nodes[0].feature, 1);
        CU_ASSERT_EQUAL(tree.nodes[0].threshold, 2.5f);
        tree_fini(&tree);
        free(w.decrease);
        p.min_samples_leaf = 2;
        CU_ASSERT_EQUAL(check(&two, &p).leaves, 1);
        p.min_samples_leaf = 1;
        p.max_depth = 0;
        CU_ASSERT_EQUAL(check(&two, &p).leaves, 1);
        two.y[1] = 0; /* one class */
        p.max_depth = -1;
        CU_ASSERT_EQUAL(check(&two, &p).leaves, 1);
        two.y[1] = 1;
        two.times[0] = 0; /* one row */
        CU_ASSERT_EQUAL(check(&two, &p).leaves, 1);
        table_fini(&two);
    }
}

/* Equal rows with different labels: a leaf that shares. All columns constant: the root is one. */
static void test_equal_rows(void)
{
    for (int c = 0; c < 2; c++) {
        struct table t = noisy(60, 3, 4, 3);
        for (int i = 0; i < 30; i++)
            memcpy(t.x + (30 + i) * 3, t.x + i * 3, 3 * sizeof *t.x);
        for (int i = 0; i < 60; i++)
            t.y[i] = i < 30 ? 0 : 1 + i % 3;
        code(&t);
        struct tree_params p = all_columns(&t, criteria[c]);
        CU_ASSERT(check(&t, &p).leaves > 1);
        table_fini(&t);
        struct table same = table_of(60, 3, 4);
        for (int i = 0; i < 60; i++)
            same.y[i] = i % 4;
        code(&same);
        p.max_features = 1;
        CU_ASSERT_EQUAL(check(&same, &p).leaves, 1);
        table_fini(&same);
    }
}

static void test_many_values(void)
{
    struct table t = table_of(70000, 2, 3);
    struct random r = random_of(1, 1);
    for (int i = 0; i < t.n; i++) {
        int at = (int)((uint64_t)i * 48271 % 70001);
        t.x[2 * i] = (float)at * 0.125f;
        t.x[2 * i + 1] = (float)random_below(&r, 9);
        t.y[i] = at > 66000 ? 1 : at > 65530 && at < 65540 ? 2 : random_below(&r, 40) == 0;
    }
    code(&t);
    CU_ASSERT(t.column[0].wide && !t.column[1].wide);
    for (int c = 0; c < 2; c++) {
        struct tree_params p = all_columns(&t, criteria[c]);
        p.max_depth = 5;
        CU_ASSERT(check(&t, &p).inner > 6);
    }
    table_fini(&t);
}

static void test_many_classes(void)
{
    struct table t = noisy(6000, 2, 5000, 9);
    for (int i = 0; i < t.n; i++)
        t.y[i] = i % 5000;
    code(&t);
    for (int c = 0; c < 2; c++) {
        struct tree_params p = all_columns(&t, criteria[c]);
        p.max_depth = 2;
        CU_ASSERT_EQUAL(check(&t, &p).inner, 3);
    }
    table_fini(&t);
}

static void test_decrease(void)
{
    for (int c = 0; c < 2; c++) {
        struct table t = noisy(400, 4, 5, 21);
        draw(&t, 4);
        code(&t);
        struct tree_params p = all_columns(&t, criteria[c]);
        int before = check(&t, &p).leaves;
        for (double least = 5e-3; least < 0.03; least *= 4) {
            p.min_impurity_decrease = least;
            int leaves = check(&t, &p).leaves;
            CU_ASSERT(leaves < before);
            before = leaves;
        }
        table_fini(&t);
    }
}

/* Of the whole tree's nodes, those that are split when the best leaf is always split first. */
static void mark_best_first(const struct tree *whole, const double *decrease, int leaves, bool *split)
{
    bool *open = memory_new((size_t)whole->n_nodes * sizeof *open);
    open[0] = true;
    for (; leaves > 1; leaves--) {
        int best = -1;
        for (int i = 0; i < whole->n_nodes; i++)
            if (open[i] && whole->nodes[i].feature >= 0 && (best < 0 || decrease[i] > decrease[best] + 1e-9))
                best = i;
        if (best < 0)
            break;
        open[best] = false;
        split[best] = open[best + 1] = open[whole->nodes[best].right] = true;
    }
    free(open);
}

/* Differences between a tree and the whole one cut where no node is marked; both in preorder. */
static int compare_cut(const struct tree *cut, int *at, const struct tree *whole, int node, const bool *split)
{
    const struct tree_node *a = &cut->nodes[(*at)++], *b = &whole->nodes[node];
    if (!split[node])
        return a->feature >= 0;
    int wrong = a->feature != b->feature || a->threshold != b->threshold;
    return wrong ? wrong : compare_cut(cut, at, whole, node + 1, split) + compare_cut(cut, at, whole, b->right, split);
}

static void test_best_first(void)
{
    static const int wanted[] = {2, 3, 8, 20, 1000};
    for (int c = 0; c < 2; c++) {
        struct table t = noisy(300, 4, 5, 33);
        t.weight = memory_new(5 * sizeof *t.weight);
        for (int k = 0; k < 5; k++)
            t.weight[k] = 1 + 0.17 * k; /* so that hardly two splits gain the same */
        code(&t);
        struct tree_params p = all_columns(&t, criteria[c]);
        struct tree whole, cut;
        struct walk of_whole = check_tree(&t, &p, 1, &whole);
        for (int i = 0; i < 5; i++) {
            bool *split = memory_new((size_t)whole.n_nodes * sizeof *split);
            int at = 0;
            p.max_leaf_nodes = wanted[i];
            struct walk w = check_tree(&t, &p, 1, &cut);
            mark_best_first(&whole, of_whole.decrease, wanted[i], split);
            CU_ASSERT_EQUAL(w.leaves, wanted[i] < of_whole.leaves ? wanted[i] : of_whole.leaves);
            CU_ASSERT_EQUAL(compare_cut(&cut, &at, &whole, 0, split), 0);
            CU_ASSERT_EQUAL(at, cut.n_nodes);
            tree_fini(&cut);
            free(w.decrease);
            free(split);
        }
        tree_fini(&whole);
        free(of_whole.decrease);
        table_fini(&t);
    }
}

/* Thresholds lie anywhere between the smallest and the largest value, alike often, wherever the values lie. */
static void test_random_thresholds(void)
{
    struct table t = table_of(64, 1, 2);
    int quarter[4] = {0};
    for (int i = 0; i < t.n; i++) {
        t.x[i] = i == 63 ? 64 : (float)i * 0.001f; /* all but one in a corner */
        t.y[i] = i % 2;
    }
    code(&t);
    struct tree_params p = all_columns(&t, TREE_GINI);
    p.random_thresholds = true;
    p.max_depth = 1;
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct tree tree = grow(&t, &p, seed, NULL);
        float threshold = tree.nodes[0].threshold;
        CU_ASSERT_FATAL(tree.nodes[0].feature == 0 && threshold >= 0 && threshold < 64);
        quarter[(int)(threshold / 16)]++;
        tree_fini(&tree);
    }
    for (int q = 0; q < 4; q++)
        CU_ASSERT(abs(quarter[q] - 1000) < 4 * 28); /* 4 standard deviations */
    table_fini(&t);
}

/* Whole trees of random thresholds: nodes hold what they say; of the columns looked at the best is taken. */
static void test_random_trees(void)
{
    for (int c = 0; c < 2; c++)
        for (int variant = 0; variant < 4; variant++) {
            struct table t = noisy(300, 5, 4, 50 + (uint64_t)variant);
            if (variant & 1)
                draw(&t, 8);
            if (variant & 2) {
                t.weight = memory_new(4 * sizeof *t.weight);
                for (int k = 0; k < 4; k++)
                    t.weight[k] = 2 - 0.4 * k;
            }
            code(&t);
            struct tree_params p = all_columns(&t, criteria[c]);
            p.random_thresholds = true;
            p.max_features = 2;
            p.min_samples_leaf = variant == 3 ? 4 : 1;
            if (variant == 2)
                p.max_leaf_nodes = 30;
            CU_ASSERT(check(&t, &p).leaves > 10);
            table_fini(&t);
        }
}

/* The exclusive or of two columns: no split of the root takes anything away, and the root is split all the same, whatever rounding makes of nothing. Importances
 * are those of the splits below it alone. With classes that weigh alike, and not. */
static void test_nothing_gained(void)
{
    for (int cell = 1; cell <= 400; cell++)
        for (int i = 0; i < 8; i++) {
            bool weighted = i & 1, random_thresholds = i & 2;
            struct table t = table_of(4 * cell, 2, 2);
            double importances[2] = {0, 0};
            for (int row = 0; row < t.n; row++) {
                t.x[row * 2] = (float)(row & 1);
                t.x[row * 2 + 1] = (float)(row >> 1 & 1);
                t.y[row] = (row & 1) ^ (row >> 1 & 1);
            }
            if (weighted) {
                t.weight = memory_new(2 * sizeof *t.weight);
                t.weight[0] = 0.3;
                t.weight[1] = 0.7;
            }
            code(&t);
            struct tree_params p = all_columns(&t, i & 4 ? TREE_ENTROPY : TREE_GINI);
            p.random_thresholds = random_thresholds;
            struct tree tree = grow(&t, &p, (uint64_t)cell, importances);
            CU_ASSERT_EQUAL(tree.n_nodes, 7);
            CU_ASSERT((importances[0] == 0) != (importances[1] == 0)); /* the root's column has nothing */
            CU_ASSERT(importances[0] >= 0 && importances[1] >= 0);
            tree_fini(&tree);
            table_fini(&t);
        }
}

/* Every engine that runs here grows the tree that `expected` is. */
static void check_engines(const struct table *t, const struct tree_params *p, const struct tree *expected)
{
    for (int i = 0; engines[i]; i++) {
        struct random r = random_of(4, 0);
        struct tree_request request = {&t->data, p, t->times, t->weight, &r, NULL, engines[i], NULL};
        struct tree tree;
        struct error error;
        if (!engine_runs(engines[i]))
            continue;
        CU_ASSERT_EQUAL_FATAL(tree_grow(&tree, &request, &error), STATUS_OK);
        CU_ASSERT_EQUAL_FATAL(tree.n_nodes, expected->n_nodes);
        CU_ASSERT_EQUAL(memcmp(tree.nodes, expected->nodes, (size_t)tree.n_nodes * sizeof *tree.nodes), 0);
        tree_fini(&tree);
    }
}

/* Larger nodes are counted in tables: several columns together, of few codes and of many, of more than tables take, of even and odd numbers of classes and of
 * more than tables take, from records and from planes; of weights above those of tables too; where leaves need several samples. */
static void test_tables(void)
{
    static const struct {
        int n, columns, classes, depth;
        float apart; /* of values */
    } sizes[] = {{1500, 9, 2, 6, 1}, {1500, 9, 7, 6, 0.01F}, {3000, 6, 33, 5, 1}, {3000, 5, 24, 5, 0.002F}, {2500, 3, 600, 3, 1}, {20000, 3, 4, 4, 0.0001F}, {40000, 2, 3, 3, 1}};
    static const int leaf[] = {1, 2, 7, 1, 30}; /* of samples, some of which were drawn twice, so that counts alone do not say how many there are */
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct table t = noisy(sizes[i / 2].n, sizes[i / 2].columns, sizes[i / 2].classes, 30 + i);
        struct random r = random_of(i, 3);
        for (int at = 0; at < t.n * t.columns; at++) /* the later a column is, the more values it has */
            t.x[at] += sizes[i / 2].apart * (float)random_below(&r, 1u + 60u * (uint32_t)(at % t.columns));
        draw(&t, i);
        code(&t);
        if (i % 2)
            lay_planes(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        struct tree tree;
        p.max_depth = sizes[i / 2].depth;
        p.min_samples_leaf = leaf[i % 5];
        struct walk w = check_tree(&t, &p, 4, &tree);
        CU_ASSERT(w.inner > 2);
        check_engines(&t, &p, &tree);
        tree_fini(&tree);
        free(w.decrease);
        table_fini(&t);
    }
}

/* Six columns that say the same: the lowest is taken of those drawn, or the one drawn first, which is known of the root. Of few values and of many, so that nodes
 * are looked at in every way; of either criterion; of two values, at random thresholds. */
static void test_ties(void)
{
    enum { COLUMNS = 6, LOOKED = 3 };
    for (int i = 0; i < 4; i++) {
        bool random_thresholds = i == 3;
        int used[COLUMNS] = {0}, inner = 0;
        struct table t = noisy(6000, COLUMNS, random_thresholds ? 2 : 5, 60 + (uint64_t)i);
        struct random r = random_of(i == 1 ? 9 : 8, 3);
        for (int row = 0; row < t.n; row++) {
            float x = random_thresholds ? (float)random_below(&r, 2) : t.x[row * COLUMNS] + 0.001F * (float)random_below(&r, i == 1 ? 2000 : 3);
            for (int c = 0; c < COLUMNS; c++)
                t.x[row * COLUMNS + c] = x;
        }
        draw(&t, 5);
        code(&t);
        struct tree_params lowest = all_columns(&t, i == 2 ? TREE_ENTROPY : TREE_GINI), drawn;
        lowest.random_thresholds = random_thresholds;
        lowest.max_features = LOOKED;
        drawn = lowest;
        drawn.ties = TREE_TIES_DRAWN;
        for (uint64_t seed = 0; seed < 40; seed++) {
            struct random first = random_of(seed, 0);
            struct tree a = grow(&t, &lowest, seed, NULL), b = grow(&t, &drawn, seed, NULL);
            CU_ASSERT_EQUAL_FATAL(a.n_nodes, b.n_nodes);
            for (int at = 0; at < b.n_nodes; at++) {
                CU_ASSERT(random_thresholds || a.nodes[at].threshold == b.nodes[at].threshold);
                CU_ASSERT(a.nodes[at].feature <= COLUMNS - LOOKED);
                if (b.nodes[at].feature >= 0) {
                    used[b.nodes[at].feature]++;
                    inner++;
                }
            }
            CU_ASSERT(inner > 0);
            CU_ASSERT_EQUAL(b.nodes[0].feature, (int)random_below(&first, COLUMNS));
            if (seed == 4)
                check_engines(&t, &drawn, &b);
            tree_fini(&a);
            tree_fini(&b);
        }
        double mean = (double)inner / COLUMNS, chi = 0;
        for (int c = 0; c < COLUMNS; c++)
            chi += (used[c] - mean) * (used[c] - mean) / mean;
        CU_ASSERT(chi < 20.5); /* 0.999 of chi-square, 5 degrees of freedom */
        table_fini(&t);
    }
}

/* Of 40 columns every thirteenth says the same, the others nothing: of those drawn among the first 37, several batches of columns, the root takes the lowest or
 * the first. Of two rows, of a few, of more. */
static void test_ties_of_many(void)
{
    enum { COLUMNS = 40, LOOKED = 37, APART = 13 };
    static const int rows[] = {2, 20, 300};
    for (size_t size = 0; size < sizeof rows / sizeof *rows; size++) {
        struct table t = table_of(rows[size], COLUMNS, 3);
        for (int row = 0; row < t.n; row++) {
            t.y[row] = row % 3;
            for (int c = 0; c < COLUMNS; c++)
                t.x[row * COLUMNS + c] = (float)(c % APART == 0 ? t.y[row] : row / 6 % 5);
        }
        code(&t);
        struct tree_params lowest = all_columns(&t, TREE_GINI), drawn;
        lowest.max_features = LOOKED;
        lowest.max_depth = 1;
        drawn = lowest;
        drawn.ties = TREE_TIES_DRAWN;
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct random r = random_of(seed, 0);
            int column[COLUMNS], least = COLUMNS, first = -1;
            for (int i = 0; i < COLUMNS; i++)
                column[i] = i;
            for (int i = 0; i < LOOKED; i++) {
                int at = i + (int)random_below(&r, (uint32_t)(COLUMNS - i)), c = column[at];
                column[at] = column[i];
                column[i] = c;
                least = c % APART == 0 && c < least ? c : least;
                first = c % APART == 0 && first < 0 ? c : first;
            }
            struct tree a = grow(&t, &lowest, seed, NULL), b = grow(&t, &drawn, seed, NULL);
            CU_ASSERT_EQUAL(a.nodes[0].feature, least);
            CU_ASSERT_EQUAL(b.nodes[0].feature, first);
            tree_fini(&a);
            tree_fini(&b);
        }
        table_fini(&t);
    }
}

/* Every engine that runs here grows the same tree, in room that another tree was grown in too; of up to 40 classes, so that small nodes keep any number of words for
 * them, and of classes that weigh more than 1. */
static void test_engines(void)
{
    for (int k = 0; k < 10; k++) {
        int classes = 3 + k % 5 * 9;
        struct random noise = random_of((uint64_t)k, 4);
        struct table t = noisy(700, 5, classes, 90 + (uint64_t)classes);
        draw(&t, 7);
        if (k >= 5)
            t.weight = memory_new((size_t)classes * sizeof *t.weight);
        for (int c = 0; c < classes && t.weight; c++)
            t.weight[c] = ldexp(1 + c % 5, c % 3 * 4);
        for (int i = 0; i < t.n && t.weight; i++) /* nodes of few samples have many classes too */
            t.y[i] = (int)random_below(&noise, (uint32_t)classes);
        code(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        struct tree_room room = {0};
        p.min_samples_leaf = 1 + k % 3;
        if (!t.weight) /* else equally good splits may differ by rounding from what the walk computes */
            check(&t, &p);
        p.max_features = 2;
        for (int i = 0; engines[i / 2]; i++) { /* each twice, in room that another tree was grown in too */
            int e = i / 2;
            struct random r = random_of(4, 0), same = random_of(4, 0);
            struct tree_request request = {&t.data, &p, t.times, t.weight, &r, NULL, engines[e], &room}, best = {&t.data, &p, t.times, t.weight, &same, NULL, NULL, NULL};
            struct tree a, b;
            struct error error;
            if (!engine_runs(engines[e]))
                continue;
            CU_ASSERT_EQUAL_FATAL(tree_grow(&a, &request, &error), STATUS_OK);
            CU_ASSERT_EQUAL_FATAL(tree_grow(&b, &best, &error), STATUS_OK);
            CU_ASSERT_EQUAL_FATAL(a.n_nodes, b.n_nodes);
            CU_ASSERT_EQUAL(memcmp(a.nodes, b.nodes, (size_t)a.n_nodes * sizeof *a.nodes), 0);
            tree_fini(&a);
            tree_fini(&b);
        }
        slab_fini(&room.slab);
        table_fini(&t);
    }
}

/* Rows end early and are padded, as flows are: most columns of a small node are constant, all that are drawn first at times. Records of so many codes that
 * engines compare them all at once, of one that fits no vector, of fewer and of more than they take. */
static void test_padded(void)
{
    static const int columns[] = {15, 16, 17, 47, 63, 65, 72, 79, 80, 96, 100, 112, 127, 128, 129, 200};
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
        int n = 400, width = columns[k];
        struct table t = noisy(n, width, 9, 300 + k);
        for (int at = 0; at < n * width; at++) {
            int row = at / width, column = at % width;
            t.x[at] = column > 1 + row * 37 % (width + 7) ? 0 : (float)((int)(t.x[at] * 4) % 7); /* few values: samples share many */
        }
        draw(&t, k);
        code(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        struct tree plain;
        struct random r = random_of(4, 0);
        const struct engine *last = engines[0];
        for (int i = 0; engines[i]; i++)
            last = engines[i];
        p.max_features = 4;
        p.min_samples_leaf = k % 4 == 3 ? 3 : 1;
        struct tree_request request = {&t.data, &p, t.times, NULL, &r, NULL, last, NULL};
        struct error error;
        CU_ASSERT_EQUAL_FATAL(tree_grow(&plain, &request, &error), STATUS_OK);
        CU_ASSERT(plain.n_nodes > 30);
        check_engines(&t, &p, &plain);
        tree_fini(&plain);
        table_fini(&t);
    }
}

/* As if every third column, from `first` on, had so many values more, which no row has, that its codes need more than 16 bits: the tree is the same. */
static void widen(struct table *t, int first)
{
    enum { APART = 9001 };
    uint16_t *narrow = t->records;
    struct tree_column *before = memory_new((size_t)t->columns * sizeof *before);
    size_t stride = 0, stride_before = t->data.stride;
    memcpy(before, t->column, (size_t)t->columns * sizeof *before);
    for (int c = 0; c < t->columns; c++) {
        struct tree_column *of = &t->column[c];
        bool wide = c >= first && (c - first) % 3 == 0;
        of->at = (uint32_t)stride;
        stride += wide ? 2 : 1;
        if (!wide)
            continue;
        float *values = memory_new((size_t)of->n_values * APART * sizeof *values);
        for (size_t v = 0; v < (size_t)of->n_values * APART; v++)
            values[v] = before[c].values[v / APART]; /* only multiples of APART occur */
        of->wide = true;
        of->n_values *= APART;
        of->values = of->most = values;
    }
    t->records = memory_new((size_t)t->n * stride * sizeof *t->records);
    for (int i = 0; i < t->n; i++)
        for (int c = 0; c < t->columns; c++) {
            uint32_t code = narrow[(size_t)i * stride_before + before[c].at];
            uint16_t *at = t->records + (size_t)i * stride + t->column[c].at;
            at[0] = (uint16_t)(t->column[c].wide ? code * APART : code);
            if (t->column[c].wide)
                at[1] = (uint16_t)(code * APART >> 16);
        }
    for (int c = 0; c < t->columns; c++)
        if (t->column[c].wide)
            free((void *)(uintptr_t)before[c].values);
    free(before);
    free(narrow);
    t->data.records = t->records;
    t->data.stride = stride;
}

/* Codes of more than 16 bits among others, in records of few codes and of many, at their ends too. */
static void test_wide(void)
{
    static const int columns[] = {4, 5, 48, 49, 90, 91, 96, 97, 130};
    for (size_t k = 0; k < 2 * sizeof columns / sizeof *columns; k++) {
        struct table t = noisy(500, columns[k / 2], 11, 500 + k);
        draw(&t, k);
        if (k % 4 == 3)
            t.weight = memory_new(11 * sizeof *t.weight);
        for (int c = 0; c < 11 && t.weight; c++)
            t.weight[c] = 1 + c;
        code(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        struct random r = random_of(4, 0);
        p.max_features = 4;
        p.max_leaf_nodes = k % 3 == 2 ? 60 : 0;
        struct tree_request request = {&t.data, &p, t.times, t.weight, &r, NULL, NULL, NULL};
        struct tree narrow;
        struct error error;
        CU_ASSERT_EQUAL_FATAL(tree_grow(&narrow, &request, &error), STATUS_OK);
        CU_ASSERT(narrow.n_nodes > 50);
        widen(&t, (int)k % 2);
        CU_ASSERT(t.data.stride > (size_t)t.columns);
        check_engines(&t, &p, &narrow);
        tree_fini(&narrow);
        table_fini(&t);
    }
}

/* A room serves trees of few rows, of more than it was made for, and of few again. */
static void test_rooms(void)
{
    static const int kept[] = {5, 1, 3, 1, 7}; /* a row of so many */
    struct table t = noisy(900, 6, 12, 77);
    struct tree_room room = {0};
    struct error error;
    draw(&t, 8);
    code(&t);
    int32_t *times = memory_new((size_t)t.data.n * sizeof *times);
    for (int criterion = TREE_GINI; criterion <= TREE_ENTROPY; criterion++) {
        struct tree_params p = all_columns(&t, (enum tree_criterion)criterion);
        p.max_features = 2;
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
            struct random r = random_of(5, i), same = random_of(5, i);
            struct tree_request request = {&t.data, &p, times, NULL, &r, NULL, NULL, &room}, alone = {&t.data, &p, times, NULL, &same, NULL, NULL, NULL};
            struct tree a, b;
            for (int row = 0; row < t.data.n; row++)
                times[row] = row % kept[i] == 0 ? t.times[row] : 0;
            CU_ASSERT_EQUAL_FATAL(tree_grow(&a, &request, &error), STATUS_OK);
            CU_ASSERT_EQUAL_FATAL(tree_grow(&b, &alone, &error), STATUS_OK);
            CU_ASSERT_EQUAL_FATAL(a.n_nodes, b.n_nodes);
            CU_ASSERT(a.n_nodes > 20);
            CU_ASSERT_EQUAL(memcmp(a.nodes, b.nodes, (size_t)a.n_nodes * sizeof *a.nodes), 0);
            tree_fini(&a);
            tree_fini(&b);
        }
        slab_fini(&room.slab);
    }
    free(times);
    table_fini(&t);
}

/* Every two values of a column share a code, as max_bins joins them. */
static void join(struct table *t)
{
    for (int c = 0; c < t->columns; c++) {
        struct tree_column *of = &t->column[c];
        uint32_t n = of->n_values / 2;
        float *values = memory_new(2 * (size_t)n * sizeof *values), *most = values + n;
        for (uint32_t v = 0; v < n; v++) {
            values[v] = of->values[2 * v];
            most[v] = v + 1 < n ? of->values[2 * v + 1] : of->values[of->n_values - 1];
        }
        for (int i = 0; i < t->n; i++) {
            uint16_t *at = t->records + (size_t)i * t->data.stride + of->at;
            *at = *at / 2 < n ? *at / 2 : (uint16_t)(n - 1);
        }
        free((void *)(uintptr_t)of->values);
        of->n_values = n;
        of->values = values;
        of->most = most;
    }
}

/* Trees of random thresholds are the same from every engine: of a few columns and of many, drawn together and one by one, whatever is counted, of classes that weigh
 * much and little, of samples drawn many times, of leaves that need several, of joined values, of codes of more than 16 bits. */
static void test_random_engines(void)
{
    static const int columns[] = {1, 2, 3, 9, 16, 17, 60, 100, 128, 140};
    enum { PLAIN, LEAF, WEIGHT, OFTEN, JOINED, WIDE, PLANES, FORMS };
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
        for (int form = 0; form < FORMS; form++)
            for (int c = 0; c < 2 && (form != OFTEN || columns[k] <= 9); c++) {
                struct table t = noisy(form == OFTEN ? 140000 : 600, columns[k], form == OFTEN ? 2 : 7, 700 + k);
                struct tree tree;
                if (form != PLAIN)
                    draw(&t, k);
                for (int i = 0; i < t.n && form == OFTEN; i++) /* more than 16 bits of few samples */
                    t.times[i] = i < 600 ? 230 : 0;
                if (form == WEIGHT || form == LEAF) {
                    t.weight = memory_new((size_t)t.classes * sizeof *t.weight);
                    for (int of = 0; of < t.classes; of++)
                        t.weight[of] = form == LEAF ? 1 : of < 4 ? ldexp(1 + of, -18) : of;
                }
                code(&t);
                struct tree_params p = all_columns(&t, criteria[c]);
                p.random_thresholds = true;
                p.max_features = k % 2 ? columns[k] : (columns[k] + 1) / 2;
                p.min_samples_leaf = form == LEAF ? 3 : 1;
                if (form == JOINED)
                    join(&t);
                if (form == WIDE)
                    widen(&t, 0);
                if (form == PLANES)
                    lay_planes(&t);
                struct walk w = check_tree(&t, &p, 4, &tree);
                CU_ASSERT(w.inner > (t.columns > 1 ? 20 : 4));
                check_engines(&t, &p, &tree);
                tree_fini(&tree);
                free(w.decrease);
                table_fini(&t);
            }
}

/* Leaves of several samples, where the best places are too far out: at either end of a column a few samples of a class of their own, some drawn several times. Of
 * few codes and of many, from records and from planes, whatever looks at a node. */
static void test_leaves(void)
{
    enum { LEAVES = 7 };
    static const int leaf[LEAVES] = {2, 3, 5, 8, 13, 40, 300};
    for (size_t i = 0; i < 8 * LEAVES; i++) {
        bool many = i / LEAVES & 1, planes = i / LEAVES & 2, weighted = i / LEAVES & 4;
        struct table t = noisy(1200, 4, 3, 900 + i);
        struct random r = random_of(i, 5);
        for (int row = 0; row < t.n; row++) {
            float *x = t.x + row * t.columns;
            t.y[row] = (int)random_below(&r, 2);
            for (int c = 0; c < t.columns; c++)
                x[c] = (float)random_below(&r, many ? 900 : 40);
            if (row % 60 < 3) {
                t.y[row] = 2;
                x[row / 60 % 4] = row / 60 % 8 < 4 ? -1 - (float)random_below(&r, 12) : 1000 + (float)random_below(&r, 12);
            }
        }
        draw(&t, i);
        if (weighted) {
            t.weight = memory_new(3 * sizeof *t.weight);
            for (int of = 0; of < 3; of++)
                t.weight[of] = 1 << of;
        }
        code(&t);
        if (planes)
            lay_planes(&t);
        struct tree_params p = all_columns(&t, TREE_GINI);
        struct tree tree;
        p.max_depth = 8;
        p.min_samples_leaf = leaf[i % LEAVES];
        struct walk w = check_tree(&t, &p, 4, &tree);
        CU_ASSERT(w.inner > (leaf[i % LEAVES] > 40 ? 0 : 7));
        check_engines(&t, &p, &tree);
        tree_fini(&tree);
        free(w.decrease);
        table_fini(&t);
    }
}

UNIT_MAIN({"leaves of several samples", test_leaves}, {"random thresholds of engines", test_random_engines}, {"engines", test_engines}, {"padded rows", test_padded}, {"wide codes", test_wide}, {"rooms", test_rooms}, {"tables", test_tables}, {"ties", test_ties}, {"ties of many columns", test_ties_of_many}, {"nothing gained", test_nothing_gained}, {"splits", test_splits}, {"many columns", test_many_columns}, {"two rows, one class, one row", test_small}, {"equal rows, constant columns", test_equal_rows},
          {"70,000 values", test_many_values}, {"5,000 classes", test_many_classes}, {"min_impurity_decrease", test_decrease},
          {"max_leaf_nodes", test_best_first}, {"random thresholds", test_random_thresholds}, {"trees of random thresholds", test_random_trees})
