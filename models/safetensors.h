/* Weights of a network as a safetensors file: 8 bytes length, a JSON header, then float32, little-endian.
 * Names: "NUMBER.KIND.TENSOR", "3.lstm.recurrent_kernel"; shapes and gate orders are Keras'. Format: huggingface/safetensors, README. */
#ifndef MODELS_SAFETENSORS_H
#define MODELS_SAFETENSORS_H

#include "base/buffer.h"
#include "models/network.h"

void safetensors_write(const struct network *net, const float *weights, const float *stats, struct buffer *out);
/* STATUS_DATA where the file is none, is cut off, or holds other tensors than this network has. */
enum status safetensors_read(const struct network *net, const void *bytes, size_t n, float *weights, float *stats, struct error *e);

#endif
