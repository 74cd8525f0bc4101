#ifndef SEARCH_SPACE_H
#define SEARCH_SPACE_H
/* What a search chooses from: named dimensions, some of which exist only where another one has certain values (the gamma of a depth group
 * exists where that group's rule is `gamma`).
 *
 * A point is an array of doubles, one per dimension: the index of a choice, or the value of a continuous parameter. A dimension that
 * does not exist at a point is NaN there, so that two settings that do the same are the same point. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/field.h"
#include "core/status.h"

enum {
    SPACE_MOST_DIMENSIONS = 64,
    SPACE_MOST_CHOICES = 64, /* of a categorical dimension: `when` has a bit for each */
    SPACE_ALWAYS = -1
};

typedef enum space_kind {
    SPACE_CATEGORICAL, /* choices without an order */
    SPACE_CONTINUOUS
} space_kind;

typedef struct space_dimension {
    const char *name;
    space_kind kind;
    size_t n_choices;     /* SPACE_CATEGORICAL */
    double min, max;      /* SPACE_CONTINUOUS: inclusive; min < max, and 0 < min where the scale is logarithmic */
    field_scale scale;
    int parent;           /* an earlier categorical dimension, or SPACE_ALWAYS */
    uint64_t when;        /* bit c: exists where the parent exists and has choice c */
} space_dimension;

typedef struct space {
    size_t n;
    const space_dimension *dimension; /* [n] */
    size_t n_encoded;                 /* coordinates of an encoded point */
    size_t n_continuous;
    const size_t *scale_of;           /* [n_encoded] the dimension whose length scale a coordinate has */
} space;

/* Copies and checks. Errors: ST_CONFIG (names the dimension). *out lives in `a`; names are borrowed. */
MUST_CHECK status space_build(arena *a, size_t n, const space_dimension dimension[], space *out);

bool space_exists(const space *s, const double point[], size_t dimension); /* decided by the dimensions before it */

/* Sets dimensions that do not exist to NaN, and -0 to 0. Errors: ST_DATA where one that exists is no number of its range. */
MUST_CHECK status space_canonical(const space *s, double point[]);

/* Of canonical points. The hash is the same on every machine (FNV-1a over the bits of the values). */
bool space_equal(const space *s, const double a[], const double b[]);
uint64_t space_hash(const space *s, const double point[]);

/* How many settings the categorical dimensions have; SIZE_MAX: that or more. */
size_t space_combinations(const space *s);
/* The first of them, and the one behind `point` in the order of an odometer whose last dimension runs fastest; false behind the last.
 * Continuous dimensions get the middle of their range. */
void space_first(const space *s, double point[]);
bool space_next(const space *s, double point[]);

/* From the unit cube [0, 1)^n, one coordinate per dimension: equal shares for choices, even on the dimension's scale. Coordinates of
 * dimensions that do not exist are not read. The point is canonical. */
void space_from_unit(const space *s, const double unit[], double point[]);
double space_unit(const space_dimension *d, double value);      /* SPACE_CONTINUOUS: where in [0, 1] a value lies on the scale */
double space_value(const space_dimension *d, double unit);      /* and back, within [min, max] */

/* For the Gaussian process: [0, 1]^n_encoded. A choice is a vector of its dimension's n_choices coordinates, sqrt(1/2) at the choice and
 * else 0, so that two choices are at distance 1, whichever they are. A continuous parameter is its place on its scale, and the middle,
 * 1/2, where it does not exist; its parent's coordinates differ then already. All of a dimension that does not exist and is
 * categorical is 0. So points that differ only in what does not exist have distance 0, and the distance is Euclidean. */
void space_encode(const space *s, const double point[], double code[]);

#endif
