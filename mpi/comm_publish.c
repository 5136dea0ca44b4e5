/* One copy of the flows a node: a shared window that the node's first rank fills; where shared memory is short, a private copy for each rank. */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "mpi/comm.h"

static void broadcast(MPI_Comm comm, void *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += COMM_PIECE) {
        MPI_Request r;
        MPI_Ibcast((char *)bytes + at, (int)(n - at < COMM_PIECE ? n - at : COMM_PIECE), MPI_BYTE, 0, comm, &r);
        comm_wait(&r);
    }
}

static void barrier(MPI_Comm comm)
{
    MPI_Request r;
    MPI_Ibarrier(comm, &r);
    comm_wait(&r);
}

/* True on every rank where it is on all. */
static bool all(MPI_Comm comm, bool mine)
{
    int one = mine, every = 0;
    MPI_Request r;
    MPI_Iallreduce(&one, &every, 1, MPI_INT, MPI_MIN, comm, &r);
    comm_wait(&r);
    return every;
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

static void fill(struct transport *t, MPI_Comm node, int node_rank, char *base, const void *block, size_t size)
{
    struct comm *c = t->context;
    MPI_Comm leaders;
    MPI_Comm_split(c->world, node_rank == 0 ? 0 : MPI_UNDEFINED, t->rank, &leaders);
    MPI_Win_lock_all(MPI_MODE_NOCHECK, c->window);
    if (t->rank == 0)
        memcpy(base, block, size);
    if (leaders != MPI_COMM_NULL) {
        broadcast(leaders, base, size);
        MPI_Comm_free(&leaders);
    }
    MPI_Win_sync(c->window);
    barrier(node);
    MPI_Win_sync(c->window);
    MPI_Win_unlock_all(c->window);
}

static enum status place(struct transport *t, const void **block, size_t size, struct error *e)
{
    struct comm *c = t->context;
    MPI_Comm node;
    int node_rank;
    MPI_Comm_split_type(c->world, MPI_COMM_TYPE_SHARED, t->rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &node_rank);
    bool shared = all(c->world, node_rank != 0 || shared_memory_has(size));
    if (shared) {
        char *base = window(c, node, node_rank, size);
        fill(t, node, node_rank, base, *block, size);
        *block = base;
    } else if (t->rank != 0) {
        c->private = aligned_alloc(SLAB_ALIGNMENT, (size + SLAB_ALIGNMENT - 1) / SLAB_ALIGNMENT * SLAB_ALIGNMENT);
    }
    MPI_Comm_free(&node);
    if (shared)
        return STATUS_OK;
    if (!all(c->world, t->rank == 0 || c->private))
        return error_set(e, STATUS_MEMORY, "a rank has no memory for %zu MB of flows", size >> 20);
    broadcast(c->world, t->rank == 0 ? (void *)(uintptr_t)*block : c->private, size);
    if (t->rank != 0)
        *block = c->private;
    return STATUS_OK;
}

enum status comm_publish(struct transport *t, struct buffer *text, const void **block, size_t *size, struct error *e)
{
    struct comm *c = t->context;
    uint64_t head[3] = {t->rank == 0 && *block, text->size, *size};
    broadcast(c->world, head, sizeof head);
    if (!head[0])
        return error_set(e, STATUS_STOPPED, "nothing to run");
    if (t->rank != 0)
        buffer_grow(text, head[1]);
    broadcast(c->world, text->data, head[1]);
    *size = head[2];
    return place(t, block, head[2], e);
}
