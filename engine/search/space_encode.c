/* Points as coordinates (space.h): of the unit cube, from which designs are drawn, and of the Gaussian process. */
#include <math.h>

#include "search/space.h"

static double limited(double x, double low, double high)
{
    return x >= low ? (x <= high ? x : high) : low; /* NaN becomes `low` */
}

double space_unit(const space_dimension *d, double value)
{
    const double u = d->scale == SCALE_LOG ? (log(value) - log(d->min)) / (log(d->max) - log(d->min)) : (value - d->min) / (d->max - d->min);
    return limited(u, 0.0, 1.0);
}

double space_value(const space_dimension *d, double unit)
{
    const double u = limited(unit, 0.0, 1.0);
    if (u == 0.0 || u == 1.0) { /* exp(log(x)) need not be x */
        return (u == 0.0 ? d->min : d->max) + 0.0;
    }
    const double value = d->scale == SCALE_LOG ? exp((1.0 - u) * log(d->min) + u * log(d->max)) : (1.0 - u) * d->min + u * d->max;
    return limited(value, d->min, d->max) + 0.0;
}

void space_from_unit(const space *s, const double unit[], double point[])
{
    for (size_t i = 0; i < s->n; i++) {
        const space_dimension *d = &s->dimension[i];
        if (!space_exists(s, point, i)) {
            point[i] = NAN;
        } else if (d->kind == SPACE_CATEGORICAL) {
            point[i] = limited(floor(unit[i] * (double)d->n_choices), 0.0, (double)(d->n_choices - 1));
        } else {
            point[i] = space_value(d, unit[i]);
        }
    }
}

void space_encode(const space *s, const double point[], double code[])
{
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        const space_dimension *d = &s->dimension[i];
        const bool exists = space_exists(s, point, i);
        if (d->kind == SPACE_CONTINUOUS) {
            code[at++] = exists ? space_unit(d, point[i]) : 0.5;
            continue;
        }
        for (size_t c = 0; c < d->n_choices; c++) {
            code[at++] = exists && point[i] == (double)c ? sqrt(0.5) : 0.0;
        }
    }
}
