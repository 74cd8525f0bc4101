#ifndef SEARCH_BOX_H
#define SEARCH_BOX_H
/* The maximum of a smooth function in a box, from one start: NLopt's L-BFGS with bounds (Nocedal 1980; Luksan's code). The result is the best
 * point at which the function was asked, whatever the reason for the end, so a line search that gives up costs quality and no more. */
#include <stddef.h>

#include "core/arena.h"
#include "core/status.h"

/* The value at x [n], and its derivatives in gradient [n]. A value that is not finite is never the best. */
typedef double box_function(void *context, size_t n, const double x[], double gradient[]);

typedef struct box_report {
    double value;       /* -INFINITY where the function had no finite value */
    size_t evaluations;
} box_report;

/* x [n]: the start, limited to [lower, upper], and then the best point. Errors: ST_ENVIRONMENT (no memory), ST_BUG (NLopt refuses the call). */
MUST_CHECK status box_maximise(size_t n, const double lower[], const double upper[], size_t most_evaluations, box_function *f, void *context,
                               double x[], box_report *report);

const char *box_library(arena *a); /* "NLopt 2.7.1", as the running program finds it; NULL when memory is gone */

#endif
