/* Compaction: the small network gives the logits of the masked one, and costs what is said to be left. */
#include "support/backends.h"
#include "support/golden.h"
#include "support/made.h"
#include "support/network.h"
#include "support/parameters.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nn/arch.h"
#include "nn/forward.h"
#include "nn/passes/channels.h"
#include "nn/passes/compact.h"
#include "nn/passes/needed_rows.h"
#include "pruning/ranking.h"

enum { BATCH = 3, MOST_COMPONENTS = 1024 };

typedef struct subject {
    arena *a;
    golden *file;
    const char *name;
    const graph *g;
    const float *images;
    uint8_t alive[MOST_COMPONENTS];
} subject;

static const char *const networks[] = {"vgg_tiny.h5",
                                       "vgg_bn_tiny.h5",
                                       "resnet_basic_tiny.h5",
                                       "resnet_bottleneck_tiny.h5",
                                       "CIFAR ResNet, shortcut A",
                                       "CIFAR ResNet, shortcut B",
                                       "vit_tiny.h5",
                                       "vit_tiny.h5, needed rows"};

static void open_subject(size_t which, subject *s)
{
    char file[64];
    *s = (subject){.name = networks[which]};
    assert_ok(arena_open("test", &s->a));
    if (strncmp(s->name, "CIFAR", 5) == 0) {
        s->g = made_build(made_cifar_net(s->a, 2, 12, s->name[strlen(s->name) - 1] == 'B'));
        float *images = arena_alloc(s->a, BATCH * shape_count(s->g->input), sizeof *images);
        for (size_t i = 0; i < BATCH * shape_count(s->g->input); i++) {
            images[i] = (float)(2.0 * rng_uniform(7, RNG_TEST, 1, (uint32_t)i) - 1.0);
        }
        s->images = images;
    } else {
        (void)snprintf(file, sizeof file, "%.*s", (int)strcspn(s->name, ","), s->name);
        s->file = golden_open(file);
        assert_ok(graph_build(s->a, golden_tensors(s->file), &s->g));
        s->images = golden_read(s->file, "inputs").f32;
        if (strchr(s->name, ',') != NULL) {
            assert_ok(graph_needed_rows(s->a, s->g, &s->g));
        }
    }
    assert_true(s->g->n_components <= MOST_COMPONENTS);
    memset(s->alive, 1, sizeof s->alive);
}

static void close_subject(subject *s)
{
    if (s->file != NULL) {
        golden_close(&s->file);
    }
    arena_close(&s->a);
}

/* Components of one kind (COMPONENT_NONE: of all) that die with this probability. */
static void kill(subject *s, component_kind kind, double rate, uint64_t seed)
{
    for (size_t k = 0; k < s->g->n_layers; k++) {
        const node *n = &s->g->nodes[s->g->layers[k]];
        for (size_t i = 0; i < n->n_components; i++) {
            const size_t c = n->first_component + i;
            const bool dies = rng_uniform(seed, RNG_TEST, 2, (uint32_t)c) < rate;
            s->alive[c] = !(dies && (kind == COMPONENT_NONE || n->components == kind));
        }
    }
}

static const float *logits(const subject *s, const graph *g, const uint8_t *alive)
{
    forward *f = NULL;
    assert_ok(forward_build_for_logits(s->a, g, test_backend(), BATCH, false, &f));
    assert_int_equal(forward_taken(f), forward_bytes_for_logits(g, test_backend(), BATCH, false));
    forward_run(f, s->images, alive);
    return forward_logits(f);
}

static const graph *compacted(const subject *s, const uint8_t wanted[])
{
    const graph *small = NULL;
    assert_ok(graph_compact(s->a, s->g, s->alive, wanted, test_backend()->block(), &small));
    return small;
}

/* wanted [n_classes] or NULL */
static void compare(const subject *s, const char *what, const uint8_t wanted[])
{
    const graph *small = compacted(s, wanted);
    const float *found = logits(s, small, NULL), *expected = logits(s, s->g, s->alive);
    double largest = 0.0, worst = 0.0;
    size_t n = 0;
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t c = 0; c < s->g->n_classes; c++) {
            const double y = (double)expected[b * s->g->n_classes + c];
            largest = fmax(largest, fabs(y));
            if (wanted == NULL || wanted[c]) {
                const double off = fabs((double)found[n++] - y);
                worst = off > worst || isnan(off) ? off : worst;
            }
        }
    }
    assert_int_equal(n, BATCH * small->n_classes);
    if (!(worst <= 1e-5 * largest)) {
        fail_msg("%s, %s: logits off by %.3g of %.3g", s->name, what, worst, largest);
    }
}

static const component_kind kinds[] = {COMPONENT_NONE, COMPONENT_FILTER, COMPONENT_NEURON, COMPONENT_HEAD};

static void random_masks_give_the_masked_logits(void **state)
{
    (void)state;
    static const double rates[] = {0.0, 0.05, 0.3, 0.5, 0.8, 0.95, 1.0};
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        open_subject(i, &s);
        for (size_t k = 0; k < COUNT(kinds); k++) {
            for (size_t r = 0; r < COUNT(rates); r++) {
                char what[96];
                (void)snprintf(what, sizeof what, "%s, rate %g", component_kind_name(kinds[k]), rates[r]);
                kill(&s, kinds[k], rates[r], 10 * k + r);
                compare(&s, what, NULL);
            }
        }
        close_subject(&s);
    }
}

/* Each layer alone without any component, and each with the first, the last and one in the middle alone. */
static void a_layer_may_be_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        open_subject(i, &s);
        for (size_t k = 0; k < s.g->n_layers; k++) {
            const node *n = &s.g->nodes[s.g->layers[k]];
            const size_t one[] = {n->n_components, 0, n->n_components / 2, n->n_components - 1};
            for (size_t j = 0; j < COUNT(one); j++) {
                memset(s.alive + n->first_component, 0, n->n_components);
                if (one[j] < n->n_components) {
                    s.alive[n->first_component + one[j]] = 1;
                }
                compare(&s, n->name, NULL);
            }
            memset(s.alive + n->first_component, 1, n->n_components);
        }
        close_subject(&s);
    }
}

/* The masks that rankings by LRP and by weights give, at the rates of a study. */
static void real_masks_give_the_masked_logits(void **state)
{
    (void)state;
    static const char *const files[] = {"vgg_tiny.h5", "vgg_bn_tiny.h5", "resnet_basic_tiny.h5",
                                        "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};
    static const char *const criteria[] = {"lrp", "magnitude"};
    for (size_t i = 0; i < COUNT(files) * COUNT(criteria); i++) {
        network n;
        double parameters[MAX_CRITERION_PARAMETERS];
        const criterion_def *c = criterion_find(criteria[i % COUNT(criteria)]);
        network_open(files[i / COUNT(criteria)], &n);
        parameters_default(c, parameters);
        const double *score = network_score(&n, c, parameters, 0);
        subject s = {.a = n.a, .name = n.name, .g = n.g, .images = n.images};
        for (component_kind kind = COMPONENT_FILTER; kind < (component_kind)COMPONENT_KINDS; kind++) {
            size_t count;
            const size_t *component;
            assert_ok(graph_components(n.a, n.g, kind, &count, &component));
            double *of_kind = arena_alloc(n.a, count, sizeof *of_kind);
            uint32_t *order = arena_alloc(n.a, count, sizeof *order);
            for (size_t k = 0; k < count; k++) {
                of_kind[k] = score[component[k]];
            }
            assert_ok(ranking_build(n.a, count, of_kind, order));
            for (size_t rate = 0; rate < 20 && count > 0; rate++) {
                memset(s.alive, 1, sizeof s.alive);
                for (size_t k = 0; k < ranking_count(count, (double)rate / 20.0); k++) {
                    s.alive[component[order[k]]] = 0;
                }
                compare(&s, criteria[i % COUNT(criteria)], NULL);
            }
        }
        network_close(&n);
    }
}

static void only_wanted_logits_are_computed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        uint8_t wanted[1024] = {0};
        open_subject(i, &s);
        assert_true(s.g->n_classes <= sizeof wanted);
        wanted[1] = wanted[s.g->n_classes - 1] = 1;
        compare(&s, "two logits", wanted);
        kill(&s, COMPONENT_NONE, 0.4, 77);
        compare(&s, "two logits, pruned", wanted);
        assert_int_equal(compacted(&s, wanted)->n_classes, 2);
        close_subject(&s);
    }
}

/* Padding aside, for which widths are those of blocks of one channel and no layer is empty. */
static void the_cost_is_what_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        open_subject(i, &s);
        for (uint64_t seed = 0; seed < 3; seed++) {
            const graph *small = NULL;
            uint64_t parameters, macs, left, macs_left;
            kill(&s, COMPONENT_NONE, 0.5, seed);
            for (size_t k = 0; k < s.g->n_layers; k++) {
                s.alive[s.g->nodes[s.g->layers[k]].first_component] = 1;
            }
            assert_ok(graph_compact(s.a, s.g, s.alive, NULL, 1, &small));
            graph_cost(small, &parameters, &macs, NULL, NULL);
            assert_ok(graph_cost_left(s.a, s.g, s.alive, &left, &macs_left));
            assert_int_equal(parameters, left);
            assert_int_equal(macs, macs_left);
        }
        close_subject(&s);
    }
}

/* With everything alive nothing is copied and nothing is different, so the dense network is measured by the same kernels. But for
 * the shortcuts of option A, whose channels of zeros go. */
static void a_whole_network_stays_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        subject s;
        open_subject(i, &s);
        const graph *small = compacted(&s, NULL);
        if (strstr(s.name, "shortcut A") != NULL) {
            compare(&s, "whole", NULL);
            close_subject(&s);
            continue;
        }
        assert_int_equal(small->n_nodes, s.g->n_nodes);
        for (node_id id = 0; id < small->n_nodes; id++) {
            const node *n = &small->nodes[id], *o = &s.g->nodes[id];
            assert_true(n->op == o->op && n->cut == NULL && n->weight == o->weight && n->n_weight == o->n_weight &&
                        n->n_bias == o->n_bias);
            assert_memory_equal(&n->out, &o->out, sizeof n->out);
        }
        assert_memory_equal(logits(&s, small, NULL), logits(&s, s.g, NULL), BATCH * s.g->n_classes * sizeof(float));
        close_subject(&s);
    }
}

/* Channels that no producer of a stream has are no channels of it, and what reads the stream reads less. */
static void a_stream_loses_what_all_its_producers_lost(void **state)
{
    (void)state;
    subject s;
    open_subject(2, &s);
    uint8_t **kept;
    size_t narrower = 0;
    kill(&s, COMPONENT_NONE, 0.7, 3);
    assert_ok(graph_channels_kept(s.a, s.g, s.alive, NULL, &kept));
    const graph *small = compacted(&s, NULL);
    for (node_id id = 0; id < small->n_nodes; id++) {
        const node *n = &small->nodes[id], *o = &s.g->nodes[id];
        if (o->op == &op_add) {
            assert_ptr_equal(n->op, &op_scatter_add);
            assert_int_equal(n->out.dim[0], op_count_live(kept[id], 0, o->out.dim[0]));
            narrower += n->out.dim[0] < o->out.dim[0];
        }
    }
    assert_true(narrower > 0);
    close_subject(&s);
}

/* conv (2 groups) behind a layer that loses channels, its own filters dead too; then a norm of tokens behind a layer that loses
 * features: both want their inputs whole. */
static void layers_that_cannot_shrink_get_their_input_whole(void **state)
{
    (void)state;
    static const conv_attr first = {.out_channels = 6,
                                    .kernel = {3, 3},
                                    .stride = {1, 1},
                                    .padding = {1, 1},
                                    .dilation = {1, 1},
                                    .groups = 1},
                           grouped = {.out_channels = 4,
                                      .kernel = {3, 3},
                                      .stride = {1, 1},
                                      .padding = {1, 1},
                                      .dilation = {1, 1},
                                      .groups = 2};
    static const layernorm_attr norm = {.eps = 1e-6};
    static const linear_attr wide = {.out_features = 5}, head = {.out_features = 3};
    static const token_row_attr row = {.row = 1};
    float w[6 * 3 * 9 + 4 * 3 * 9 + 64], images[BATCH * 3 * 4];
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (float)rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 0.4f;
    }
    for (size_t i = 0; i < COUNT(images); i++) {
        images[i] = (float)rng_uniform(2, RNG_TEST, 0, (uint32_t)i) - 0.5f;
    }
    node nodes[] = {
        {.op = &op_input, .name = "input", .out = {3, {3, 2, 2}}},
        {.op = &op_conv2d,
         .name = "first",
         .n_in = 1,
         .in = {0},
         .attr = &first,
         .weight = w,
         .n_weight = 6 * 27,
         .bias = w,
         .n_bias = 6,
         .components = COMPONENT_FILTER,
         .n_components = 6,
         .first_component = 0},
        {.op = &op_conv2d,
         .name = "grouped",
         .n_in = 1,
         .in = {1},
         .attr = &grouped,
         .weight = w + 9,
         .n_weight = 4 * 27,
         .bias = w + 3,
         .n_bias = 4,
         .components = COMPONENT_FILTER,
         .n_components = 4,
         .first_component = 6},
        {.op = &op_tokens,
         .name = "tokens",
         .n_in = 1,
         .in = {2},
         .weight = w,
         .n_weight = 4,
         .bias = w + 20,
         .n_bias = 20},
        {.op = &op_linear,
         .name = "wide",
         .n_in = 1,
         .in = {3},
         .attr = &wide,
         .weight = w + 5,
         .n_weight = 20,
         .bias = w + 1,
         .n_bias = 5,
         .components = COMPONENT_NEURON,
         .n_components = 5,
         .first_component = 10},
        {.op = &op_layernorm,
         .name = "norm",
         .n_in = 1,
         .in = {4},
         .attr = &norm,
         .weight = w + 7,
         .n_weight = 5,
         .bias = w + 2,
         .n_bias = 5},
        {.op = &op_token_row, .name = "row", .n_in = 1, .in = {5}, .attr = &row},
        {.op = &op_linear,
         .name = "head",
         .n_in = 1,
         .in = {6},
         .attr = &head,
         .weight = w + 11,
         .n_weight = 15,
         .bias = w,
         .n_bias = 3},
    };
    static const node_id layers[] = {1, 2, 4};
    const graph g = {.architecture = "test",
                     .n_nodes = COUNT(nodes),
                     .nodes = nodes,
                     .input = nodes[0].out,
                     .n_classes = 3,
                     .n_layers = 3,
                     .layers = layers,
                     .n_components = 15};
    for (node_id id = 1; id < g.n_nodes; id++) {
        const shape in = nodes[nodes[id].in[0]].out;
        assert_ok(nodes[id].op->infer(&nodes[id], &in, &nodes[id].out));
    }
    subject s = {.name = "whole inputs", .g = &g, .images = images};
    assert_ok(arena_open("test", &s.a));
    for (uint64_t seed = 0; seed < 8; seed++) {
        kill(&s, COMPONENT_NONE, 0.4, seed);
        compare(&s, "a mask", NULL);
    }
    memset(s.alive, 0, sizeof s.alive);
    compare(&s, "nothing alive", NULL);
    const graph *small = compacted(&s, NULL);
    assert_int_equal(small->n_nodes, g.n_nodes + 2);
    arena_close(&s.a);
}

/* A branch whose padded width is the stream's is not the stream: the sum must not be written over it. In either order. */
static void a_padded_branch_is_no_stream(void **state)
{
    (void)state;
    enum { E = MAX_BLOCK };
    static const linear_attr same = {.out_features = E};
    static const token_row_attr row = {.row = 1};
    float w[E * E + 5 * E], images[BATCH * E * 4];
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (float)rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 0.5f;
    }
    for (size_t i = 0; i < COUNT(images); i++) {
        images[i] = (float)rng_uniform(2, RNG_TEST, 0, (uint32_t)i) - 0.5f;
    }
    for (size_t first = 0; first < 2; first++) {
        node nodes[] = {
            {.op = &op_input, .name = "input", .out = {3, {E, 2, 2}}},
            {.op = &op_tokens,
             .name = "tokens",
             .n_in = 1,
             .in = {0},
             .weight = w,
             .n_weight = E,
             .bias = w,
             .n_bias = 5 * E},
            {.op = &op_linear,
             .name = "branch",
             .n_in = 1,
             .in = {1},
             .attr = &same,
             .weight = w,
             .n_weight = E * E,
             .bias = w,
             .n_bias = E,
             .components = COMPONENT_NEURON,
             .n_components = E,
             .first_component = 0},
            {.op = &op_add, .name = "sum", .n_in = 2, .in = {first == 0 ? 1 : 2, first == 0 ? 2 : 1}},
            {.op = &op_token_row, .name = "row", .n_in = 1, .in = {3}, .attr = &row},
        };
        static const node_id layers[] = {2};
        const graph g = {.architecture = "test",
                         .n_nodes = COUNT(nodes),
                         .nodes = nodes,
                         .input = nodes[0].out,
                         .n_classes = E,
                         .n_layers = 1,
                         .layers = layers,
                         .n_components = E};
        for (node_id id = 1; id < g.n_nodes; id++) {
            const shape in[] = {nodes[nodes[id].in[0]].out, nodes[nodes[id].in[1]].out};
            assert_ok(nodes[id].op->infer(&nodes[id], in, &nodes[id].out));
        }
        subject s = {.name = "padded branch", .g = &g, .images = images};
        assert_ok(arena_open("test", &s.a));
        for (uint64_t seed = 0; seed < 4; seed++) {
            kill(&s, COMPONENT_NONE, 0.3, seed);
            compare(&s, first == 0 ? "stream first" : "branch first", NULL);
        }
        arena_close(&s.a);
    }
}

/* As flattened tokens have them: at the end of every token. */
static void places_that_pad_may_lie_anywhere(void **state)
{
    (void)state;
    static const uint32_t mine[] = {0, 2, NO_CHANNEL, NO_CHANNEL, 4, 6, NO_CHANNEL};
    static const float values[] = {1.0f, 2.0f, 0.0f, 0.0f, 3.0f, 4.0f, 0.0f};
    arena *a = NULL;
    channel_map whole;
    float y[8];
    assert_ok(arena_open("test", &a));
    const channel_map in = {.n = COUNT(mine), .channel = mine};
    node n = {.op = &op_scatter_add, .name = "wide", .n_in = 1};
    const shape from = {1, {COUNT(mine)}};
    assert_ok(channel_map_whole(a, COUNT(y), &whole));
    assert_ok(scatter_attr_make(a, 1, &in, &whole, &n.attr));
    assert_ok(n.op->infer(&n, &from, &n.out));
    const op_call c = {.node = &n, .batch = 1, .block = 1, .in_shape = &from, .in = {values}, .out = y};
    n.op->forward(&c);
    const float expected[] = {1.0f, 0.0f, 2.0f, 0.0f, 3.0f, 0.0f, 4.0f, 0.0f};
    assert_memory_equal(y, expected, sizeof expected);
    arena_close(&a);
}

/* max(., 0) of a sum that is written over either of its summands. */
static void a_rectified_sum_may_be_in_place(void **state)
{
    (void)state;
    const shape s = {1, {3}}, in[] = {s, s};
    node n = {.op = &op_add, .name = "sum", .n_in = 2, .out = s};
    for (size_t over = 0; over < 3; over++) {
        float x[2][3] = {{1.0f, -2.0f, 3.0f}, {-3.0f, 5.0f, 0.5f}}, apart[3];
        float *y = over < 2 ? x[over] : apart;
        const op_call c = {
            .node = &n, .batch = 1, .block = 1, .in_shape = in, .in = {x[0], x[1]}, .out = y, .relu = true};
        n.op->forward(&c);
        assert_true(y[0] == 0.0f && y[1] == 3.0f && y[2] == 3.5f);
    }
}

/* What is cut takes memory too: with the plan's own small change, no more than is said, and not much less. */
static void memory_of_cuts_is_counted(void **state)
{
    (void)state;
    enum { SMALL_CHANGE = 512 << 10 };
    arena *a = NULL, *run = NULL;
    forward *f = NULL;
    const graph *small = NULL;
    assert_ok(arena_open("test", &a));
    assert_ok(arena_open("run", &run));
    const graph *g = made_build(made_cifar_net(a, 1, 64, false));
    uint8_t *alive = arena_alloc(a, g->n_components, 1);
    for (size_t i = 0; i < g->n_components; i++) {
        alive[i] = i % 8 != 0;
    }
    assert_ok(graph_compact(a, g, alive, NULL, test_backend()->block(), &small));
    assert_ok(forward_build_for_logits(run, small, test_backend(), BATCH, false, &f));
    const size_t told = forward_bytes_for_logits(small, test_backend(), BATCH, false);
    assert_in_range(arena_bytes(run), told - SMALL_CHANGE, told + SMALL_CHANGE);
    arena_close(&run);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_padded_branch_is_no_stream),
        cmocka_unit_test(memory_of_cuts_is_counted),
        cmocka_unit_test(places_that_pad_may_lie_anywhere),
        cmocka_unit_test(a_rectified_sum_may_be_in_place),
        cmocka_unit_test(random_masks_give_the_masked_logits),
        cmocka_unit_test(real_masks_give_the_masked_logits),
        cmocka_unit_test(a_layer_may_be_empty),
        cmocka_unit_test(only_wanted_logits_are_computed),
        cmocka_unit_test(the_cost_is_what_is_left),
        cmocka_unit_test(a_whole_network_stays_what_it_is),
        cmocka_unit_test(a_stream_loses_what_all_its_producers_lost),
        cmocka_unit_test(layers_that_cannot_shrink_get_their_input_whole),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
