#ifndef BACKEND_ONEDNN_TRY_H
#define BACKEND_ONEDNN_TRY_H
/* Errors of oneDNN as ours. */
#include <oneapi/dnnl/dnnl.h>

#include "core/status.h"

static inline const char *dnnl_status_words(dnnl_status_t st)
{
    return st == dnnl_out_of_memory   ? "out of memory"
           : st == dnnl_unimplemented ? "no kernel for this shape"
                                      : "refused";
}

#define FAIL_DNNL(what, st)                                                                                            \
    FAIL(ST_ENVIRONMENT, "oneDNN: %s: %s (status %d); set `backend: openblas` to do without it", what,                 \
         dnnl_status_words(st), (int)(st))

#define TRY_DNNL(what, call)                                                                                           \
    do {                                                                                                               \
        const dnnl_status_t dnnl_ = (call);                                                                            \
        if (dnnl_ != dnnl_success) {                                                                                   \
            return FAIL_DNNL(what, dnnl_);                                                                             \
        }                                                                                                              \
    } while (0)

#endif
