#ifndef BACKEND_ONEDNN_WINOGRAD_H
#define BACKEND_ONEDNN_WINOGRAD_H
/* What a convolution by Winograd's algorithm (Lavin and Gray 2015, arXiv:1509.09308) needs besides its primitive.
 *
 * Weights lie transformed (36 numbers for a 3x3 kernel) in an order that only the library knows, so it brings them there itself, all of
 * them at once, which takes a third of the time of a forward pass of 16 images. Masks come and go much more often than weights, so
 * they are not applied to these but to the outputs: what a dead one came to is replaced by 0, or by what was there before where the pass
 * adds. That is exact for every input, also where the transform of a finite one overflows. */
#include "backend/backend.h"
#include "backend/onednn_api.h"

typedef struct winograd {
    dnnl_primitive_t reorder; /* from the layer's order to the library's; NULL: there is no way */
    dnnl_memory_t plain, transformed, scratch;
    conv_shape shape;
    size_t batch, in_padded, out_padded; /* channels up to whole blocks */
    bool add, relu;
    size_t alive_at;  /* place of [out_padded] flags, 1 or 0, in the packed weights; set by whoever lays them out */
    size_t before_at; /* place in `work` of what was in the output before, where the pass adds; likewise */
    size_t n_before, n_pack_work;
} winograd;

/* Whether to ask the library at all: 3x3 at stride 1 on whole blocks of MAX_BLOCK channels. */
bool winograd_possible(const conv_shape *s, conv_pass pass, size_t block);
/* `weights`: the order that the convolution wants. Errors: ST_ENVIRONMENT. */
MUST_CHECK status winograd_prepare(const conv_shape *s, size_t batch, conv_pass pass, const dnnl_memory_desc_t *weights,
                                   dnnl_engine_t engine, winograd *out);
void winograd_release(winograd *p);

void winograd_pack(const winograd *p, dnnl_stream_t stream, const float *w, float *packed, float *work);
void winograd_mask(const winograd *p, const uint8_t *alive, float *packed);
/* Around the convolution: keeps what dead outputs will be again, and makes them that. */
void winograd_before(const winograd *p, const float *packed, const float *out, float *work);
void winograd_after(const winograd *p, const float *packed, float *out, const float *work);

#endif
