/* Finished trees out of grown ones and of bytes, and their bytes: docs/forest-file.md. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "models/tree_walk_words.h"

static bool is_leaf(const struct tree_walk *w, uint32_t at)
{
    return tree_walk_child_at(w, at) == at;
}

static inline __attribute__((always_inline)) void set_node(struct tree_walk *w, uint32_t at, uint32_t low, uint32_t child, uint32_t column, bool wide)
{
    uint64_t node = (uint64_t)child << 32 | (uint32_t)~low;
    if (wide) {
        w->nodes[2 * (size_t)at] = node;
        w->nodes[2 * (size_t)at + 1] = column;
    } else {
        w->nodes[at] = (uint64_t)column << (64 - w->bits) | node;
    }
}

/* --- building: nodes come in preorder --- */

struct builder {
    struct tree_walk *walk;
    uint32_t n_columns, n_nodes; /* n_nodes: so far */
    uint32_t at;                 /* where the next one stands */
    uint32_t free;               /* the next two places */
    uint32_t *waiting;           /* (n_nodes / 2 + 2, from 1 on) places of right children whose nodes have not come; owned */
    uint32_t n_waiting;
    bool whole;
};

/* Nodes whose places and columns share a word. */
static bool fits(int n_nodes, unsigned bits)
{
    return (uint64_t)n_nodes << bits <= (uint64_t)1 << 32;
}

static struct builder builder_of(struct tree_walk *walk, int n_nodes, int n_shares, int n_columns)
{
    *walk = (struct tree_walk){.n_nodes = n_nodes, .n_shares = n_shares};
    while (n_columns >> walk->bits)
        walk->bits++;
    walk->wide = !fits(n_nodes, walk->bits);
    walk->nodes = memory_new((size_t)n_nodes * (walk->wide ? 2 : 1) * sizeof *walk->nodes);
    walk->shares = memory_new((size_t)n_shares * sizeof *walk->shares);
    return (struct builder){.walk = walk, .n_columns = (uint32_t)n_columns, .free = 1, .waiting = memory_new(((size_t)n_nodes / 2 + 2) * sizeof(uint32_t))};
}

/* Without a branch: a where all bits of the mask are set, b where none is. */
static inline uint32_t pick(uint32_t mask, uint32_t a, uint32_t b)
{
    return b ^ ((a ^ b) & mask);
}

/* leaf: a mask; whether it is one cannot be foreseen. low: a leaf's value, else the key of its threshold. False where there is no room for it, as in a tree
 * whose nodes are fewer than it says. */
static inline __attribute__((always_inline)) bool add_node(struct builder *b, uint32_t leaf, uint32_t column, uint32_t low, bool wide)
{
    struct tree_walk *w = b->walk;
    uint32_t at = b->at, next = b->free, n = b->n_waiting, taken = 2 & ~leaf;
    if (b->whole || next + taken > (uint32_t)w->n_nodes)
        return false;
    set_node(w, at, low, pick(leaf, at, next), pick(leaf, b->n_columns, column), wide);
    b->waiting[n + 1] = next + 1; /* of a leaf it does not count */
    b->whole = (leaf & 1) > n;
    b->at = pick(leaf, b->waiting[n], next);
    b->n_waiting = n + pick(leaf, UINT32_MAX, 1);
    b->free = next + taken;
    b->n_nodes++;
    return true;
}

static bool is_whole(const struct builder *b)
{
    return b->whole && b->n_nodes == (uint32_t)b->walk->n_nodes;
}

/* --- of a grown tree --- */

static inline uint32_t leaf_mask(const struct tree_node *node)
{
    return (uint32_t)(node->feature >> 31);
}

/* The first entry of a leaf; of another node some. */
static inline uint32_t first_entry(const struct tree_node *node)
{
    return (uint32_t)node->right & leaf_mask(node) & (uint32_t)-(node->n > 0);
}

/* A leaf of several classes, whose shares stand elsewhere? */
static inline bool is_shared(const struct tree *t, const struct tree_node *node)
{
    uint32_t one = (uint32_t)(node->n == 1) & (uint32_t)(t->shares[first_entry(node)] == 1);
    return leaf_mask(node) & (one ^ 1);
}

static int shares_needed(const struct tree *t)
{
    int64_t n = 0;
    for (int i = 0; i < t->n_nodes; i++)
        n += (int64_t)is_shared(t, &t->nodes[i]) * t->nodes[i].n;
    return (int)n; /* no more than entries: leaves have their own */
}

/* The value of a leaf of several classes; its shares, from *used on. */
static int32_t take_shares(struct tree_walk *w, int *used, const struct tree *t, const struct tree_node *leaf)
{
    int first = *used;
    for (int i = 0; i < leaf->n; i++)
        w->shares[(*used)++] = (struct tree_share){t->classes[leaf->right + i], t->shares[leaf->right + i]};
    w->shares[*used - 1].label = ~w->shares[*used - 1].label;
    return ~first;
}

/* right (n_nodes / 2 + 2): room, for the nodes that are said to be the right children that wait. */
static inline __attribute__((always_inline)) bool take_nodes(struct builder b, const struct tree *t, int32_t *right, bool wide)
{
    int used = 0;
    for (int i = 0; i < t->n_nodes; i++) {
        const struct tree_node *node = &t->nodes[i];
        uint32_t leaf = leaf_mask(node), value = (uint32_t)t->classes[first_entry(node)], last = b.n_waiting & leaf;
        if (b.whole || (leaf & (uint32_t)(node->n < 1)) | ((uint32_t)(last > 0) & (uint32_t)(right[last] != i + 1)))
            return false;
        if (is_shared(t, node))
            value = (uint32_t)take_shares(b.walk, &used, t, node);
        right[b.n_waiting + 1] = node->right;
        if (!add_node(&b, leaf, (uint32_t)node->feature, pick(leaf, value, tree_walk_key(node->threshold)), wide))
            return false;
    }
    return is_whole(&b);
}

enum status tree_walk_of(struct tree_walk *out, const struct tree *t, int n_columns, struct error *e)
{
    struct builder b = builder_of(out, t->n_nodes, shares_needed(t), n_columns);
    int32_t *right = memory_new(((size_t)t->n_nodes / 2 + 2) * sizeof *right);
    bool good = out->wide ? take_nodes(b, t, right, true) : take_nodes(b, t, right, false);
    free(b.waiting);
    free(right);
    if (good)
        return STATUS_OK;
    tree_walk_fini(out);
    return error_set(e, STATUS_DATA, "a damaged tree");
}

void tree_walk_mark(const struct tree_walk *w, bool *used)
{
    for (uint32_t at = 0; at < (uint32_t)w->n_nodes; at++)
        if (!is_leaf(w, at))
            used[tree_walk_column(w, at, w->wide)] = true;
}

/* --- bytes --- */

/* Bits of the float that a key stands for. */
static uint32_t float_bits(uint32_t key)
{
    return key ^ (key >> 31 ? 0x80000000U : 0xffffffffU);
}

/* Bytes of a number below n, or of one more, all of whose bits are set. */
static int width_of(int n)
{
    return n < 0xff ? 1 : n < 0xffff ? 2 : 4;
}

static int32_t nothing_of(int width)
{
    return width == 1 ? 0xff : width == 2 ? 0xffff : -1;
}

static inline __attribute__((always_inline)) void put_number(unsigned char *at, uint32_t x, int width)
{
    for (int i = 0; i < width; i++)
        at[i] = (unsigned char)(x >> (8 * i));
}

static inline __attribute__((always_inline)) int32_t take_number(const unsigned char **at, int width)
{
    uint32_t x = 0;
    for (int i = 0; i < width; i++)
        x |= (uint32_t)*(*at)++ << (8 * i);
    return (int32_t)x;
}

static float take_float(const unsigned char **at)
{
    int32_t bits = take_number(at, 4);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void write_shares(const struct tree_walk *w, int width, struct buffer *out)
{
    size_t n = (size_t)w->n_shares, leaves = 0;
    for (size_t i = 0; i < n; i++)
        leaves += w->shares[i].label < 0;
    unsigned char *counts = buffer_grow(out, (leaves + n) * (size_t)width + n * 4), *labels = counts + leaves * (size_t)width;
    unsigned char *shares = labels + n * (size_t)width;
    for (size_t i = 0, first = 0; i < n; i++) {
        int32_t label = w->shares[i].label;
        if (label < 0) {
            put_number(counts, (uint32_t)(i + 1 - first), width);
            counts += width;
            first = i + 1;
        }
        put_number(labels + i * (size_t)width, (uint32_t)(label < 0 ? ~label : label), width);
        memcpy(shares + 4 * i, &w->shares[i].share, 4);
    }
}

/* Where the parts of the nodes go; each has room for one thing more than it gets. */
struct places {
    unsigned char *columns, *thresholds, *leaves;
};

/* In preorder. Which nodes are leaves cannot be guessed, so no branch hangs on it. waiting (n_nodes / 2 + 2): room. */
static inline __attribute__((always_inline)) void put_nodes(const struct tree_walk *w, uint32_t *waiting, struct places to, int of_column, int of_class, bool wide)
{
    const struct tree_walk walk = *w;
    uint32_t at = 0, n_waiting = 0;
    for (int i = 0; i < walk.n_nodes; i++) {
        uint64_t node = tree_walk_word(&walk, at, wide);
        uint32_t threshold = ~(uint32_t)node, child = tree_walk_child(&walk, node, wide), leaf = child == at;
        put_number(to.columns, (uint32_t)tree_walk_column(&walk, at, wide) | -leaf, of_column);
        put_number(to.leaves, threshold | -(threshold >> 31), of_class);
        put_number(to.thresholds, float_bits(threshold), 4);
        to.columns += of_column;
        to.leaves += leaf * (uint32_t)of_class;
        to.thresholds += (1 - leaf) * 4;
        waiting[n_waiting + 1] = child + 1;
        at = leaf ? waiting[n_waiting] : child;
        n_waiting += 1 - 2 * leaf;
    }
}

void tree_walk_write(const struct tree_walk *w, int n_columns, int n_classes, struct buffer *out)
{
    int of_column = width_of(n_columns), of_class = width_of(n_classes);
    size_t n = (size_t)w->n_nodes, inner = n / 2;
    unsigned char *room = memory_new((inner + 1) * 4 + (inner + 2) * (size_t)of_class), *of_leaves = room + (inner + 1) * 4;
    uint32_t *waiting = memory_new((inner + 2) * sizeof *waiting);
    buffer_put_i32(out, w->n_nodes);
    buffer_put_i32(out, w->n_shares);
    unsigned char *columns = buffer_grow(out, n * (size_t)of_column + inner * 4 + (inner + 1) * (size_t)of_class);
    unsigned char *thresholds = columns + n * (size_t)of_column, *leaves = thresholds + inner * 4;
    struct places to = {columns, room, of_leaves};
    if (of_column == 1 && of_class == 1 && !w->wide)
        put_nodes(w, waiting, to, 1, 1, false);
    else
        put_nodes(w, waiting, to, of_column, of_class, w->wide);
    free(waiting);
    memcpy(thresholds, room, inner * 4);
    memcpy(leaves, of_leaves, (inner + 1) * (size_t)of_class);
    free(room);
    write_shares(w, of_class, out);
}

/* The parts of a tree's bytes. */
struct parts {
    const unsigned char *columns, *thresholds, *leaves;
};

/* Shares lie in the order of leaves; next is the first of the next leaf with several classes, of n_shares. */
static inline __attribute__((always_inline)) bool read_leaf(struct builder *b, struct parts *p, int of_class, int *next, int n_classes, bool wide)
{
    int32_t value = take_number(&p->leaves, of_class);
    const struct tree_walk *w = b->walk;
    if (value != nothing_of(of_class))
        return value >= 0 && value < n_classes && add_node(b, UINT32_MAX, 0, (uint32_t)value, wide);
    int first = *next;
    while (*next < w->n_shares && w->shares[*next].label >= 0)
        (*next)++;
    return (*next)++ < w->n_shares && add_node(b, UINT32_MAX, 0, (uint32_t)~first, wide);
}

static inline __attribute__((always_inline)) bool read_nodes(struct builder b, struct parts p, int of_column, int of_class, int n_classes, bool wide)
{
    int next = 0, inner = 0, n_nodes = b.walk->n_nodes, most = n_nodes / 2;
    for (int i = 0; i < n_nodes; i++) {
        int32_t column = take_number(&p.columns, of_column);
        if (column == nothing_of(of_column)) {
            if (i - inner > most || !read_leaf(&b, &p, of_class, &next, n_classes, wide))
                return false;
        } else if (column < 0 || column >= (int32_t)b.n_columns || inner++ == most || !add_node(&b, 0, (uint32_t)column, tree_walk_key(take_float(&p.thresholds)), wide)) {
            return false;
        }
    }
    return next == b.walk->n_shares && is_whole(&b);
}

/* Counts of the leaves with several classes, then what they hold. Each leaf's shares are its whole. */
static bool read_shares(struct tree_walk *w, struct reader *r, int width, int n_classes)
{
    size_t n = (size_t)w->n_shares;
    for (int covered = 0; covered < w->n_shares;) {
        const unsigned char *at = reader_take(r, (size_t)width);
        int32_t count = at ? take_number(&at, width) : 0;
        if (count < 1 || count > w->n_shares - covered)
            return false;
        covered += count;
        w->shares[covered - 1].label = -1;
    }
    const unsigned char *labels = reader_take(r, n * (size_t)width), *shares = reader_take(r, n * 4);
    double sum = 0;
    for (size_t i = 0; labels && shares && i < n; i++) {
        bool last = w->shares[i].label < 0;
        int32_t label = take_number(&labels, width);
        float share = take_float(&shares);
        if (label < 0 || label >= n_classes || !(share >= 0)) /* no NaN */
            return false;
        sum += (double)share;
        w->shares[i] = (struct tree_share){last ? ~label : label, share};
        if (last && !(fabs(sum - 1) < 1e-3))
            return false;
        sum = last ? 0 : sum;
    }
    return labels && shares;
}

enum status tree_walk_read(struct tree_walk *out, struct reader *r, int n_columns, int n_classes, struct error *e)
{
    size_t left = (size_t)(r->end - r->at);
    int n_nodes = reader_i32(r), n_shares = reader_i32(r);
    int of_column = width_of(n_columns), of_class = width_of(n_classes);
    struct parts p = {0};
    *out = (struct tree_walk){0};
    bool good = !r->failed && n_nodes > 0 && n_nodes % 2 == 1 && n_shares >= 0 && (size_t)n_nodes <= left && (size_t)n_shares <= left / 5;
    if (good) {
        size_t inner = (size_t)n_nodes / 2;
        p.columns = reader_take(r, (size_t)n_nodes * (size_t)of_column);
        p.thresholds = reader_take(r, inner * 4);
        p.leaves = reader_take(r, (inner + 1) * (size_t)of_class);
        good = p.columns && p.thresholds && p.leaves;
    }
    if (good) {
        struct builder b = builder_of(out, n_nodes, n_shares, n_columns);
        good = read_shares(out, r, of_class, n_classes) &&
               (of_column == 1 && of_class == 1 && !out->wide ? read_nodes(b, p, 1, 1, n_classes, false)
                                                               : read_nodes(b, p, of_column, of_class, n_classes, out->wide));
        free(b.waiting);
    }
    if (good)
        return STATUS_OK;
    tree_walk_fini(out);
    return error_set(e, STATUS_DATA, "a damaged tree");
}
