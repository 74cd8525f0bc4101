#include "attribution/rule.h"
#include "attribution/rules/rule_fields.h"

/* LRP-z^B (docs/attribution.md, section c; Montavon et al. 2017, eq. 11), for inputs known to lie between l and h:
 *   D = x * W - l * W+ - h * W-,   s = R_out / st(D),   R_in = x . (W' s) - l . (W+' s) - h . (W-' s).
 * The bias cancels. For the layer that sees the image: in pixels (the default), low and high become those of each channel by the mean and
 * the standard deviation that the images were normalised with, l = (low - mean) / std. */
enum { LOW, HIGH, UNITS, EPSILON, FIELDS };

static const char *const units[] = {"pixels", "input", NULL};

static const field fields[FIELDS] = {
    [LOW] = {.name = "low",
             .kind = FIELD_REAL,
             .def = 0.0,
             .min = -1e6,
             .max = 0.0,
             .help = "the least value that an input can have"},
    [HIGH] = {.name = "high", .kind = FIELD_REAL, .def = 1.0, .min = 0.0, .max = 1e6, .help = "the greatest"},
    [UNITS] = {.name = "units",
               .kind = FIELD_CHOICE,
               .def = 0.0,
               .min = 0.0,
               .max = 1.0,
               .choices = units,
               .help = "of low and high: a pixel from 0 to 1 before it is normalised, or the layer's input as it is"},
    [EPSILON] = RULE_EPSILON,
};

static rule_terms terms(const double p[])
{
    return (rule_terms){
        .n_groups = 1,
        .group = {{.coef = 1.0,
                   .n_terms = 3,
                   .term = {{.input = INPUT_ALL, .weights = {.all = 1.0}},
                            {.input = INPUT_LOW, .weights = {.positive = 1.0}, .minus = true},
                            {.input = INPUT_HIGH, .weights = {.negative = 1.0}, .minus = true}}}},
        .low = p[LOW],
        .high = p[HIGH],
        .of_pixels = p[UNITS] == 0.0,
    };
}

const rule_def rule_z_box = {
    .name = "z-box",
    .help = "contributions counted from the bounds of the input",
    .fields = fields,
    .n_fields = FIELDS,
    .terms = terms,
    .conserves = true,
    .epsilon_field = EPSILON,
};
