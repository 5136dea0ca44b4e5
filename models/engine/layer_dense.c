/* Dense: y = x W + b of one step; kernel (in, width), bias (width). Packed: W, then its transpose. */
#include "models/engine/columns.h"
#include "models/engine.h"
#include "models/gang.h"

static void shape(struct layer *l)
{
    l->steps = 1;
    l->n_weights = ((size_t)l->in_width + 1) * (size_t)l->width;
    l->cache = ((size_t)l->width + LEAF_ROWS - 1) / LEAF_ROWS; /* the bias's gradient of a leaf */
    l->n_packed = gemm_packed(l->in_width, l->width) + gemm_packed(l->width, l->in_width);
}

static void init(const struct layer *l, float *w, uint64_t key)
{
    layer_glorot(w, (size_t)l->in_width * (size_t)l->width, l->in_width, l->width, key);
}

static void pack(const struct layer *l, const float *w, float *packed)
{
    size_t n = (size_t)l->width;
    ENGINE(gemm_pack)(w, n, 1, l->in_width, l->width, packed);
    ENGINE(gemm_pack)(w, 1, n, l->width, l->in_width, packed + gemm_packed(l->in_width, l->width));
}

static void forward(const struct layer *l, const float *w, const float *packed, const struct leaf *leaf, const float *in, float *out, float *cache)
{
    size_t k = (size_t)l->in_width, n = (size_t)l->width;
    (void)cache;
    ENGINE(gemm)(&(struct gemm){
        .m = leaf->n, .n = l->width, .k = l->in_width, .a = in, .a_row = k, .a_col = 1, .b = packed, .c = out, .c_row = n, .bias = w + k * n});
}

static void backward(const struct layer *l, const float *packed, const struct leaf *leaf, const float *in, const float *out, float *cache, float *dout,
                     float *din, float *grad)
{
    size_t k = (size_t)l->in_width, n = (size_t)l->width;
    float *bias = leaf->joins ? cache : grad + k * n;
    (void)out;
    ENGINE(gemm)(&(struct gemm){
        .m = l->in_width, .n = l->width, .k = leaf->n, .a = in, .a_row = 1, .a_col = k, .b = dout, .b_row = n, .c = grad, .c_row = n, .sum = leaf->joins});
    memset(bias, 0, n * sizeof *bias);
    columns_add(bias, dout, n, (size_t)leaf->n, n);
    if (leaf->joins)
        columns_add(grad + k * n, bias, n, 1, n);
    if (din)
        ENGINE(gemm)(&(struct gemm){.m = leaf->n, .n = l->in_width, .k = l->width, .a = dout, .a_row = n, .a_col = 1,
                                    .b = packed + gemm_packed(l->in_width, l->width), .c = din, .c_row = k});
}

static int tensors(const struct layer *l, struct tensor out[TENSORS_MAX])
{
    out[0] = (struct tensor){"kernel", 0, {l->in_width, l->width}, 2};
    out[1] = (struct tensor){"bias", (size_t)l->in_width * (size_t)l->width, {l->width}, 1};
    return 2;
}

const struct layer_kind ENGINE(layer_dense) = {
    .name = "dense", .shape = shape, .init = init, .pack = pack, .forward = forward, .backward = backward, .whole_gradient = true, .tensors = tensors};
