#include "models/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void tree_fini(struct tree *t)
{
    free(t->nodes);
    free(t->classes);
    free(t->shares);
    *t = (struct tree){0};
}

enum { ROWS = 8 };

/* One step down for each of ROWS rows; false when all have come to a leaf. Without branches: which way a row goes cannot be guessed. */
static bool step(const struct tree_node *nodes, const float *x, size_t n_columns, int32_t at[ROWS])
{
    int32_t inner = -1;
    for (int r = 0; r < ROWS; r++) {
        const struct tree_node *node = &nodes[at[r]];
        int32_t leaf = node->feature >> 31, feature = node->feature & ~leaf; /* leaf: all bits or none */
        int32_t left = -(int32_t)(x[(size_t)r * n_columns + (size_t)feature] <= node->threshold);
        int32_t next = (left & (at[r] + 1)) | (~left & node->right);
        at[r] = (leaf & at[r]) | (~leaf & next);
        inner &= leaf;
    }
    return inner == 0;
}

static void add_leaf(const struct tree *t, const struct tree_node *leaf, double *sum)
{
    for (int i = leaf->right; i < leaf->right + leaf->n; i++)
        sum[t->classes[i]] += (double)t->shares[i];
}

void tree_add(const struct tree *t, const float *x, int n_columns, int n, double *sum, int n_classes)
{
    size_t width = (size_t)n_columns, k = (size_t)n_classes;
    int i = 0;
    for (; i + ROWS <= n; i += ROWS) {
        int32_t at[ROWS] = {0};
        while (step(t->nodes, x + (size_t)i * width, width, at))
            ;
        for (int r = 0; r < ROWS; r++)
            add_leaf(t, &t->nodes[at[r]], sum + (size_t)(i + r) * k);
    }
    for (; i < n; i++) {
        const struct tree_node *node = t->nodes;
        while (node->feature >= 0)
            node = x[(size_t)i * width + (size_t)node->feature] <= node->threshold ? node + 1 : t->nodes + node->right;
        add_leaf(t, node, sum + (size_t)i * k);
    }
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
