#ifndef BACKEND_BLAS_H
#define BACKEND_BLAS_H
/* What the BLAS library says about itself: for `pollard doctor`. */
#include <stddef.h>

size_t blas_threads(void);     /* that its calls use now; before backend_def.start(): what it took from the environment */
const char *blas_kernel(void); /* "Haswell": which of its kernels it chose for this processor */

#endif
