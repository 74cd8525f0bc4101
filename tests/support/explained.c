#include "support/explained.h"

#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "io/config.h"
#include "nn/arch.h"

const char *const golden_cnns[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", NULL};
const char *const golden_vit = "vit_tiny.h5";

const golden_composite cnn_composites[] = {
    {"eps", {"composite=epsilon"}},
    {"zplus", {"composite=z-plus"}},
    {"alpha2beta1", {"composite=alpha2-beta1"}},
    {"gamma025", {"composite={preset: gamma, gamma: 0.25}"}},
    {"mixed", {"composite={preset: four-groups, low: gamma, mid: alpha-beta, high: z-plus, fc: epsilon}"}},
    {"eps_zplus", {"composite=epsilon-plus"}},
    {"epsplus_flat", {"composite=epsilon-plus-flat"}},
    {"epsgamma_box", {"composite={preset: epsilon-gamma-box, low: -3, high: 3, units: input}"}},
    {"eps_wsquare", {"composite=[{place: first, rule: w-square}, {rule: epsilon}]"}},
    {NULL, {NULL}},
};

/* Presets reach conv_proj too, of which components see nothing; the golden heatmaps are with epsilon there. */
#define WITH_EPSILON_BELOW(rule) "composite=[{match: conv_proj, rule: epsilon}, {rule: " rule "}]"
#define MIXED(high) "composite={preset: four-groups, low: gamma, mid: z-plus, high: " high ", fc: epsilon}"
const golden_composite vit_composites[] = {
    {"eps_softmax_Epsilon", {"composite=epsilon", "softmax=epsilon"}},
    {"eps_softmax_CP", {"composite=epsilon", "softmax=cp"}},
    {"eps_softmax_ZPlus_vbias_F", {"composite=epsilon", "softmax=z-plus"}},
    {"eps_softmax_ZPlus_vbias_T", {"composite=epsilon", "softmax=z-plus-bias"}},
    {"zplus_softmax_Epsilon", {WITH_EPSILON_BELOW("z-plus"), "softmax=epsilon", "proj_bias=reference"}},
    {"zplus_softmax_Epsilon_projbias_corrected", {WITH_EPSILON_BELOW("z-plus"), "softmax=epsilon"}},
    {"zplus_softmax_CP", {WITH_EPSILON_BELOW("z-plus"), "softmax=cp", "proj_bias=reference"}},
    {"zplus_softmax_CP_projbias_corrected", {WITH_EPSILON_BELOW("z-plus"), "softmax=cp"}},
    {"alpha2beta1_softmax_CP", {WITH_EPSILON_BELOW("alpha-beta"), "softmax=cp", "proj_bias=reference"}},
    {"alpha2beta1_softmax_CP_projbias_corrected", {WITH_EPSILON_BELOW("alpha-beta"), "softmax=cp"}},
    {"gamma025_softmax_Epsilon", {WITH_EPSILON_BELOW("gamma"), "softmax=epsilon", "proj_bias=reference"}},
    {"gamma025_softmax_Epsilon_projbias_corrected", {WITH_EPSILON_BELOW("gamma"), "softmax=epsilon"}},
    {"gamma025_softmax_CP", {WITH_EPSILON_BELOW("gamma"), "softmax=cp", "proj_bias=reference"}},
    {"gamma025_softmax_CP_projbias_corrected", {WITH_EPSILON_BELOW("gamma"), "softmax=cp"}},
    {"mixed_softmax_Epsilon", {MIXED("alpha-beta"), "softmax=epsilon", "proj_bias=reference"}},
    {"mixed_softmax_Epsilon_projbias_corrected", {MIXED("alpha-beta"), "softmax=epsilon"}},
    {"mixed_softmax_ZPlus_vbias_T", {MIXED("epsilon"), "softmax=z-plus-bias", "proj_bias=reference"}},
    {"mixed_softmax_ZPlus_vbias_T_projbias_corrected", {MIXED("epsilon"), "softmax=z-plus-bias"}},
    {NULL, {NULL}},
};

/* What a criterion with these keys gets from its method. */
static const composite *stated(arena *a, const char *const sets[])
{
    config_criterion *c = arena_alloc(a, 1, sizeof *c);
    const composite *out;
    size_t n = 0;
    while (sets[n] != NULL) {
        n++;
    }
    assert_non_null(c);
    assert_ok(config_criterion_parse(a, "lrp", n, sets, c));
    const criterion_setup setup = {.parameters = c->parameters, .composite = c->composite};
    assert_ok(c->method->composite(a, &setup, &out));
    return out;
}

float *explained_floats(const explained *e, size_t n)
{
    float *x = arena_alloc(e->a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

double *explained_doubles(const explained *e, size_t n)
{
    double *x = arena_alloc(e->a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static golden *open_fullest(const char *network, bool *full)
{
    golden *file = golden_open_full(network);
    *full = file != NULL;
    return file != NULL ? file : golden_open(network);
}

bool golden_has_heatmap(const char *network, const golden_composite *c)
{
    bool full;
    golden *file = open_fullest(network, &full);
    const bool has = golden_has(file, "composites/%s/heatmap", c->name) || golden_has(file, "composites/%s/heatmap_conv_proj_eps", c->name);
    golden_close(&file);
    return has;
}

void explain(const char *network, const golden_composite *c, bool to_input, explained *e)
{
    *e = (explained){.network = network};
    (void)snprintf(e->group, sizeof e->group, "composites/%s", c->name);
    assert_ok(arena_open("golden test", &e->a));
    e->file = open_fullest(network, &e->full);
    assert_ok(graph_build(e->a, golden_tensors(e->file), &e->g));
    e->images = golden_read(e->file, "inputs").f32;
    const golden_array target = golden_read(e->file, "targets");
    assert_int_equal(target.count, EXPLAINED);
    for (size_t b = 0; b < EXPLAINED; b++) {
        e->target[b] = (size_t)target.integer[b];
    }
    e->row = WALK_MOMENTS * e->g->n_components;
    e->rows = explained_floats(e, EXPLAINED * e->row);
    e->tolerance = fmax(2e-5, 10.0 * golden_number(e->file, e->group, "float32_max_rel_dev"));
    assert_true(e->tolerance < 3e-4);
    e->composite = stated(e->a, c->sets);
    assert_ok(walk_build_with(e->a, e->g, e->composite, test_backend(), EXPLAINED,
                              &(walk_options){.keep = true, .to_input = to_input}, &e->w));
    walk_run(e->w, e->images, e->target, e->rows);
}

void explained_close(explained *e)
{
    golden_close(&e->file);
    arena_close(&e->a);
}

double largest_of(size_t n, const double x[])
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(x[i]));
    }
    assert_true(most > 0.0);
    return most;
}

void assert_relevance(const explained *e, const char *what, const char *layer, size_t n, const double got[],
                      const double expected[])
{
    const double scale = largest_of(n, expected);
    double worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs(got[i] - expected[i]) / scale;
        worst = worst_of(worst, off);
    }
    if (!(worst <= e->tolerance)) {
        fail_msg("%s, %s, %s of %s: off by %.3g of the largest value, %.3g is allowed", e->network, e->group, what, layer, worst,
                 e->tolerance);
    }
}

const double *explained_moment(const explained *e, const node *layer, size_t which)
{
    double *out = explained_doubles(e, EXPLAINED * layer->n_components);
    for (size_t b = 0; b < EXPLAINED; b++) {
        for (size_t c = 0; c < layer->n_components; c++) {
            out[b * layer->n_components + c] =
                (double)e->rows[b * e->row + which * e->g->n_components + layer->first_component + c];
        }
    }
    return out;
}

const double *explained_scores(const explained *e)
{
    double *out = explained_doubles(e, e->g->n_components);
    for (size_t i = 0; i < e->g->n_components; i++) {
        exact_sum sum = {0};
        for (size_t b = 0; b < EXPLAINED; b++) {
            exact_sum_add(&sum, e->rows[b * e->row + WALK_ABSOLUTE * e->g->n_components + i]);
        }
        out[i] = exact_sum_value(&sum);
    }
    return out;
}

node_id explained_node(const explained *e, const char *name)
{
    for (node_id id = 0; id < e->g->n_nodes; id++) {
        if (strcmp(e->g->nodes[id].name, name) == 0) {
            return id;
        }
    }
    fail_msg("%s: no node '%s'", e->network, name);
    return 0;
}

void assert_relevance_at(const explained *e, const char *node_name, const char *data_set, size_t n_samples,
                         const size_t sample[])
{
    const golden_array expected = golden_read(e->file, "%s/%s", e->group, data_set);
    const node_id id = explained_node(e, node_name);
    const size_t each = shape_count(e->g->nodes[id].out);
    float *r = explained_floats(e, EXPLAINED * each);
    double *got = explained_doubles(e, expected.count);
    assert_true(walk_read_relevance(e->w, id, r));
    assert_int_equal(expected.count, n_samples * each);
    for (size_t k = 0; k < n_samples; k++) {
        for (size_t i = 0; i < each; i++) {
            got[k * each + i] = (double)r[sample[k] * each + i];
        }
    }
    assert_relevance(e, data_set, node_name, expected.count, got, expected.real);
}

size_t explained_layers(const explained *e, component_kind kind, const char *attribute, const node *layers[MOST_LAYERS])
{
    const char *const *names;
    const size_t n = golden_lines(e->file, "/", attribute, &names);
    size_t found = 0;
    for (size_t l = 0; l < e->g->n_layers; l++) {
        const node *layer = &e->g->nodes[e->g->layers[l]];
        if (layer->components == kind) {
            assert_true(found < n && found < MOST_LAYERS);
            assert_string_equal(layer->name, names[found]);
            layers[found++] = layer;
        }
    }
    assert_int_equal(found, n);
    return n;
}
