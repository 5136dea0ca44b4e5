/* Training a network by epochs: shuffled batches, early stopping, the state to go on from. What dnn.c and cnn_lstm.c have in common.
 *
 * A trainer told to stop in the middle of an epoch goes back to its start: going on repeats the epoch, to the same bits. */
#ifndef MODELS_TRAIN_H
#define MODELS_TRAIN_H

#include "models/model.h"
#include "models/network.h"

/* What a kind of network adds: its layers. STATUS_CONFIG where they cannot work with this shape. */
typedef enum status network_build(struct network *net, const struct params *p, const struct model_shape *shape, int token_channel, struct error *e);

/* STATUS_CONFIG, in words, where values of "train.*" do not go together (models/train_params.c). */
enum status train_params_check(const struct params *p, struct error *e);

/* Functions of struct model_kind, for a kind with this build. */
enum status train_check(network_build *build, const struct params *p, const struct model_shape *shape, struct error *e);
struct model_bytes train_bytes(network_build *build, const struct params *p, const struct model_shape *shape);
double train_flops(network_build *build, const struct params *p, const struct model_shape *shape);
enum status train_new(struct model **out, const struct model_kind *kind, network_build *build, const struct model_spec *spec, struct error *e);
enum status train_read(struct model **out, const struct model_kind *kind, network_build *build, const struct params *p,
                       const struct model_shape *shape, const void *bytes, size_t n, struct error *e);
enum status train_step(struct model *m, const struct model_spec *spec, struct gang *g, struct model_progress *progress, struct error *e);
void train_state_write(const struct model *m, struct buffer *out);
enum status train_state_read(struct model *m, const void *bytes, size_t n, struct error *e);
enum status train_predict(const struct model *m, const struct features *x, const int32_t *rows, int n, struct gang *g, float *proba,
                          struct error *e);
void train_write(const struct model *m, struct buffer *out);
void train_free(struct model *m);

#endif
