#ifndef PIPELINE_REPORT_H
#define PIPELINE_REPORT_H
/* What a finished run says in the terminal. */
#include "io/results.h"

void report_table(FILE *to, const results *r);
/* Accuracy over the share of removed components, mean over seeds, of the largest class subset: one small plot per model and kind. */
MUST_CHECK status report_plot(arena *scratch, FILE *to, const results *r);

#endif
