/* Tensors of a pruned network: zeros in the old shapes are the engine's own mask, and the rows and columns that are left are all that is
 * needed. Every architecture and kind, random masks of every rate, layers that lose everything. */
#include "support/network.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "io/checkpoint.h"
#include "nn/arch.h"
#include "nn/forward.h"
#include "nn/op.h"
#include "nn/passes/compact.h"
#include "nn/passes/tensor_cuts.h"

enum { BATCH = 4 };
static const double tolerance = 1e-4;

typedef struct fixture {
    arena *a;
    golden *file;
    const char *name;
    const tensors *whole;
    const graph *g;
    float *images;
} fixture;

static const char *const networks[] = {"vgg_tiny.h5", "vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5",
                                       "tests/fuzz/corpus/resnet_cifar.safetensors", "examples/digits/models/digits_resnet/model.safetensors"};

static void open_fixture(const char *name, fixture *f)
{
    *f = (fixture){.name = name};
    assert_ok(arena_open("test", &f->a));
    if (strstr(name, ".h5") != NULL) {
        f->file = golden_open(name);
        f->whole = golden_tensors(f->file);
    } else {
        file_bytes bytes;
        tensors *t = NULL;
        assert_ok(file_read(f->a, source_path(name), SIZE_MAX, &bytes));
        assert_ok(checkpoint_parse(f->a, name, bytes, &t));
        assert_ok(facts_merge(f->a, 0, NULL, 0, NULL, t));
        f->whole = t;
    }
    assert_ok(graph_build(f->a, f->whole, &f->g));
    const size_t n = BATCH * shape_count(f->g->input);
    f->images = arena_alloc(f->a, n, sizeof *f->images);
    assert_non_null(f->images);
    for (size_t i = 0; i < n; i++) {
        f->images[i] = (float)(4.0 * rng_uniform(7, RNG_TEST, 0, (uint32_t)i) - 2.0);
    }
}

static void close_fixture(fixture *f)
{
    golden_close(&f->file);
    arena_close(&f->a);
}

static const float *logits_of(arena *a, const fixture *f, const graph *g, const uint8_t *alive)
{
    forward *run = NULL;
    float *logits = arena_alloc(a, BATCH * g->n_classes, sizeof *logits);
    assert_non_null(logits);
    assert_ok(forward_build(a, g, test_backend(), BATCH, KEEP_LOGITS, &run));
    forward_run(run, f->images, alive);
    memcpy(logits, forward_logits(run), BATCH * g->n_classes * sizeof *logits);
    return logits;
}

static void assert_same_logits(const fixture *f, const char *what, const float *expected, const float *found)
{
    const size_t classes = f->g->n_classes;
    for (size_t b = 0; b < BATCH; b++) {
        double most = 0.0, difference = 0.0;
        for (size_t i = b * classes; i < (b + 1) * classes; i++) {
            most = fmax(most, fabs((double)expected[i]));
            const double off = fabs((double)expected[i] - (double)found[i]);
            difference = off > difference || isnan(off) ? off : difference; /* fmax would lose what is no number */
        }
        if (!(difference <= tolerance * most)) {
            fail_msg("%s, %s: image %zu differs by %g of %g", f->name, what, b, difference, most);
        }
    }
}

/* The network with other numbers in its tensors: `change` writes those of one tensor. */
static const graph *rebuild(arena *a, const fixture *f, const tensor_cuts *cuts,
                            void (*change)(arena *a, const tensor_cut *c, const float *from, float *to))
{
    tensors t = *f->whole;
    tensor *list = arena_alloc(a, t.n, sizeof *list);
    const graph *g = NULL;
    assert_non_null(list);
    memcpy(list, t.list, t.n * sizeof *list);
    t.list = list;
    for (size_t i = 0; i < t.n; i++) {
        for (size_t k = 0; k < cuts->n; k++) {
            const tensor_cut *c = &cuts->list[k];
            if (strcmp(c->name, list[i].name) == 0) {
                float *data = arena_alloc(a, c->rows * c->columns * c->taps, sizeof *data);
                assert_non_null(data);
                change(a, c, list[i].data, data);
                list[i].data = data;
            }
        }
    }
    assert_ok(graph_build(a, &t, &g));
    return g;
}

static void mask_alone(arena *a, const tensor_cut *c, const float *from, float *to)
{
    const size_t n = c->rows * c->columns * c->taps;
    float *mask = arena_alloc(a, n, sizeof *mask);
    assert_non_null(mask);
    tensor_cut_apply(c, from, to);
    tensor_cut_mask(c, mask);
    for (size_t i = 0; i < n; i++) {
        assert_true(mask[i] == 0.0f || mask[i] == 1.0f);
        assert_true(to[i] == from[i] * mask[i]);
        assert_true(c->prunable || mask[i] == 1.0f);
    }
}

/* Nothing but the rows and columns that are left, at their places. */
static void cut_and_put_back(arena *a, const tensor_cut *c, const float *from, float *to)
{
    const size_t n = c->rows * c->columns * c->taps;
    size_t dim[MAX_TENSOR_DIMS], elements = 1;
    float *masked = arena_alloc(a, n, sizeof *masked), *small = arena_alloc(a, tensor_cut_elements(c), sizeof *small);
    assert_true(masked != NULL && small != NULL);
    tensor_cut_shape(c, dim);
    for (size_t i = 0; i < c->rank; i++) {
        assert_true(dim[i] >= 1 && dim[i] <= c->dim[i]);
        elements *= dim[i];
    }
    assert_int_equal(elements, tensor_cut_elements(c));
    tensor_cut_apply(c, from, masked);
    tensor_cut_shrink(c, masked, small);
    tensor_cut_expand(c, small, to);
    for (size_t i = 0; i < n; i++) {
        assert_true(to[i] == masked[i] || to[i] == 0.0f);
    }
}

/* A shrunk network has the sizes of its tensors: as many rows as the layer has outputs, as many columns as its input. */
static void check_sizes(const fixture *f, const tensor_cuts *cuts)
{
    const graph *g = f->g, *small = cuts->small;
    for (node_id id = 0, at = 0; id < g->n_nodes; id++, at++) {
        size_t at_tensor, first;
        while (small->nodes[at].inserted) {
            at++;
        }
        const node *n = &g->nodes[id], *s = &small->nodes[at];
        assert_string_equal(n->name, s->name);
        assert_int_equal(cuts->map[id].n, shape_channels(s->out));
        if (n->op->product != NULL && tensor_of_weight(g, n, &at_tensor, &first)) {
            const tensor_cut *c = &cuts->list[at_tensor];
            size_t rows = 0;
            for (size_t i = 0; i < c->row.n; i++) {
                rows += c->row.channel[i] >= first && c->row.channel[i] < first + shape_channels(n->out);
            }
            assert_int_equal(rows, shape_channels(s->out));
            assert_int_equal(c->column.n, shape_channels(small->nodes[s->in[0]].out));
        }
    }
}

static void check_mask(fixture *f, component_kind kind, const uint8_t alive[])
{
    arena *a = NULL;
    tensor_cuts cuts;
    const graph *small = NULL;
    assert_ok(arena_open("mask", &a));
    assert_ok(tensor_cuts_build(a, f->g, kind, alive, &cuts));
    check_sizes(f, &cuts);
    const float *expected = logits_of(a, f, f->g, alive);
    assert_same_logits(f, "masked", expected, logits_of(a, f, rebuild(a, f, &cuts, mask_alone), NULL));
    const graph *again = rebuild(a, f, &cuts, cut_and_put_back);
    assert_same_logits(f, "put back", expected, logits_of(a, f, again, NULL));
    assert_ok(graph_compact(a, again, cuts.kept, NULL, test_backend()->block(), &small));
    assert_same_logits(f, "shrunk", expected, logits_of(a, f, small, NULL));
    arena_close(&a);
}

/* Rate by rate, each layer at another share, so that some lose nothing and some all. */
static void random_mask(const fixture *f, component_kind kind, uint32_t seed, double rate, uint8_t alive[])
{
    memset(alive, 1, f->g->n_components);
    for (size_t i = 0; i < f->g->n_layers; i++) {
        const node *n = &f->g->nodes[f->g->layers[i]];
        const double share = rate + 0.5 * (rng_uniform(seed, RNG_TEST, 1, (uint32_t)i) - 0.5);
        for (size_t c = 0; c < n->n_components && n->components == kind; c++) {
            alive[n->first_component + c] = rng_uniform(seed, RNG_TEST, 2 + (uint32_t)i, (uint32_t)c) >= share;
        }
    }
}

static void masks_and_cuts_are_the_engines_own(void **state)
{
    static const double rates[] = {0.0, 0.3, 0.6, 0.9, 1.5};
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(networks[i], &f);
        uint8_t *alive = arena_alloc(f.a, f.g->n_components, 1);
        assert_non_null(alive);
        for (component_kind kind = COMPONENT_FILTER; (int)kind < COMPONENT_KINDS; kind++) {
            for (size_t r = 0; r < COUNT(rates); r++) {
                random_mask(&f, kind, (uint32_t)(10 * i + r), rates[r], alive);
                check_mask(&f, kind, alive);
            }
        }
        close_fixture(&f);
    }
}

/* An emptied layer keeps its first row, which is zero, and only that. */
static void an_emptied_layer_keeps_one_row_of_zeros(void **state)
{
    fixture f;
    tensor_cuts cuts;
    (void)state;
    open_fixture("vgg_bn_tiny.h5", &f);
    const node *n = &f.g->nodes[f.g->layers[1]];
    uint8_t *alive = arena_alloc(f.a, f.g->n_components, 1);
    assert_non_null(alive);
    memset(alive, 1, f.g->n_components);
    memset(alive + n->first_component, 0, n->n_components);
    assert_ok(tensor_cuts_build(f.a, f.g, COMPONENT_FILTER, alive, &cuts));
    assert_int_equal(cuts.n_emptied, 1);
    size_t at_tensor, first, norm;
    assert_true(tensor_of_weight(f.g, n, &at_tensor, &first) && tensor_of_norm(f.g, n, &norm));
    for (size_t k = 0; k < 2; k++) {
        const tensor_cut *c = &cuts.list[k == 0 ? at_tensor : norm];
        float *masked = arena_alloc(f.a, c->rows * c->columns * c->taps, sizeof *masked);
        float *small = arena_alloc(f.a, tensor_cut_elements(c), sizeof *small);
        assert_true(masked != NULL && small != NULL);
        assert_int_equal(c->row.n, 1);
        assert_int_equal(c->row.channel[0], 0);
        tensor_cut_apply(c, f.g->tensors[k == 0 ? at_tensor : norm].data, masked);
        tensor_cut_shrink(c, masked, small);
        for (size_t i = 0; i < tensor_cut_elements(c); i++) {
            assert_true(small[i] == 0.0f);
        }
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_and_cuts_are_the_engines_own),
        cmocka_unit_test(an_emptied_layer_keeps_one_row_of_zeros),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
