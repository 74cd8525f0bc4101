#include "search/pareto.h"

#include <math.h>
#include <stdbool.h>

static bool dominates(size_t k, const double a[], const double b[])
{
    bool better = false;
    for (size_t i = 0; i < k; i++) {
        if (a[i] < b[i]) {
            return false;
        }
        better = better || a[i] > b[i];
    }
    return better;
}

/* By points that are on no earlier front. */
static bool dominated(size_t n, size_t k, const double value[], const uint32_t front[], uint32_t now, size_t i)
{
    for (size_t j = 0; j < n; j++) {
        if ((front[j] == 0 || front[j] == now) && dominates(k, &value[j * k], &value[i * k])) {
            return true;
        }
    }
    return false;
}

status pareto_fronts(size_t n, size_t k, const double value[], uint32_t front[])
{
    for (size_t i = 0; i < n * k; i++) {
        if (isnan(value[i])) {
            return FAIL(ST_DATA, "Pareto front: objective %zu of point %zu is no number", i % k, i / k);
        }
    }
    for (size_t i = 0; i < n; i++) {
        front[i] = 0;
    }
    size_t left = n;
    for (uint32_t now = 1; left > 0; now++) { /* a finite set has points that nothing dominates, so this ends */
        for (size_t i = 0; i < n; i++) {
            if (front[i] == 0 && !dominated(n, k, value, front, now, i)) {
                front[i] = now;
                left--;
            }
        }
    }
    return STATUS_OK;
}
