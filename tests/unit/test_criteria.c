/* Every criterion: its contract, and what it scores on three networks. */
#include "support/network.h"
#include "support/parameters.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/op.h"

static void check_fields(const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    assert_true(c->n_fields <= MAX_CRITERION_PARAMETERS);
    for (size_t i = 0; i < c->n_fields; i++) {
        const field *f = &c->fields[i];
        assert_true(f->name != NULL && f->help != NULL);
        assert_true(f->kind == FIELD_REAL || f->kind == FIELD_COUNT || f->kind == FIELD_BOOL ||
                    f->kind == FIELD_CHOICE);
        size_t choices = 0;
        while (f->kind == FIELD_CHOICE && f->choices[choices] != NULL) {
            choices++;
        }
        assert_true(f->min <= f->def && f->def <= (f->kind == FIELD_CHOICE ? (double)choices - 1.0 : f->max));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(f->name, c->fields[k].name);
        }
        parameters[i] = f->def;
    }
}

static void check_contract(const criterion_def *c)
{
    assert_ptr_equal(criterion_find(c->name), c);
    assert_non_null(c->help);
    if (c->uses_samples) {
        assert_true(c->open != NULL && c->bytes != NULL && c->rows != NULL && c->finish != NULL);
        assert_true(c->n_moments > 0 || c->n_extra != NULL);
        for (size_t m = 0; m < c->n_moments; m++) {
            assert_non_null(c->moments[m]);
        }
    } else {
        assert_non_null(c->scores);
    }
}

static void check_scores(const network *n, const criterion_def *c, const double parameters[])
{
    const size_t bytes = n->g->n_components * sizeof(double);
    const double *first = network_score(n, c, parameters, 3), *again = network_score(n, c, parameters, 3),
                 *other = network_score(n, c, parameters, 4);
    double lowest = INFINITY, highest = -INFINITY;
    for (size_t i = 0; i < n->g->n_components; i++) {
        assert_true(isfinite(first[i]));
        lowest = fmin(lowest, first[i]);
        highest = fmax(highest, first[i]);
    }
    assert_true(lowest < highest);
    assert_memory_equal(first, again, bytes);
    assert_int_equal(memcmp(first, other, bytes) != 0, c->uses_seed);
}

static void every_criterion_keeps_the_laws(void **state)
{
    (void)state;
    const char *const files[] = {"vgg_bn_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
    assert_true(criterion_count >= 3);
    assert_null(criterion_find("no such criterion"));
    for (size_t f = 0; f < COUNT(files); f++) {
        network n;
        network_open(files[f], &n);
        for (size_t i = 0; i < criterion_count; i++) {
            double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
            check_contract(criterion_table[i]);
            check_fields(criterion_table[i], parameters);
            if (status_ok(criterion_check(criterion_table[i], &(criterion_setup){.graph = n.g}))) {
                check_scores(&n, criterion_table[i], parameters);
            } else {
                assert_string_equal(criterion_table[i]->name, "bn-scale");
                assert_string_equal(files[f], "vit_tiny.h5");
                status_clear();
            }
        }
        network_close(&n);
    }
}

static void assert_near(double got, double expected)
{
    assert_true(expected != 0.0 && fabs(got - expected) <= 1e-6 * fabs(expected));
}

/* rows [first, first + n) and columns [column, column + width) of w [., pitch] */
static double block_l1(const float *w, size_t pitch, size_t first, size_t n, size_t column, size_t width)
{
    double sum = 0.0;
    for (size_t r = first; r < first + n; r++) {
        for (size_t c = column; c < column + width; c++) {
            sum += fabs((double)w[r * pitch + c]);
        }
    }
    return sum;
}

static void magnitude_of_a_filter_is_its_folded_l1(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    const double l1 = 0.0, *got = network_score(&n, criterion_find("magnitude"), &l1, 0);
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        const golden_array w = golden_read(n.file, "folded/%s.weight", layer->name);
        const size_t row = w.count / layer->n_components;
        for (size_t c = 0; c < layer->n_components; c++) {
            assert_near(got[layer->first_component + c], block_l1(w.f32, row, c, 1, 0, row));
        }
    }
    network_close(&n);
}

static void magnitude_of_a_head_is_what_goes_with_it(void **state)
{
    (void)state;
    enum { E = 48, HEADS = 3, D = E / HEADS, BLOCKS = 3, HIDDEN = 96 };
    network n;
    network_open("vit_tiny.h5", &n);
    const double l1 = 0.0, *got = network_score(&n, criterion_find("magnitude"), &l1, 0);
    size_t heads_seen = 0, neurons_seen = 0;
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        const double *s = got + layer->first_component;
        if (layer->components == COMPONENT_NEURON) {
            const golden_array w = golden_read(n.file, "weights/%s.weight", layer->name);
            assert_near(s[5], block_l1(w.f32, w.dim[1], 5, 1, 0, w.dim[1]));
            neurons_seen++;
            continue;
        }
        const size_t block = heads_seen / HEADS;
        const golden_array in =
            golden_read(n.file, "weights/encoder.layers.encoder_layer_%zu.self_attention.in_proj_weight", block);
        const golden_array out =
            golden_read(n.file, "weights/encoder.layers.encoder_layer_%zu.self_attention.out_proj.weight", block);
        for (size_t h = 0; h < HEADS; h++, heads_seen++) {
            double expected = block_l1(out.f32, E, 0, E, h * D, D);
            for (size_t part = 0; part < 3; part++) {
                expected += block_l1(in.f32, E, part * E + h * D, D, 0, E);
            }
            assert_near(s[h], expected);
        }
    }
    assert_int_equal(heads_seen, BLOCKS * HEADS);
    assert_int_equal(neurons_seen, 2 * BLOCKS);
    network_close(&n);
}

/* The same blocks of weights, root of the sum of squares. */
static double block_l2(const float *w, size_t pitch, size_t first, size_t n, size_t column, size_t width)
{
    double sum = 0.0;
    for (size_t r = first; r < first + n; r++) {
        for (size_t c = column; c < column + width; c++) {
            sum += (double)w[r * pitch + c] * (double)w[r * pitch + c];
        }
    }
    return sum;
}

static void magnitude_has_an_l2_norm(void **state)
{
    (void)state;
    enum { E = 48, HEADS = 3, D = E / HEADS };
    network n;
    double parameters[MAX_CRITERION_PARAMETERS];
    network_open("vit_tiny.h5", &n);
    parameters_read(criterion_find("magnitude"), "norm=l2", parameters);
    const double *got = network_score(&n, criterion_find("magnitude"), parameters, 0);
    const char *prefix = "weights/encoder.layers.encoder_layer_0.self_attention";
    const golden_array in = golden_read(n.file, "%s.in_proj_weight", prefix), out = golden_read(n.file, "%s.out_proj.weight", prefix);
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        for (size_t h = 0; h < HEADS && layer->components == COMPONENT_HEAD && strstr(layer->name, "encoder_layer_0.") != NULL; h++) {
            double expected = block_l2(out.f32, E, 0, E, h * D, D);
            for (size_t part = 0; part < 3; part++) {
                expected += block_l2(in.f32, E, part * E + h * D, D, 0, E);
            }
            assert_near(got[layer->first_component + h], sqrt(expected));
        }
    }
    network_close(&n);
}

static void the_scale_of_a_batch_norm_is_the_trained_one(void **state)
{
    (void)state;
    network n;
    const criterion_def *c = criterion_find("bn-scale");
    network_open("resnet_bottleneck_tiny.h5", &n);
    const double *got = network_score(&n, c, NULL, 0);
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        char norm[96]; /* conv1 -> bn1, layer2.0.conv3 -> layer2.0.bn3, layer1.0.downsample.0 -> layer1.0.downsample.1 */
        (void)snprintf(norm, sizeof norm, "%s", layer->name);
        char *conv = strstr(norm, "conv"), number = norm[strlen(norm) - 1];
        (void)snprintf(conv != NULL ? conv : norm + strlen(norm) - 1, 8, conv != NULL ? "bn%c" : "1", number);
        const golden_array gamma = golden_read(n.file, "weights/%s.weight", norm);
        assert_int_equal(gamma.count, layer->n_components);
        for (size_t k = 0; k < gamma.count; k++) {
            assert_true(got[layer->first_component + k] == fabs((double)gamma.f32[k]));
        }
    }
    network_close(&n);
    network_open("vgg_tiny.h5", &n);
    const criterion_setup setup = network_setup(&n, NULL);
    assert_fails(criterion_check(c, &setup), ST_CONFIG, "bn-scale", "'features.0'", "vgg", "none", "magnitude", NULL);
    network_close(&n);
}

static void random_is_a_function_of_seed_and_component(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    const double *got = network_score(&n, criterion_find("random"), NULL, 77);
    for (size_t i = 0; i < n.g->n_components; i++) {
        assert_true(got[i] == rng_uniform(77, RNG_SCORES, 0, (uint32_t)i));
    }
    network_close(&n);
}

static void lrp_listens_to_epsilon(void **state)
{
    (void)state;
    network n;
    network_open("vgg_bn_tiny.h5", &n);
    const double small[MAX_CRITERION_PARAMETERS] = {1e-6}, large[MAX_CRITERION_PARAMETERS] = {1.0};
    assert_string_equal(criterion_find("lrp")->fields[0].name, "epsilon");
    const double *a = network_score(&n, criterion_find("lrp"), small, 0), *b = network_score(&n, criterion_find("lrp"), large, 0);
    double sum_a = 0.0, sum_b = 0.0;
    for (size_t i = 0; i < n.g->n_components; i++) {
        sum_a += a[i];
        sum_b += b[i];
    }
    assert_true(sum_b < sum_a); /* a large stabiliser absorbs relevance */
    network_close(&n);
}

/* On networks of ReLU, pools and sums LRP-0 that starts with the logit is a dy/da, with biases too (docs/attribution.md, section l). */
static void lrp_without_stabiliser_is_activation_times_derivative(void **state)
{
    (void)state;
    const char *const files[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5"};
    const criterion_def *lrp = criterion_find("lrp"), *derived = criterion_find("gradient-activation");
    for (size_t f = 0; f < COUNT(files); f++) {
        network n;
        double of_lrp[MAX_CRITERION_PARAMETERS], of_derived[MAX_CRITERION_PARAMETERS], largest = 0.0;
        network_open(files[f], &n);
        parameters_default(lrp, of_lrp);
        parameters_set(lrp, "epsilon", "0", of_lrp);
        parameters_set(lrp, "initial", "logit", of_lrp);
        parameters_default(derived, of_derived);
        const double *relevance = network_score(&n, lrp, of_lrp, 0), *expected = network_score(&n, derived, of_derived, 0);
        for (size_t i = 0; i < n.g->n_components; i++) {
            largest = fmax(largest, fabs(expected[i]));
        }
        for (size_t i = 0; i < n.g->n_components; i++) {
            if (!(fabs(relevance[i] - expected[i]) <= 1e-4 * largest)) {
                fail_msg("%s: component %zu has the relevance %g, activation times derivative is %g", files[f], i, relevance[i],
                         expected[i]);
            }
        }
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_criterion_keeps_the_laws),
        cmocka_unit_test(lrp_without_stabiliser_is_activation_times_derivative),
        cmocka_unit_test(magnitude_of_a_filter_is_its_folded_l1),
        cmocka_unit_test(magnitude_of_a_head_is_what_goes_with_it),
        cmocka_unit_test(magnitude_has_an_l2_norm),
        cmocka_unit_test(the_scale_of_a_batch_norm_is_the_trained_one),
        cmocka_unit_test(random_is_a_function_of_seed_and_component),
        cmocka_unit_test(lrp_listens_to_epsilon),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
