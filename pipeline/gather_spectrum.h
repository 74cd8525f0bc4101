#ifndef PIPELINE_GATHER_SPECTRUM_H
#define PIPELINE_GATHER_SPECTRUM_H
/* From the stage `spectrum` to the result file. Local. */
#include "io/results.h"
#include "stages/stage.h"

/* Fills `spectra` of the results; they point into `a`, the study and the stage's output. */
MUST_CHECK status gather_spectra(arena *a, const study *s, const stage_ctx *c, results *out);
size_t gather_spectra_bytes(const study *s);      /* what that takes; eigenvalues are the stage's */
size_t gather_spectra_file_bytes(const study *s); /* in the file, before compression */

#endif
