/* Laws of every criterion that explains samples, with every choice of every parameter. */
#include "support/network.h"
#include "support/parameters.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/passes/needed_rows.h"
#include "pruning/aggregate.h"

enum { BATCH = NETWORK_BATCH };

static const char *const files[] = {"vgg_bn_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

/* Two steps, two draws: laws hold for any number of them. */
static void cheap(const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    parameters_default(c, parameters);
    for (size_t i = 0; i < c->n_fields; i++) {
        if (c->fields[i].kind == FIELD_COUNT && parameters[i] > 2.0) {
            parameters[i] = 2.0;
        }
    }
}

static size_t choices(const field *f)
{
    size_t n = f->kind == FIELD_BOOL ? 2 : 0;
    while (f->kind == FIELD_CHOICE && f->choices[n] != NULL) {
        n++;
    }
    return n;
}

/* Variant 0 has the defaults, the others one other choice each. False behind the last one. */
static bool variant(const criterion_def *c, size_t k, double parameters[MAX_CRITERION_PARAMETERS])
{
    cheap(c, parameters);
    for (size_t i = 0; k > 0 && i < c->n_fields; i++) {
        const field *f = &c->fields[i];
        const size_t n_choices = choices(f);
        for (size_t v = 0; v < n_choices && k > 0; v++) {
            if ((double)v != f->def && --k == 0) {
                parameters[i] = (double)v;
            }
        }
    }
    return k == 0;
}

/* Calls law() for every criterion of samples: the default on every network, the other variants on one of them each in turn. */
static void for_all(void (*law)(const network *n, const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS]))
{
    for (size_t f = 0; f < COUNT(files); f++) {
        network n;
        network_open(files[f], &n);
        for (size_t i = 0; i < criterion_count; i++) {
            double parameters[MAX_CRITERION_PARAMETERS];
            for (size_t k = 0; criterion_table[i]->uses_samples && variant(criterion_table[i], k, parameters); k++) {
                if (k == 0 || (k + i) % COUNT(files) == f) {
                    law(&n, criterion_table[i], parameters);
                    network_forget(&n);
                }
            }
        }
        network_close(&n);
    }
}

static bool chooses(const criterion_def *c, const double parameters[], const char *name, const char *choice)
{
    const size_t i = field_index(c->n_fields, c->fields, name);
    return i < c->n_fields && strcmp(c->fields[i].choices[(size_t)parameters[i]], choice) == 0;
}

/* Its rows are those of pruning/aggregate.h. */
static bool aggregates(const criterion_def *c)
{
    return parameters_have(c, "absolute") && c->n_moments >= AGGREGATE_MOMENTS &&
           strcmp(c->moments[AGGREGATE_SQUARE], "square") == 0;
}

/* Samples in other slots, each beside others, some of them noise: the same bits. */
static void depends_on_the_sample_alone(const network *n, const criterion_def *c,
                                        double parameters[MAX_CRITERION_PARAMETERS])
{
    const size_t pixels = shape_count(n->g->input);
    float *images = arena_alloc(n->work, BATCH * pixels, sizeof *images);
    size_t stride;
    network moved = *n;
    assert_non_null(images);
    const float *rows = network_rows(n, c, parameters, &stride);
    for (size_t shift = 1; shift < BATCH; shift += 3) {
        for (size_t b = 0; b < BATCH; b++) {
            const size_t slot = (b + shift) % BATCH;
            memcpy(images + slot * pixels, n->images + b * pixels, pixels * sizeof *images);
            moved.target[slot] = n->target[b];
            moved.sample[slot] = n->sample[b];
        }
        for (size_t i = 0; i < shift * pixels; i++) {
            images[i] = (float)rng_uniform(shift, RNG_TEST, 0, (uint32_t)i) - 0.5f;
        }
        moved.images = images;
        const float *other = network_rows(&moved, c, parameters, &stride);
        for (size_t slot = shift; slot < BATCH; slot++) {
            if (memcmp(other + slot * stride, rows + (slot - shift) * stride, stride * sizeof *rows) != 0) {
                fail_msg("%s on %s: sample %zu in slot %zu has other numbers", c->name, n->name, slot - shift, slot);
            }
        }
    }
}

static void rows_depend_on_the_sample_alone(void **state)
{
    (void)state;
    for_all(depends_on_the_sample_alone);
}

/* Between the moments of a sample, and of its score with the sums over samples. */
static void moments_belong_together(const network *n, const criterion_def *c,
                                    double parameters[MAX_CRITERION_PARAMETERS])
{
    size_t stride;
    if (!aggregates(c)) {
        return;
    }
    const size_t all = n->g->n_components;
    const bool token = chooses(c, parameters, "absolute", "token");
    const bool summed_absolute = token || chooses(c, parameters, "absolute", "sample");
    const float *rows = network_rows(n, c, parameters, &stride);
    const double *score = network_score(n, c, parameters, 0);
    for (size_t k = 0; k < all; k++) {
        double sum = 0.0;
        for (size_t b = 0; b < BATCH; b++) {
            const float *r = rows + b * stride + k, absolute = r[AGGREGATE_ABSOLUTE * all],
                        with_sign = r[AGGREGATE_SIGNED * all];
            assert_true(absolute >= fabsf(with_sign) * (1.0f - 1e-6f) && (token || absolute == fabsf(with_sign)));
            const float s = summed_absolute ? absolute : with_sign;
            assert_true(r[AGGREGATE_SQUARE * all] == s * s);
            sum += (double)s;
        }
        sum = chooses(c, parameters, "absolute", "sum") ? fabs(sum) : sum;
        if (!chooses(c, parameters, "statistic", "variance")) {
            assert_true(fabs(score[k] - sum) <= 1e-12 * fabs(sum) + 1e-30);
        }
    }
}

static void scores_are_sums_of_moments(void **state)
{
    (void)state;
    for_all(moments_belong_together);
}

/* Norm of the summands of one kind. */
static double norm(const network *n, component_kind kind, const char *which, const float *s)
{
    double sum = 0.0, square = 0.0, most = 0.0;
    for (size_t l = 0; l < n->g->n_layers; l++) {
        const node *layer = &n->g->nodes[n->g->layers[l]];
        for (size_t i = layer->first_component;
             layer->components == kind && i < layer->first_component + layer->n_components; i++) {
            sum += fabs((double)s[i]);
            square += (double)s[i] * (double)s[i];
            most = fmax(most, fabs((double)s[i]));
        }
    }
    return strcmp(which, "l1") == 0 ? sum : strcmp(which, "l2") == 0 ? sqrt(square) : most;
}

static void is_normalised(const network *n, const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    static const char *const norms[] = {"l1", "l2", "max"};
    if (!parameters_have(c, "normalise") || !chooses(c, parameters, "normalise", "none") ||
        chooses(c, parameters, "statistic", "variance")) {
        return;
    }
    const bool absolute = chooses(c, parameters, "absolute", "token") || chooses(c, parameters, "absolute", "sample");
    for (size_t k = 0; k < COUNT(norms); k++) {
        size_t stride;
        parameters_set(c, "normalise", norms[k], parameters);
        const float *rows = network_rows(n, c, parameters, &stride);
        for (size_t b = 0; b < BATCH; b++) {
            const float *s =
                rows + b * stride + (absolute ? AGGREGATE_ABSOLUTE : AGGREGATE_SIGNED) * n->g->n_components;
            for (component_kind kind = COMPONENT_FILTER; kind <= COMPONENT_HEAD; kind++) {
                const double found = norm(n, kind, norms[k], s);
                assert_true(found == 0.0 || fabs(found - 1.0) < 1e-5); /* 0: no such kind here */
            }
        }
    }
}

static void samples_are_normalised_when_asked(void **state)
{
    (void)state;
    for_all(is_normalised);
}

/* Rules and derivatives are linear in what a walk starts with, so `logit` is `one` times the logit. The tolerance is that of LRP-epsilon in
 * transformers (tests/golden/README.md), whose denominators amplify rounding. */
static void is_linear_in_the_start(const network *n, const criterion_def *c,
                                   double parameters[MAX_CRITERION_PARAMETERS])
{
    size_t stride;
    if (!parameters_have(c, "initial") || !chooses(c, parameters, "normalise", "none") ||
        c->fields[field_index(c->n_fields, c->fields, "initial")].def != parameters[field_index(c->n_fields, c->fields, "initial")]) {
        return; /* the parameter is varied below */
    }
    const size_t all = n->g->n_components;
    const bool prediction = chooses(c, parameters, "target", "prediction");
    const float *logits = network_logits(n, NULL);
    parameters_set(c, "initial", "one", parameters);
    const float *one = network_rows(n, c, parameters, &stride);
    parameters_set(c, "initial", "logit", parameters);
    const float *logit = network_rows(n, c, parameters, &stride);
    for (size_t b = 0; b < BATCH; b++) {
        const float *y = logits + b * n->g->n_classes;
        double scale = (double)y[n->target[b]], most = 0.0;
        for (size_t k = 0; prediction && k < n->g->n_classes; k++) {
            scale = fmax(k == 0 ? -INFINITY : scale, (double)y[k]);
        }
        for (size_t i = 0; i < AGGREGATE_SQUARE * all; i++) {
            most = fmax(most, fabs(scale * (double)one[b * stride + i]));
        }
        for (size_t i = 0; i < AGGREGATE_SQUARE * all; i++) {
            const double expected = (i < all ? fabs(scale) : scale) * (double)one[b * stride + i];
            if (!(fabs((double)logit[b * stride + i] - expected) <= 2e-5 * most)) {
                fail_msg("%s on %s: off by %g", c->name, n->name,
                         fabs((double)logit[b * stride + i] - expected) / most);
            }
        }
    }
}

static void the_logit_scales_a_samples_row(void **state)
{
    (void)state;
    for_all(is_linear_in_the_start);
}

/* `target: prediction` is `label` with other labels. */
static void explains_the_prediction(const network *n, const criterion_def *c,
                                    double parameters[MAX_CRITERION_PARAMETERS])
{
    size_t stride;
    if (!parameters_have(c, "target") || !chooses(c, parameters, "target", "label")) {
        return;
    }
    const float *logits = network_logits(n, NULL);
    network told = *n;
    size_t others = 0;
    for (size_t b = 0; b < BATCH; b++) {
        told.target[b] = 0;
        for (size_t k = 1; k < n->g->n_classes; k++) {
            told.target[b] =
                logits[b * n->g->n_classes + k] > logits[b * n->g->n_classes + told.target[b]] ? k : told.target[b];
        }
        others += told.target[b] != n->target[b];
    }
    assert_true(others > 0);
    parameters_set(c, "target", "label", parameters);
    const float *label = network_rows(n, c, parameters, &stride),
                *expected = network_rows(&told, c, parameters, &stride);
    parameters_set(c, "target", "prediction", parameters);
    const float *got = network_rows(n, c, parameters, &stride);
    assert_memory_equal(got, expected, BATCH * stride * sizeof *got);
    assert_true(memcmp(got, label, BATCH * stride * sizeof *got) != 0);
}

static void the_prediction_is_explained_when_asked(void **state)
{
    (void)state;
    for_all(explains_the_prediction);
}

/* The graph without the token rows that the logits do not depend on gives the same numbers. */
static void same_without_other_rows(const network *n, const criterion_def *c,
                                    double parameters[MAX_CRITERION_PARAMETERS])
{
    size_t stride, lean_stride; /* what follows the moments has numbers of nodes, of which the graphs have different ones */
    const size_t numbers = c->n_moments * n->g->n_components;
    network lean = *n;
    if (!c->logits_only) {
        return;
    }
    const float *whole = network_rows(n, c, parameters, &stride);
    assert_ok(graph_needed_rows(n->work, n->g, &lean.g));
    assert_true((lean.g != n->g) == (strcmp(n->name, "vit_tiny.h5") == 0));
    const float *rows = network_rows(&lean, c, parameters, &lean_stride);
    float most = 0.0f;
    for (size_t i = 0; i < BATCH * numbers; i++) {
        most = fmaxf(most, fabsf(whole[i / numbers * stride + i % numbers]));
    }
    for (size_t i = 0; i < BATCH * numbers; i++) {
        const float off = fabsf(rows[i / numbers * lean_stride + i % numbers] - whole[i / numbers * stride + i % numbers]);
        if (!(off <= 2e-5f * most)) {
            fail_msg("%s on %s: off by %g", c->name, n->name, (double)(off / most));
        }
    }
}

static void rows_that_the_logits_do_not_need_do_not_matter(void **state)
{
    (void)state;
    for_all(same_without_other_rows);
}

static bool changed(const criterion_def *c, const char *name, const double parameters[])
{
    const size_t i = field_index(c->n_fields, c->fields, name);
    return i < c->n_fields && parameters[i] != c->fields[i].def;
}

/* But for an audit, which only looks, and for a quirk that the epsilon rule does not have. */
static void variants_differ(void **state)
{
    (void)state;
    size_t variants = 0;
    for (size_t i = 0; i < criterion_count; i++) {
        double parameters[MAX_CRITERION_PARAMETERS];
        const criterion_def *c = criterion_table[i];
        network n;
        network_open("vit_tiny.h5", &n);
        cheap(c, parameters);
        const double *plain = c->uses_samples ? network_score(&n, c, parameters, 0) : NULL;
        for (size_t k = 1; plain != NULL && variant(c, k, parameters); k++, variants++) {
            if (chooses(c, parameters, "proj_bias", "reference")) {
                continue; /* the epsilon rule has no terms of negative inputs, which it is about */
            }
            const double *other = network_score(&n, c, parameters, 0);
            const bool same = memcmp(plain, other, n.g->n_components * sizeof *plain) == 0;
            if (same != (changed(c, "audit", parameters) || changed(c, "proj_bias", parameters))) {
                fail_msg("%s: variant %zu scores %s", c->name, k, same ? "as the default does" : "otherwise than the default");
            }
        }
        network_close(&n);
    }
    assert_true(variants > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_depend_on_the_sample_alone),
        cmocka_unit_test(scores_are_sums_of_moments),
        cmocka_unit_test(samples_are_normalised_when_asked),
        cmocka_unit_test(the_logit_scales_a_samples_row),
        cmocka_unit_test(the_prediction_is_explained_when_asked),
        cmocka_unit_test(rows_that_the_logits_do_not_need_do_not_matter),
        cmocka_unit_test(variants_differ),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
