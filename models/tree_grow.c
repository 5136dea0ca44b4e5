/* Growing: nodes from a stack, left before right, each with its samples side by side and in the order of rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/tree_split.h"

struct task { /* a node to be grown */
    int first, last; /* its samples */
    int depth;
    int parent;      /* node whose right child it is, or -1 */
};

struct grower {
    const struct tree_request *r;
    struct tree *tree;
    struct tree_splitter splitter;
    tree_sample *samples, *room; /* (n) */
    double total;                /* weight of all samples */
    struct task *stack;
    uint64_t *constant;          /* (stack_capacity + 1, words) columns that are constant in a node's samples, as far as known; the last of them the node's at hand */
    int n_stack, stack_capacity, words;
};

/* The midpoint of two values as a float that is at least a and below b. */
static float midpoint(float a, float b)
{
    double middle = (double)a / 2 + (double)b / 2;
    float t = (float)middle;
    if ((double)t > middle)
        t = nextafterf(t, -INFINITY);
    return t < a || t >= b ? a : t;
}

static int add_node(struct tree *t, struct tree_node node)
{
    if (t->n_nodes == t->nodes_capacity) {
        t->nodes_capacity = t->nodes_capacity ? 2 * t->nodes_capacity : 256;
        t->nodes = memory_resize(t->nodes, (size_t)t->nodes_capacity * sizeof *t->nodes);
    }
    t->nodes[t->n_nodes] = node;
    return t->n_nodes++;
}

static int by_class(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Classes ascend in a leaf. */
static void add_leaf(struct grower *g)
{
    struct tree *t = g->tree;
    const struct tree_node_facts *f = &g->splitter.node;
    int first = t->n_entries;
    while (t->n_entries + f->n_classes > t->entries_capacity) {
        t->entries_capacity = t->entries_capacity ? 2 * t->entries_capacity : 256;
        t->classes = memory_resize(t->classes, (size_t)t->entries_capacity * sizeof *t->classes);
        t->shares = memory_resize(t->shares, (size_t)t->entries_capacity * sizeof *t->shares);
    }
    for (int c = 0; c < f->n_classes; c++)
        t->classes[first + c] = (int32_t)f->classes[c];
    if (f->n_classes > 1)
        qsort(t->classes + first, (size_t)f->n_classes, sizeof *t->classes, by_class);
    for (int c = 0; c < f->n_classes; c++)
        t->shares[first + c] = (float)((double)f->weights[g->splitter.local[t->classes[first + c]]] / (double)f->weight);
    t->n_entries += f->n_classes;
    add_node(t, (struct tree_node){.feature = -1, .right = first, .n = f->n_classes});
}

/* constant: what is known of the parent. */
static void push(struct grower *g, struct task t, const uint64_t *constant)
{
    size_t words = (size_t)g->words;
    if (g->n_stack == g->stack_capacity) {
        size_t at = (size_t)g->stack_capacity * words;
        g->stack_capacity = g->stack_capacity ? 2 * g->stack_capacity : 64;
        g->stack = memory_resize(g->stack, (size_t)g->stack_capacity * sizeof *g->stack);
        g->constant = memory_resize(g->constant, (size_t)g->stack_capacity * words * sizeof *g->constant);
        memset(g->constant + at, 0, ((size_t)g->stack_capacity * words - at) * sizeof *g->constant);
    }
    memcpy(g->constant + (size_t)g->n_stack * words, constant, words * sizeof *constant);
    g->stack[g->n_stack++] = t;
}

/* Samples with a code up to the split's to the front, both sides in the order that they had; where the others begin. */
static int partition(struct grower *g, const struct task *t, const struct tree_column *column, uint32_t left_code)
{
    const struct tree_data *d = g->r->data;
    int to = t->first, others = 0;
    for (int i = t->first; i < t->last; i++) {
        tree_sample s = g->samples[i];
        bool left = tree_code(d->records + sample_row(s) * d->stride, column) <= left_code;
        g->samples[to] = s;
        g->room[others] = s;
        to += left;
        others += !left;
    }
    memcpy(g->samples + to, g->room, (size_t)others * sizeof *g->room);
    return to;
}

static void split_node(struct grower *g, const struct task *t, const struct tree_split *s, const uint64_t *constant)
{
    const struct tree_column *column = &g->r->data->columns[s->feature];
    const struct tree_node_facts *f = &g->splitter.node;
    float threshold = midpoint(column->values[s->left_code], column->values[s->right_code]);
    int node = add_node(g->tree, (struct tree_node){.feature = s->feature, .threshold = threshold});
    int middle = partition(g, t, column, s->left_code);
    if (g->r->importances) /* weight * impurity, minus the children's: the weights cancel */
        g->r->importances[s->feature] += (s->gain - (double)f->squares / (double)f->weight) / g->total;
    push(g, (struct task){middle, t->last, t->depth + 1, node}, constant);
    push(g, (struct task){t->first, middle, t->depth + 1, -1}, constant);
}

static void grow_node(struct grower *g, const struct task *t, uint64_t *constant)
{
    const struct tree_params *p = g->r->params;
    const tree_sample *samples = g->samples + t->first;
    int n = t->last - t->first;
    if (t->parent >= 0)
        g->tree->nodes[t->parent].right = g->tree->n_nodes;
    bool pure = tree_splitter_look(&g->splitter, samples, n);
    if (t->parent < 0 && t->depth == 0)
        g->total = (double)g->splitter.node.weight;
    struct tree_split s = {.feature = -1};
    if (!pure && n >= p->min_samples_split && n >= 2 * p->min_samples_leaf && (p->max_depth < 0 || t->depth < p->max_depth))
        s = tree_splitter_find(&g->splitter, samples, n, constant);
    if (s.feature < 0)
        add_leaf(g);
    else
        split_node(g, t, &s, constant);
}

static enum status allocate(struct grower *g, struct slab *slab, struct error *e)
{
    size_t n = (size_t)g->r->data->n;
    for (int pass = 0; pass < 2; pass++) {
        g->samples = slab_take(slab, n * sizeof *g->samples);
        g->room = slab_take(slab, n * sizeof *g->room);
        tree_splitter_cut(&g->splitter, slab);
        if (pass == 0)
            TRY(slab_new(slab, "growing a tree", e));
    }
    return STATUS_OK;
}

/* Weights as whole numbers: times a power of two that lets all of them together stay below 2^31, whose square a sum still holds. */
static void take_weights(struct grower *g)
{
    const struct tree_data *d = g->r->data;
    const double *w = g->r->class_weight;
    double total = 0;
    int exponent = 0;
    for (int i = 0; i < d->n && w; i++)
        total += g->r->times[i] * w[d->y[i]];
    g->splitter.plain = !w;
    if (w && total > 0)
        exponent = 30 - ilogb(total);
    for (int c = 0; c < d->n_classes; c++) {
        int64_t unit = w ? llround(ldexp(w[c], exponent)) : 1;
        g->splitter.unit[c] = unit > 0 ? unit : 1;
    }
}

enum status tree_grow(struct tree *out, const struct tree_request *r, struct error *e)
{
    const struct tree_data *d = r->data;
    struct grower g = {.r = r, .tree = out, .words = (d->n_columns + 63) / 64};
    struct slab slab = {0};
    int n = 0;
    *out = (struct tree){0};
    g.splitter = (struct tree_splitter){.data = d, .params = r->params, .random = r->random};
    TRY(allocate(&g, &slab, e));
    uint64_t *constant = memory_new((size_t)g.words * sizeof *constant);
    take_weights(&g);
    for (int i = 0; i < d->n; i++)
        if (r->times[i] > 0)
            g.samples[n++] = (tree_sample)i << 32 | (tree_sample)d->y[i] << 16 | (tree_sample)r->times[i];
    for (int c = 0; c < d->n_columns; c++)
        g.splitter.columns[c] = c;
    for (int c = 0; c < d->n_classes; c++)
        g.splitter.local[c] = -1;
    push(&g, (struct task){0, n, 0, -1}, constant);
    while (g.n_stack) {
        struct task t = g.stack[--g.n_stack];
        memcpy(constant, g.constant + (size_t)g.n_stack * (size_t)g.words, (size_t)g.words * sizeof *constant);
        grow_node(&g, &t, constant);
    }
    free(constant);
    free(g.stack);
    free(g.constant);
    slab_fini(&slab);
    return STATUS_OK;
}
