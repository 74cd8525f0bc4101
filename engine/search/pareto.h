#ifndef SEARCH_PARETO_H
#define SEARCH_PARETO_H
/* Several objectives at once. Point a dominates b where it is at least as good in all objectives and better in one. */
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* value [n, k], all to be maximised (a cost goes in with its sign changed). front [n]: 1 for points that nothing dominates, 2 for those that
 * only points of front 1 dominate, and so on (non-dominated sorting: Deb et al. 2002). Equal points have equal fronts. O(k n^2) for each
 * front. Errors: ST_DATA (a value is NaN). */
MUST_CHECK status pareto_fronts(size_t n, size_t k, const double value[], uint32_t front[]);

#endif
