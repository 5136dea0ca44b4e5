/* The configuration's text as a tree of named values with their lines: what libconfig reads, made strict.
 *
 * Only this file's .c and no other knows libconfig. It refuses @include and whole numbers that libconfig would wrap silently,
 * takes lists ( ) wherever arrays [ ] are, and lays --set over the file. Private to storage/. */
#ifndef STORAGE_CONFIG_TREE_H
#define STORAGE_CONFIG_TREE_H

#include "base/value.h"

struct node {
    char *name; /* owned */
    int line;   /* 0: from --set */
    bool is_group;
    struct value value;     /* where it is no group; owned */
    struct node *children;  /* (n) owned */
    int n;
};

void node_fini(struct node *n);
struct node *node_find(const struct node *group, const char *name); /* or NULL */

/* text is a whole file's. Messages: "path:line: ..". STATUS_CONFIG. */
enum status tree_parse(const char *path, const char *text, struct node *out, struct error *e);
/* "study.seed=7". STATUS_USAGE where it is malformed. */
enum status tree_set(struct node *root, const char *assignment, struct error *e);
/* "path:line: ", or "--set " for a node that came from there, before the message of e. Returns e->code. */
enum status tree_place(const char *path, const struct node *n, struct error *e);

#endif
