/* Faults that tests ask for, at the k-th time that a point is passed. Compiled out unless FLOWSWEEP_FAULTS is defined: build/faults/ holds
 * programs that have them, the ones that users get do not.
 *
 * FLOWSWEEP_FAULT is a list "POINT:K:ACTION[:RANK]", with commas: the K-th time (from 1) that a process of that rank (any, where
 * it is left out; 0 is the coordinator) passes POINT, ACTION is taken. K of "K+" is that time and all later ones.
 * FLOWSWEEP_FAULT_LOG names a file to which every process appends "POINT COUNT RANK" for each point it has passed, when it ends or
 * is killed by a fault: how a campaign learns what there is to hit.
 *
 * The actions kill, abort, hang (for ever, as SIGSTOP does) and delay (0.3 s) are taken by fault_at itself. The others are the caller's to take. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

/* X(name, word) */
#define FAULT_POINTS(X)                                                                                      \
    X(TRANSITION, "transition") /* coordinator: before a transition of a trial is written */                 \
    X(COMMIT, "commit")         /* coordinator: before COMMIT */                                             \
    X(COMMITTED, "committed")   /* coordinator: after COMMIT, before it is acted on */                       \
    X(CHECKPOINT, "checkpoint") /* worker: before a checkpoint is sent */                                    \
    X(SEND, "send")             /* any rank: before a message is sent */                                     \
    X(RECEIVE, "receive")       /* any rank: a message has arrived, and was not looked at */                 \
    X(EPOCH, "epoch")           /* worker: an epoch or block has ended */                                    \
    X(ROUND, "round")           /* worker: between two rounds of what follows the last epoch */              \
    X(TRIAL, "trial")           /* worker: K is the trial's number in the plan, from 1, not a count */       \
    X(ALLOCATE, "allocate")     /* worker: before it takes the memory of a trial */                          \
    X(CODES, "codes")           /* worker: it begins to make a set of codes */                               \
    X(SUM, "sum")               /* worker: its part of a gang's sum is on its way, and it begins to wait */  \
    X(ARITHMETIC, "arithmetic") /* any rank: fail makes it another machine's */                              \
    X(WRITE, "write")           /* coordinator: SQLite writes to a file of the database */                   \
    X(SYNC, "sync")             /* coordinator: SQLite syncs one */

/* X(name, word) */
#define FAULT_ACTIONS(X)                                                                                     \
    X(NONE, "")                                                                                              \
    X(KILL, "kill")   /* SIGKILL to itself */                                                                \
    X(ABORT, "abort") /* abort() */                                                                          \
    X(HANG, "hang")   /* SIGSTOP to itself */                                                                \
    X(DELAY, "delay")                                                                                        \
    X(DROP, "drop")   /* the message vanishes */                                                             \
    X(SHORT, "short") /* half of it is written, then an I/O error */                                         \
    X(FULL, "full")   /* no space left */                                                                    \
    X(FAIL, "fail")   /* an error: I/O, or no memory */

enum fault_point {
#define X(name, word) FAULT_##name,
    FAULT_POINTS(X)
#undef X
        FAULT_POINT_COUNT
};

enum fault_action {
#define X(name, word) FAULT_ACTION_##name,
    FAULT_ACTIONS(X)
#undef X
        FAULT_ACTION_COUNT
};

#ifdef FLOWSWEEP_FAULTS
/* Which rank this process is; 0 until said. */
void fault_rank(int rank);
/* Counts, takes its own actions, returns the caller's. */
enum fault_action fault_at(enum fault_point point);
/* The same for a point that is numbered instead of counted. */
enum fault_action fault_at_number(enum fault_point point, long number);
/* Which of the FLOWSWEEP_TEST_NODES nodes, that this machine is to pass for, a rank of size is on. */
int fault_node(int rank, int size);
#else
static inline void fault_rank(int rank)
{
    (void)rank;
}
static inline enum fault_action fault_at(enum fault_point point)
{
    (void)point;
    return FAULT_ACTION_NONE;
}
static inline enum fault_action fault_at_number(enum fault_point point, long number)
{
    (void)point, (void)number;
    return FAULT_ACTION_NONE;
}
static inline int fault_node(int rank, int size)
{
    (void)rank, (void)size;
    return 0;
}
#endif

#endif
