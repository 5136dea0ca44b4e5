/* The coordinator: asks the scheduler what to start, tells workers, writes down what they say, decides when to stop.
 *
 * It trains nothing. Every transition is committed to the database before it is acted on. It alone opens the database. */
#ifndef MPI_COORDINATOR_H
#define MPI_COORDINATOR_H

#include "mpi/launch.h"
#include "mpi/progress.h"
#include "mpi/transport.h"
#include "storage/db.h"
#include "storage/footprint.h"

struct coordinator;

struct coordinator_request {
    struct transport *transport;
    const struct config *config;
    const struct flows *flows;
    const struct plan *plan; /* of this configuration and these flows (config_plan); must outlive the coordinator */
    const struct run_options *options;
    say_function *say;
    int n_workers; /* ranks 1 to n_workers */
    const struct footprint *footprint; /* of the plan; as long */
};

/* Opens the database and writes the plan down: what is wrong with the configuration or the flows leaves no file behind.
 * STATUS_CONFIG, STATUS_DATA, STATUS_IO. */
enum status coordinator_new(struct coordinator **out, const struct coordinator_request *r, struct error *e);
void coordinator_free(struct coordinator *c);
/* Until nothing is left to do: OK, TRIALS_FAILED, STOPPED, or what went wrong. The job's row says so too. */
enum status coordinator_loop(struct coordinator *c, struct error *e);

/* For the carrier in one process. */
enum status coordinator_handle(void *coordinator, const struct message *m, struct error *e);
enum status coordinator_tick(void *coordinator, struct error *e);

#endif
