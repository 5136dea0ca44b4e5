/* A run, seen from rank 0 and from a worker: the same functions behind every carrier. */
#ifndef MPI_RUN_H
#define MPI_RUN_H

#include "mpi/launch.h"
#include "mpi/progress.h"
#include "mpi/transport.h"

/* One process. */
enum status run_serial(const struct run_options *o, say_function *say, struct error *e);
/* Rank 0 with workers 1 to t->size - 1. Collective with run_worker. */
enum status run_coordinator(struct transport *t, const struct run_options *o, say_function *say, struct error *e);
enum status run_worker(struct transport *t, struct error *e);

#endif
