#ifndef BACKEND_OPENBLAS_CONV_H
#define BACKEND_OPENBLAS_CONV_H
/* Convolutions of images by sgemm, for openblas.c. */
#include "backend/backend.h"

/* As backend_def.prepare() for a shape without `rows`; images are in plain order. */
MUST_CHECK status openblas_conv_prepare(arena *a, const conv_shape *s, size_t batch, conv_pass pass,
                                        const conv_plan **out);

#endif
