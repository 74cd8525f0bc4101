/* LRP of the five golden networks under every composite of the golden files: relevance per component and sample, its sums, maps, and
 * heatmaps at the input. */
#include "support/explained.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

/* Maps and heatmaps of most composites are in the full set alone: tests/golden/README.md says which are here. */
static size_t n_absent, n_heatmaps;

static bool has(const explained *e, const char *data_set)
{
    const bool there = golden_has(e->file, "%s/%s", e->group, data_set);
    assert_true(there || !e->full);
    n_absent += !there;
    return there;
}

static const size_t every_sample[EXPLAINED] = {0, 1, 2, 3, 4, 5};

static void compare_moment(const explained *e, const node *layer, size_t which, const char *group)
{
    const golden_array expected = golden_read(e->file, "%s/%s/%s", e->group, group, layer->name);
    assert_int_equal(expected.count, EXPLAINED * layer->n_components);
    assert_relevance(e, group, layer->name, expected.count, explained_moment(e, layer, which), expected.real);
}

static void compare_aggregate(const explained *e, const node *layer, const char *group)
{
    const golden_array expected = golden_read(e->file, "%s/%s/%s", e->group, group, layer->name);
    assert_int_equal(expected.count, layer->n_components);
    assert_relevance(e, group, layer->name, expected.count, explained_scores(e) + layer->first_component, expected.real);
}

static void compare_map(const explained *e, const char *group, const char *layer, size_t n_samples)
{
    char data_set[256];
    (void)snprintf(data_set, sizeof data_set, "%s/%s", group, layer);
    if (has(e, data_set)) {
        assert_relevance_at(e, layer, data_set, n_samples, every_sample);
    }
}

/* Of the samples that the attribute of the composite names. */
static void compare_heatmap(const explained *e, const char *data_set)
{
    double number[EXPLAINED];
    size_t sample[EXPLAINED];
    const size_t n = golden_numbers(e->file, e->group, "heatmap_samples", EXPLAINED, number);
    for (size_t i = 0; i < n; i++) {
        sample[i] = (size_t)number[i];
    }
    if (has(e, data_set)) {
        assert_relevance_at(e, "input", data_set, n, sample);
    }
}

/* The rules that the file lists are those that the stated composite gives. */
static void compare_rules(const explained *e)
{
    static const struct {
        const char *golden, *ours;
    } names[] = {{"Epsilon", "epsilon"}, {"ZPlus", "z-plus"}, {"AlphaBeta", "alpha-beta"}, {"Gamma", "gamma"},
                 {"Flat", "flat"},       {"WSquare", "w-square"}, {"ZBox", "z-box"}};
    const composite_entry *const *given;
    const char *const *lines;
    const size_t n = golden_lines(e->file, e->group, "rules_txt", &lines);
    assert_ok(composite_resolve(e->a, e->composite, e->g, &given));
    for (size_t i = 0; i < n; i++) {
        const size_t length = strcspn(lines[i], "=");
        const node_id id = explained_node(e, arena_text(e->a, "%.*s", (int)length, lines[i]));
        size_t k = 0;
        while (strcmp(names[k].golden, lines[i] + length + 1) != 0) {
            k++;
            assert_true(k < COUNT(names));
        }
        assert_string_equal(given[id]->rule->name, names[k].ours);
    }
    assert_true(e->composite->epsilon == golden_number(e->file, e->group, "epsilon"));
}

static void check_filters(const explained *e)
{
    const node *layers[MOST_LAYERS];
    const char *const *fc;
    char group[160];
    const size_t n = explained_layers(e, COMPONENT_FILTER, "prunable_order_txt", layers);
    for (size_t l = 0; l < n; l++) {
        compare_moment(e, layers[l], WALK_SIGNED, "relevance");
        compare_aggregate(e, layers[l], "aggregate_abs");
        compare_map(e, "map_sample0", layers[l]->name, 1);
    }
    (void)snprintf(group, sizeof group, "%s/linear_relevance", e->group);
    const size_t n_fc = golden_members(e->file, group, &fc);
    assert_true(n_fc > 0);
    for (size_t l = 0; l < n_fc; l++) {
        compare_map(e, "linear_relevance", fc[l], EXPLAINED);
    }
    compare_heatmap(e, "heatmap");
    n_heatmaps += golden_has(e->file, "%s/heatmap", e->group);
}

static void check_neurons(const explained *e)
{
    const node *layers[MOST_LAYERS];
    const size_t n = explained_layers(e, COMPONENT_NEURON, "prunable_linear_txt", layers);
    for (size_t l = 0; l < n; l++) {
        compare_moment(e, layers[l], WALK_ABSOLUTE, "linear_abs_token_sum");
        compare_moment(e, layers[l], WALK_SIGNED, "linear_signed_token_sum");
        compare_aggregate(e, layers[l], "linear_aggregate_abs");
        compare_map(e, "linear_map_sample0", layers[l]->name, 1);
    }
}

/* heads_query [sample, query, head]: relevance at the softmax output summed over keys; ours is summed over queries too. */
static void check_heads(const explained *e)
{
    const node *layers[MOST_LAYERS];
    const size_t n = explained_layers(e, COMPONENT_HEAD, "prunable_heads_txt", layers);
    for (size_t l = 0; l < n; l++) {
        const golden_array query = golden_read(e->file, "%s/heads_query/%s", e->group, layers[l]->name);
        const size_t heads = query.dim[2];
        assert_int_equal(heads, layers[l]->n_components);
        double *absolute = explained_doubles(e, EXPLAINED * heads), *with_sign = explained_doubles(e, EXPLAINED * heads);
        for (size_t i = 0; i < query.count; i++) {
            const size_t to = i / (query.dim[1] * heads) * heads + i % heads;
            absolute[to] += fabs(query.real[i]);
            with_sign[to] += query.real[i];
        }
        assert_relevance(e, "absolute sum over queries", layers[l]->name, EXPLAINED * heads,
                         explained_moment(e, layers[l], WALK_ABSOLUTE), absolute);
        assert_relevance(e, "signed sum over queries", layers[l]->name, EXPLAINED * heads,
                         explained_moment(e, layers[l], WALK_SIGNED), with_sign);
        compare_aggregate(e, layers[l], "heads_aggregate_abs");
    }
}

/* Relevance of the tokens before the positional embedding is added, summed over their features [sample, token]: of a patch the relevance
 * of the convolution that makes it [sample, feature, row, column]; of the class token, its own share of the sum. */
static void check_tokens(const explained *e)
{
    const golden_array expected = golden_read(e->file, "%s/tokens", e->group);
    const node_id id = explained_node(e, "encoder.tokens"), patches = explained_node(e, "conv_proj");
    const node *n = &e->g->nodes[id];
    const size_t tokens = n->out.dim[0], features = n->out.dim[1];
    float *r = explained_floats(e, EXPLAINED * tokens * features), *r_patch = explained_floats(e, EXPLAINED * tokens * features);
    double *got = explained_doubles(e, expected.count);
    assert_int_equal(expected.count, EXPLAINED * tokens);
    assert_true(walk_read_relevance(e->w, id, r) && walk_read_relevance(e->w, patches, r_patch));
    for (size_t b = 0; b < EXPLAINED; b++) {
        for (size_t j = 0; j < features; j++) {
            const double sum = (double)n->weight[j] + (double)n->bias[j];
            const double stabilised = sum < 0.0 ? sum - e->composite->epsilon : sum + e->composite->epsilon;
            got[b * tokens] += (double)r[b * tokens * features + j] * (double)n->weight[j] / stabilised;
            for (size_t t = 1; t < tokens; t++) {
                got[b * tokens + t] += (double)r_patch[(b * features + j) * (tokens - 1) + t - 1];
            }
        }
    }
    assert_relevance(e, "tokens", "encoder.tokens", expected.count, got, expected.real);
}

static void convolutional_networks_are_golden(void **state)
{
    (void)state;
    for (size_t i = 0; golden_cnns[i] != NULL; i++) {
        for (const golden_composite *c = cnn_composites; c->name != NULL; c++) {
            explained e;
            explain(golden_cnns[i], c, golden_has_heatmap(golden_cnns[i], c), &e);
            compare_rules(&e);
            check_filters(&e);
            explained_close(&e);
        }
    }
    assert_true(n_heatmaps >= 4 * 4); /* what each network has in tests/golden at least */
    n_heatmaps = 0;
}

static void transformers_are_golden(void **state)
{
    (void)state;
    for (const golden_composite *c = vit_composites; c->name != NULL; c++) {
        explained e;
        explain(golden_vit, c, true, &e);
        compare_rules(&e);
        assert_int_equal(strcmp(golden_text(e.file, e.group, "proj_bias_mode"), "reference") == 0 && strncmp(c->name, "eps", 3) != 0,
                         e.composite->proj_bias);
        check_neurons(&e);
        check_heads(&e);
        check_tokens(&e);
        compare_heatmap(&e, "heatmap_conv_proj_eps");
        explained_close(&e);
    }
    print_message("%zu maps and heatmaps are not in tests/golden: with the full set of vectors they are compared too\n", n_absent);
}

/* A composite that no test knows would go unchecked. The plain gradient in the place of gamma (ref_gamma_none) is what float32 cannot do
 * to the tolerance of the others: a test of its own has it in double precision. */
static void no_composite_is_left_out(void **state)
{
    (void)state;
    const char *const networks[] = {golden_cnns[0], golden_cnns[1], golden_cnns[2], golden_cnns[3], golden_vit};
    for (size_t i = 0; i < COUNT(networks); i++) {
        golden *full = golden_open_full(networks[i]);
        golden *file = full != NULL ? full : golden_open(networks[i]);
        const char *const *names;
        const size_t n = golden_members(file, "composites", &names);
        for (size_t k = 0; k < n; k++) {
            const golden_composite *c = networks[i] == golden_vit ? vit_composites : cnn_composites;
            while (c->name != NULL && strcmp(c->name, names[k]) != 0) {
                c++;
            }
            if (c->name == NULL && strcmp(names[k], "ref_gamma_none") != 0) {
                fail_msg("%s: the composite %s is compared with nothing", networks[i], names[k]);
            }
        }
        golden_close(&file);
    }
}

/* Samples in reversed order, each beside others: the same bits. */
static void check_slots(const explained *e, walk *w)
{
    const size_t pixels = shape_count(e->g->input);
    float *images = explained_floats(e, EXPLAINED * pixels), *rows = explained_floats(e, EXPLAINED * e->row);
    for (size_t shift = 1; shift < EXPLAINED; shift++) {
        size_t target[EXPLAINED];
        for (size_t b = 0; b < EXPLAINED;
             b++) { /* sample b goes to slot b + shift, the last `shift` samples are replaced by noise */
            const size_t slot = (b + shift) % EXPLAINED;
            memcpy(images + slot * pixels, e->images + b * pixels, pixels * sizeof *images);
            target[slot] = e->target[b];
        }
        for (size_t i = 0; i < shift * pixels; i++) {
            images[i] = (float)rng_uniform(shift, RNG_TEST, 0, (uint32_t)i) - 0.5f;
        }
        walk_run(w, images, target, rows);
        for (size_t slot = shift; slot < EXPLAINED; slot++) {
            assert_memory_equal(rows + slot * e->row, e->rows + (slot - shift) * e->row, e->row * sizeof *rows);
        }
    }
}

/* Of a walk that keeps nothing: buffers shared by the plan give the same bits. */
static void check_planned(const char *network, const golden_composite *c)
{
    explained e;
    explain(network, c, false, &e);
    walk *planned;
    assert_ok(walk_build(e.a, e.g, e.composite, test_backend(), EXPLAINED, &planned));
    float *rows = explained_floats(&e, EXPLAINED * e.row);
    walk_run(planned, e.images, e.target, rows);
    assert_memory_equal(rows, e.rows, EXPLAINED * e.row * sizeof *rows);
    assert_true(walk_bytes(planned) < walk_bytes(e.w));
    check_slots(&e, planned);
    walk_run(planned, e.images, e.target, rows);
    assert_memory_equal(rows, e.rows, EXPLAINED * e.row * sizeof *rows);
    explained_close(&e);
}

static void rows_depend_on_the_sample_alone(void **state)
{
    (void)state;
    for (size_t i = 0; golden_cnns[i] != NULL; i++) { /* every network, and below every composite on one of them */
        check_planned(golden_cnns[i], &cnn_composites[0]);
    }
    for (size_t k = 1; cnn_composites[k].name != NULL; k++) {
        check_planned(golden_cnns[k % 4], &cnn_composites[k]);
    }
    for (const golden_composite *c = vit_composites; c->name != NULL; c++) {
        check_planned(golden_vit, c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_composite_is_left_out),
        cmocka_unit_test(convolutional_networks_are_golden),
        cmocka_unit_test(transformers_are_golden),
        cmocka_unit_test(rows_depend_on_the_sample_alone),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
