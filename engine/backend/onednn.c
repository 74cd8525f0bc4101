/* Convolutions of oneDNN on images in blocks of channels; a linear layer on tokens is a 1x1 convolution with the channels last. Both go
 * through an image after the other, which keeps the slot law, and neither allocates: scratch memory is the caller's. Its algorithms are direct.
 * Where a pass allows Winograd's, or input channels one by one, kernels of our own stand in: relevance divides by small sums, where cancellations of
 * Winograd's would show.
 *
 * Single rows (the layers behind a CNN's last pooling) that are explained, and the small products of attention, are OpenBLAS's: there it is as fast, and
 * its slot law is at hand. */
#include <math.h>
#include <omp.h>
#include <stdio.h>

#include "backend/backend.h"
#include "backend/narrow.h"
#include "backend/onednn_api.h"
#include "backend/onednn_try.h"
#include "backend/parts.h"
#include "backend/row.h"
#include "backend/winograd.h"

extern const backend_def backend_openblas;

/* Made once and kept to the end of the process. */
static dnnl_engine_t engine;
static dnnl_stream_t stream;

enum { MAX_ARGUMENTS = 5, ALIGN = 16 };

typedef struct plan {
    conv_plan base;
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, bias, out, scratch; /* arrays are put in when it runs; in and out as run() has them */
    int n_arguments;
    dnnl_exec_arg_t argument[MAX_ARGUMENTS];
    conv_shape shape; /* of the layer; the primitive has the outputs of all parts */
    conv_pass pass;
    size_t part_out;            /* where the second part's outputs begin */
    size_t bias_at, out_padded; /* place of the bias behind the weights; its length */
    /* Element [o,i,ky,kx] of the packed weights lies at out_at[o] + in_at[i] + tap_at[ky kw + kx]; o counts over all groups, i within one. */
    const size_t *out_at, *in_at, *tap_at;
} plan;

static status start(void)
{
    TRY(backend_openblas.start());
    omp_set_num_threads(1); /* where oneDNN was built with OpenMP */
    if (engine == NULL) {
        TRY_DNNL("engine", dnnl_engine_create(&engine, dnnl_cpu, 0));
        TRY_DNNL("stream", dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    }
    return STATUS_OK;
}

static bool has_avx512(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

static const char *version(void)
{
    static char text[256];
    const dnnl_version_t *v = dnnl_version();
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const char *name = has_avx512()                                                     ? "AVX-512"
                       : (isa & dnnl_cpu_isa_avx2) == (unsigned)dnnl_cpu_isa_avx2       ? "AVX2"
                       : (isa & dnnl_cpu_isa_sse41) == (unsigned)dnnl_cpu_isa_sse41     ? "SSE4.1"
                                                                                        : "any processor";
    (void)snprintf(text, sizeof text, "oneDNN %d.%d.%d, kernels for %s (instruction set 0x%x); %s", v->major,
                   v->minor, v->patch, name, isa, backend_openblas.version());
    return text;
}

static void gemm(int at, int bt, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
                 size_t ldb, float *c, size_t ldc)
{
    backend_openblas.gemm(at, bt, m, n, k, alpha, a, lda, b, ldb, c, ldc);
}

static size_t block(void)
{
    return has_avx512() ? 16 : 8;
}

static size_t rounded(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Channels as oneDNN sees them: the padding lanes of a block are channels whose weights are 0, so that they come out as 0. */
static size_t padded_channels(const conv_shape *s, size_t channels, bool plain)
{
    return plain || s->rows || s->groups > 1 ? channels : rounded(channels, block());
}

/* The convolution that makes all parts at once. */
static conv_shape stacked(const conv_shape *s, conv_pass pass)
{
    conv_shape all = *s;
    all.out_channels = parts_of(pass) > 1 ? parts_of(pass) * padded_channels(s, s->out_channels, false) : s->out_channels;
    return all;
}

static void release(void *thing)
{
    plan *p = thing;
    dnnl_memory_t const memories[] = {p->in, p->weights, p->bias, p->out, p->scratch};
    for (size_t i = 0; i < COUNT(memories); i++) {
        if (memories[i] != NULL) {
            (void)dnnl_memory_destroy(memories[i]);
        }
    }
    if (p->primitive != NULL) {
        (void)dnnl_primitive_destroy(p->primitive);
    }
}

static status describe(const conv_shape *s, size_t batch, api_conv *c)
{
    const dnnl_format_tag_t blocks = has_avx512() ? dnnl_nChw16c : dnnl_nChw8c, images = s->rows ? dnnl_nhwc : blocks;
    const dnnl_dim_t n = (dnnl_dim_t)batch, groups = (dnnl_dim_t)s->groups;
    const dnnl_dim_t in_channels = (dnnl_dim_t)padded_channels(s, s->in_channels, s->plain_input);
    const dnnl_dim_t out_channels = (dnnl_dim_t)padded_channels(s, s->out_channels, false);
    const dnnl_dims_t in = {n, in_channels, (dnnl_dim_t)s->in_height, (dnnl_dim_t)s->in_width};
    const dnnl_dims_t out = {n, out_channels, (dnnl_dim_t)s->out_height, (dnnl_dim_t)s->out_width};
    const dnnl_dims_t bias = {out_channels};
    const dnnl_dim_t kernel[] = {(dnnl_dim_t)s->kernel[0], (dnnl_dim_t)s->kernel[1]};
    const dnnl_dims_t dense = {out_channels, in_channels, kernel[0], kernel[1]};
    const dnnl_dims_t grouped = {groups, out_channels / groups, in_channels / groups, kernel[0], kernel[1]};
    TRY_DNNL("input", api_desc(&c->in, 4, in, s->plain_input ? dnnl_nchw : images));
    TRY_DNNL("output", api_desc(&c->out, 4, out, images));
    TRY_DNNL("bias", api_desc(&c->bias, 1, bias, dnnl_a));
    TRY_DNNL("weights", api_desc(&c->weights, groups > 1 ? 5 : 4, groups > 1 ? grouped : dense, dnnl_format_tag_any));
    return STATUS_OK;
}

static status describe_extras(conv_pass pass, dnnl_primitive_attr_t attr, dnnl_post_ops_t ops)
{
    TRY_DNNL("scratch mode", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    TRY_DNNL("fp32 only", dnnl_primitive_attr_set_fpmath_mode(attr, dnnl_fpmath_mode_strict));
    if (pass.add) {
        TRY_DNNL("sum", api_append_sum(ops));
    }
    if (pass.relu) {
        TRY_DNNL("relu", api_append_relu(ops));
    }
    TRY_DNNL("steps after the convolution", dnnl_primitive_attr_set_post_ops(attr, ops));
    return STATUS_OK;
}

static status choose_with(const api_conv *c, conv_pass pass, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_post_ops_t ops = NULL;
    TRY_DNNL("steps after the convolution", dnnl_post_ops_create(&ops));
    status st = describe_extras(pass, attr, ops);
    if (status_ok(st)) {
        const dnnl_status_t dnnl = api_conv_desc(c, attr, engine, out);
        st = dnnl == dnnl_success ? st : FAIL_DNNL("convolution", dnnl);
    }
    (void)dnnl_post_ops_destroy(ops);
    return st;
}

/* The kernel for a shape; *out is the caller's to destroy. */
static status choose(const conv_shape *s, size_t batch, conv_pass pass, dnnl_primitive_desc_t *out)
{
    const dnnl_dim_t strides[] = {(dnnl_dim_t)s->stride[0], (dnnl_dim_t)s->stride[1]};
    const dnnl_dim_t dilates[] = {(dnnl_dim_t)s->dilation[0] - 1, (dnnl_dim_t)s->dilation[1] - 1};
    const dnnl_dim_t padding[] = {(dnnl_dim_t)s->padding[0], (dnnl_dim_t)s->padding[1]};
    api_conv c = {.adjoint = pass.adjoint,
                  .has_bias = pass.bias,
                  .strides = strides,
                  .dilates = dilates,
                  .padding = padding};
    dnnl_primitive_attr_t attr = NULL;
    status st = describe(s, batch, &c);
    if (status_ok(st)) {
        st = dnnl_primitive_attr_create(&attr) == dnnl_success
                 ? choose_with(&c, pass, attr, out)
                 : FAIL(ST_ENVIRONMENT, "oneDNN: out of memory");
    }
    (void)dnnl_primitive_attr_destroy(attr);
    api_desc_free(&c.in);
    api_desc_free(&c.out);
    api_desc_free(&c.bias);
    api_desc_free(&c.weights);
    return st;
}

/* Offset of coordinate x along one dimension: blocked orders are sums of one term per dimension. */
static size_t coordinate_offset(const api_blocking *b, int dim, size_t x)
{
    size_t offset = 0, inner_stride = 1, left = x;
    for (int k = b->n_inner; k-- > 0; inner_stride *= (size_t)b->inner[k]) {
        if (b->inner_dim[k] == dim) {
            offset += left % (size_t)b->inner[k] * inner_stride;
            left /= (size_t)b->inner[k];
        }
    }
    return offset + left * (size_t)b->strides[dim];
}

static status plan_order(arena *a, const dnnl_memory_desc_t *weights, plan *p)
{
    const conv_shape all = stacked(&p->shape, p->pass), *s = &all;
    const size_t taps = s->kernel[0] * s->kernel[1], in_group = s->in_channels / s->groups;
    const size_t out_group = s->out_channels / s->groups;
    size_t *out_at, *in_at, *tap_at;
    api_blocking b;
    if (!api_read_blocking(weights, &b)) {
        return FAIL(ST_ENVIRONMENT, "oneDNN chose an order of weights that cannot be packed from outside; set "
                                    "`backend: openblas` to do without it");
    }
    const int first = b.n_dims - 4; /* 1 with groups */
    TRY_ALLOC(out_at, a, s->out_channels);
    TRY_ALLOC(in_at, a, in_group);
    TRY_ALLOC(tap_at, a, taps);
    for (size_t o = 0; o < s->out_channels; o++) {
        out_at[o] = coordinate_offset(&b, first, first == 0 ? o : o % out_group) +
                    (first == 0 ? 0 : coordinate_offset(&b, 0, o / out_group));
    }
    for (size_t i = 0; i < in_group; i++) {
        in_at[i] = coordinate_offset(&b, first + 1, i);
    }
    for (size_t t = 0; t < taps; t++) {
        tap_at[t] = coordinate_offset(&b, first + 2, t / s->kernel[1]) + coordinate_offset(&b, first + 3, t % s->kernel[1]);
    }
    p->out_at = out_at;
    p->in_at = in_at;
    p->tap_at = tap_at;
    return STATUS_OK;
}

static status add_argument(plan *p, int which, const dnnl_memory_desc_t *desc, dnnl_memory_t *memory)
{
    TRY_DNNL("memory", api_memory(memory, desc, engine));
    p->argument[p->n_arguments++] = (dnnl_exec_arg_t){which, *memory};
    return STATUS_OK;
}

static status plan_arguments(plan *p, const_dnnl_primitive_desc_t pd)
{
    const bool back = p->pass.adjoint;
    const dnnl_memory_desc_t in = api_query(pd, back ? dnnl_query_diff_dst_md : dnnl_query_src_md, 0);
    const dnnl_memory_desc_t out = api_query(pd, back ? dnnl_query_diff_src_md : dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t weights = api_query(pd, dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t scratch = api_query(pd, dnnl_query_scratchpad_md, 0);
    TRY(add_argument(p, back ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC, &in, &p->in));
    TRY(add_argument(p, back ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, &out, &p->out));
    TRY(add_argument(p, DNNL_ARG_WEIGHTS, &weights, &p->weights));
    TRY(add_argument(p, DNNL_ARG_SCRATCHPAD, &scratch, &p->scratch));
    if (p->pass.bias) {
        const dnnl_memory_desc_t bias = api_query(pd, dnnl_query_weights_md, 1);
        TRY(add_argument(p, DNNL_ARG_BIAS, &bias, &p->bias));
    }
    p->bias_at = rounded(api_bytes(&weights) / sizeof(float), ALIGN);
    const conv_shape all = stacked(&p->shape, p->pass);
    p->out_padded = p->pass.bias ? padded_channels(&all, all.out_channels, false) : 0;
    p->base.n_packed = p->bias_at + p->out_padded;
    p->base.n_work = rounded(api_bytes(&scratch), sizeof(float)) / sizeof(float);
    return STATUS_OK;
}

static void pack_part(const plan *p, size_t k, const float *w, const float *bias, const uint8_t *alive, float *packed)
{
    const conv_shape *s = &p->shape;
    const size_t taps = s->kernel[0] * s->kernel[1], in_group = s->in_channels / s->groups;
    const weight_part part = part_at(p->pass, k);
    for (size_t o = 0; o < s->out_channels; o++) {
        const float *row = w + o * in_group * taps;
        float *to = packed + p->out_at[k * p->part_out + o];
        if (alive != NULL && !alive[o]) {
            continue;
        }
        for (size_t i = 0; i < in_group; i++) {
            for (size_t t = 0; t < taps; t++) {
                to[p->in_at[i] + p->tap_at[t]] = part_of(part, row[i * taps + t]);
            }
        }
        if (p->out_padded > 0 && bias != NULL) {
            packed[p->bias_at + k * p->part_out + o] = part_of(part, bias[o]);
        }
    }
}

static void pack(const conv_plan *base, const float *w, const float *bias, const uint8_t *alive, float *packed)
{
    const plan *p = (const plan *)base;
    memset(packed, 0, p->base.n_packed * sizeof *packed);
    for (size_t k = 0; k < parts_of(p->pass); k++) {
        pack_part(p, k, w, bias, alive, packed);
    }
}

/* oneDNN wants pointers to what it may write to; inputs are only read. */
static void *handle(const float *x)
{
    void *p;
    memcpy(&p, &x, sizeof p);
    return p;
}

static void run(const conv_plan *base, const float *w, const float *bias, const float *in, float *out, float *work)
{
    (void)bias; /* lies behind the packed weights */
    const plan *p = (const plan *)base;
    dnnl_status_t st = dnnl_memory_set_data_handle(p->in, handle(in));
    st = st != dnnl_success ? st : dnnl_memory_set_data_handle(p->out, out);
    st = st != dnnl_success ? st : dnnl_memory_set_data_handle(p->weights, handle(w));
    st = st != dnnl_success ? st : dnnl_memory_set_data_handle(p->scratch, work);
    if (p->bias != NULL) {
        st = st != dnnl_success ? st : dnnl_memory_set_data_handle(p->bias, handle(w + p->bias_at));
    }
    st = st != dnnl_success ? st : dnnl_primitive_execute(p->primitive, stream, p->n_arguments, p->argument);
    if (st != dnnl_success) {
        out[0] = NAN; /* everything was prepared, so this does not happen; it must not go unseen either */
    }
}

static status finish(arena *a, plan *p, const_dnnl_primitive_desc_t pd)
{
    const char *kernel = "";
    TRY_DNNL("name of the kernel", dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &kernel));
    TRY_TEXT(p->base.kernel, a, "%s", kernel);
    TRY_DNNL("convolution", dnnl_primitive_create(&p->primitive, pd));
    return plan_arguments(p, pd);
}

static status finish_direct(arena *a, plan *p, const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t weights = api_query(pd, dnnl_query_weights_md, 0);
    TRY(finish(a, p, pd));
    return plan_order(a, &weights, p);
}

static status prepare_direct(arena *a, size_t batch, plan *p)
{
    const conv_shape all = stacked(&p->shape, p->pass);
    dnnl_primitive_desc_t pd = NULL;
    TRY(choose(&all, batch, p->pass, &pd));
    const status st = finish_direct(a, p, pd);
    (void)dnnl_primitive_desc_destroy(pd);
    return st;
}

/* oneDNN 2.6 crashes where its own code and tables find no memory; a primitive takes a few MiB of them. */
static const size_t headroom = (size_t)16 << 20;

static status prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass, const conv_plan **out)
{
    if (s->rows && s->in_height == 1) {
        return has_avx512() && row_possible(s, pass) ? row_prepare(a, s, batch, pass, out) : backend_openblas.prepare(a, s, batch, pass, out);
    }
    if (has_avx512() && winograd_possible(s, pass)) {
        return winograd_prepare(a, s, batch, pass, out);
    }
    if (has_avx512() && narrow_pays(s, pass)) {
        return narrow_prepare(a, s, batch, pass, out);
    }
    plan *p;
    TRY(memory_headroom("oneDNN", headroom));
    TRY_ALLOC(p, a, 1);
    *p = (plan){.base = {.pack = pack, .run = run},
                .shape = *s,
                .pass = pass,
                .part_out = stacked(s, pass).out_channels / parts_of(pass)};
    *out = &p->base;
    TRY(arena_at_end(a, release, p));
    return prepare_direct(a, batch, p);
}

const backend_def backend_onednn = {
    .name = "onednn",
    .help = "convolutions of oneDNN on blocks of channels; small products by OpenBLAS",
    .winograd = true,
    .start = start,
    .version = version,
    .block = block,
    .prepare = prepare,
    .gemm = gemm,
};
