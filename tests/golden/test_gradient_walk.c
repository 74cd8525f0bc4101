/* The walk under the rule `gradient`: derivatives of the target logit by every component, against golden values of automatic
 * differentiation, of the whole network and of the one without the rows that the logit does not depend on. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "nn/arch.h"
#include "nn/passes/needed_rows.h"

enum { BATCH = 6 };
static const double tolerance =
    2e-5; /* of relevance (README.md): nothing is divided by small numbers here, but sums cancel as there */

typedef struct differentiated {
    arena *a;
    golden *file;
    const graph *g;
    float *rows;
} differentiated;

/* An entry for every layer, so that no rule of its own is left. */
static void differentiate(const char *name, bool needed_rows, differentiated *d)
{
    const composite_entry everywhere = {.type = "*", .rule = rule_find("gradient")};
    const composite c = {.n = 1, .entries = &everywhere, .epsilon = 1e-6};
    size_t target[BATCH];
    walk *w;
    *d = (differentiated){.file = golden_open(name)};
    assert_ok(arena_open("golden test", &d->a));
    assert_ok(graph_build(d->a, golden_tensors(d->file), &d->g));
    if (needed_rows) {
        assert_ok(graph_needed_rows(d->a, d->g, &d->g));
    }
    const golden_array targets = golden_read(d->file, "targets");
    assert_int_equal(targets.count, BATCH);
    for (size_t b = 0; b < BATCH; b++) {
        target[b] = (size_t)targets.integer[b];
    }
    d->rows = arena_alloc(d->a, BATCH * WALK_MOMENTS * d->g->n_components, sizeof *d->rows);
    assert_non_null(d->rows);
    assert_ok(walk_build(d->a, d->g, &c, test_backend(), BATCH, &w));
    walk_run(w, golden_read(d->file, "inputs").f32, target, d->rows);
}

static void forget(differentiated *d)
{
    golden_close(&d->file);
    arena_close(&d->a);
}

static void compare(const differentiated *d, const char *name, const node *layer, size_t moment, const char *group)
{
    const golden_array expected = golden_read(d->file, "gradient_methods/%s/%s", group, layer->name);
    double largest = 0.0, worst = 0.0;
    assert_int_equal(expected.count, BATCH * layer->n_components);
    for (size_t i = 0; i < expected.count; i++) {
        largest = fmax(largest, fabs(expected.real[i]));
    }
    for (size_t i = 0; i < expected.count; i++) {
        const size_t b = i / layer->n_components, c = i % layer->n_components;
        const float *row = d->rows + (b * WALK_MOMENTS + moment) * d->g->n_components;
        const double off = fabs((double)row[layer->first_component + c] - expected.real[i]);
        worst = worst_of(worst, off);
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s, %s of %s: off by %.3g of %.3g", name, group, layer->name, worst, largest);
    }
}

/* Filters: summed over the map. Neurons and heads (after the sum over keys): absolute and with sign over tokens. */
static void compare_network(const char *name, bool needed_rows)
{
    differentiated d;
    differentiate(name, needed_rows, &d);
    for (size_t k = 0; k < d.g->n_layers; k++) {
        const node *layer = &d.g->nodes[d.g->layers[k]];
        if (layer->components == COMPONENT_FILTER) {
            compare(&d, name, layer, WALK_SIGNED, "gradient");
        } else {
            compare(&d, name, layer, WALK_SIGNED, "gradient_signed_token_sum");
            compare(&d, name, layer, WALK_ABSOLUTE, "gradient_abs_token_sum");
        }
    }
    forget(&d);
}

static void derivatives_by_components_are_golden(void **state)
{
    (void)state;
    compare_network("vgg_bn_tiny.h5", false);
    compare_network("vgg_tiny.h5", false);
    compare_network("resnet_basic_tiny.h5", false);
    compare_network("resnet_bottleneck_tiny.h5", false);
    compare_network("vit_tiny.h5", false);
    compare_network("vit_tiny.h5", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives_by_components_are_golden),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
