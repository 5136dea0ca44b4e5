/* Who uses which set (models/model.h: struct model_node): the coordinator's book over the places that every node has for sets of codes.
 *
 * A place is for the same set on every node. While a trial that looks at it runs, it stays; when a place is needed for another set, the one that
 * was left longest ago is given away under a new version, which tells ranks that what lies there is old. Pure. */
#ifndef MPI_SETS_H
#define MPI_SETS_H

#include "sweep/plan.h"

struct sets {
    struct set_place {
        char *key;        /* of the set, owned; NULL: none yet */
        uint64_t version; /* above 0 once there is a key */
        int users;        /* trials that run */
        uint64_t left;    /* when the last one went, in counts */
    } *places;            /* (n) owned */
    int n;
    uint64_t versions, count;
};

void sets_init(struct sets *s, int n);
void sets_fini(struct sets *s);
/* A place for this set, for one more trial; -1 where all are in use for others. */
int sets_take(struct sets *s, const char *key);
/* The same for the set that a trial on this task looks at; -1 also where a place of so many bytes is too small for it. */
int sets_take_for(struct sets *s, const struct plan_configuration *k, const struct plan_trial *t, const struct task *task, size_t place_bytes);
void sets_leave(struct sets *s, int place); /* -1 is fine */

#endif
