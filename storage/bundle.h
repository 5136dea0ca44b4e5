/* The bundle: a folder that predict and score need, and nothing else. docs/bundle.md describes it.
 * Written beside its name and renamed when whole. Reading treats it as hostile: checksums first. */
#ifndef STORAGE_BUNDLE_H
#define STORAGE_BUNDLE_H

#include "base/table.h"
#include "storage/db.h"

/* what: "best", "ensemble", or a trial's id; task 0: the only one (STATUS_USAGE where there are several), or the trial's.
 * *note: what to tell people, or NULL; the caller frees it. STATUS_IO where what the database holds makes no bundle that can be read. */
enum status bundle_export(const char *db_path, const char *what, int64_t task, const char *out_dir, char **note, struct error *e);

struct bundle;
enum status bundle_open(struct bundle **out, const char *dir, struct error *e);
void bundle_free(struct bundle *b);
int bundle_classes(const struct bundle *b);
const char *bundle_label(const struct bundle *b, int k);
/* Reads flows of either layout, labels ignored unless asked for. *note: what people should know of how it was read, or NULL; the caller's. */
enum status bundle_flows(const struct bundle *b, const char *path, bool labels, struct flows *out, char **note, struct error *e);
/* Are they the flows that its study was made of? Not told of a study with meta columns. */
bool bundle_is_of(const struct bundle *b, const struct flows *f);
/* proba (f->n, n_classes), caller frees. Bit-equal to what training stored. */
enum status bundle_predict(const struct bundle *b, const struct flows *f, float **proba, struct error *e);
/* row, label, probability; or one column a class (proba); or label_1, probability_1, .. (top > 0). */
void bundle_table(const struct bundle *b, const struct flows *f, const float *p, bool proba, int top, struct table *out);
/* metrics object (one row), per class, confusion. */
enum status bundle_score(const struct bundle *b, const struct flows *f, const float *p, struct table *summary, struct table *per_class,
                         struct table *confusion, struct error *e);

#endif
