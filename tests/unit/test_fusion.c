/* Which layers are fused, and that a fused run gives what the layers give one by one. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/arch.h"
#include "nn/forward.h"
#include "nn/fusion.h"

static const char *const networks[] = {"vgg_bn_tiny.h5", "vgg_tiny.h5", "resnet_basic_tiny.h5",
                                       "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

typedef struct fixture {
    arena *a;
    golden *file;
    const graph *g;
    golden_array images;
} fixture;

static void open_fixture(fixture *f, const char *name)
{
    *f = (fixture){.file = golden_open(name)};
    assert_ok(arena_open("test", &f->a));
    assert_ok(graph_build(f->a, golden_tensors(f->file), &f->g));
    f->images = golden_read(f->file, "inputs");
}

static void close_fixture(fixture *f)
{
    golden_close(&f->file);
    arena_close(&f->a);
}

static const float *masked_logits(const fixture *f, forward *run, const uint8_t *alive)
{
    forward_run(run, f->images.f32, NULL); /* the mask that follows must not find traces */
    forward_run(run, f->images.f32, alive);
    return forward_logits(run);
}

static const float *logits(const fixture *f, const backend_def *b, forward_keep keep, const uint8_t *alive)
{
    forward *run = NULL;
    assert_ok(forward_build(f->a, f->g, b, f->images.dim[0], keep, &run));
    return masked_logits(f, run, alive);
}

static const float *evaluated(const fixture *f, const backend_def *b, bool winograd, const uint8_t *alive)
{
    forward *run = NULL;
    assert_ok(forward_build_for_logits(f->a, f->g, b, f->images.dim[0], winograd, &run));
    return masked_logits(f, run, alive);
}

static void assert_agree(const char *what, size_t n, const float *found, const float *expected, double tolerance)
{
    double largest = 0.0, worst = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        worst = worst_of(worst, fabs((double)found[i] - (double)expected[i]));
    }
    if (!(worst <= tolerance * largest) || largest == 0.0) {
        fail_msg("%s: off by %.3g of %.3g", what, worst, largest);
    }
}

/* On every backend and between any two of them, with everything alive and with half of the components. */
static void fused_runs_and_backends_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        const size_t n = f.images.dim[0] * f.g->n_classes;
        uint8_t *half = arena_alloc(f.a, f.g->n_components, 1);
        assert_non_null(half);
        for (size_t c = 0; c < f.g->n_components; c++) {
            half[c] = rng_uniform(4, RNG_TEST, 0, (uint32_t)c) < 0.5;
        }
        for (int masked = 0; masked < 2; masked++) {
            const uint8_t *alive = masked ? half : NULL;
            const float *reference = logits(&f, backend_find("openblas"), KEEP_ALL, alive);
            for (size_t b = 0; b < backend_count; b++) {
                assert_agree(networks[i], n, logits(&f, backend_table[b], KEEP_LOGITS, alive), reference, 1e-5);
                assert_agree(networks[i], n, logits(&f, backend_table[b], KEEP_ALL, alive), reference, 1e-5);
            }
        }
        close_fixture(&f);
    }
}

static void check_series(const char *network, const backend_def *b, bool winograd)
{
    static const int order[] = {0, 1, 1, 2, 0, 2, 3, 0, 0, 1};
    fixture f;
    open_fixture(&f, network);
    const uint8_t *mask[4] = {NULL};
    const float *fresh[4];
    forward *run = NULL;
    for (uint32_t m = 0; m < COUNT(mask); m++) {
        uint8_t *alive = arena_alloc(f.a, f.g->n_components, 1);
        for (size_t c = 0; c < f.g->n_components; c++) { /* mask 3: the first half of mask 2, and all others dead */
            const bool dead = m == 3 && c >= f.g->n_components / 2;
            alive[c] = !dead && rng_uniform(m == 3 ? 2 : m, RNG_TEST, 0, (uint32_t)c) < 0.5;
        }
        mask[m] = m == 0 ? NULL : alive;
        fresh[m] = evaluated(&f, b, winograd, mask[m]);
    }
    assert_ok(forward_build_for_logits(f.a, f.g, b, f.images.dim[0], winograd, &run));
    for (size_t k = 0; k < COUNT(order); k++) {
        forward_run(run, f.images.f32, mask[order[k]]);
        assert_memory_equal(forward_logits(run), fresh[order[k]], f.images.dim[0] * f.g->n_classes * sizeof(float));
    }
    close_fixture(&f);
}

/* One run through a series of masks, some of them equal or alike, gives what fresh runs give, bit for bit. */
static void masks_follow_one_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks) * backend_count * 2; i++) {
        check_series(networks[i / 2 / backend_count], backend_table[i / 2 % backend_count], i % 2 == 1);
    }
}

typedef struct counts {
    size_t relus, fused_relus, sums, fused_sums;
} counts;

static counts count(const fixture *f, bool sums, const bool *allowed)
{
    fusion plan;
    counts c = {0};
    assert_ok(fusion_plan(f->a, f->g, sums, allowed, &plan));
    for (node_id id = 0; id < f->g->n_nodes; id++) {
        const bool fused = plan.done_by[id] != id;
        c.relus += f->g->nodes[id].op == &op_relu;
        c.sums += f->g->nodes[id].op == &op_add;
        c.fused_relus += f->g->nodes[id].op == &op_relu && fused;
        c.fused_sums += f->g->nodes[id].op == &op_add && fused;
    }
    return c;
}

static void every_relu_and_sum_of_the_families_is_fused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        fixture f;
        open_fixture(&f, networks[i]);
        const counts all = count(&f, true, NULL), walk = count(&f, false, NULL);
        bool *none = arena_alloc(f.a, f.g->n_nodes, sizeof *none);
        const counts nothing = count(&f, false, none);
        assert_true(all.relus + all.sums > 0);
        assert_true(all.fused_relus == all.relus && all.fused_sums == all.sums);
        assert_true(walk.fused_relus == walk.relus && walk.fused_sums == 0);
        assert_true(nothing.fused_relus == 0 && nothing.fused_sums == 0);
        close_fixture(&f);
    }
}

/* A small graph by hand: a -> (relu ->) ..., with the readers that forbid a fusion. */
typedef struct small {
    node nodes[8];
    graph g;
} small;

static node_id put(small *s, const op_def *op, size_t n_in, node_id a, node_id b)
{
    s->nodes[s->g.n_nodes] =
        (node){.op = op, .name = op->name, .n_in = n_in, .in = {a, b}, .out = {.rank = 1, .dim = {4}}};
    return s->g.n_nodes++;
}

static void other_readers_forbid_fusion(void **state)
{
    (void)state;
    arena *a = NULL;
    fusion f;
    assert_ok(arena_open("test", &a));
    small s = {.g = {.n_nodes = 0}};
    s.g.nodes = s.nodes;
    const node_id x = put(&s, &op_input, 0, 0, 0), first = put(&s, &op_linear, 1, x, 0);
    const node_id relu = put(&s, &op_relu, 1, first, 0), second = put(&s, &op_linear, 1, first, 0);
    const node_id sum = put(&s, &op_add, 2, second, relu), last = put(&s, &op_relu, 1, sum, 0);
    assert_ok(fusion_plan(a, &s.g, true, NULL, &f));
    assert_int_equal(f.done_by[relu], relu); /* `second` reads what is before it */
    assert_int_equal(f.done_by[sum], second);
    assert_int_equal(f.done_by[last], second);
    assert_int_equal(f.result[second], last);
    assert_int_equal(f.adds_to[second], relu);

    small t = {.g = {.n_nodes = 0}};
    t.g.nodes = t.nodes;
    (void)put(&t, &op_input, 0, 0, 0);
    const node_id left = put(&t, &op_linear, 1, 0, 0), right = put(&t, &op_linear, 1, left, 0);
    const node_id both = put(&t, &op_add, 2, left, right);
    (void)put(&t, &op_add, 2, both, 0); /* the images are not written to */
    assert_ok(fusion_plan(a, &t.g, true, NULL, &f));
    assert_int_equal(f.done_by[both], both); /* `right` reads what it would add to */
    assert_int_equal(f.done_by[both + 1], both + 1);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_runs_and_backends_agree),
        cmocka_unit_test(masks_follow_one_another),
        cmocka_unit_test(every_relu_and_sum_of_the_families_is_fused),
        cmocka_unit_test(other_readers_forbid_fusion),
    };
    for (size_t b = 0; b < backend_count; b++) {
        test_backend_use(b);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
