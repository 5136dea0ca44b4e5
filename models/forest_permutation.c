#include "models/forest_permutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

enum { KEY_PERMUTATION = 0x7065726d };
enum { EACH = 4 }; /* items that a rank counts before it hears what others say */

struct groups { /* of columns whose values are dealt out together: every column, every block, every packet of several channels */
    int n, n_columns, n_packets;
};

struct work {
    const struct forest_permutation *p;
    const struct features *x;
    const struct rows *rows;
    struct groups groups;
    float *raw;      /* (n, columns) */
    uint32_t *all;   /* the same memory: their keys */
    bool *used;      /* (columns) does a tree look at it? */
    int n_standing;  /* trees, the first, of which is kept where rows stand */
    struct tree_walk_before before;
    bool *was_right; /* (n) labelled so as they are */
    int32_t *order;  /* (n) */
    bool *changed;   /* (columns + 1) those of a group that trees look at */
    int32_t *column; /* (n_changed) the same */
    int n_changed;
    int together;    /* rows that trees look at at a time, which change */
    int32_t *row;    /* (together) */
    uint32_t *keys;  /* (together, columns + 1) */
    double *sum;     /* (together, classes) */
    int32_t *right;  /* (1 + groups * repeats) rows labelled right: as they are, then permuted; -1: as they are */
    int32_t n_right; /* as they are */
};

/* Of a row and a tree 4 bytes are kept, up to 256 MiB; what goes beyond goes down again each time. */
static int standing(int64_t rows, int trees)
{
    enum { MOST = 1 << 26 };
    return (int64_t)trees * rows <= MOST ? trees : (int)(MOST / rows);
}

uint64_t forest_permutation_bytes(int64_t rows, int columns, int classes, int trees, int64_t nodes)
{
    uint64_t n = (uint64_t)rows, together = rows < TREE_WALK_ROWS ? n : TREE_WALK_ROWS;
    return n * ((uint64_t)columns + 2) * sizeof(float) + n * (uint64_t)standing(rows, trees) * sizeof(uint32_t) + (uint64_t)nodes +
           together * (((uint64_t)columns + 2) * sizeof(uint32_t) + (uint64_t)classes * sizeof(double));
}

int64_t forest_permutation_rounds(int columns, int packets, int repeats)
{
    return repeats > 0 ? 1 + ((int64_t)columns + FEATURES_BLOCKS + packets) * repeats : 0;
}

/* --- groups --- */

static struct groups groups_of(const struct features *x)
{
    struct groups g = {.n_columns = features_columns(x), .n_packets = x->n_channels > 1 ? x->steps : 0};
    g.n = g.n_columns + FEATURES_BLOCKS + g.n_packets;
    return g;
}

static bool in_group(const struct work *w, int group, int column)
{
    int block = group - w->groups.n_columns, packet = block - FEATURES_BLOCKS;
    if (block < 0)
        return group == column;
    if (packet < 0)
        return features_block(w->x, column) == block;
    return column < w->x->steps * w->x->n_channels && column / w->x->n_channels == packet;
}

static bool is_there(const struct work *w, int group)
{
    for (int c = 0; c < w->groups.n_columns; c++)
        if (in_group(w, group, c))
            return true;
    return false;
}

/* Below 0: none. */
static void change(struct work *w, int group)
{
    w->n_changed = 0;
    for (int c = 0; c < w->groups.n_columns; c++) {
        w->changed[c] = group >= 0 && in_group(w, group, c) && w->used[c];
        w->column[w->n_changed] = c;
        w->n_changed += w->changed[c];
    }
    tree_walk_touch(w->p->trees, w->n_standing, &w->before, w->changed);
}

static void put_name(const struct work *w, int group, struct buffer *out)
{
    struct buffer name = {0};
    int block = group - w->groups.n_columns;
    if (block < 0)
        features_column_name(w->x, group, &name);
    else if (block < FEATURES_BLOCKS)
        features_block_name(w->x, block, &name);
    else
        buffer_printf(&name, "packet %d", block - FEATURES_BLOCKS + 1);
    buffer_put_string(out, name.data);
    buffer_fini(&name);
}

/* --- counting --- */

static const uint32_t *keys_of(const struct work *w, int row)
{
    return w->all + (size_t)row * (size_t)w->groups.n_columns;
}

/* A row as it is, at the i-th place. */
static uint32_t *put(const struct work *w, int i, int row)
{
    size_t columns = (size_t)w->groups.n_columns;
    uint32_t *key = w->keys + (size_t)i * (columns + 1);
    memcpy(key, keys_of(w, row), columns * sizeof *key);
    key[columns] = 0;
    w->row[i] = row;
    return key;
}

/* With what changes from where order says; false where that is the same, and the row need not be looked at. */
static bool put_changed(const struct work *w, int i, int row)
{
    const uint32_t *old = keys_of(w, row), *new = keys_of(w, w->order[row]);
    bool same = true;
    for (int c = 0; c < w->n_changed; c++)
        same = same && old[w->column[c]] == new[w->column[c]];
    if (same)
        return false;
    uint32_t *key = put(w, i, row);
    for (int c = 0; c < w->n_changed; c++)
        key[w->column[c]] = new[w->column[c]];
    return true;
}

/* The label is that of the probabilities, floats, as forest_predict has them. */
static bool is_right(const struct work *w, int i)
{
    const double *sum = w->sum + (size_t)i * (size_t)w->p->n_classes;
    int best = 0;
    for (int k = 1; k < w->p->n_classes; k++)
        if (sum[k] > sum[best] && (float)(sum[k] / w->p->n_trees) > (float)(sum[best] / w->p->n_trees))
            best = k;
    return best == w->rows->y[w->row[i]];
}

/* Sums of the n rows at their places. */
static void add_up(const struct work *w, int n)
{
    const struct forest_permutation *p = w->p;
    memset(w->sum, 0, (size_t)n * (size_t)p->n_classes * sizeof *w->sum);
    tree_walk_add_changed(p->trees, w->n_standing, &w->before, w->row, w->keys, w->groups.n_columns, n, w->sum, p->n_classes);
    tree_walk_add_all(p->trees + w->n_standing, p->n_trees - w->n_standing, w->keys, w->groups.n_columns, n, w->sum, p->n_classes);
}

/* Rows as they are: where they stand, and which are labelled right. */
static void look_at_all(struct work *w, struct gang *g)
{
    change(w, -1);
    for (int at = 0; at < w->rows->n; at += w->together) {
        int n = w->rows->n - at < w->together ? w->rows->n - at : w->together;
        for (int i = 0; i < n; i++)
            put(w, i, at + i);
        tree_walk_stand(w->p->trees, w->n_standing, &w->before, at, w->keys, w->groups.n_columns, n);
        add_up(w, n);
        for (int i = 0; i < n; i++) {
            w->was_right[at + i] = is_right(w, i);
            w->n_right += w->was_right[at + i];
        }
        gang_look(g);
    }
}

/* Rows labelled right with what changes from where order says. */
static int32_t count_right(const struct work *w, struct gang *g)
{
    int32_t right = w->n_right;
    for (int row = 0; row < w->rows->n;) {
        int n = 0;
        for (; row < w->rows->n && n < w->together; row++)
            n += put_changed(w, n, row);
        add_up(w, n);
        for (int i = 0; i < n; i++)
            right += is_right(w, i) - w->was_right[w->row[i]];
        gang_look(g);
    }
    return right;
}

static int32_t count_item(struct work *w, int item, struct gang *g)
{
    int group = (item - 1) / w->p->repeats, repeat = (item - 1) % w->p->repeats;
    if (item == 0)
        return w->n_right;
    change(w, group);
    if (w->n_changed == 0)
        return -1;
    struct random r = random_of(random_key(w->p->key, KEY_PERMUTATION), (uint64_t)group << 32 | (uint64_t)repeat);
    for (int i = 0; i < w->rows->n; i++)
        w->order[i] = i;
    random_shuffle(&r, w->order, (size_t)w->rows->n);
    return count_right(w, g);
}

/* Collective: items [first, last), of each rank a run. */
static enum status count_some(struct work *w, int first, int last, struct gang *g, struct error *e)
{
    size_t *offset = memory_new(((size_t)g->size + 1) * sizeof *offset);
    for (int r = 0; r <= g->size; r++)
        offset[r] = (size_t)gang_first(last - first, r, g->size) * sizeof *w->right;
    for (int i = gang_first(last - first, g->rank, g->size); i < gang_first(last - first, g->rank + 1, g->size); i++)
        w->right[first + i] = count_item(w, first + i, g);
    enum status s = g->share(g, w->right + first, offset, e);
    free(offset);
    return s;
}

static void keep(const struct work *w, int n)
{
    struct forest_counted *c = w->p->counted;
    if (n <= c->n)
        return;
    c->right = memory_resize(c->right, (size_t)n * sizeof *c->right);
    memcpy(c->right + c->n, w->right + c->n, (size_t)(n - c->n) * sizeof *c->right);
    c->n = n;
}

/* Collective. STATUS_STOPPED where told to, between some and some more. */
static enum status count_all(struct work *w, struct gang *g, struct error *e)
{
    int items = 1 + w->groups.n * w->p->repeats, first = w->p->counted->n < items ? w->p->counted->n : items;
    if (first > 0)
        memcpy(w->right, w->p->counted->right, (size_t)first * sizeof *w->right);
    while (first < items) {
        int last = items - first < EACH * g->size ? items : first + EACH * g->size;
        bool stop;
        if (w->p->between) {
            keep(w, first);
            TRY(w->p->between->call(w->p->between->context, first, items, e));
        }
        TRY(count_some(w, first, last, g, e));
        first = last;
        TRY(gang_any(g, first < items && g->stop(g), &stop, e));
        if (!stop)
            continue;
        keep(w, first);
        return error_set(e, STATUS_STOPPED, "told to stop before the last permutation");
    }
    return STATUS_OK;
}

static void put_group(const struct work *w, int group, struct buffer *out)
{
    const int32_t *right = w->right + 1 + (size_t)group * (size_t)w->p->repeats;
    double sum = 0, squares = 0, n = w->p->repeats;
    for (int r = 0; r < w->p->repeats; r++)
        sum += right[r] < 0 ? 0 : (double)(w->right[0] - right[r]);
    for (int r = 0; r < w->p->repeats; r++) {
        double lost = right[r] < 0 ? 0 : (double)(w->right[0] - right[r]);
        squares += (lost - sum / n) * (lost - sum / n);
    }
    put_name(w, group, out);
    buffer_put_f64(out, sum / n / w->rows->n);
    buffer_put_f64(out, sqrt(squares / n) / w->rows->n);
}

/* Collective: every rank's own rows, for all; then they become keys. */
static enum status gather(const struct work *w, struct gang *g, struct error *e)
{
    int first, last, columns = w->groups.n_columns;
    gang_rows(w->rows->n, g->rank, g->size, &first, &last);
    features_gather_raw(w->x, w->rows->row + first, last - first, w->raw + (size_t)first * (size_t)columns);
    TRY(gang_share_rows(g, w->raw, w->rows->n, columns, e));
    for (size_t i = 0; i < (size_t)w->rows->n * (size_t)columns; i++) {
        uint32_t key = tree_walk_key(w->raw[i]);
        memcpy(&w->all[i], &key, sizeof key);
    }
    return STATUS_OK;
}

static void lay_out(struct work *w, struct slab *s)
{
    size_t n = (size_t)w->rows->n, columns = (size_t)w->groups.n_columns;
    w->raw = slab_take(s, n * columns * sizeof *w->raw);
    w->all = (uint32_t *)w->raw;
    w->used = slab_take(s, columns * sizeof *w->used);
    w->before.leaf = slab_take(s, (size_t)w->n_standing * n * sizeof *w->before.leaf);
    w->before.touched = slab_take(s, tree_walk_nodes(w->p->trees, w->n_standing) * sizeof *w->before.touched);
    w->was_right = slab_take(s, n * sizeof *w->was_right);
    w->order = slab_take(s, n * sizeof *w->order);
    w->changed = slab_take(s, (columns + 1) * sizeof *w->changed);
    w->column = slab_take(s, (columns + 1) * sizeof *w->column); /* and behind the last */
    w->row = slab_take(s, (size_t)w->together * sizeof *w->row);
    w->keys = slab_take(s, (size_t)w->together * (columns + 1) * sizeof *w->keys);
    w->sum = slab_take(s, (size_t)w->together * (size_t)w->p->n_classes * sizeof *w->sum);
    w->right = slab_take(s, (1 + (size_t)w->groups.n * (size_t)w->p->repeats) * sizeof *w->right);
}

enum status forest_permutation(const struct forest_permutation *p, const struct features *x, const struct rows *rows, struct gang *g, struct buffer *out,
                               struct error *e)
{
    struct work w = {.p = p, .x = x, .rows = rows, .groups = groups_of(x), .before.n = rows->n};
    struct slab slab = {0};
    struct error ignored;
    bool bad;
    if (rows->n == 0 || p->repeats == 0)
        return STATUS_OK;
    w.n_standing = standing(rows->n, p->n_trees);
    w.together = tree_walk_rows(p->trees, p->n_trees, w.groups.n_columns, p->n_classes, rows->n);
    lay_out(&w, &slab);
    enum status s = slab_new(&slab, "permutation importances", e), told = gang_any(g, s != STATUS_OK, &bad, s == STATUS_OK ? e : &ignored);
    if (s == STATUS_OK)
        s = told != STATUS_OK ? told : bad ? error_set(e, STATUS_MEMORY, "another rank of the gang had no memory for permutation importances") : STATUS_OK;
    if (s == STATUS_OK) {
        lay_out(&w, &slab);
        for (int t = 0; t < p->n_trees; t++)
            tree_walk_mark(&p->trees[t], w.used);
        s = gather(&w, g, e);
    }
    if (s == STATUS_OK) {
        look_at_all(&w, g);
        s = count_all(&w, g, e);
    }
    for (int k = 0; s == STATUS_OK && k < w.groups.n; k++)
        if (is_there(&w, k))
            put_group(&w, k, out);
    slab_fini(&slab);
    return s;
}
