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
