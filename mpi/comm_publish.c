/* Memory that a node's ranks share, in windows that are allocated once: the flows, which the node's first rank fills, places for sets, and rings for sums.
 * Where shared memory is short each rank has a copy of its own, makes sets of its own, and sums go by messages. */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "mpi/comm.h"
#include "mpi/ring.h"
#include "storage/footprint.h"

static enum status barrier(struct comm *c, MPI_Comm comm, struct error *e)
{
    MPI_Request r;
    MPI_Ibarrier(comm, &r);
    return comm_wait(c, &r, e);
}

/* *every is true on every rank where mine is on all. */
static enum status all(struct comm *c, bool mine, bool *every, struct error *e)
{
    int one = mine, least = 0;
    MPI_Request r;
    MPI_Iallreduce(&one, &least, 1, MPI_INT, MPI_MIN, c->world, &r);
    enum status s = comm_wait(c, &r, e);
    *every = least;
    return s;
}

/* The node's window; every rank gets where it lies. */
static char *window(MPI_Comm node, int node_rank, size_t size, MPI_Win *out)
{
    char *base = NULL;
    MPI_Aint there;
    int unit;
    MPI_Win_allocate_shared(node_rank == 0 ? (MPI_Aint)size : 0, 1, MPI_INFO_NULL, node, &base, out);
    MPI_Win_shared_query(*out, 0, &there, &unit, &base);
    return base;
}

static enum status fill(struct transport *t, MPI_Comm node, int node_rank, char *base, const void *block, size_t size, struct error *e)
{
    struct comm *c = t->context;
    MPI_Comm leaders;
    enum status s = STATUS_OK;
    MPI_Comm_split(c->world, node_rank == 0 ? 0 : MPI_UNDEFINED, t->rank, &leaders);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, c->window);
    if (t->rank == 0)
        memcpy(base, block, size);
    if (leaders != MPI_COMM_NULL) {
        s = comm_broadcast(c, leaders, base, size, 0, e);
        MPI_Comm_free(&leaders);
    }
    MPI_Win_sync(c->window);
    if (s == STATUS_OK)
        s = barrier(c, node, e);
    MPI_Win_sync(c->window);
    MPI_Win_unlock_all(c->window);
    return s;
}

/* A copy of one's own, where /dev/shm is short. */
static enum status place_private(struct transport *t, const void **block, size_t size, struct error *e)
{
    struct comm *c = t->context;
    bool taken;
    if (t->rank != 0)
        c->private = aligned_alloc(SLAB_ALIGNMENT, (size + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT);
    TRY(all(c, t->rank == 0 || c->private, &taken, e));
    if (!taken)
        return error_set(e, STATUS_MEMORY, "a rank has no memory for %zu MB of flows", size >> 20);
    TRY(comm_broadcast(c, c->world, t->rank == 0 ? (void *)(uintptr_t)*block : c->private, size, 0, e));
    if (t->rank != 0)
        *block = c->private;
    return STATUS_OK;
}

struct node { /* this one */
    MPI_Comm comm;
    int rank, size; /* in it */
};

static enum status place_flows(struct transport *t, const struct node *node, struct publication *p, struct error *e)
{
    struct comm *c = t->context;
    bool shared;
    TRY(all(c, node->rank != 0 || footprint_shared_has(p->size), &shared, e));
    p->copied = !shared;
    if (!shared)
        return place_private(t, &p->block, p->size, e);
    char *base = window(node->comm, node->rank, p->size, &c->window);
    TRY(fill(t, node->comm, node->rank, base, p->block, p->size, e));
    p->block = base;
    return STATUS_OK;
}

/* Places begin with a zero: no version of a set. */
static enum status place_sets(struct transport *t, const struct node *node, struct publication *p, struct error *e)
{
    struct comm *c = t->context;
    struct node_sets *sets = &t->sets;
    size_t bytes = (p->set_bytes + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT;
    bool shared;
    TRY(all(c, node->rank != 0 || footprint_shared_has((size_t)p->n_sets * bytes), &shared, e));
    p->set_apart = !shared;
    if (!shared)
        return STATUS_OK;
    *sets = (struct node_sets){.n = p->n_sets, .bytes = bytes, .node = memory_new((size_t)t->size * sizeof *sets->node)};
    sets->base = window(node->comm, node->rank, (size_t)p->n_sets * bytes + SLAB_ALIGNMENT, &c->sets);
    sets->base += (SLAB_ALIGNMENT - (uintptr_t)sets->base % SLAB_ALIGNMENT) % SLAB_ALIGNMENT; /* pages: the same step on every rank */
    for (int i = 0; node->rank == 0 && i < p->n_sets; i++)
        memset(sets->base + (size_t)i * bytes, 0, SLAB_ALIGNMENT);
    int first = t->rank;
    MPI_Request r;
    MPI_Ibcast(&first, 1, MPI_INT, 0, node->comm, &r); /* everybody's zeros stand when it has come: the first has written them before */
    TRY(comm_wait(c, &r, e));
    MPI_Iallgather(&first, 1, MPI_INT, sets->node, 1, MPI_INT, c->world, &r);
    return comm_wait(c, &r, e);
}

/* Rings begin empty: each rank sees to its own before it can be in a gang. */
static enum status place_rings(struct transport *t, const struct node *node, struct publication *p, struct error *e)
{
    struct comm *c = t->context;
    struct comm_rings *rings = &c->rings;
    bool shared;
    TRY(all(c, node->rank != 0 || footprint_shared_has((size_t)node->size * sizeof(struct ring_share)), &shared, e));
    p->rings_apart = !shared;
    if (!shared)
        return STATUS_OK;
    char *base = window(node->comm, node->rank, (size_t)node->size * sizeof(struct ring_share) + SLAB_ALIGNMENT, &rings->window);
    base += (SLAB_ALIGNMENT - (uintptr_t)base % SLAB_ALIGNMENT) % SLAB_ALIGNMENT;
    rings->node = memory_new((size_t)t->size * sizeof *rings->node);
    rings->place = memory_new((size_t)t->size * sizeof *rings->place);
    int first = t->rank;
    MPI_Request r;
    MPI_Ibcast(&first, 1, MPI_INT, 0, node->comm, &r);
    TRY(comm_wait(c, &r, e));
    MPI_Iallgather(&first, 1, MPI_INT, rings->node, 1, MPI_INT, c->world, &r);
    TRY(comm_wait(c, &r, e));
    MPI_Iallgather(&node->rank, 1, MPI_INT, rings->place, 1, MPI_INT, c->world, &r);
    TRY(comm_wait(c, &r, e));
    rings->base = (struct ring_share *)(void *)base;
    ring_clear(&rings->base[node->rank]);
    return STATUS_OK;
}

/* Ranks that share memory; in tests a machine can pass for several nodes. */
static struct node node_of(const struct comm *c)
{
    struct node node;
    MPI_Comm machine;
    int rank = c->transport->rank;
    MPI_Comm_split_type(c->world, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine);
    MPI_Comm_split(machine, fault_node(rank, c->transport->size), rank, &node.comm);
    MPI_Comm_free(&machine);
    MPI_Comm_rank(node.comm, &node.rank);
    MPI_Comm_size(node.comm, &node.size);
    return node;
}

static enum status place(struct transport *t, struct publication *p, struct error *e)
{
    struct comm *c = t->context;
    struct node node = node_of(c);
    enum status s = STATUS_OK;
    if (p->size)
        s = place_flows(t, &node, p, e);
    if (s == STATUS_OK && p->n_sets)
        s = place_sets(t, &node, p, e);
    if (s == STATUS_OK && p->gangs)
        s = place_rings(t, &node, p, e);
    if (!t->broken)
        MPI_Comm_free(&node.comm);
    return s;
}

enum status comm_publish(struct transport *t, struct publication *p, struct error *e)
{
    struct comm *c = t->context;
    uint64_t head[6] = {t->rank == 0 && p->block, p->text->size, p->size, (uint64_t)p->n_sets, p->set_bytes, p->gangs};
    TRY(comm_broadcast(c, c->world, head, sizeof head, 0, e));
    if (!head[0])
        return error_set(e, STATUS_STOPPED, "nothing to run");
    if (t->rank != 0)
        buffer_grow(p->text, head[1]);
    TRY(comm_broadcast(c, c->world, p->text->data, head[1], 0, e));
    p->size = head[2];
    p->n_sets = (int)head[3];
    p->set_bytes = head[4];
    p->gangs = head[5];
    return place(t, p, e);
}
