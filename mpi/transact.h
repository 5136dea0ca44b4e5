/* Transactions of the coordinator, tried again for as long as what stops them may pass: a full disk, a process that reads or writes the database,
 * an I/O error. Meanwhile the transport is served, so that workers know that the coordinator lives, and people are told once.
 *
 *     struct transaction t = {.of = &c->transactor};
 *     while (transact(&t, e))
 *         t.status = db_trial_failed(c->db, ..);      the whole of it, again from the start where it must be
 *     return t.status;
 *
 * Between `while` and its end nothing but the database may change. Bounded: after patience_s (an I/O error: IO_PATIENCE_S) or a signal to stop, the
 * status is STATUS_STOPPED (disk, other process) or STATUS_IO, with a sentence that says what to do. */
#ifndef MPI_TRANSACT_H
#define MPI_TRANSACT_H

#include "mpi/progress.h"
#include "mpi/transport.h"
#include "storage/db.h"

struct transactor {
    struct db *db;
    struct transport *transport;
    say_function *say; /* or NULL */
    double patience_s;
};

struct transaction {
    const struct transactor *of;
    enum status status; /* of the work; in the end, of the transaction */
    bool begun, told;
    double since; /* [s] it has been waiting; 0: it has not */
};

/* True: a transaction is open, do the work. False: t->status is how it ended, and nothing is open. */
bool transact(struct transaction *t, struct error *e);

#endif
