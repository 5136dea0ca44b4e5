/* The group `space` as a struct space. Private to storage/. */
#ifndef STORAGE_CONFIG_SPACE_H
#define STORAGE_CONFIG_SPACE_H

#include "storage/config_tree.h"
#include "sweep/space.h"

/* group NULL: every model with its defaults. Messages name path and line. STATUS_CONFIG. */
enum status config_space(const char *path, const struct node *group, struct space *out, struct error *e);

/* What stands in it by itself: model, channels. Ends with an empty one; static. */
const struct param *config_space_params(void);

/* "path:line: space.x: unknown key (did you mean ..)" */
enum status config_unknown(const char *path, const struct node *n, const char *where, const char *const *names, int n_names, struct error *e);

#endif
