#ifndef UNIT_RESULTS_SAMPLE_H
#define UNIT_RESULTS_SAMPLE_H
/* A small study that has everything: two models, filters, neurons and heads, criteria with and without samples, two class counts. Shared by the
 * tests that write result files and those that inspect them. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attribution/walk_audit.h"
#include "core/rng.h"
#include "io/results.h"

#define N_RATES ((size_t)8) /* not enumerators: products of them count bytes */
#define TRACK_CELLS ((size_t)4)
enum { N_SEEDS = 2, N_TASKS = 2, N_CRITERIA = 2, N_KINDS = 3, N_CLASSES = 10 };
enum { N_TRACKS = N_KINDS * N_CRITERIA, N_ROWS = N_TRACKS * N_TASKS, N_CELLS = N_ROWS * N_SEEDS };
static const double rates[N_RATES] = {0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875};
static const size_t task_classes[N_TASKS] = {3, 10};
static const char *const task_names[N_TASKS] = {"3", "every-one"}; /* drawn, stated */
static const char *const class_names[N_CLASSES] = {"zero", "one", "zwei", "trois", "четыре", "五", "6", "7", "8", "9"};
static const char *const criterion_names[N_CRITERIA] = {"lrp-epsilon", "random"};
static const char *const criterion_methods[N_CRITERIA] = {"lrp epsilon=1e-06", "random"};
static const ranking_options criterion_rankings[N_CRITERIA] = {{RANKING_LEAST_FIRST, RANKING_GLOBAL, 0.25},
                                                               {RANKING_MOST_FIRST, RANKING_LAYER, 0.0}};
static const char *const criterion_composites[N_CRITERIA] = {"[{rule: epsilon, epsilon: 1e-06}]", ""};
static const char *const moment_names[] = {"absolute", "signed"};

static arena *memory;

static void *get(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

static uint64_t *numbers(size_t n, uint64_t seed, uint64_t limit)
{
    uint64_t *p = get(n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = rng_u64(seed, RNG_TEST, 0, (uint32_t)i) % limit;
    }
    return p;
}

static double *reals(size_t n, uint64_t seed)
{
    double *p = get(n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = rng_uniform(seed, RNG_TEST, 1, (uint32_t)i) - 0.25;
    }
    return p;
}

/* Two layers for filters or neurons; heads follow the neurons of the same model. */
static void sample_model(result_model *m, const char *name, const char *type, component_kind kind, size_t n,
                         size_t n_heads)
{
    result_layer *layers = get(3, sizeof *layers);
    layers[0] = (result_layer){"block.0", type, "low", kind, n / 3, 0};
    layers[1] = (result_layer){"block.1", type, "fc", kind, n - n / 3, n / 3};
    layers[2] = (result_layer){"block.1.attention", "attention", "high", COMPONENT_HEAD, n_heads, n};
    *m = (result_model){.name = name,
                        .architecture = "test",
                        .checkpoint = "some/where/model.safetensors",
                        .preprocessing = "resize 8 8; mean 0.5 0.5 0.5",
                        .n_layers = n_heads > 0 ? 3 : 2,
                        .layers = layers,
                        .n_components = n + n_heads,
                        .parameters = numbers(n + n_heads, 1, 1000),
                        .macs = numbers(n + n_heads, 2, 100000),
                        .total_parameters = 1000 * (n + n_heads),
                        .total_macs = (uint64_t)1 << 40,
                        .n_classes = N_CLASSES};
}

static size_t removed_count(size_t n, size_t rate)
{
    return (size_t)((double)n * rates[rate]);
}

static void sample_cell(result_cell *c, size_t model, component_kind kind, size_t criterion, size_t task, size_t seed,
                        size_t n)
{
    const size_t k = task_classes[task], id = ((model * 4 + kind) * N_CRITERIA + criterion) * 16 + task * 4 + seed;
    uint64_t *class_total = get(k, 8), *class_correct = get(N_RATES * k, 8), *correct = get(N_RATES, 8),
             *class_masked = get(N_RATES * k, 8), *masked = get(N_RATES, 8), *top5 = get(N_RATES, 8),
             *removed = get(N_RATES, 8), *left = get(N_RATES, 8), total = 0;
    uint32_t *classes = get(k, sizeof *classes);
    for (size_t i = 0; i < k; i++) {
        classes[i] = (uint32_t)(k == 3 ? 2 * i + seed : i);
        class_total[i] = 20 + i;
        total += class_total[i];
    }
    double sum = 0.0, area = 0.0;
    for (size_t r = 0; r < N_RATES; r++) {
        for (size_t i = 0; i < k; i++) {
            const uint64_t right = rng_u64(id, RNG_TEST, 2, (uint32_t)(r * k + i)) % (class_total[i] + 1);
            class_correct[r * k + i] = right;
            correct[r] += right;
            class_masked[r * k + i] = right / 2; /* fewer, by another rule: the variables are not to be mixed up */
            masked[r] += right / 2;
        }
        top5[r] = correct[r] + (total - correct[r]) / 2;
        removed[r] = removed_count(n, r);
        left[r] = 1000 * n - removed[r];
        sum += (double)correct[r] / (double)total;
        area += r == 0 ? 0.0 : (rates[r] - rates[r - 1]) * (double)(correct[r] + correct[r - 1]) / 2.0 / (double)total;
    }
    *c = (result_cell){.model = model,
                       .criterion = criterion,
                       .task = task,
                       .kind = kind,
                       .seed = UINT64_MAX - seed,
                       .n_references = criterion == 0 ? 10 : 0,
                       .n_images = criterion == 0 ? 10 * k - 1 : 0,
                       .n_classes = k,
                       .classes = classes,
                       .total = total,
                       .class_total = class_total,
                       .correct = correct,
                       .correct_masked = masked,
                       .top5 = top5,
                       .top5_masked = correct,
                       .parameters_left = left,
                       .macs_left = left,
                       .removed = removed,
                       .layers_emptied = removed,
                       .agree = top5,
                       .class_correct = class_correct,
                       .class_correct_masked = class_masked,
                       .loss_sum = reals(N_RATES, id),
                       .seconds_per_image = reals(N_RATES, id + 1000),
                       .a_pr_mean = sum / (double)N_RATES,
                       .a_pr_trapezoid = area,
                       .highest_rate = 0.25,
                       .area_parameters = 0.5 + (double)id / 1024.0,
                       .area_macs = 0.25 + (double)id / 1024.0,
                       .parameters_removed = 0.125,
                       .macs_removed = 0.0625};
}

static void sample_track(result_track *t, size_t model, component_kind kind, size_t criterion, size_t first, size_t n,
                         size_t first_cell)
{
    size_t *component = get(n, sizeof *component), *cell = get(TRACK_CELLS, sizeof *cell),
           *scratch = get(n, sizeof *scratch);
    size_t *order = get(n, sizeof *order);
    uint32_t *ranking = get(TRACK_CELLS * n, sizeof *ranking);
    uint16_t *removed_at = get(TRACK_CELLS * n, sizeof *removed_at);
    for (size_t i = 0; i < n; i++) {
        component[i] = first + i;
    }
    for (size_t c = 0; c < TRACK_CELLS; c++) {
        cell[c] = first_cell + c;
        rng_subset(first_cell + c, RNG_TEST, 3, n, n, scratch, order);
        for (size_t p = 0; p < n; p++) {
            size_t r = 0;
            while (r < N_RATES && removed_count(n, r) <= p) {
                r++;
            }
            ranking[c * n + p] = (uint32_t)order[p];
            removed_at[c * n + order[p]] = (uint16_t)r;
        }
    }
    double *relevance = get(TRACK_CELLS * n, sizeof *relevance); /* ascending along the ranking */
    for (size_t i = 0; i < TRACK_CELLS * n; i++) {
        relevance[i / n * n + ranking[i]] = (double)(i % n) - 3.5;
    }
    *t = (result_track){.model = model,
                        .criterion = criterion,
                        .kind = kind,
                        .n_components = n,
                        .component = component,
                        .n_cells = TRACK_CELLS,
                        .cell = cell,
                        .relevance = relevance,
                        .ranking = ranking,
                        .removed_at = removed_at,
                        .n_moments = criterion == 0 ? 2 : 0,
                        .moment_names = moment_names,
                        .moments = reals(TRACK_CELLS * 2 * n, first_cell)};
}

static void sample_rows(results *r, const result_cell *cells)
{
    result_stability *stability = get(N_ROWS, sizeof *stability);
    result_summary *summary = get(N_ROWS, sizeof *summary);
    for (size_t i = 0; i < N_ROWS; i++) {
        const result_cell *c = &cells[i * N_SEEDS];
        stability[i] = (result_stability){c->model, c->criterion, c->task, c->n_classes, c->n_references,
                                          1,        c->kind,      0.5,     reals(N_RATES, i)};
        summary[i] = (result_summary){.model = c->model,
                                      .criterion = c->criterion,
                                      .task = c->task,
                                      .n_classes = c->n_classes,
                                      .n_references = c->n_references,
                                      .n_seeds = N_SEEDS,
                                      .kind = c->kind,
                                      .accuracy = 0.9,
                                      .a_pr_mean = (c[0].a_pr_mean + c[1].a_pr_mean) / 2.0,
                                      .a_pr_error = 0.01,
                                      .a_pr_trapezoid = 0.7,
                                      .a_pr_trapezoid_error = 0.02,
                                      .highest_rate = 0.25,
                                      .area_parameters = 0.5,
                                      .area_macs = 0.4,
                                      .parameters_removed = 0.375,
                                      .macs_removed = 0.4375};
    }
    result_difference *differences = get(2, sizeof *differences);
    for (size_t i = 0; i < 2; i++) {
        differences[i] = (result_difference){.criterion = 0, .other = 1, .n_classes = 3, .n_references = 10, .n_seeds = N_SEEDS,
                                             .kind = COMPONENT_FILTER, .mean = 0.25 - (double)i, .error = 0.0625, .low = -0.5, .high = 0.75};
    }
    r->differences = differences;
    r->n_differences = 2;
    r->stability = stability;
    r->summary = summary;
    r->n_stability = r->n_summary = N_ROWS;
}

/* One audit, of the second model: growing by the steps, the last one partial; the first set has a relevance that is not finite. */
static void sample_audit(results *r)
{
    static const result_audit_step steps[] = {{"heads.head", "linear", "epsilon (epsilon=1e-06)", true},
                                              {"block.1.add", "add", "norm (epsilon=1e-06)", true},
                                              {"block.1.attention", "attention", "attention (epsilon=1e-06, softmax=epsilon)", false}};
    static const result_set sets[] = {{UINT64_MAX, 0, 3, 10, 30}, {UINT64_MAX - 1, 0, 3, 10, 30}};
    static const double sums[2 * 3 * AUDIT_SUMS] = {30, 30, 29, 31, 29, 31, 29, 124, INFINITY, INFINITY, NAN, NAN,
                                                    30, 30, 27, 45, 27, 45, 27, 90,  27,       90,       9,   99};
    static const result_audit audit = {.model = 1, .criterion = 0, .n_steps = 3, .n_sets = 2, .steps = steps, .sets = sets, .sums = sums};
    r->audits = &audit;
    r->n_audits = 1;
}

/* Scores of five images of two classes, for the second model. */
static void sample_kept(results *r)
{
    enum { SAMPLES = 5, COMPONENTS = 30 };
    static const char *const path[SAMPLES] = {"zero/a.png", "zero/b.png", "zero/c.png", "two/a.png", "two/\xff.png"};
    static const uint32_t class[SAMPLES] = {0, 0, 0, 2, 2};
    static float score[SAMPLES * COMPONENTS];
    static const result_set sets[] = {{UINT64_MAX, 0, 3, 10, 3}, {UINT64_MAX - 1, 0, 3, 10, 4}};
    static const uint8_t member[2 * SAMPLES] = {1, 0, 1, 0, 1, 1, 1, 0, 1, 1};
    static const result_rows rows = {.model = 1, .criterion = 0, .moment = "absolute", .n_samples = SAMPLES, .n_components = COMPONENTS,
                                     .path = path, .class = class, .score = score, .n_sets = 2, .sets = sets, .member = member};
    for (size_t i = 0; i < COUNT(score); i++) {
        score[i] = (float)(i % COMPONENTS) + (float)(i / COMPONENTS * i / COMPONENTS);
    }
    r->rows = &rows;
    r->n_rows = 1;
}

/* Of two reference sets, for the second model: two layers, two kinds, the network; the matrix of it has been solved by all ranks. The second set has one
 * image, which tells nothing. */
static void sample_spectrum(results *r)
{
    static const result_part parts[] = {{"block.0", "layer", "neurons", 8}, {"block.1.attention", "layer", "heads", 2}, {"neurons", "kind", "neurons", 8},
                                        {"heads", "kind", "heads", 2}, {"network", "network", "", 10}};
    static const result_set sets[] = {{UINT64_MAX, 0, 3, 10, 30}, {UINT64_MAX - 1, 0, 3, 1, 1}};
    static const size_t order[] = {4, 2, 4, 2, 5, 1, 1, 1, 1, 1};
    static const double value[] = {8.0, 4.0, 2.0, 1.0, 0.5}, none[] = {NAN};
    static const double *const values[] = {value, value, value, value, value, none, none, none, none, none};
    static const uint8_t over_ranks[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static spectrum measures[10];
    static const result_spectrum one = {.model = 1, .criterion = 0, .n_parts = 5, .n_sets = 2, .parts = parts, .sets = sets, .order = order,
                                             .values = values, .over_ranks = over_ranks, .measures = measures};
    for (size_t i = 0; i < 10; i++) {
        measures[i] = spectrum_of(sets[i / 5].n_images, order[i], values[i]);
    }
    r->spectra = &one;
    r->n_spectra = 1;
}

/* Explanations under pruning of two cells with different numbers of images, at three rates; maps of one of them, of the second model. */
static void sample_heatmaps(results *r)
{
    enum { RATES = 3, FEW = 2, MANY = 4, PIXELS = 6 };
    static const double at[RATES] = {0.0, 0.25, 0.875};
    static const char *const path[MANY] = {"zero/e.png", "one/e.png", "\xff/e.png", "6/e.png"};
    static const uint32_t class[MANY] = {0, 1, 2, 6};
    static const size_t few[FEW] = {1, 3}, many[MANY] = {0, 1, 2, 3}, map[RATES * MANY] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3};
    static const int64_t prediction[RATES * MANY] = {0, 1, 2, 6, 0, 1, 1, -1, 3, 3, 3, 3};
    static const float pixel[2 * MANY][PIXELS] = {{1, -2, 3, -4, 5, -6}, {0}, {7}, {8}, {9}, {10}, {11}, {0.5f, 0.25f, 0, 0, 0, -1}};
    static const float *const maps[2 * MANY] = {pixel[0], pixel[1], pixel[2], pixel[3], pixel[4], pixel[5], pixel[6], pixel[7]};
    static const size_t of[2 * MANY] = {0, 1, 2, 3, 0, 1, 2, 3};
    static const result_heatmap_maps of_vit = {.model = 1, .n_maps = 2 * MANY, .height = 2, .width = 3, .map = maps, .image = of};
    static result_heatmaps h = {.method = "lrp epsilon=1e-06", .composite = "[{rule: epsilon, epsilon: 1e-06}]", .n_rates = RATES, .n_cells = 2,
                                .n_images = MANY, .n_models = 1, .rates = at, .path = path, .class = class, .maps = &of_vit};
    result_heatmap_cell *cells = get(2, sizeof *cells);
    for (size_t i = 0; i < 2; i++) {
        const size_t cell = i == 0 ? 1 : r->n_cells - 1, n = i == 0 ? FEW : MANY;
        const result_cell *c = &r->cells[cell];
        cells[i] = (result_heatmap_cell){
            .cell = cell, .model = c->model, .criterion = c->criterion, .task = c->task, .n_references = c->n_references, .n_classes = c->n_classes,
            .kind = c->kind, .seed = c->seed, .n_images = n, .cosine_mean = reals(RATES, 71 + i), .cosine_error = reals(RATES, 73 + i),
            .map_cosine_mean = reals(RATES, 75 + i), .map_cosine_error = reals(RATES, 77 + i), .logit_mean = reals(RATES, 79 + i),
            .confidence_mean = reals(RATES, 81 + i), .confidence_error = reals(RATES, 83 + i), .confidence_loss_mean = reals(RATES, 85 + i),
            .confidence_loss_error = reals(RATES, 87 + i), .changed = numbers(RATES, 89 + i, n + 1), .gone = numbers(RATES, 91 + i, n + 1),
            .undefined = numbers(RATES, 93 + i, n + 1), .image = i == 0 ? few : many, .cosine = reals(RATES * n, 95 + i),
            .map_cosine = reals(RATES * n, 97 + i), .logit = reals(RATES * n, 99 + i), .confidence = reals(RATES * n, 101 + i),
            .prediction = prediction, .map = i == 0 ? NULL : map};
    }
    h.cells = cells;
    r->heatmaps = &h;
}

/* Twelve settings of the neurons of the second model: gamma exists where the rule is the second one; two settings have been tried on the other images. */
static void sample_search(results *r)
{
    enum { TRIALS = 12, DIMENSIONS = 3 };
    static const char *const dimension[DIMENSIONS] = {"low", "absolute", "low.gamma"}, *const choice[DIMENSIONS] = {"epsilon,gamma", "token,never", ""};
    static const double alone[DIMENSIONS] = {0.75, 0.0625, NAN}, total[DIMENSIONS] = {0.8125, 0.125, NAN};
    static double point[TRIALS * DIMENSIONS], objective[TRIALS], error[TRIALS], trapezoid[TRIALS], held_out[TRIALS], held_out_error[TRIALS];
    static double cost[TRIALS], regret[TRIALS];
    static uint64_t round[TRIALS];
    static int64_t parent[TRIALS];
    static result_trial_state state[TRIALS];
    static uint32_t front[TRIALS];
    static size_t rank[TRIALS];
    static const char *setting[TRIALS];
    static result_search s = {.model = 1, .kind = COMPONENT_NEURON, .n_dimensions = DIMENSIONS, .dimension = dimension, .choice = choice,
                              .n_trials = TRIALS, .point = point, .setting = setting, .round = round, .objective = objective, .error = error,
                              .a_pr_mean = objective, .a_pr_trapezoid = trapezoid, .area_parameters = objective, .area_macs = trapezoid, .accuracy_at = objective, .n_masks = 480,
                              .n_evaluated = 77, .n_images = 1234, .n_explained = 55, .cost = cost, .regret = regret, .parent = parent, .state = state, .front = front, .held_out = held_out, .held_out_error = held_out_error, .rank = rank, .main = alone,
                              .total = total, .maximised = "a_pr_mean"};
    for (size_t i = 0; i < TRIALS; i++) {
        const bool gamma = i % 2 == 1;
        rank[i] = i * 5 % TRIALS; /* a permutation, the first the best */
        objective[i] = 0.9375 - (double)rank[i] / 64.0;
        trapezoid[i] = objective[i] - 0.03125;
        error[i] = i == 2 ? (double)NAN : 0.015625 + (double)i / 1024.0;
        round[i] = i / 4;
        state[i] = rank[i] < 4 ? TRIAL_COMPLETE : rank[i] % 2 == 0 ? TRIAL_WORSE : TRIAL_SHARE;
        front[i] = rank[i] < 2 ? 1 : rank[i] < 4 ? 2 : 0;
        parent[i] = i < 4 ? -1 : (int64_t)i / 2;
        cost[i] = 300.0 * (double)(1 + i % 3);
        regret[i] = i == 3 ? (double)NAN : (double)rank[i] / 64.0;
        held_out[i] = rank[i] < 2 ? 0.75 + (double)i / 64.0 : (double)NAN;
        held_out_error[i] = rank[i] < 2 ? 0.03125 : (double)NAN;
        setting[i] = arena_text(memory, "{name: tuned-%zu, method: lrp, composite: [{rule: %s}]}", i, gamma ? "gamma" : "epsilon");
        assert_non_null(setting[i]);
        point[i * DIMENSIONS] = gamma ? 1.0 : 0.0;
        point[i * DIMENSIONS + 1] = (double)(i / 2 % 2);
        point[i * DIMENSIONS + 2] = gamma ? 0.125 * (double)i : (double)NAN;
    }
    r->searches = &s;
    r->n_searches = 1;
}

static void sample_provenance(results *r)
{
    char *config = get(100001, 1);
    result_text *texts = get(4, sizeof *texts);
    memset(config, '#', 100000);
    config[snprintf(config, 20, "study: sample")] = '\n';
    texts[0] = (result_text){"config", config};
    texts[1] = (result_text){"command", "pollard run sample.yaml"};
    texts[2] = (result_text){"started", "2030-01-01T00:00:00Z"};
    texts[3] = (result_text){"git_revision", ""};
    result_input *inputs = get(2, sizeof *inputs);
    inputs[0] =
        (result_input){"model.safetensors", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 99};
    inputs[1] = (result_input){"images/\xff\xc3\xa9.png",
                               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 1};
    static const char *const hosts[] = {"node1", "node2"};
    static const double busy[] = {10.5, 9.25}, idle[] = {0.0, 1.25};
    static const char *const stages[] = {"attribute", "prune", "evaluate"};
    static const double wait[] = {0.5, 0.0, 2.25, 0.75, 0.0, 3.5}, share[] = {0.125, 0.0, 0.25, 0.0625, 0.0, 0.375};
    r->texts = texts;
    r->n_texts = 4;
    r->inputs = inputs;
    r->n_inputs = r->n_ranks = 2;
    r->rank_host = hosts;
    r->rank_busy = busy;
    r->rank_idle = idle;
    r->rank_idle_share = idle;
    r->n_stages = COUNT(stages);
    r->stage_name = stages;
    r->image_wait = wait;
    r->image_wait_share = share;
}

/* `n`: components of the larger model; large ones are chunked and compressed. */
static const results *sample(size_t n)
{
    const struct {
        size_t model;
        component_kind kind;
        size_t first, n;
    } sets[N_KINDS] = {{0, COMPONENT_FILTER, 0, n}, {1, COMPONENT_NEURON, 0, 24}, {1, COMPONENT_HEAD, 24, 6}};
    results *r = get(1, sizeof *r);
    result_model *models = get(2, sizeof *models);
    result_cell *cells = get(N_CELLS, sizeof *cells);
    result_track *tracks = get(N_TRACKS, sizeof *tracks);
    sample_model(&models[0], "cnn_1.x", "conv2d", COMPONENT_FILTER, n, 0);
    sample_model(&models[1], "vit", "linear", COMPONENT_NEURON, 24, 6);
    size_t i = 0;
    for (size_t k = 0; k < N_KINDS; k++) {
        for (size_t c = 0; c < N_CRITERIA; c++) {
            sample_track(&tracks[k * N_CRITERIA + c], sets[k].model, sets[k].kind, c, sets[k].first, sets[k].n, i);
            for (size_t t = 0; t < TRACK_CELLS; t++, i++) {
                sample_cell(&cells[i], sets[k].model, sets[k].kind, c, t / N_SEEDS, t % N_SEEDS, sets[k].n);
            }
        }
    }
    *r = (results){.study = "sample",
                   .n_models = 2,
                   .n_criteria = N_CRITERIA,
                   .n_rates = N_RATES,
                   .n_cells = N_CELLS,
                   .n_tracks = N_TRACKS,
                   .models = models,
                   .criterion_name = criterion_names,
                   .criterion_method = criterion_methods,
                   .criterion_ranking = criterion_rankings,
                   .criterion_composite = criterion_composites,
                   .rates = rates,
                   .n_tasks = N_TASKS,
                   .task_name = task_names,
                   .class_name = class_names,
                   .n_classes = N_CLASSES,
                   .cells = cells,
                   .tracks = tracks};
    sample_rows(r, cells);
    sample_audit(r);
    sample_kept(r);
    sample_spectrum(r);
    sample_heatmaps(r);
    sample_search(r);
    sample_provenance(r);
    return r;
}

static int open_memory(void **state)
{
    (void)state;
    assert_ok(arena_open("test", &memory));
    return 0;
}

static int close_memory(void **state)
{
    (void)state;
    arena_close(&memory);
    return 0;
}

static const char *scratch_path(const char *name)
{
    const char *path = arena_text(memory, "%s/%s", scratch_folder(), name);
    assert_non_null(path);
    return path;
}

static inline file_bytes bytes_of(const char *path)
{
    file_bytes b = {NULL, 0};
    assert_ok(file_read(memory, path, (size_t)1 << 30, &b));
    return b;
}

#endif
