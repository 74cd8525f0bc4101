#include "pruning/derived.h"

/* SmoothGrad (Smilkov et al., 2017) of components: the mean over n noisy copies of the image of the derivative, or of
 * derivative times activation at the same copy. Noise is Gaussian, its standard deviation a fraction of the image's own range (max - min
 * after preprocessing), which is the "noise level" of the paper. It depends on (image, draw, pixel) alone (attribution/methods/noise.h). */
enum { DRAWS = DERIVED_FIELDS, DEVIATION, ACTIVATION };

static const field fields[] = {
    DERIVED_FIELD_TABLE(ABSOLUTE_TOKEN, START_ONE),
    [DRAWS] = {.name = "draws",
               .kind = FIELD_COUNT,
               .def = 20.0,
               .min = 1.0,
               .max = 10000.0,
               .scale = SCALE_LOG,
               .help = "noisy copies of each image"},
    [DEVIATION] = {.name = "deviation",
                   .kind = FIELD_REAL,
                   .def = 0.15,
                   .min = 0.0,
                   .max = 10.0,
                   .help = "standard deviation of the noise as a fraction of the image's range after preprocessing"},
    [ACTIVATION] = {.name = "activation",
                    .kind = FIELD_BOOL,
                    .max = 1.0,
                    .help = "whether each derivative is multiplied by the component's value at the same noisy copy"},
};

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.points = POINTS_NOISY;
    p.n = (size_t)s->parameters[DRAWS];
    p.deviation = s->parameters[DEVIATION];
    p.measure = s->parameters[ACTIVATION] != 0.0 ? MEASURE_ACTIVATION : MEASURE_ONE;
    return p;
}

DERIVED_HOOKS(path_of);

const criterion_def criterion_smoothgrad = {
    .name = "smoothgrad",
    .help = "derivative of a class's logit by the component, averaged over noisy copies of the image",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_PATH_MEMBERS,
};
