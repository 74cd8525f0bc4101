/* Weights that are wanted, counted, made in shares and told where they are; networks whose weights lie in a block that others fill. */
#include "support/network.h"

#include <math.h>
#include <string.h>

#include "attribution/walk.h"
#include "nn/arch.h"
#include "nn/weights.h"

static arena *memory;

static int open_memory(void **state)
{
    (void)state;
    return status_ok(arena_open("weights", &memory)) ? 0 : 1;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

/* An array of `n` times `value`. */
typedef struct filling {
    size_t n;
    float value;
    size_t *made; /* how often */
    const float *at;
} filling;

static status make(const void *of, float *to)
{
    const filling *f = of;
    ++*f->made;
    if (f->value < 0.0f) {
        return FAIL(ST_ENVIRONMENT, "no memory for %g", (double)f->value);
    }
    for (size_t i = 0; i < f->n; i++) {
        to[i] = f->value;
    }
    return STATUS_OK;
}

static void use(void *of, const float *at)
{
    filling *f = of;
    f->at = at;
}

static weight_order order(filling *f)
{
    return (weight_order){.n = f->n, .of = f, .make = make, .use = use};
}

enum { MANY = 150 };

/* Sizes of all sorts, none of them 0. */
static void fill_list(weight_list *l, filling f[MANY], size_t made[MANY])
{
    memset(made, 0, MANY * sizeof *made);
    for (size_t i = 0; i < MANY; i++) {
        f[i] = (filling){.n = 1 + i * i % 97, .value = (float)(i + 1), .made = &made[i]};
        const weight_order o = order(&f[i]);
        assert_ok(weights_want(l, memory, &o));
    }
}

static void without_a_list_an_array_is_made_at_once(void **state)
{
    (void)state;
    size_t made[3] = {0};
    filling f = {.n = 5, .value = 2.0f, .made = &made[0]}, none = {.n = 0, .at = &f.value, .made = &made[1]},
            bad = {.n = 1, .value = -1.0f, .made = &made[2]};
    const weight_order of_f = order(&f), of_none = order(&none), of_bad = order(&bad);
    assert_ok(weights_want(NULL, memory, &of_f));
    assert_true(made[0] == 1 && f.at != NULL && f.at[0] == 2.0f && f.at[4] == 2.0f);
    assert_ok(weights_want(NULL, memory, &of_none));
    assert_true(made[1] == 0 && none.at == NULL);
    assert_fails(weights_want(NULL, memory, &of_bad), ST_ENVIRONMENT, "no memory for -1", NULL);
    assert_null(bad.at);
}

static void shares_make_everything_once(void **state)
{
    (void)state;
    for (size_t parts = 1; parts <= 9; parts++) {
        filling f[MANY];
        size_t made[MANY];
        weight_list l = weights_open(memory);
        fill_list(&l, f, made);
        float *block = zeroed(l.floats, sizeof *block);
        size_t busy = 0;
        for (size_t part = 0; part < parts; part++) {
            size_t before = 0, after = 0;
            for (size_t i = 0; i < MANY; i++) {
                before += made[i];
            }
            assert_ok(weights_make(&l, block, part, parts));
            for (size_t i = 0; i < MANY; i++) {
                after += made[i];
            }
            busy += after > before;
        }
        assert_int_equal(busy, parts); /* nobody does all of it */
        weights_use(&l, block);
        const float *end = block;
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(made[i], 1);
            assert_true(f[i].at >= end && (size_t)(f[i].at - block) % 16 == 0); /* lines of their own, one behind the other */
            end = f[i].at + f[i].n;
            for (size_t k = 0; k < f[i].n; k++) {
                assert_true(f[i].at[k] == f[i].value);
            }
        }
        assert_true((size_t)(end - block) <= l.floats);
    }
}

static void a_share_that_fails_says_so(void **state)
{
    (void)state;
    size_t made = 0;
    filling good = {.n = 16, .value = 1.0f, .made = &made}, bad = {.n = 16, .value = -2.0f, .made = &made};
    weight_list l = weights_open(memory);
    const weight_order first = order(&good), second = order(&bad);
    assert_ok(weights_want(&l, memory, &first));
    assert_ok(weights_want(&l, memory, &second));
    float *block = zeroed(l.floats, sizeof *block);
    assert_ok(weights_make(&l, block, 0, 2));
    assert_fails(weights_make(&l, block, 1, 2), ST_ENVIRONMENT, "no memory for -2", NULL);
}

static uint64_t key_of(size_t n, const size_t size[])
{
    filling f[4];
    weight_list l = weights_open(memory);
    for (size_t i = 0; i < n; i++) {
        f[i] = (filling){.n = size[i], .value = 1.0f};
        const weight_order o = order(&f[i]);
        assert_ok(weights_want(&l, memory, &o));
    }
    return weights_key(&l);
}

static void the_key_knows_number_order_and_sizes(void **state)
{
    (void)state;
    static const size_t a[] = {3, 5, 7}, swapped[] = {5, 3, 7}, larger[] = {3, 5, 8}, more[] = {3, 5, 7, 1};
    const uint64_t key = key_of(3, a);
    assert_true(key == key_of(3, a));
    assert_true(key != key_of(3, swapped) && key != key_of(3, larger) && key != key_of(2, a) && key != key_of(4, more));
    assert_true(key_of(0, a) != key_of(1, a));
}

static void a_block_that_is_too_small_is_a_bug(void **state)
{
    (void)state;
    float *data = zeroed(32, sizeof *data), *first, *second, *third;
    weight_block b = {.data = data, .n = 32, .fills = true};
    assert_ok(weight_block_take(&b, 1, &first));
    assert_ok(weight_block_take(&b, 16, &second));
    assert_true(first == data && second == data + 16);
    assert_fails(weight_block_take(&b, 1, &third), ST_BUG, "32 floats", NULL);
}

/* ---- graphs ---- */

static const char *const networks[] = {"vgg_bn_tiny.h5", "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5", "vit_tiny.h5"};

/* The same tensors without their numbers. */
static tensors *without_data(const tensors *t)
{
    tensors *bare = zeroed(1, sizeof *bare);
    tensor *list = zeroed(t->n, sizeof *list);
    memcpy(list, t->list, t->n * sizeof *list);
    for (size_t i = 0; i < t->n; i++) {
        list[i].data = NULL;
    }
    *bare = *t;
    bare->list = list;
    return bare;
}

/* Two arrays in two blocks: at the same place. */
static void assert_same_place(const float *a, const weight_block *in_a, const float *b, const weight_block *in_b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL) {
        assert_int_equal(a - in_a->data, b - in_b->data);
    }
}

/* One fills, another builds the same graph over what it will see, and touches nothing. */
static void who_does_not_fill_has_the_same_graph(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        golden *file = golden_open(networks[k]);
        const tensors *t = golden_tensors(file);
        const graph *whole, *filled, *seen;
        weight_block a = {.n = graph_weights(t), .fills = true}, b = {.n = a.n};
        a.data = zeroed(a.n, sizeof *a.data);
        b.data = zeroed(b.n, sizeof *b.data);
        for (size_t i = 0; i < b.n; i++) {
            b.data[i] = 0.5f; /* what others may have written by now */
        }
        assert_ok(graph_build(memory, t, &whole));
        assert_ok(graph_build_in(memory, t, &a, &filled));
        assert_ok(graph_build_in(memory, without_data(t), &b, &seen));
        assert_true(a.used > 0 && a.used <= a.n && a.used == b.used && a.key == b.key);
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.data[i] == 0.5f);
        }
        assert_int_equal(seen->n_nodes, whole->n_nodes);
        assert_int_equal(seen->n_components, whole->n_components);
        for (node_id id = 0; id < whole->n_nodes; id++) {
            const node *x = &whole->nodes[id], *y = &filled->nodes[id], *z = &seen->nodes[id];
            assert_string_equal(x->name, z->name);
            assert_ptr_equal(x->op, z->op);
            assert_memory_equal(&x->out, &z->out, sizeof x->out);
            assert_true(x->n_weight == z->n_weight && x->n_bias == z->n_bias);
            assert_same_place(y->weight, &a, z->weight, &b);
            assert_same_place(y->bias, &a, z->bias, &b);
            assert_same_place(y->norm_scale, &a, z->norm_scale, &b);
            if (x->n_weight > 0) {
                assert_memory_equal(x->weight, y->weight, x->n_weight * sizeof(float));
            }
            if (x->n_bias > 0) {
                assert_memory_equal(x->bias, y->bias, x->n_bias * sizeof(float));
            }
        }
        golden_close(&file);
    }
}

/* What is wrong with numbers, only who has them can say. */
static void who_fills_checks_the_numbers(void **state)
{
    (void)state;
    golden *file = golden_open(networks[0]);
    const tensors *t = golden_tensors(file);
    tensors broken = *t;
    tensor *list = zeroed(t->n, sizeof *list);
    const graph *g;
    memcpy(list, t->list, t->n * sizeof *list);
    broken.list = list;
    const tensor *last = tensors_find(t, "classifier.0.weight");
    last = last == NULL ? &t->list[0] : last;
    size_t count = 1;
    for (size_t i = 0; i < last->rank; i++) {
        count *= last->dim[i];
    }
    float *numbers = zeroed(count, sizeof *numbers);
    numbers[count - 1] = NAN;
    list[last - t->list].data = numbers;
    weight_block b = {.n = graph_weights(t), .fills = true};
    b.data = zeroed(b.n, sizeof *b.data);
    assert_fails(graph_build_in(memory, &broken, &b, &g), ST_DATA, last->name, "finite", NULL);
    weight_block other = {.n = b.n, .data = b.data};
    assert_ok(graph_build_in(memory, &broken, &other, &g));
    golden_close(&file);
}

/* ---- criteria: every one that explains images, with its weights on a list ---- */

static void parameters_of(const criterion_def *c, double parameters[MAX_CRITERION_PARAMETERS])
{
    for (size_t i = 0; i < c->n_fields; i++) {
        parameters[i] = c->fields[i].def;
    }
}

/* The rows are those of weights of its own, bit for bit, and the weights that are counted are those that are wanted. */
static void check_criterion(const network *n, const criterion_def *c, const double parameters[])
{
    size_t stride, private_bytes = 0, shared_private = 0;
    void *opened;
    criterion_setup setup = network_setup(n, parameters);
    const float *expected = network_rows(n, c, parameters, &stride);
    float *rows = zeroed(NETWORK_BATCH * stride, sizeof *rows);
    weight_list counted = weights_open(NULL), l = weights_open(memory);
    assert_ok(c->bytes(&setup, &private_bytes));
    setup.weights = &counted;
    assert_ok(c->bytes(&setup, &shared_private));
    setup.weights = &l;
    const size_t before = arena_bytes(memory);
    assert_ok(c->open(memory, &setup, &opened));
    const size_t took = arena_bytes(memory) - before;
    assert_int_equal(l.floats, counted.floats);
    assert_in_range(took, shared_private, shared_private + (256 << 10)); /* and steps, plans, the list */
    assert_true(shared_private <= private_bytes);
    assert_true(shared_private + l.floats * sizeof(float) >= private_bytes);
    float *block = zeroed(l.floats, sizeof *block);
    for (size_t part = 0; part < 3; part++) {
        assert_ok(weights_make(&l, block, part, 3));
    }
    weights_use(&l, block);
    const criterion_batch b = {.images = n->images, .target = n->target, .sample = n->sample};
    memset(rows, 0xff, NETWORK_BATCH * stride * sizeof *rows);
    c->rows(opened, &b, rows);
    if (memcmp(rows, expected, NETWORK_BATCH * stride * sizeof *rows) != 0) {
        fail_msg("%s, %s: other numbers with weights from a list", n->name, c->name);
    }
    if (strcmp(test_backend()->name, "onednn") == 0 && l.n == 0) {
        fail_msg("%s, %s: nothing is on the list", n->name, c->name); /* it packs everything */
    }
}

static void criteria_run_on_weights_from_a_list(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        for (size_t i = 0; i < criterion_count; i++) {
            const criterion_def *c = criterion_table[i];
            double parameters[MAX_CRITERION_PARAMETERS] = {0.0};
            criterion_setup setup = network_setup(&n, parameters);
            parameters_of(c, parameters);
            if (!c->uses_samples) {
                continue;
            }
            if (!status_ok(criterion_check(c, &setup))) {
                assert_true(strcmp(c->name, "bn-scale") == 0 && strcmp(networks[k], "vit_tiny.h5") == 0);
                status_clear();
                continue;
            }
            check_criterion(&n, c, parameters);
            for (size_t f = 0; f < c->n_fields; f++) {
                if (strcmp(c->fields[f].name, "form") == 0) {
                    parameters[f] = 2.0; /* layer: runs the network on zeros before the first image */
                    check_criterion(&n, c, parameters);
                }
            }
        }
        network_close(&n);
    }
}

/* ---- walks: every rule, by the short ways and term by term ---- */

static const float *walk_rows(const network *n, const composite *c, unsigned without, weight_list *l)
{
    const size_t count = NETWORK_BATCH * WALK_MOMENTS * n->g->n_components;
    float *rows = zeroed(count, sizeof *rows);
    walk *w;
    assert_ok(walk_build_with(memory, n->g, c, test_backend(), NETWORK_BATCH, &(walk_options){.without = without, .weights = l}, &w));
    if (l != NULL) {
        float *block = zeroed(l->floats, sizeof *block);
        assert_ok(weights_make(l, block, 0, 1));
        weights_use(l, block);
    }
    walk_run(w, n->images, n->target, rows);
    return rows;
}

static void check_rule(const network *n, const rule_def *rule, unsigned without)
{
    static const float mean[] = {0.5f, 0.5f, 0.5f}, std[] = {0.25f, 0.25f, 0.25f};
    composite_entry everywhere = {.rule = rule};
    for (size_t i = 0; i < rule->n_fields; i++) {
        everywhere.parameters[i] = rule->fields[i].def;
    }
    const composite c = {.n = 1, .entries = &everywhere, .epsilon = 1e-6, .proj_bias = true, .pixels = {3, mean, std}};
    weight_list l = weights_open(memory), counted = weights_open(NULL);
    size_t own, beside;
    const float *expected = walk_rows(n, &c, without, NULL), *rows = walk_rows(n, &c, without, &l);
    assert_ok(walk_needs_with(n->g, &c, test_backend(), NETWORK_BATCH, &(walk_options){.without = without}, &own));
    assert_ok(walk_needs_with(n->g, &c, test_backend(), NETWORK_BATCH, &(walk_options){.without = without, .weights = &counted}, &beside));
    assert_int_equal(counted.floats, l.floats);
    assert_in_range(beside + l.floats * sizeof(float), own, own + 64 * (l.n + 1)); /* whole lines */
    if (memcmp(rows, expected, NETWORK_BATCH * WALK_MOMENTS * n->g->n_components * sizeof *rows) != 0) {
        fail_msg("%s, %s, without %u: other numbers with weights from a list", n->name, rule->name, without);
    }
}

static void rules_run_on_weights_from_a_list(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(networks); k++) {
        network n;
        network_open(networks[k], &n);
        for (size_t i = 0; i < rule_count; i++) {
            double parameters[MAX_RULE_PARAMETERS] = {0.0};
            if (rule_table[i]->kind == RULE_TERMS && !rule_table[i]->terms(parameters).of_pixels) {
                check_rule(&n, rule_table[i], 0);
                check_rule(&n, rule_table[i], REWRITE_SIGNS);
            }
        }
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_list_an_array_is_made_at_once, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(shares_make_everything_once, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_share_that_fails_says_so, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(the_key_knows_number_order_and_sizes, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_block_that_is_too_small_is_a_bug, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(who_does_not_fill_has_the_same_graph, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(who_fills_checks_the_numbers, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(criteria_run_on_weights_from_a_list, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(rules_run_on_weights_from_a_list, open_memory, close_memory),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
