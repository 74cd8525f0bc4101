#include "support/backends.h"
#include "support/golden.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "core/rng.h"
#include "nn/arch.h"
#include "nn/op.h"
#include "pruning/criterion.h"

enum { BATCH = 6, BOOKKEEPING = 256 << 10 };

/* A network with its six images, in one arena. */
typedef struct network {
    arena *a;
    golden *file;
    const graph *g;
    const float *images;
    size_t target[BATCH];
    uint64_t sample[BATCH];
} network;

static void open_network(const char *name, network *n)
{
    assert_ok(arena_open("criteria test", &n->a));
    n->file = golden_open(name);
    assert_ok(graph_build(n->a, golden_tensors(n->file), &n->g));
    n->images = golden_read(n->file, "inputs").f32;
    const golden_array target = golden_read(n->file, "targets");
    assert_int_equal(target.count, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        n->target[i] = (size_t)target.integer[i];
        n->sample[i] = i;
    }
}

static void close_network(network *n)
{
    golden_close(&n->file);
    arena_close(&n->a);
}

static double *doubles(arena *a, size_t n)
{
    double *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static void add_rows(const network *n, const criterion_setup *setup, const criterion_def *c, double *sums)
{
    const size_t row = criterion_row(c, setup);
    void *method = NULL;
    size_t before = arena_bytes(n->a), expected = 0;
    assert_ok(c->bytes(setup, &expected));
    assert_ok(c->open(n->a, setup, &method));
    const size_t taken = arena_bytes(n->a) - before;
    assert_true(expected <= taken && taken <= expected + BOOKKEEPING); /* beside the arrays: steps, blocks, the composite */
    float *rows = arena_alloc(n->a, BATCH * row, sizeof *rows);
    assert_non_null(rows);
    memset(rows, 0xff, BATCH * row * sizeof *rows); /* NaN: every element has to be written */
    c->rows(method, &(criterion_batch){n->images, n->target, n->sample}, rows);
    for (size_t i = 0; i < row; i++) {
        exact_sum sum = {0};
        for (size_t b = 0; b < BATCH; b++) {
            exact_sum_add(&sum, rows[b * row + i]);
        }
        sums[i] = exact_sum_value(&sum);
    }
}

static const double *score(const network *n, const criterion_def *c, const double parameters[], uint64_t seed)
{
    const criterion_setup setup = {
        .graph = n->g, .backend = test_backend(), .batch = BATCH, .parameters = parameters};
    double *out = doubles(n->a, n->g->n_components);
    for (size_t i = 0; i < n->g->n_components; i++) {
        out[i] = NAN;
    }
    if (!c->uses_samples) {
        assert_ok(c->scores(&setup, seed, out));
        return out;
    }
    double *sums = doubles(n->a, criterion_row(c, &setup));
    add_rows(n, &setup, c, sums);
    c->finish(&setup, BATCH, sums, out);
    return out;
}

static void check_fields(const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    assert_true(c->n_fields <= MAX_CRITERION_PARAMETERS);
    for (size_t i = 0; i < c->n_fields; i++) {
        const field *f = &c->fields[i];
        assert_true(f->name != NULL && f->help != NULL && f->min <= f->def && f->def <= f->max);
        assert_true(f->kind == FIELD_REAL || f->kind == FIELD_COUNT || f->kind == FIELD_BOOL ||
                    f->kind == FIELD_CHOICE);
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
        assert_true(c->open != NULL && c->bytes != NULL && c->rows != NULL && c->finish != NULL && c->n_moments > 0);
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
    const double *first = score(n, c, parameters, 3), *again = score(n, c, parameters, 3),
                 *other = score(n, c, parameters, 4);
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
        open_network(files[f], &n);
        for (size_t i = 0; i < criterion_count; i++) {
            double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
            check_contract(criterion_table[i]);
            check_fields(criterion_table[i], parameters);
            check_scores(&n, criterion_table[i], parameters);
        }
        close_network(&n);
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
    open_network("vgg_bn_tiny.h5", &n);
    const double *got = score(&n, criterion_find("magnitude"), NULL, 0);
    for (size_t l = 0; l < n.g->n_layers; l++) {
        const node *layer = &n.g->nodes[n.g->layers[l]];
        const golden_array w = golden_read(n.file, "folded/%s.weight", layer->name);
        const size_t row = w.count / layer->n_components;
        for (size_t c = 0; c < layer->n_components; c++) {
            assert_near(got[layer->first_component + c], block_l1(w.f32, row, c, 1, 0, row));
        }
    }
    close_network(&n);
}

static void magnitude_of_a_head_is_what_goes_with_it(void **state)
{
    (void)state;
    enum { E = 48, HEADS = 3, D = E / HEADS, BLOCKS = 3, HIDDEN = 96 };
    network n;
    open_network("vit_tiny.h5", &n);
    const double *got = score(&n, criterion_find("magnitude"), NULL, 0);
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
    close_network(&n);
}

static void random_is_a_function_of_seed_and_component(void **state)
{
    (void)state;
    network n;
    open_network("vgg_bn_tiny.h5", &n);
    const double *got = score(&n, criterion_find("random"), NULL, 77);
    for (size_t i = 0; i < n.g->n_components; i++) {
        assert_true(got[i] == rng_uniform(77, RNG_SCORES, 0, (uint32_t)i));
    }
    close_network(&n);
}

static void lrp_listens_to_epsilon(void **state)
{
    (void)state;
    network n;
    open_network("vgg_bn_tiny.h5", &n);
    const double small[MAX_CRITERION_PARAMETERS] = {1e-6}, large[MAX_CRITERION_PARAMETERS] = {1.0};
    assert_string_equal(criterion_find("lrp")->fields[0].name, "epsilon");
    const double *a = score(&n, criterion_find("lrp"), small, 0), *b = score(&n, criterion_find("lrp"), large, 0);
    double sum_a = 0.0, sum_b = 0.0;
    for (size_t i = 0; i < n.g->n_components; i++) {
        sum_a += a[i];
        sum_b += b[i];
    }
    assert_true(sum_b < sum_a); /* a large stabiliser absorbs relevance */
    close_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_criterion_keeps_the_laws),
        cmocka_unit_test(magnitude_of_a_filter_is_its_folded_l1),
        cmocka_unit_test(magnitude_of_a_head_is_what_goes_with_it),
        cmocka_unit_test(random_is_a_function_of_seed_and_component),
        cmocka_unit_test(lrp_listens_to_epsilon),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
