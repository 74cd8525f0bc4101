#include "search/space.h"

#include <math.h>
#include <string.h>

static status check_range(const space_dimension *d)
{
    if (!isfinite(d->min) || !isfinite(d->max) || d->min >= d->max) {
        return FAIL(ST_CONFIG, "search space: %s runs from %g to %g; expected finite numbers, the first one smaller", d->name, d->min,
                    d->max);
    }
    if (d->scale == SCALE_LOG && d->min <= 0.0) {
        return FAIL(ST_CONFIG, "search space: %s starts at %g on a logarithmic scale; expected a number above 0", d->name, d->min);
    }
    return STATUS_OK;
}

static status check_parent(const space_dimension all[], size_t i)
{
    const space_dimension *d = &all[i];
    if (d->parent == SPACE_ALWAYS) {
        return STATUS_OK;
    }
    if (d->parent < 0 || (size_t)d->parent >= i || all[d->parent].kind != SPACE_CATEGORICAL) {
        return FAIL(ST_CONFIG, "search space: %s depends on dimension %d; expected an earlier one that is a choice", d->name, d->parent);
    }
    const size_t n = all[d->parent].n_choices;
    const uint64_t known = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
    if (d->when == 0 || (d->when & ~known) != 0) {
        return FAIL(ST_CONFIG, "search space: %s exists for choices 0x%llx of %s, which has %zu; expected at least one of those", d->name,
                    (unsigned long long)d->when, all[d->parent].name, n);
    }
    return STATUS_OK;
}

static status check(size_t n, const space_dimension all[])
{
    if (n == 0 || n > SPACE_MOST_DIMENSIONS) {
        return FAIL(ST_CONFIG, "search space: %zu dimensions; expected 1 to %d", n, SPACE_MOST_DIMENSIONS);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(all[i].name, all[j].name) == 0) {
                return FAIL(ST_CONFIG, "search space: two dimensions are called %s", all[i].name);
            }
        }
        if (all[i].kind == SPACE_CONTINUOUS) {
            TRY(check_range(&all[i]));
        } else if (all[i].n_choices == 0 || all[i].n_choices > SPACE_MOST_CHOICES) {
            return FAIL(ST_CONFIG, "search space: %s has %zu choices; expected 1 to %d", all[i].name, all[i].n_choices, SPACE_MOST_CHOICES);
        }
        TRY(check_parent(all, i));
    }
    return STATUS_OK;
}

status space_build(arena *a, size_t n, const space_dimension dimension[], space *out)
{
    TRY(check(n, dimension));
    space_dimension *copy;
    size_t *scale_of;
    *out = (space){.n = n};
    TRY_ALLOC(copy, a, n);
    memcpy(copy, dimension, n * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        out->n_encoded += copy[i].kind == SPACE_CATEGORICAL ? copy[i].n_choices : 1;
        out->n_continuous += copy[i].kind == SPACE_CONTINUOUS;
    }
    TRY_ALLOC(scale_of, a, out->n_encoded);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t width = copy[i].kind == SPACE_CATEGORICAL ? copy[i].n_choices : 1;
        for (size_t c = 0; c < width; c++) {
            scale_of[at++] = i;
        }
    }
    out->dimension = copy;
    out->scale_of = scale_of;
    return STATUS_OK;
}

bool space_exists(const space *s, const double point[], size_t dimension)
{
    for (int i = (int)dimension; s->dimension[i].parent != SPACE_ALWAYS; i = s->dimension[i].parent) {
        const double choice = point[s->dimension[i].parent];
        if (!(choice >= 0.0 && choice < SPACE_MOST_CHOICES) || (s->dimension[i].when >> (unsigned)choice & 1) == 0) {
            return false;
        }
    }
    return true;
}

status space_canonical(const space *s, double point[])
{
    for (size_t i = 0; i < s->n; i++) {
        const space_dimension *d = &s->dimension[i];
        if (!space_exists(s, point, i)) {
            point[i] = NAN;
            continue;
        }
        if (d->kind == SPACE_CATEGORICAL) {
            if (!(point[i] >= 0.0 && point[i] < (double)d->n_choices && point[i] == floor(point[i]))) {
                return FAIL(ST_DATA, "search point: %s is %g; expected one of its choices, 0 to %zu", d->name, point[i], d->n_choices - 1);
            }
        } else if (!(point[i] >= d->min && point[i] <= d->max)) {
            return FAIL(ST_DATA, "search point: %s is %g; expected a number from %g to %g", d->name, point[i], d->min, d->max);
        }
        point[i] += 0.0; /* -0 becomes 0 */
    }
    return STATUS_OK;
}

bool space_equal(const space *s, const double a[], const double b[])
{
    for (size_t i = 0; i < s->n; i++) {
        if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))) {
            return false;
        }
    }
    return true;
}

uint64_t space_hash(const space *s, const double point[])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t bits = UINT64_MAX; /* NaN has many bit patterns, and this is one that no number has */
        if (!isnan(point[i])) {
            memcpy(&bits, &point[i], sizeof bits);
        }
        for (unsigned byte = 0; byte < 8; byte++) {
            hash = (hash ^ (bits >> 8 * byte & 0xff)) * UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

static size_t times(size_t a, size_t b)
{
    return a != 0 && b > SIZE_MAX / a ? SIZE_MAX : a * b;
}

/* The dimensions are a forest. Below a choice of a tree's root the trees of the children that exist there multiply; choices add; roots
 * multiply. */
size_t space_combinations(const space *s)
{
    size_t below[SPACE_MOST_DIMENSIONS], all = 1;
    for (size_t i = s->n; i-- > 0;) { /* children come behind their parents */
        below[i] = s->dimension[i].kind == SPACE_CONTINUOUS ? 1 : 0;
        for (size_t c = 0; s->dimension[i].kind == SPACE_CATEGORICAL && c < s->dimension[i].n_choices; c++) {
            size_t product = 1;
            for (size_t k = i + 1; k < s->n; k++) {
                if (s->dimension[k].parent == (int)i && (s->dimension[k].when >> c & 1) != 0) {
                    product = times(product, below[k]);
                }
            }
            below[i] = product > SIZE_MAX - below[i] ? SIZE_MAX : below[i] + product;
        }
        if (s->dimension[i].parent == SPACE_ALWAYS) {
            all = times(all, below[i]);
        }
    }
    return all;
}

/* The lowest setting of the dimensions from `first` on. */
static void fill(const space *s, size_t first, double point[])
{
    for (size_t i = first; i < s->n; i++) {
        const space_dimension *d = &s->dimension[i];
        if (!space_exists(s, point, i)) {
            point[i] = NAN;
        } else {
            point[i] = d->kind == SPACE_CATEGORICAL ? 0.0 : space_value(d, 0.5);
        }
    }
}

void space_first(const space *s, double point[])
{
    fill(s, 0, point);
}

bool space_next(const space *s, double point[])
{
    for (size_t i = s->n; i-- > 0;) {
        const space_dimension *d = &s->dimension[i];
        if (d->kind == SPACE_CATEGORICAL && space_exists(s, point, i) && point[i] + 1.0 < (double)d->n_choices) {
            point[i] += 1.0;
            fill(s, i + 1, point);
            return true;
        }
    }
    return false;
}
