/* The inside of struct coordinator: mpi/coordinator_start.c makes it, mpi/coordinator.c is its life. */
#ifndef MPI_COORDINATOR_PRIVATE_H
#define MPI_COORDINATOR_PRIVATE_H

#include "models/arithmetic.h"
#include "mpi/coordinator.h"
#include "mpi/gangs.h"
#include "mpi/sets.h"
#include "mpi/transact.h"
#include "sweep/scheduler.h"

struct coordinator {
    struct coordinator_request r;
    struct db *db; /* open for writing */
    struct transactor transactor;
    const struct plan *plan;
    struct db_trial *trials; /* (plan->n_trials) */
    struct task **tasks;     /* (config->n_tasks, splits) made when needed */
    int splits;
    struct scheduler *scheduler;
    struct gangs gangs;
    struct sets sets;
    struct progress progress;
    int64_t job;
    int tags;
    double deadline; /* [s since 1970], 0: none */
    bool stopping;
    char arithmetic[ARITHMETIC_WORD];
};

/* Seconds since 1970. */
double coordinator_now_s(void);
/* A task with its rows dealt for a repeat, made when first asked for; the coordinator's. Errors of task_new. */
enum status coordinator_task(struct coordinator *c, int task, int repeat, struct task **out, struct error *e);
/* The same message to all members of a gang. */
enum status coordinator_tell(struct coordinator *c, const struct gang_slot *g, enum message_kind kind, struct error *e);

#endif
