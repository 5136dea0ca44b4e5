/* Nodes from a stack, left before right. */
#include "models/tree_grow.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine.h"

struct task { /* a node to be grown */
    struct tree_span span;
    int parent; /* node whose right child it is */
};

struct stack {
    struct task *tasks;
    uint64_t *constant; /* (capacity, words) columns that are constant in a task's samples, as far as known */
    int n, capacity;
};

static int add_node(struct tree_grower *g, struct tree_node node)
{
    struct tree *t = g->tree;
    if (t->n_nodes == t->nodes_capacity) {
        t->nodes_capacity = t->nodes_capacity ? 2 * t->nodes_capacity : 256;
        t->nodes = memory_resize(t->nodes, (size_t)t->nodes_capacity * sizeof *t->nodes);
        g->between = memory_resize(g->between, (size_t)t->nodes_capacity * sizeof *g->between);
    }
    t->nodes[t->n_nodes] = node;
    return t->n_nodes++;
}

/* Classes ascend in a leaf. */
int tree_grow_leaf(struct tree_grower *g)
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
    for (int c = 0; c < f->n_classes; c++)
        t->shares[first + c] = (float)((double)f->weights[c] / (double)f->weight);
    t->n_entries += f->n_classes;
    return add_node(g, (struct tree_node){.feature = -1, .right = first, .n = f->n_classes});
}

int tree_grow_inner(struct tree_grower *g, const struct tree_split *s)
{
    int node = add_node(g, (struct tree_node){.feature = s->feature, .threshold = s->threshold});
    g->between[g->n_between++] = (struct tree_between){node, s->left_code, s->right_code};
    return node;
}

int tree_grow_part(struct tree_grower *g, const struct tree_span *t, const struct tree_split *s)
{
    int n = t->last - t->first;
    tree_sample *samples = g->samples + t->first;
    if (g->r->importances)
        g->r->importances[s->feature] += s->decrease / g->total;
    return t->first + g->splitter.engine->tree_part(samples, g->room, n, tree_splitter_codes(&g->splitter, s, samples, n), s->left_code);
}

bool tree_grow_find(struct tree_grower *g, const struct tree_span *t, uint64_t *constant, struct tree_split *out)
{
    const struct tree_params *p = g->r->params;
    const tree_sample *samples = g->samples + t->first;
    int n = t->last - t->first;
    bool pure = tree_splitter_look(&g->splitter, samples, n);
    if (t->depth == 0)
        g->total = (double)g->splitter.node.weight;
    if (pure || n < p->min_samples_split || n / 2 < p->min_samples_leaf || (p->max_depth >= 0 && t->depth >= p->max_depth))
        return false;
    *out = tree_splitter_find(&g->splitter, samples, n, constant);
    return out->feature >= 0 && out->decrease / g->total + DBL_EPSILON >= p->min_impurity_decrease;
}

/* constant: what is known of the parent. */
static void push(struct stack *s, struct task t, const uint64_t *constant, size_t words)
{
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->tasks = memory_resize(s->tasks, (size_t)s->capacity * sizeof *s->tasks);
        s->constant = memory_resize(s->constant, (size_t)s->capacity * words * sizeof *s->constant);
    }
    memcpy(s->constant + (size_t)s->n * words, constant, words * sizeof *constant);
    s->tasks[s->n++] = t;
}

static bool pop(struct stack *s, struct task *t, uint64_t *constant, size_t words)
{
    if (s->n == 0)
        return false;
    *t = s->tasks[--s->n];
    memcpy(constant, s->constant + (size_t)s->n * words, words * sizeof *constant);
    return true;
}

/* Splits a node, its left child, and so on down to a leaf; right children wait on the stack. */
static void grow_left(struct tree_grower *g, struct stack *stack, struct tree_span span, uint64_t *constant)
{
    struct tree_split s;
    while (tree_grow_find(g, &span, constant, &s)) {
        int node = tree_grow_inner(g, &s), middle = tree_grow_part(g, &span, &s);
        span.depth++;
        push(stack, (struct task){{middle, span.last, span.depth}, node}, constant, (size_t)g->words);
        span.last = middle;
    }
    tree_grow_leaf(g);
}

static void grow_depth_first(struct tree_grower *g, int n)
{
    size_t words = (size_t)g->words;
    uint64_t *constant = memory_new(words * sizeof *constant);
    struct stack stack = {0};
    struct task t;
    grow_left(g, &stack, (struct tree_span){0, n, 0}, constant);
    while (pop(&stack, &t, constant, words)) {
        g->tree->nodes[t.parent].right = g->tree->n_nodes;
        grow_left(g, &stack, t.span, constant);
    }
    free(constant);
    free(stack.tasks);
    free(stack.constant);
}

static void cut(struct tree_grower *g, struct tree_room *room)
{
    size_t rows = (size_t)room->rows;
    g->samples = slab_take(&room->slab, (rows + 1) * sizeof *g->samples);
    g->room = slab_take(&room->slab, (rows + 1) * sizeof *g->room);
    tree_splitter_cut(&g->splitter, &room->slab, rows);
}

/* Room for a tree of n rows; that of the tree before where it has as much: it leaves zeros where it found them. */
static enum status allocate(struct tree_grower *g, struct tree_room *room, int n, struct error *e)
{
    if (!room->slab.base || room->rows < n) {
        int more = n / 32, left = g->r->data->n - n;
        slab_fini(&room->slab);
        room->rows = n + (more < left ? more : left);
        cut(g, room);
        TRY(slab_new(&room->slab, "growing a tree", e));
    }
    room->slab.used = 0;
    cut(g, room);
    return STATUS_OK;
}

/* Weights as whole numbers: times a power of two that lets all of them together stay below 2^31, whose square a sum still holds. */
static void take_weights(struct tree_grower *g)
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

static int count_drawn(const int32_t *times, int n)
{
    int drawn = 0;
    for (int i = 0; i < n; i++)
        drawn += times[i] > 0;
    return drawn;
}

/* By class; of each class in the order that they have. */
static void sort_samples(struct tree_grower *g, int n)
{
    tree_sample *from = g->samples, *to = g->room;
    int *next = memory_new(((size_t)g->r->data->n_classes + 1) * sizeof *next);
    for (int i = 0; i < n; i++)
        next[sample_class(from[i]) + 1]++;
    for (int c = 0; c < g->r->data->n_classes; c++)
        next[c + 1] += next[c];
    for (int i = 0; i < n; i++)
        to[next[sample_class(from[i])]++] = from[i];
    free(next);
    g->samples = to;
    g->room = from;
}

/* Records of rows drawn, by class, of each class in their order. Without a branch: who was drawn cannot be foreseen. */
static void take_samples(struct tree_grower *g)
{
    const struct tree_data *d = g->r->data;
    const int32_t *times = g->r->times;
    tree_sample *samples = g->samples; /* with room for one more */
    bool sorted = true;
    int32_t last = 0;
    int n = 0;
    for (int i = 0; i < d->n; i++) {
        int row = tree_row(d, i);
        samples[n] = (tree_sample)i << 32 | (tree_sample)d->y[row] << 16 | (tree_sample)times[row];
        n += times[row] > 0;
        sorted &= d->y[row] >= last;
        last = d->y[row];
    }
    if (!sorted)
        sort_samples(g, n);
}

static void set_thresholds(struct tree_grower *g)
{
    enum { AHEAD = 16 };
    const struct tree_column *columns = g->r->data->columns;
    struct tree_node *nodes = g->tree->nodes;
    for (int i = 0; i < g->n_between; i++) {
        const struct tree_between *b = &g->between[i], *soon = b + AHEAD;
        if (i + AHEAD < g->n_between)
            __builtin_prefetch(&columns[nodes[soon->node].feature].values[soon->left]);
        nodes[b->node].threshold = tree_splitter_threshold(g->r->data, nodes[b->node].feature, b->left, b->right);
    }
}

enum status tree_grow(struct tree *out, const struct tree_request *r, struct error *e)
{
    const struct tree_data *d = r->data;
    struct tree_grower g = {.r = r, .tree = out, .words = (d->n_columns + 63) / 64};
    struct tree_room own = {0};
    int n = count_drawn(r->times, d->n);
    *out = (struct tree){0};
    g.splitter = (struct tree_splitter){.data = d, .params = r->params, .random = r->random, .engine = r->engine ? r->engine : engine_best()};
    TRY(allocate(&g, r->room ? r->room : &own, n, e));
    take_weights(&g);
    tree_splitter_begin(&g.splitter, r->times);
    take_samples(&g);
    if (r->params->max_leaf_nodes > 0)
        tree_grow_best_first(&g, n);
    else
        grow_depth_first(&g, n);
    if (!r->params->random_thresholds)
        set_thresholds(&g);
    free(g.between);
    slab_fini(&own.slab);
    return STATUS_OK;
}
