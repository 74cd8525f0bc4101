#include "attribution/methods/layer_path.h"
#include "pruning/derived.h"

/* Integrated gradients of components (docs/attribution.md, section g; Sundararajan, Taly and Yan, 2017, for inputs), with n points and the
 * zero input (after preprocessing) as the baseline:
 *
 *   conductance  sum over k of  dy/da(alpha_k x) (a(alpha_k x) - a(alpha_(k-1) x)):  the part of y(x) - y(0) that goes through the
 *                component (Dhamdhere, Sundararajan and Yan, 2019)
 *   latent       1/n sum over k of  dy/da(alpha_k x):  what the paper's program calls integrated gradients; no activation enters
 *                (internal influence of Leino et al., 2018)
 *   layer        the layer's own values go straight from a(0) to a(x) (attribution/methods/layer_path.h) */
enum { FORM = DERIVED_FIELDS, STEPS, POINTS };
enum { FORM_CONDUCTANCE, FORM_LATENT, FORM_LAYER };

static const char *const forms[] = {"conductance", "latent", "layer", NULL};
static const char *const ends[] = {"right", "left", NULL};

static const field fields[] = {
    DERIVED_FIELD_TABLE(ABSOLUTE_TOKEN, START_ONE),
    [FORM] = {.name = "form",
              .kind = FIELD_CHOICE,
              .choices = forms,
              .help = "what is summed along the way from the zero input: derivative times step of the activation, the "
                      "derivative alone, or "
                      "both along the layer's own way"},
    [STEPS] = {.name = "steps",
               .kind = FIELD_COUNT,
               .def = 20.0,
               .min = 1.0,
               .max = 10000.0,
               .scale = SCALE_LOG,
               .help = "points of the sum"},
    [POINTS] = {.name = "points",
                .kind = FIELD_CHOICE,
                .choices = ends,
                .help =
                    "end of each step at which the derivative is taken; right ends at the image, left begins at zero"},
};

typedef struct layers {
    layer_path *path;
    aggregate aggregate;
    const graph *graph;
    size_t batch;
} layers;

/* Either of the two. */
typedef struct integral {
    void *along_input;
    layers along_layers;
} integral;

static bool is_layer(const criterion_setup *s)
{
    return s->parameters[FORM] == FORM_LAYER;
}

static path_setup path_of(const criterion_setup *s)
{
    path_setup p = derived_path(s);
    p.points = POINTS_STRAIGHT;
    p.measure = s->parameters[FORM] == FORM_CONDUCTANCE ? MEASURE_DIFFERENCE : MEASURE_ONE;
    p.n = (size_t)s->parameters[STEPS];
    p.left = s->parameters[POINTS] != 0.0;
    return p;
}

static layer_path_setup layer_path_of(const criterion_setup *s)
{
    return (layer_path_setup){.graph = s->graph,
                              .backend = s->backend,
                              .batch = s->batch,
                              .n = (size_t)s->parameters[STEPS],
                              .left = s->parameters[POINTS] != 0.0,
                              .start = derived_start(s),
                              .weights = s->weights};
}

static status open_path(arena *a, const criterion_setup *s, void **state)
{
    integral *i;
    TRY_ALLOC(i, a, 1);
    *state = i;
    if (is_layer(s)) {
        const layer_path_setup p = layer_path_of(s);
        i->along_layers = (layers){.aggregate = derived_aggregate(s), .graph = s->graph, .batch = s->batch};
        return layer_path_build(a, &p, &i->along_layers.path);
    }
    const path_setup p = path_of(s);
    return derived_open(a, s, &p, &i->along_input);
}

static status bytes(const criterion_setup *s, size_t *out)
{
    if (is_layer(s)) {
        const layer_path_setup p = layer_path_of(s);
        return layer_path_needs(&p, out);
    }
    const path_setup p = path_of(s);
    return path_needs(&p, out);
}

static size_t passes(const criterion_setup *s)
{
    if (is_layer(s)) {
        const layer_path_setup p = layer_path_of(s);
        return layer_path_passes(&p);
    }
    const path_setup p = path_of(s);
    return path_passes(&p);
}

static void rows(void *state, const criterion_batch *b, float *out)
{
    const integral *i = state;
    const layers *l = &i->along_layers;
    if (i->along_input != NULL) {
        derived_rows(i->along_input, b, out);
        return;
    }
    const size_t stride = AGGREGATE_MOMENTS * l->graph->n_components;
    layer_path_run(l->path, b->images, b->target, stride, out);
    aggregate_rows(&l->aggregate, l->graph, l->batch, stride, out);
}

const criterion_def criterion_integrated_gradients = {
    .name = "integrated-gradients",
    .help = "derivatives of a class's logit by the component, along the way from the zero input to the image",
    .fields = fields,
    .n_fields = COUNT(fields),
    DERIVED_MEMBERS,
    .open = open_path,
    .bytes = bytes,
    .passes = passes,
    .rows = rows,
};
