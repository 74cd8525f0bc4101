/* Criteria that are not LRP against the golden gradient methods of the five networks, every one that the files have: values per sample and
 * component.
 *
 * The transformer, whose derivatives are smooth, directly. Convolutional networks in two steps, since their derivatives jump where ReLUs open
 * and close (support/gradient_twin.h): a float64 twin against the golden values of every sample, and the float32 program against the twin of
 * every sample, with ReLUs and windows as the program has them. The twin shows that those which it has otherwise are where float32 cannot tell; and
 * every value has to be golden directly but those of which the twin says that it is these that make the difference. */
#include "support/backends.h"
#include "support/gradient_twin.h"
#include "support/parameters.h"

#include "pruning/aggregate.h"

enum { BATCH = NETWORK_BATCH };

static const char *const cnns[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                   "resnet_bottleneck_tiny.h5"};
static const char *const vit = "vit_tiny.h5";

/* A stored method: which criterion it is, with which parameters. Transformers have two sums of each, <name>_abs_token_sum and
 * <name>_signed_token_sum; NULL: it is not stored for them. */
typedef struct method {
    const char *of_cnn, *of_vit, *criterion, *parameters;
    twin_method twin;
} method;

static const method methods[] = {
    {"ig_reference", "ig_reference", "integrated-gradients", "form=latent steps=20", TWIN_LATENT},
    {"conductance_right20", "conductance_right20", "integrated-gradients", "form=conductance steps=20 points=right",
     TWIN_CONDUCTANCE_RIGHT},
    {"conductance_left20", "conductance_left20", "integrated-gradients", "form=conductance steps=20 points=left",
     TWIN_CONDUCTANCE_LEFT},
    {"layer_ig_right20", "layer_ig_right20", "integrated-gradients", "form=layer steps=20 points=right",
     TWIN_LAYER_RIGHT},
    {"grad_x_act", "grad_x_act", "gradient-activation", "", TWIN_GRADIENT_ACTIVATION},
    {"gradient", "gradient", "gradient", "", TWIN_GRADIENT},
    {"gradient", "gradient", "smoothgrad", "deviation=0 draws=4", TWIN_GRADIENT},
    {"grad_x_act", "grad_x_act", "smoothgrad", "deviation=0 draws=4 activation=true", TWIN_GRADIENT_ACTIVATION},
    {"grad_x_act", "grad_x_act", "taylor", "absolute=token initial=one", TWIN_GRADIENT_ACTIVATION},
    {"activation_sum", "activation", "activation", "statistic=sum values=raw heads=attention", TWIN_ACTIVATION},
    {"activation_relu_sum", NULL, "activation", "statistic=sum values=relu", TWIN_ACTIVATION_RELU},
};

/* And norms of weights. Of heads none is stored: a head has no weight of its own but rows and columns of four, and how their norms are made one
 * is ours to say (docs/criteria.md), and tests/unit/test_criteria.c has it. */
static const struct {
    const char *stored, *parameters;
    bool of_cnn;
} norms[] = {
    {"weight_l1_folded", "norm=l1", true},
    {"weight_l2_folded", "norm=l2", true},
    {"weight_l1", "norm=l1", false},
    {"weight_l2", "norm=l2", false},
};

/* Of the tensor's largest value; README.md. */
static const double tolerance = 2e-5, twin_tolerance = 1e-9;
/* An element in which float32 is on the other side of a jump may be this far from it, in units of its own rounding. */
static const double furthest = 1.0;

/* Values [BATCH, components], samples `stride` apart. */
typedef struct values {
    const char *what;
    const float *f32; /* or */
    const double *f64;
    size_t stride;
} values;

static double value_at(const values *v, size_t b, size_t c)
{
    return v->f32 != NULL ? (double)v->f32[b * v->stride + c] : v->f64[b * v->stride + c];
}

static values behind(values v, size_t n)
{
    v.f32 = v.f32 == NULL ? NULL : v.f32 + n;
    v.f64 = v.f64 == NULL ? NULL : v.f64 + n;
    return v;
}

static double largest(size_t components, const values *v)
{
    double most = 0.0;
    for (size_t i = 0; i < BATCH * components; i++) {
        most = fmax(most, fabs(value_at(v, i / components, i % components)));
    }
    assert_true(most > 0.0);
    return most;
}

/* Of one tensor, relative to its largest value; returns the worst. but_for [2] or NULL: elements in which these two differ by more than half of what
 * is allowed (the other half is for rounding) are not compared, and counted. */
static double compare(const char *where, size_t components, const values *got, const values *expected, double allowed,
                      const values *but_for, size_t *left_out)
{
    const double scale = largest(components, expected);
    double worst = 0.0;
    for (size_t i = 0; i < BATCH * components; i++) {
        const size_t b = i / components, c = i % components;
        const double off = fabs(value_at(got, b, c) - value_at(expected, b, c)) / scale;
        const double sides = but_for == NULL ? 0.0 : value_at(&but_for[0], b, c) - value_at(&but_for[1], b, c);
        if (fabs(sides) > allowed / 2.0 * scale) {
            ++*left_out;
            continue;
        }
        worst = worst_of(worst, off);
        if (!(off <= allowed)) {
            fail_msg("%s: %s of sample %zu, component %zu is off from %s by %.3g of the largest value, %.3g is allowed",
                     where, got->what, b, c, expected->what, off, allowed);
        }
    }
    return worst;
}

static values stored_values(const network *n, const char *data_set, const node *layer)
{
    const golden_array stored = golden_read(n->file, "gradient_methods/%s/%s", data_set, layer->name);
    assert_int_equal(stored.count, BATCH * layer->n_components);
    return (values){.what = "the golden value", .f64 = stored.real, .stride = layer->n_components};
}

static values rows_of(const network *n, const method *m)
{
    double parameters[MAX_CRITERION_PARAMETERS];
    values v = {.what = "the program"};
    const criterion_def *c = criterion_find(m->criterion);
    parameters_read(c, m->parameters, parameters);
    v.f32 = network_rows(n, c, parameters, &v.stride);
    return v;
}

/* ---- convolutional networks ---- */

/* Worst of: the twin against the golden values, the program against the twin, the program against the golden values. */
typedef struct verdict {
    double twin, program, direct;
    size_t left_out; /* of the last: values in which the two sides of a jump differ */
} verdict;

static verdict check_filters(const network *n, const method *m, const twin_values *twin)
{
    const values rows = rows_of(n, m);
    verdict v = {0};
    for (size_t l = 0; l < n->g->n_layers; l++) {
        const node *layer = &n->g->nodes[n->g->layers[l]];
        const size_t count = layer->n_components, first = layer->first_component, all = n->g->n_components;
        const char *where =
            arena_text(n->work, "%s, %s by %s (%s), %s", n->name, m->of_cnn, m->criterion, m->parameters, layer->name);
        const values stored = stored_values(n, m->of_cnn, layer);
        const values got = behind(rows, AGGREGATE_SIGNED * all + first);
        const values sides[] = {{.what = "the twin", .f64 = twin->own + first, .stride = all},
                                {.what = "the twin as float32", .f64 = twin->as_float + first, .stride = all}};
        v.twin = fmax(v.twin, compare(where, count, &sides[0], &stored, twin_tolerance, NULL, NULL));
        v.program = fmax(v.program, compare(where, count, &got, &sides[1], tolerance, NULL, NULL));
        v.direct = fmax(v.direct, compare(where, count, &got, &stored, tolerance, sides, &v.left_out));
    }
    return v;
}

static void check_network(const char *name)
{
    network n, work;
    gradient_twin twin;
    network_open(name, &n);
    gradient_twin_run(&n, &twin);
    work = n;
    assert_ok(arena_open("rows of a method", &work.work));
    for (size_t i = 0; i < COUNT(methods); i++) {
        const twin_values *t = &twin.of[methods[i].twin];
        const verdict v = check_filters(&work, &methods[i], t);
        size_t jumps = 0;
        for (size_t b = 0; b < BATCH; b++) {
            jumps += t->jumps[b];
        }
        print_message("%-26s %-20s %-20s twin %.1e, program %.1e; directly %.1e but for %zu values; %zu jumps\n", name,
                      methods[i].of_cnn, methods[i].criterion, v.twin, v.program, v.direct, v.left_out, jumps);
        assert_true(v.left_out == 0 || jumps > 0);
        network_forget(&work);
    }
    print_message("%-26s float32 is on the other side of jumps at most %.2g of an element's rounding away\n", name,
                  twin.furthest);
    assert_true(twin.furthest <= furthest);
    arena_close(&work.work);
    network_close(&n);
}

static void convolutional_networks_are_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cnns); i++) {
        check_network(cnns[i]);
    }
}

/* ---- the transformer ---- */

static void check_tokens(const network *n, const method *m)
{
    const values rows = rows_of(n, m);
    double worst = 0.0;
    for (size_t l = 0; l < n->g->n_layers; l++) {
        static const struct {
            const char *suffix;
            size_t moment;
        } sums[] = {{"abs", AGGREGATE_ABSOLUTE}, {"signed", AGGREGATE_SIGNED}};
        const node *layer = &n->g->nodes[n->g->layers[l]];
        for (size_t i = 0; i < COUNT(sums); i++) {
            const char *set = arena_text(n->work, "%s_%s_token_sum", m->of_vit, sums[i].suffix);
            const char *where =
                arena_text(n->work, "%s, %s by %s (%s), %s", n->name, set, m->criterion, m->parameters, layer->name);
            const values stored = stored_values(n, set, layer);
            const values got = behind(rows, sums[i].moment * n->g->n_components + layer->first_component);
            worst = worst_of(worst, compare(where, layer->n_components, &got, &stored, tolerance, NULL, NULL));
        }
    }
    print_message("%-26s %-20s %s: %.1e\n", n->name, m->of_vit, m->criterion, worst);
}

static void the_transformer_is_golden(void **state)
{
    (void)state;
    network n;
    network_open(vit, &n);
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (methods[i].of_vit != NULL) {
            check_tokens(&n, &methods[i]);
            network_forget(&n);
        }
    }
    network_close(&n);
}

/* ---- norms ---- */

/* Returns how many layers are stored. */
static size_t check_norms(const network *n, const char *stored, const char *parameters_text)
{
    double parameters[MAX_CRITERION_PARAMETERS];
    const criterion_def *c = criterion_find("magnitude");
    size_t compared = 0;
    parameters_read(c, parameters_text, parameters);
    const criterion_setup setup = network_setup(n, parameters);
    double *score = arena_alloc(n->a, n->g->n_components, sizeof *score);
    assert_non_null(score);
    assert_ok(c->scores(&setup, 0, score));
    for (size_t l = 0; l < n->g->n_layers; l++) {
        const node *layer = &n->g->nodes[n->g->layers[l]];
        if (layer->components == COMPONENT_HEAD) {
            assert_false(golden_has(n->file, "gradient_methods/%s/%s", stored, layer->name));
            continue;
        }
        const golden_array expected = golden_read(n->file, "gradient_methods/%s/%s", stored, layer->name);
        assert_int_equal(expected.count, layer->n_components);
        for (size_t k = 0; k < layer->n_components; k++) {
            assert_true(fabs(score[layer->first_component + k] - expected.real[k]) <= 1e-6 * expected.real[k]);
        }
        compared++;
    }
    return compared;
}

static void norms_of_weights_are_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(norms); i++) {
        for (size_t k = 0; k < (norms[i].of_cnn ? COUNT(cnns) : 1); k++) {
            network n;
            const char *const *layers;
            network_open(norms[i].of_cnn ? cnns[k] : vit, &n);
            const size_t stored =
                golden_members(n.file, arena_text(n.a, "gradient_methods/%s", norms[i].stored), &layers);
            assert_int_equal(check_norms(&n, norms[i].stored, norms[i].parameters), stored);
            network_close(&n);
        }
    }
}

/* ---- none is left out ---- */

static bool is_compared(const char *stored, bool of_vit)
{
    for (size_t i = 0; i < COUNT(norms); i++) {
        if (norms[i].of_cnn == !of_vit && strcmp(stored, norms[i].stored) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(methods); i++) {
        const char *name = of_vit ? methods[i].of_vit : methods[i].of_cnn;
        const size_t length = name == NULL ? 0 : strlen(name);
        if (name != NULL && strncmp(stored, name, length) == 0 &&
            (of_vit
                 ? strcmp(stored + length, "_abs_token_sum") == 0 || strcmp(stored + length, "_signed_token_sum") == 0
                 : stored[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Every stored method, with as many layers as the network has components in. */
static void no_method_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i <= COUNT(cnns); i++) {
        const bool of_vit = i == COUNT(cnns);
        const char *name = of_vit ? vit : cnns[i];
        network n;
        const char *const *stored, *const *layers;
        network_open(name, &n);
        golden *full = golden_open_full(name);
        golden *file = full != NULL ? full : n.file;
        const size_t count = golden_members(file, "gradient_methods", &stored);
        assert_true(count >= 10);
        for (size_t k = 0; k < count; k++) {
            const char *group = arena_text(n.a, "gradient_methods/%s", stored[k]);
            if (!is_compared(stored[k], of_vit)) {
                fail_msg("%s: %s is compared with nothing", name, stored[k]);
            }
            if (strncmp(stored[k], "weight_", strlen("weight_")) != 0) {
                assert_int_equal(golden_members(file, group, &layers), n.g->n_layers);
            }
        }
        golden_close(&full);
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_method_is_left_out),
        cmocka_unit_test(convolutional_networks_are_golden),
        cmocka_unit_test(the_transformer_is_golden),
        cmocka_unit_test(norms_of_weights_are_golden),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
