/* One copy of the flows a node: a shared window that the node's first rank fills; where shared memory is short, a private copy for each rank. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "mpi/comm.h"

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

static bool shared_memory_has(size_t bytes)
{
    struct statvfs v;
    return statvfs("/dev/shm", &v) == 0 && (double)v.f_bavail * (double)v.f_frsize > 1.1 * (double)bytes + (1 << 24);
}

/* The node's window; every rank gets where it lies. */
static char *window(struct comm *c, MPI_Comm node, int node_rank, size_t size)
{
    char *base = NULL;
    MPI_Aint there;
    int unit;
    MPI_Win_allocate_shared(node_rank == 0 ? (MPI_Aint)size : 0, 1, MPI_INFO_NULL, node, &base, &c->window);
    MPI_Win_shared_query(c->window, 0, &there, &unit, &base);
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

static enum status place(struct transport *t, const void **block, size_t size, struct error *e)
{
    struct comm *c = t->context;
    MPI_Comm node;
    int node_rank;
    bool shared;
    MPI_Comm_split_type(c->world, MPI_COMM_TYPE_SHARED, t->rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &node_rank);
    enum status s = all(c, node_rank != 0 || shared_memory_has(size), &shared, e);
    if (s == STATUS_OK && shared) {
        char *base = window(c, node, node_rank, size);
        s = fill(t, node, node_rank, base, *block, size, e);
        *block = base;
    }
    if (!t->broken)
        MPI_Comm_free(&node);
    return s != STATUS_OK || shared ? s : place_private(t, block, size, e);
}

enum status comm_publish(struct transport *t, struct buffer *text, const void **block, size_t *size, struct error *e)
{
    struct comm *c = t->context;
    uint64_t head[3] = {t->rank == 0 && *block, text->size, *size};
    TRY(comm_broadcast(c, c->world, head, sizeof head, 0, e));
    if (!head[0])
        return error_set(e, STATUS_STOPPED, "nothing to run");
    if (t->rank != 0)
        buffer_grow(text, head[1]);
    TRY(comm_broadcast(c, c->world, text->data, head[1], 0, e));
    *size = head[2];
    return head[2] ? place(t, block, head[2], e) : STATUS_OK;
}
