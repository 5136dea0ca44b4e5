/* The best leaf first: as many leaves as are wanted, each split the one that takes away most impurity (scikit-learn's BestFirstTreeBuilder).
 *
 * Nodes are opened in that order and written in preorder when all are known; ties go to the node that was opened first. */
#include <stdlib.h>
#include <string.h>

#include "models/tree_grow.h"

struct open_node {
    struct tree_span span;
    struct tree_split split; /* of no meaning where it found none */
    int left, right;         /* 0: a leaf */
};

struct frontier {
    struct tree_grower *g;
    struct open_node *nodes; /* (capacity) */
    uint64_t *constant;      /* (capacity, words) of a node, as far as known */
    int *heap;               /* (n_heap) leaves that can be split, the best at the top */
    int n, n_heap, capacity;
};

/* Two nodes a leaf, in room that doubles: half as much again, on average. */
uint64_t tree_best_bytes(uint64_t leaves, int columns)
{
    return 3 * leaves * (sizeof(struct open_node) + sizeof(int) + ((uint64_t)columns + 63) / 64 * sizeof(uint64_t));
}

static bool goes_before(const struct frontier *f, int a, int b)
{
    double x = f->nodes[a].split.decrease, y = f->nodes[b].split.decrease;
    return x > y || (x == y && a < b);
}

static void heap_push(struct frontier *f, int node)
{
    int at = f->n_heap++;
    for (; at > 0 && goes_before(f, node, f->heap[(at - 1) / 2]); at = (at - 1) / 2)
        f->heap[at] = f->heap[(at - 1) / 2];
    f->heap[at] = node;
}

static int heap_pop(struct frontier *f)
{
    int top = f->heap[0], last = f->heap[--f->n_heap], at = 0;
    for (int child = 1; child < f->n_heap; child = 2 * at + 1) {
        child += child + 1 < f->n_heap && goes_before(f, f->heap[child + 1], f->heap[child]);
        if (!goes_before(f, f->heap[child], last))
            break;
        f->heap[at] = f->heap[child];
        at = child;
    }
    f->heap[at] = last;
    return top;
}

static void make_room(struct frontier *f)
{
    size_t words = (size_t)f->g->words;
    if (f->n < f->capacity)
        return;
    f->capacity = f->capacity ? 2 * f->capacity : 64;
    f->nodes = memory_resize(f->nodes, (size_t)f->capacity * sizeof *f->nodes);
    f->heap = memory_resize(f->heap, (size_t)f->capacity * sizeof *f->heap);
    f->constant = memory_resize(f->constant, (size_t)f->capacity * words * sizeof *f->constant);
}

/* A node, and its split where it has one; parent -1: the root. */
static int open_node(struct frontier *f, struct tree_span span, int parent)
{
    size_t words = (size_t)f->g->words;
    make_room(f);
    int node = f->n++;
    uint64_t *constant = f->constant + (size_t)node * words;
    if (parent >= 0)
        memcpy(constant, f->constant + (size_t)parent * words, words * sizeof *constant);
    else
        memset(constant, 0, words * sizeof *constant);
    f->nodes[node] = (struct open_node){.span = span};
    if (tree_grow_find(f->g, &span, constant, &f->nodes[node].split))
        heap_push(f, node);
    f->nodes[node].split.codes = NULL; /* others will have been gathered when it is split */
    return node;
}

static void split_best(struct frontier *f)
{
    int node = heap_pop(f);
    struct tree_span span = f->nodes[node].span;
    int middle = tree_grow_part(f->g, &span, &f->nodes[node].split);
    int left = open_node(f, (struct tree_span){span.first, middle, span.depth + 1}, node);
    int right = open_node(f, (struct tree_span){middle, span.last, span.depth + 1}, node);
    f->nodes[node].left = left;
    f->nodes[node].right = right;
}

static void write_in_preorder(struct frontier *f)
{
    struct tree_grower *g = f->g;
    int *stack = memory_new((size_t)f->n * 2 * sizeof *stack), n = 0; /* nodes; whose right child each is, or -1 */
    stack[n++] = 0;
    stack[n++] = -1;
    while (n) {
        int parent = stack[--n];
        const struct open_node *o = &f->nodes[stack[--n]];
        if (parent >= 0)
            g->tree->nodes[parent].right = g->tree->n_nodes;
        if (!o->left) {
            tree_splitter_look(&g->splitter, g->samples + o->span.first, o->span.last - o->span.first);
            tree_grow_leaf(g);
            continue;
        }
        int at = tree_grow_inner(g, &o->split);
        stack[n++] = o->right;
        stack[n++] = at;
        stack[n++] = o->left;
        stack[n++] = -1;
    }
    free(stack);
}

void tree_grow_best_first(struct tree_grower *g, int n)
{
    struct frontier f = {.g = g};
    open_node(&f, (struct tree_span){0, n, 0}, -1);
    for (int leaves = 1; leaves < g->r->params->max_leaf_nodes && f.n_heap; leaves++)
        split_best(&f);
    write_in_preorder(&f);
    free(f.nodes);
    free(f.heap);
    free(f.constant);
}
