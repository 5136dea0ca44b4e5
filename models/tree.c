#include "models/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/tree_sort.h"

struct split {
    int feature; /* -1: none found */
    uint32_t left_code, right_code; /* the neighbouring codes that it stands between */
    double gain;                    /* sum of squares over weight, both sides */
};

struct task { /* a node to be grown */
    int first, last; /* its samples */
    int depth;
    int parent;      /* node whose right child it is, or -1 */
};

struct grower {
    const struct tree_request *r;
    struct tree *tree;
    int32_t *samples;      /* (n) rows, those of a node together */
    uint32_t *packed;      /* (n) class and times of the node's samples */
    uint64_t *keys, *room; /* (n) code and packed; room to sort */
    int *columns;          /* (n_columns) in the order drawn */
    double *node, *left, *right; /* (n_classes) weights */
    double total;          /* of all samples */
    struct task *stack;
    int n_stack, stack_capacity;
};

static double weight_of(const struct grower *g, uint32_t packed)
{
    return (packed & 0xffff) * g->r->class_weight[packed >> 16];
}

/* --- one node --- */

struct node_facts {
    double weight, squares; /* of the class weights */
    bool pure;
};

static struct node_facts look_at(struct grower *g, const struct task *t)
{
    struct node_facts f = {.pure = true};
    const struct tree_data *d = g->r->data;
    memset(g->node, 0, (size_t)d->n_classes * sizeof *g->node);
    int32_t first_class = d->y[g->samples[t->first]];
    for (int i = t->first; i < t->last; i++) {
        int32_t row = g->samples[i], y = d->y[row];
        uint32_t packed = (uint32_t)y << 16 | (uint32_t)g->r->times[row];
        g->packed[i - t->first] = packed;
        g->node[y] += weight_of(g, packed);
        f.pure &= y == first_class;
    }
    for (int c = 0; c < d->n_classes; c++) {
        f.weight += g->node[c];
        f.squares += g->node[c] * g->node[c];
    }
    return f;
}

/* Fills keys with (code - least) of a column; false where it is constant here. */
static bool take_column(struct grower *g, const struct task *t, int column, uint32_t *least, uint32_t *range)
{
    const uint32_t *codes = g->r->data->codes + (size_t)column * (size_t)g->r->data->n;
    int n = t->last - t->first;
    const int32_t *samples = g->samples + t->first;
    uint32_t low = codes[samples[0]], high = low;
    for (int i = 0; i < n; i++) {
        uint32_t code = codes[samples[i]];
        low = code < low ? code : low;
        high = code > high ? code : high;
        g->keys[i] = (uint64_t)code << 32 | g->packed[i];
    }
    *least = low;
    *range = high - low;
    for (int i = 0; i < n && low; i++)
        g->keys[i] -= (uint64_t)low << 32;
    return high > low;
}

/* Sweeps sorted keys and keeps the best place to split. */
static void sweep(struct grower *g, const uint64_t *keys, int n, int column, uint32_t least, const struct node_facts *f, struct split *best)
{
    double *left = g->left, *right = g->right;
    double left_weight = 0, left_squares = 0, right_squares = f->squares;
    int leaf = g->r->params->min_samples_leaf;
    memset(left, 0, (size_t)g->r->data->n_classes * sizeof *left);
    memcpy(right, g->node, (size_t)g->r->data->n_classes * sizeof *right);
    for (int i = 0; i + 1 < n; i++) {
        uint32_t packed = (uint32_t)keys[i], class = packed >> 16;
        double w = weight_of(g, packed);
        left_squares += w * (2 * left[class] + w);
        right_squares -= w * (2 * right[class] - w);
        left[class] += w;
        right[class] -= w;
        left_weight += w;
        if (keys[i] >> 32 == keys[i + 1] >> 32 || i + 1 < leaf || n - i - 1 < leaf)
            continue;
        double gain = left_squares / left_weight + right_squares / (f->weight - left_weight);
        if (gain > best->gain || (gain == best->gain && column < best->feature))
            *best = (struct split){column, (uint32_t)(keys[i] >> 32) + least, (uint32_t)(keys[i + 1] >> 32) + least, gain};
    }
}

static struct split find_split(struct grower *g, const struct task *t, const struct node_facts *f)
{
    struct split best = {.feature = -1, .gain = -INFINITY};
    int columns = g->r->data->n_columns, n = t->last - t->first, constant = 0;
    for (int looked = 0; looked < columns && (looked < g->r->params->max_features || looked == constant); looked++) {
        int at = looked + (int)random_below(g->r->random, (uint32_t)(columns - looked)), column = g->columns[at];
        uint32_t least, range;
        g->columns[at] = g->columns[looked];
        g->columns[looked] = column;
        if (!take_column(g, t, column, &least, &range)) {
            constant++;
            continue;
        }
        sweep(g, tree_sort(g->keys, g->room, n, range), n, column, least, f, &best);
    }
    return best;
}

/* The midpoint of two values as a float that is at least a and below b. */
static float midpoint(float a, float b)
{
    double middle = (double)a / 2 + (double)b / 2;
    float t = (float)middle;
    if ((double)t > middle)
        t = nextafterf(t, -INFINITY);
    return t < a || t >= b ? a : t;
}

/* --- the tree --- */

static int add_node(struct tree *t, struct tree_node node)
{
    if (t->n_nodes == t->nodes_capacity) {
        t->nodes_capacity = t->nodes_capacity ? 2 * t->nodes_capacity : 256;
        t->nodes = memory_resize(t->nodes, (size_t)t->nodes_capacity * sizeof *t->nodes);
    }
    t->nodes[t->n_nodes] = node;
    return t->n_nodes++;
}

static void add_leaf(struct grower *g, const struct node_facts *f)
{
    struct tree *t = g->tree;
    struct tree_node node = {.feature = -1, .right = t->n_entries};
    for (int c = 0; c < g->r->data->n_classes; c++) {
        if (g->node[c] <= 0)
            continue;
        if (t->n_entries == t->entries_capacity) {
            t->entries_capacity = t->entries_capacity ? 2 * t->entries_capacity : 256;
            t->classes = memory_resize(t->classes, (size_t)t->entries_capacity * sizeof *t->classes);
            t->shares = memory_resize(t->shares, (size_t)t->entries_capacity * sizeof *t->shares);
        }
        t->classes[t->n_entries] = c;
        t->shares[t->n_entries++] = (float)(g->node[c] / f->weight);
        node.n++;
    }
    add_node(t, node);
}

static void push(struct grower *g, struct task t)
{
    if (g->n_stack == g->stack_capacity) {
        g->stack_capacity = g->stack_capacity ? 2 * g->stack_capacity : 64;
        g->stack = memory_resize(g->stack, (size_t)g->stack_capacity * sizeof *g->stack);
    }
    g->stack[g->n_stack++] = t;
}

/* Samples with a code up to the split's to the front; where the others begin. */
static int partition(struct grower *g, const struct task *t, const struct split *s)
{
    const uint32_t *codes = g->r->data->codes + (size_t)s->feature * (size_t)g->r->data->n;
    int to = t->first;
    for (int i = t->first; i < t->last; i++) {
        int32_t row = g->samples[i];
        if (codes[row] > s->left_code)
            continue;
        g->samples[i] = g->samples[to];
        g->samples[to++] = row;
    }
    return to;
}

static void split_node(struct grower *g, const struct task *t, const struct node_facts *f, const struct split *s)
{
    const float *values = g->r->data->values + g->r->data->first[s->feature];
    int node = add_node(g->tree, (struct tree_node){.feature = s->feature, .threshold = midpoint(values[s->left_code], values[s->right_code])});
    int middle = partition(g, t, s);
    if (g->r->importances) /* weight * impurity, minus the children's: the weights cancel */
        g->r->importances[s->feature] += (s->gain - f->squares / f->weight) / g->total;
    push(g, (struct task){middle, t->last, t->depth + 1, node});
    push(g, (struct task){t->first, middle, t->depth + 1, -1});
}

static void grow_node(struct grower *g, const struct task *t)
{
    const struct tree_params *p = g->r->params;
    int n = t->last - t->first;
    if (t->parent >= 0)
        g->tree->nodes[t->parent].right = g->tree->n_nodes;
    struct node_facts f = look_at(g, t);
    if (t->parent < 0 && t->depth == 0)
        g->total = f.weight;
    struct split s = {.feature = -1};
    if (!f.pure && n >= p->min_samples_split && n >= 2 * p->min_samples_leaf && (p->max_depth < 0 || t->depth < p->max_depth))
        s = find_split(g, t, &f);
    if (s.feature < 0)
        add_leaf(g, &f);
    else
        split_node(g, t, &f, &s);
}

static enum status allocate(struct grower *g, struct slab *slab, struct error *e)
{
    const struct tree_data *d = g->r->data;
    size_t n = (size_t)d->n, k = (size_t)d->n_classes * sizeof(double);
    for (int pass = 0; pass < 2; pass++) {
        g->samples = slab_take(slab, n * sizeof *g->samples);
        g->packed = slab_take(slab, n * sizeof *g->packed);
        g->keys = slab_take(slab, n * sizeof *g->keys);
        g->room = slab_take(slab, n * sizeof *g->room);
        g->columns = slab_take(slab, (size_t)d->n_columns * sizeof *g->columns);
        g->node = slab_take(slab, k);
        g->left = slab_take(slab, k);
        g->right = slab_take(slab, k);
        if (pass == 0)
            TRY(slab_new(slab, "growing a tree", e));
    }
    return STATUS_OK;
}

enum status tree_grow(struct tree *out, const struct tree_request *r, struct error *e)
{
    struct grower g = {.r = r, .tree = out};
    struct slab slab = {0};
    int n = 0;
    *out = (struct tree){0};
    TRY(allocate(&g, &slab, e));
    for (int i = 0; i < r->data->n; i++)
        if (r->times[i] > 0)
            g.samples[n++] = i;
    for (int c = 0; c < r->data->n_columns; c++)
        g.columns[c] = c;
    push(&g, (struct task){0, n, 0, -1});
    while (g.n_stack) {
        struct task t = g.stack[--g.n_stack];
        grow_node(&g, &t);
    }
    free(g.stack);
    slab_fini(&slab);
    return STATUS_OK;
}

void tree_fini(struct tree *t)
{
    free(t->nodes);
    free(t->classes);
    free(t->shares);
    *t = (struct tree){0};
}

void tree_add(const struct tree *t, const float *x, double *sum)
{
    const struct tree_node *node = t->nodes;
    while (node->feature >= 0)
        node = x[node->feature] <= node->threshold ? node + 1 : t->nodes + node->right;
    for (int i = node->right; i < node->right + node->n; i++)
        sum[t->classes[i]] += (double)t->shares[i];
}

/* --- bytes --- */

void tree_write(const struct tree *t, struct buffer *out)
{
    buffer_put_i32(out, t->n_nodes);
    buffer_put_i32(out, t->n_entries);
    for (int i = 0; i < t->n_nodes; i++) {
        const struct tree_node *node = &t->nodes[i];
        buffer_put_i32(out, node->feature);
        if (node->feature >= 0)
            buffer_put(out, &node->threshold, sizeof node->threshold);
        else
            buffer_put_i32(out, node->n);
        buffer_put_i32(out, node->right);
    }
    buffer_put(out, t->classes, (size_t)t->n_entries * sizeof *t->classes);
    buffer_put(out, t->shares, (size_t)t->n_entries * sizeof *t->shares);
}

/* Children behind their parents, so every walk ends; entries and classes that there are. */
static bool node_fits(const struct tree *t, int i, int n_columns)
{
    const struct tree_node *node = &t->nodes[i];
    if (node->feature >= 0)
        return node->feature < n_columns && i + 1 < t->n_nodes && node->right > i && node->right < t->n_nodes;
    return node->feature == -1 && node->n >= 0 && node->right >= 0 && node->n <= t->n_entries - node->right;
}

static bool read_nodes(struct tree *t, struct reader *r, int n_columns)
{
    for (int i = 0; i < t->n_nodes; i++) {
        struct tree_node *node = &t->nodes[i];
        node->feature = reader_i32(r);
        int32_t middle = reader_i32(r);
        node->right = reader_i32(r);
        if (node->feature >= 0)
            memcpy(&node->threshold, &middle, sizeof middle);
        else
            node->n = middle;
        if (r->failed || !node_fits(t, i, n_columns))
            return false;
    }
    return true;
}

/* Do the entries of a leaf share its rows out among classes? */
static bool leaf_shares(const struct tree *t, const struct tree_node *leaf, int n_classes)
{
    double sum = 0;
    bool good = true;
    for (int i = leaf->right; i < leaf->right + leaf->n; i++) {
        good = good && t->classes[i] >= 0 && t->classes[i] < n_classes && t->shares[i] >= 0; /* no NaN */
        sum += (double)t->shares[i];
    }
    return good && fabs(sum - 1) < 1e-3;
}

/* Leaves of their own entries, so that this takes no longer than reading them. */
static bool leaves_fit(const struct tree *t, int n_classes)
{
    int left = t->n_entries;
    for (int i = 0; i < t->n_nodes; i++)
        if (t->nodes[i].feature < 0 && ((left -= t->nodes[i].n) < 0 || !leaf_shares(t, &t->nodes[i], n_classes)))
            return false;
    return true;
}

enum status tree_read(struct tree *out, struct reader *r, int n_columns, int n_classes, struct error *e)
{
    size_t left = (size_t)(r->end - r->at);
    *out = (struct tree){.n_nodes = reader_i32(r), .n_entries = reader_i32(r)};
    bool good = !r->failed && out->n_nodes > 0 && out->n_entries > 0 && (size_t)out->n_nodes <= left / 12 && (size_t)out->n_entries <= left / 8;
    if (good) {
        size_t bytes = (size_t)out->n_entries * 4;
        out->nodes = memory_new((size_t)out->n_nodes * sizeof *out->nodes);
        good = read_nodes(out, r, n_columns);
        const void *classes = reader_take(r, bytes), *shares = reader_take(r, bytes);
        good = good && classes && shares;
        if (good) {
            out->classes = memory_new(bytes);
            out->shares = memory_new(bytes);
            memcpy(out->classes, classes, bytes);
            memcpy(out->shares, shares, bytes);
        }
        good = good && leaves_fit(out, n_classes);
    }
    if (good)
        return STATUS_OK;
    tree_fini(out);
    return error_set(e, STATUS_DATA, "a damaged tree");
}
