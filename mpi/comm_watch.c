/* Who is still there: cards exchanged at the start, pings, silence, deaths on the own node. mpi/comm.h tells the rules. */
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "models/arithmetic.h"
#include "mpi/comm.h"

double comm_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum status comm_lost(struct comm *c, int rank, struct error *e, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->transport->broken = true;
    c->transport->lost_rank = rank;
    error_set(&c->why, STATUS_IO, "%s", text);
    return error_set(e, STATUS_IO, "%s", text);
}

/* --- meeting --- */

/* A handle on a process of this node, or -1: another node, or a kernel before 5.3. */
static int open_process(const struct comm_card *mine, const struct comm_card *other)
{
    if (strcmp(mine->host, other->host) != 0)
        return -1;
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, (pid_t)other->pid, 0);
#else
    return -1;
#endif
}

static enum status check_arithmetic(struct comm *c, const struct comm_card *cards, struct error *e)
{
    for (int rank = 1; rank < c->transport->size; rank++)
        if (strcmp(cards[rank].arithmetic, cards[0].arithmetic) != 0)
            return error_set(e, STATUS_CONFIG,
                             "rank %d on %s computes other bits than rank 0 on %s (%s, %s): the libraries of their systems differ; run on nodes of one kind",
                             rank, cards[rank].host, cards[0].host, cards[rank].arithmetic, cards[0].arithmetic);
    return STATUS_OK;
}

/* A worker to a core of its own, where the node's workers are just as many as the cores they may use: with fewer, another run may want the rest. The
 * coordinator sleeps, and goes wherever there is room. */
static void bind_worker(const struct comm *c)
{
    cpu_set_t allowed, mine;
    int rank = c->transport->rank, workers = 0, place = 0, seen = 0;
    for (int i = 1; i < c->transport->size; i++) {
        bool here = strcmp(c->peers[i].card.host, c->peers[rank].card.host) == 0;
        workers += here;
        place += here && i < rank;
    }
    if (rank == 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) != workers)
        return;
    CPU_ZERO(&mine);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ == place)
            CPU_SET(cpu, &mine);
    sched_setaffinity(0, sizeof mine, &mine); /* where it is not allowed, the system places it */
}

enum status comm_meet(struct comm *c, struct error *e)
{
    int size = c->transport->size, rank = c->transport->rank;
    struct comm_card mine = {.pid = getpid()}, *cards = memory_new((size_t)size * sizeof *cards);
    MPI_Request r;
    gethostname(mine.host, sizeof mine.host - 1);
    arithmetic_of(mine.arithmetic);
    MPI_Iallgather(&mine, sizeof mine, MPI_BYTE, cards, sizeof mine, MPI_BYTE, c->world, &r);
    c->serving = true; /* nobody to serve yet */
    enum status s = comm_wait(c, &r, e);
    c->serving = false;
    c->served_s = comm_clock();
    c->told_s = c->transport->silence_s;
    for (int i = 0; i < size; i++) {
        c->peers[i].card = cards[i];
        c->peers[i].process = i == rank ? -1 : open_process(&mine, &cards[i]);
        c->peers[i].heard_s = c->served_s;
        c->peers[i].pinged_s = -1e9;
    }
    if (s == STATUS_OK)
        s = check_arithmetic(c, cards, e);
    bind_worker(c);
    free(cards);
    return s;
}

void comm_free_peers(struct comm *c)
{
    for (int rank = 0; rank < c->transport->size; rank++) {
        if (c->peers[rank].process >= 0)
            close(c->peers[rank].process);
        c->peers[rank].process = -1;
    }
}

/* --- deaths --- */

static enum status died(struct comm *c, int rank, struct error *e)
{
    const struct comm_card *card = &c->peers[rank].card;
    return comm_lost(c, rank, e, "rank %d%s died (process %lld on %s)", rank, rank == 0 ? ", the coordinator," : "", (long long)card->pid, card->host);
}

/* The coordinator's own death is for the launcher and the next job to notice: workers just leave. */
static enum status tell_death(struct comm *c, int rank, struct error *e)
{
    struct buffer body = {0};
    if (c->transport->rank == 0 || rank == 0)
        return died(c, rank, e);
    close(c->peers[rank].process);
    c->peers[rank].process = -1;
    buffer_put_i32(&body, rank);
    return comm_send(c->transport, 0, MESSAGE_DEATH, &body, e);
}

static enum status look_for_deaths(struct comm *c, struct error *e)
{
    for (int rank = 0; rank < c->transport->size; rank++) {
        struct pollfd f = {.fd = c->peers[rank].process, .events = POLLIN};
        if (f.fd >= 0 && poll(&f, 1, 0) > 0)
            TRY(tell_death(c, rank, e));
    }
    return STATUS_OK;
}

enum status comm_heard(struct comm *c, int rank, const struct message *m, struct error *e)
{
    struct reader r = reader_of(m->body.data, m->body.size);
    if (m->kind == MESSAGE_PING) {
        c->transport->silence_s = c->told_s = reader_f64(&r);
        return comm_send(c->transport, rank, MESSAGE_PONG, NULL, e);
    }
    int dead = m->kind == MESSAGE_DEATH ? reader_i32(&r) : 0;
    return dead > 0 && dead < c->transport->size ? died(c, dead, e) : STATUS_OK;
}

/* --- silence --- */

/* Time in which this process did not look does not count against others. */
static void forgive(struct comm *c, double now)
{
    double gap = now - c->served_s;
    c->served_s = now;
    if (gap < 1)
        return;
    for (int rank = 0; rank < c->transport->size; rank++)
        c->peers[rank].heard_s += gap;
}

static enum status ping(struct comm *c, double now, struct error *e)
{
    double silence_s = c->transport->silence_s, pause_s = silence_s > 0 ? silence_s / 4 : 60;
    bool news = c->told_s != silence_s; /* workers hear at once how long silence may last */
    c->told_s = silence_s;
    for (int rank = 1; rank < c->transport->size; rank++) {
        struct comm_peer *p = &c->peers[rank];
        struct buffer body = {0};
        if (!news && (now - p->pinged_s < pause_s || p->first))
            continue;
        p->pinged_s = now;
        buffer_put_f64(&body, silence_s);
        TRY(comm_send(c->transport, rank, MESSAGE_PING, &body, e));
    }
    return STATUS_OK;
}

/* Of the ranks that this one must hear of, the one that was silent longest. */
static enum status look_for_silence(struct comm *c, double now, struct error *e)
{
    int from = c->transport->rank == 0, to = c->transport->rank == 0 ? c->transport->size : 1, worst = from;
    for (int rank = from; rank < to; rank++)
        if (c->peers[rank].heard_s < c->peers[worst].heard_s)
            worst = rank;
    double silent = worst < to ? now - c->peers[worst].heard_s : 0, silence_s = c->transport->silence_s;
    if (silence_s == 0 || silent <= (silence_s < 0 ? COMM_START_S : silence_s))
        return STATUS_OK;
    const struct comm_card *card = &c->peers[worst].card;
    return comm_lost(c, worst, e, "rank %d%s was silent for %.0f s (process %lld on %s; budget.silence)", worst,
                     worst == 0 ? ", the coordinator," : "", silent, (long long)card->pid, card->host);
}

enum status comm_watch(struct comm *c, struct error *e)
{
    double now = comm_clock();
    forgive(c, now);
    if (now - c->watched_s < 0.02 && c->told_s == c->transport->silence_s)
        return STATUS_OK;
    c->watched_s = now;
    TRY(look_for_deaths(c, e));
    if (c->transport->rank == 0 && c->transport->silence_s >= 0)
        TRY(ping(c, now, e));
    return look_for_silence(c, now, e);
}
