#include "backend/onednn_winograd.h"

#include <math.h>
#include <string.h>

#include "backend/onednn_try.h"
#include "core/vector.h"

enum { ALIGN = 16 }; /* floats */

static size_t whole_blocks(size_t channels)
{
    return (channels + MAX_BLOCK - 1) / MAX_BLOCK * MAX_BLOCK;
}

bool winograd_possible(const conv_shape *s, conv_pass pass, size_t block)
{
    bool possible = pass.winograd && !pass.adjoint && pass.n_parts == 0;
    possible = possible && block == MAX_BLOCK && !s->rows && !s->plain_input && s->groups == 1;
    for (size_t i = 0; i < 2; i++) {
        possible = possible && s->kernel[i] == 3 && s->stride[i] == 1 && s->dilation[i] == 1;
    }
    return possible;
}

static size_t plain_floats(const winograd *p)
{
    return p->out_padded * p->in_padded * p->shape.kernel[0] * p->shape.kernel[1];
}

static status prepare_memory(winograd *p, const dnnl_memory_desc_t *weights, const_dnnl_primitive_desc_t pd,
                             dnnl_engine_t engine)
{
    const dnnl_memory_desc_t scratch = api_query(pd, dnnl_query_scratchpad_md, 0);
    const dnnl_memory_desc_t plain = api_query(pd, dnnl_query_src_md, 0);
    p->n_pack_work =
        (plain_floats(p) + ALIGN - 1) / ALIGN * ALIGN + (api_bytes(&scratch) + sizeof(float) - 1) / sizeof(float);
    TRY_DNNL("memory", api_memory(&p->plain, &plain, engine));
    TRY_DNNL("memory", api_memory(&p->transformed, weights, engine));
    TRY_DNNL("memory", api_memory(&p->scratch, &scratch, engine));
    return STATUS_OK;
}

static status prepare_reorder(winograd *p, const dnnl_memory_desc_t *weights, const dnnl_memory_desc_t *plain,
                              dnnl_primitive_attr_t attr, dnnl_engine_t engine)
{
    dnnl_primitive_desc_t pd = NULL;
    TRY_DNNL("scratch mode", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    const dnnl_status_t found = api_reorder_desc(plain, weights, attr, engine, &pd);
    if (found == dnnl_unimplemented) {
        return STATUS_OK;
    }
    TRY_DNNL("order of weights", found);
    const dnnl_status_t made = dnnl_primitive_create(&p->reorder, pd);
    const status st =
        made == dnnl_success ? prepare_memory(p, weights, pd, engine) : FAIL_DNNL("order of weights", made);
    (void)dnnl_primitive_desc_destroy(pd);
    return st;
}

status winograd_prepare(const conv_shape *s, size_t batch, conv_pass pass, const dnnl_memory_desc_t *weights,
                        dnnl_engine_t engine, winograd *out)
{
    *out = (winograd){.shape = *s,
                      .batch = batch,
                      .in_padded = whole_blocks(s->in_channels),
                      .out_padded = whole_blocks(s->out_channels),
                      .add = pass.add,
                      .relu = pass.relu};
    out->n_before = pass.add ? batch * out->out_padded * s->out_height * s->out_width : 0;
    const dnnl_dims_t dims = {(dnnl_dim_t)out->out_padded, (dnnl_dim_t)out->in_padded, (dnnl_dim_t)s->kernel[0],
                              (dnnl_dim_t)s->kernel[1]};
    dnnl_memory_desc_t plain;
    dnnl_primitive_attr_t attr = NULL;
    TRY_DNNL("weights", api_desc(&plain, 4, dims, dnnl_oihw));
    const dnnl_status_t made = dnnl_primitive_attr_create(&attr);
    const status st = made == dnnl_success ? prepare_reorder(out, weights, &plain, attr, engine)
                                           : FAIL_DNNL("order of weights", made);
    (void)dnnl_primitive_attr_destroy(attr);
    api_desc_free(&plain);
    return st;
}

void winograd_release(winograd *p)
{
    dnnl_memory_t const memories[] = {p->plain, p->transformed, p->scratch};
    for (size_t i = 0; i < COUNT(memories); i++) {
        if (memories[i] != NULL) {
            (void)dnnl_memory_destroy(memories[i]);
        }
    }
    if (p->reorder != NULL) {
        (void)dnnl_primitive_destroy(p->reorder);
    }
    *p = (winograd){.batch = 0};
}

void winograd_pack(const winograd *p, dnnl_stream_t stream, const float *w, float *packed, float *work)
{
    const size_t taps = p->shape.kernel[0] * p->shape.kernel[1], row = p->shape.in_channels * taps;
    memset(work, 0, plain_floats(p) * sizeof *work);
    for (size_t o = 0; o < p->shape.out_channels; o++) {
        memcpy(work + o * p->in_padded * taps, w + o * row, row * sizeof *work);
    }
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_FROM, p->plain}, {DNNL_ARG_TO, p->transformed}, {DNNL_ARG_SCRATCHPAD, p->scratch}};
    dnnl_status_t st = dnnl_memory_set_data_handle(p->plain, work);
    st = st != dnnl_success ? st : dnnl_memory_set_data_handle(p->transformed, packed);
    st = st != dnnl_success
             ? st
             : dnnl_memory_set_data_handle(p->scratch, work + (plain_floats(p) + ALIGN - 1) / ALIGN * ALIGN);
    st = st != dnnl_success ? st : dnnl_primitive_execute(p->reorder, stream, (int)COUNT(arguments), arguments);
    if (st != dnnl_success) {
        packed[0] = NAN; /* everything was prepared, so this does not happen; it must not go unseen either */
    }
}

/* Lanes beyond the channels count as dead: they stay 0 whatever comes in. */
void winograd_mask(const winograd *p, const uint8_t *alive, float *packed)
{
    for (size_t o = 0; o < p->out_padded; o++) {
        packed[p->alive_at + o] = o < p->shape.out_channels && (alive == NULL || alive[o]) ? 1.0f : 0.0f;
    }
}

static bool all_alive(const float alive[MAX_BLOCK])
{
    bool all = true;
    for (size_t l = 0; l < MAX_BLOCK; l++) {
        all = all && alive[l] != 0.0f;
    }
    return all;
}

void winograd_before(const winograd *p, const float *packed, const float *out, float *work)
{
    const size_t floats = p->shape.out_height * p->shape.out_width * MAX_BLOCK, n_blocks = p->out_padded / MAX_BLOCK;
    for (size_t i = 0; p->add && i < p->batch * n_blocks; i++) {
        if (!all_alive(packed + p->alive_at + i % n_blocks * MAX_BLOCK)) {
            memcpy(work + p->before_at + i * floats, out + i * floats, floats * sizeof *out);
        }
    }
}

/* One block of one sample, [pixels,MAX_BLOCK]. */
VECTOR_KERNEL static void clear_dead(size_t pixels, const float *alive, float *out)
{
    for (size_t i = 0; i < pixels; i++, out += MAX_BLOCK) {
        for (size_t l = 0; l < MAX_BLOCK; l++) {
            out[l] = alive[l] != 0.0f ? out[l] : 0.0f;
        }
    }
}

VECTOR_KERNEL static void restore_dead(size_t pixels, const float *alive, bool relu, const float *before, float *out)
{
    for (size_t i = 0; i < pixels; i++, out += MAX_BLOCK, before += MAX_BLOCK) {
        for (size_t l = 0; l < MAX_BLOCK; l++) {
            const float sum = before[l] + 0.0f; /* no -0, as where a sum was made */
            out[l] = alive[l] != 0.0f ? out[l] : relu && sum <= 0.0f ? 0.0f : sum;
        }
    }
}

void winograd_after(const winograd *p, const float *packed, float *out, const float *work)
{
    const size_t pixels = p->shape.out_height * p->shape.out_width, n_blocks = p->out_padded / MAX_BLOCK;
    for (size_t i = 0; i < p->batch * n_blocks; i++) {
        const float *alive = packed + p->alive_at + i % n_blocks * MAX_BLOCK;
        float *block = out + i * pixels * MAX_BLOCK;
        if (all_alive(alive)) {
            continue;
        }
        if (p->add) {
            restore_dead(pixels, alive, p->relu, work + p->before_at + i * pixels * MAX_BLOCK, block);
        } else {
            clear_dead(pixels, alive, block);
        }
    }
}
