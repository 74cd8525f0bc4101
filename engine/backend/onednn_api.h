#ifndef BACKEND_ONEDNN_API_H
#define BACKEND_ONEDNN_API_H
/* The few calls of oneDNN whose C interface differs between 2.x (descriptors are structs, a primitive descriptor is made from an
 * operation descriptor) and 3.x (descriptors are handles, a primitive descriptor is made at once), under one set of names. */
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

enum { API_DIMS = 5 }; /* groups, output and input channels, height, width */

/* Where element x of a blocked array lies: outer strides, then blocks inside, the innermost last. */
typedef struct api_blocking {
    int n_dims, n_inner;
    dnnl_dim_t dims[API_DIMS], strides[API_DIMS], inner[DNNL_MAX_NDIMS], inner_dim[DNNL_MAX_NDIMS];
} api_blocking;

/* What a convolution works on; `bias` NULL: none. Weights are in whatever order suits the library. */
typedef struct api_conv {
    dnnl_memory_desc_t in, weights, out, bias; /* in and out of the forward direction in either pass */
    bool adjoint, has_bias;
    const dnnl_dim_t *strides, *dilates, *padding;
} api_conv;

#if DNNL_VERSION_MAJOR < 3

static inline dnnl_status_t api_desc(dnnl_memory_desc_t *out, int n, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(out, n, dims, dnnl_f32, tag);
}

static inline void api_desc_free(dnnl_memory_desc_t *desc)
{
    (void)desc;
}

static inline dnnl_status_t api_memory(dnnl_memory_t *out, const dnnl_memory_desc_t *desc, dnnl_engine_t engine)
{
    return dnnl_memory_create(out, desc, engine, DNNL_MEMORY_NONE);
}

static inline size_t api_bytes(const dnnl_memory_desc_t *desc)
{
    return dnnl_memory_desc_get_size(desc);
}

/* The returned descriptor belongs to pd. */
static inline dnnl_memory_desc_t api_query(const_dnnl_primitive_desc_t pd, dnnl_query_t what, int index)
{
    return *dnnl_primitive_desc_query_md(pd, what, index);
}

static inline bool api_read_blocking(const dnnl_memory_desc_t *desc, api_blocking *out)
{
    const dnnl_blocking_desc_t *b = &desc->format_desc.blocking;
    if (desc->format_kind != dnnl_blocked || desc->ndims > API_DIMS || desc->offset0 != 0) {
        return false;
    }
    *out = (api_blocking){.n_dims = desc->ndims, .n_inner = b->inner_nblks};
    memcpy(out->dims, desc->dims, (size_t)desc->ndims * sizeof *out->dims);
    memcpy(out->strides, b->strides, (size_t)desc->ndims * sizeof *out->strides);
    memcpy(out->inner, b->inner_blks, (size_t)b->inner_nblks * sizeof *out->inner);
    memcpy(out->inner_dim, b->inner_idxs, (size_t)b->inner_nblks * sizeof *out->inner_dim);
    return true;
}

static inline dnnl_status_t api_conv_desc(const api_conv *c, const_dnnl_primitive_attr_t attr, dnnl_engine_t engine,
                                          dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t op;
    const dnnl_status_t st =
        c->adjoint ? dnnl_dilated_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, &c->in, &c->weights,
                                                                      &c->out, c->strides, c->dilates, c->padding,
                                                                      c->padding)
                   : dnnl_dilated_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_direct,
                                                                &c->in, &c->weights, c->has_bias ? &c->bias : NULL,
                                                                &c->out, c->strides, c->dilates, c->padding, c->padding);
    return st != dnnl_success ? st : dnnl_primitive_desc_create(out, &op, attr, engine, NULL);
}

static inline dnnl_status_t api_append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f);
}

static inline dnnl_status_t api_append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
}

#else

static inline dnnl_status_t api_desc(dnnl_memory_desc_t *out, int n, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(out, n, dims, dnnl_f32, tag);
}

static inline void api_desc_free(dnnl_memory_desc_t *desc)
{
    if (*desc != NULL) {
        (void)dnnl_memory_desc_destroy(*desc);
    }
}

static inline dnnl_status_t api_memory(dnnl_memory_t *out, const dnnl_memory_desc_t *desc, dnnl_engine_t engine)
{
    return dnnl_memory_create(out, *desc, engine, DNNL_MEMORY_NONE);
}

static inline size_t api_bytes(const dnnl_memory_desc_t *desc)
{
    return dnnl_memory_desc_get_size(*desc);
}

static inline dnnl_memory_desc_t api_query(const_dnnl_primitive_desc_t pd, dnnl_query_t what, int index)
{
    dnnl_memory_desc_t desc;
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(pd, what, index);
    memcpy(&desc, &found, sizeof desc); /* handles differ in const only; it is not changed or freed */
    return desc;
}

static inline bool api_read_blocking(const dnnl_memory_desc_t *desc, api_blocking *out)
{
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    int32_t n_dims = 0, n_inner = 0;
    dnnl_dims_t *dims = NULL, *strides = NULL, *inner = NULL, *inner_dim = NULL;
    if (dnnl_memory_desc_query(*desc, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked ||
        dnnl_memory_desc_query(*desc, dnnl_query_ndims_s32, &n_dims) != dnnl_success || n_dims > API_DIMS ||
        dnnl_memory_desc_query(*desc, dnnl_query_dims, &dims) != dnnl_success ||
        dnnl_memory_desc_query(*desc, dnnl_query_strides, &strides) != dnnl_success ||
        dnnl_memory_desc_query(*desc, dnnl_query_inner_nblks_s32, &n_inner) != dnnl_success ||
        dnnl_memory_desc_query(*desc, dnnl_query_inner_blks, &inner) != dnnl_success ||
        dnnl_memory_desc_query(*desc, dnnl_query_inner_idxs, &inner_dim) != dnnl_success) {
        return false;
    }
    *out = (api_blocking){.n_dims = n_dims, .n_inner = n_inner};
    memcpy(out->dims, *dims, (size_t)n_dims * sizeof *out->dims);
    memcpy(out->strides, *strides, (size_t)n_dims * sizeof *out->strides);
    memcpy(out->inner, *inner, (size_t)n_inner * sizeof *out->inner);
    memcpy(out->inner_dim, *inner_dim, (size_t)n_inner * sizeof *out->inner_dim);
    return true;
}

static inline dnnl_status_t api_conv_desc(const api_conv *c, const_dnnl_primitive_attr_t attr, dnnl_engine_t engine,
                                          dnnl_primitive_desc_t *out)
{
    if (!c->adjoint) {
        return dnnl_convolution_forward_primitive_desc_create(
            out, engine, dnnl_forward_inference, dnnl_convolution_direct, c->in, c->weights,
            c->has_bias ? c->bias : NULL, c->out, c->strides, c->dilates, c->padding, c->padding, attr);
    }
    dnnl_primitive_desc_t hint = NULL; /* of the forward pass, wanted for the transpose */
    dnnl_status_t st = dnnl_convolution_forward_primitive_desc_create(
        &hint, engine, dnnl_forward_training, dnnl_convolution_direct, c->in, c->weights, NULL, c->out, c->strides,
        c->dilates, c->padding, c->padding, NULL);
    if (st == dnnl_success) {
        st = dnnl_convolution_backward_data_primitive_desc_create(out, engine, dnnl_convolution_direct, c->in,
                                                                  c->weights, c->out, c->strides, c->dilates,
                                                                  c->padding, c->padding, hint, attr);
        (void)dnnl_primitive_desc_destroy(hint);
    }
    return st;
}

static inline dnnl_status_t api_append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}

static inline dnnl_status_t api_append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0.0f, 0.0f);
}

#endif

#endif
