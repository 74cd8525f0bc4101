#ifndef UNIT_PIPELINE_EXPORT_SAMPLE_H
#define UNIT_PIPELINE_EXPORT_SAMPLE_H
/* A small result whose networks exist, and `pollard export` of it as from a shell. Shared by the tests of good and of hostile results. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "io/checkpoint.h"
#include "io/results.h"
#include "io/sha256.h"
#include "nn/arch.h"
#include "nn/op.h"
#include "pipeline/export.h"

enum { SAMPLE_RATES = 4, SAMPLE_CRITERIA = 2, SAMPLE_SEEDS = 2, SAMPLE_TASKS = 2, TRACK = SAMPLE_SEEDS * SAMPLE_TASKS };
static const double sample_rates[SAMPLE_RATES] = {0.0, 0.3, 0.6, 0.95};
static const uint64_t sample_seeds[SAMPLE_SEEDS] = {0, UINT64_MAX};
static const char *const sample_criteria[SAMPLE_CRITERIA] = {"random", "magnitude"};
static const size_t sample_classes[SAMPLE_TASKS] = {3, 10};

static arena *memory;

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

static void *get(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

static const char *scratch_path(const char *name)
{
    const char *path = arena_text(memory, "%s/%s", scratch_folder(), name);
    assert_non_null(path);
    return path;
}

static file_bytes bytes_of(const char *path)
{
    file_bytes b = {NULL, 0};
    assert_ok(file_read(memory, path, (size_t)1 << 30, &b));
    return b;
}

static const char *digest_of(const char *path)
{
    uint8_t raw[32];
    char *text = get(65, 1);
    const file_bytes b = bytes_of(path);
    sha256(b.data, b.size, raw);
    sha256_text(raw, text);
    return text;
}

static const char *checkpoint_of(const char *network)
{
    char relative[200];
    (void)snprintf(relative, sizeof relative, "examples/digits/models/%s/model.safetensors", network);
    return arena_text(memory, "%s", source_path(relative));
}

static const tensors *read_tensors(const char *path)
{
    tensors *t = NULL;
    assert_ok(checkpoint_parse(memory, path, bytes_of(path), &t));
    assert_ok(facts_merge(memory, 0, NULL, 0, NULL, t));
    return t;
}

static const graph *read_graph(const char *path)
{
    const graph *g = NULL;
    assert_ok(graph_build(memory, read_tensors(path), &g));
    return g;
}

/* ---- the result ---- */

static void sample_layers(const graph *g, result_model *m)
{
    result_layer *layers = get(g->n_layers, sizeof *layers);
    for (size_t i = 0; i < g->n_layers; i++) {
        const node *n = &g->nodes[g->layers[i]];
        layers[i] = (result_layer){n->name, n->op->name, "low", n->components, n->n_components, n->first_component};
    }
    m->layers = layers;
    m->n_layers = g->n_layers;
    m->n_components = g->n_components;
    m->parameters = m->macs = get(g->n_components, 8);
    m->n_classes = g->n_classes;
}

static void sample_cell(result_cell *c, size_t criterion, component_kind kind, size_t place, size_t n)
{
    const size_t k = sample_classes[place / SAMPLE_SEEDS];
    uint64_t *zeros = get(SAMPLE_RATES * k, 8), *removed = get(SAMPLE_RATES, 8), *total = get(k, 8);
    uint32_t *classes = get(k, sizeof *classes);
    for (size_t i = 0; i < k; i++) {
        classes[i] = (uint32_t)i;
        total[i] = 1;
    }
    for (size_t r = 0; r < SAMPLE_RATES; r++) {
        removed[r] = (uint64_t)((double)n * sample_rates[r]);
    }
    *c = (result_cell){.model = 0, .criterion = criterion, .kind = kind, .task = place / SAMPLE_SEEDS, .seed = sample_seeds[place % SAMPLE_SEEDS],
                       .n_references = criterion == 0 ? 0 : 10, .n_classes = k, .classes = classes, .total = k, .class_total = total,
                       .parameters_left = zeros, .macs_left = zeros, .removed = removed, .layers_emptied = zeros, .agree = zeros, .correct = zeros, .correct_masked = zeros,
                       .top5 = zeros, .top5_masked = zeros, .class_correct = zeros, .class_correct_masked = zeros,
                       .loss_sum = get(SAMPLE_RATES, 8), .seconds_per_image = get(SAMPLE_RATES, 8)};
}

static void sample_track(result_track *t, size_t criterion, component_kind kind, size_t first_cell, size_t n, const size_t component[])
{
    size_t *cell = get(TRACK, sizeof *cell), *order = get(n, sizeof *order), *scratch = get(n, sizeof *scratch);
    uint32_t *ranking = get(TRACK * n, sizeof *ranking);
    uint16_t *removed_at = get(TRACK * n, sizeof *removed_at);
    for (size_t c = 0; c < TRACK; c++) {
        cell[c] = first_cell + c;
        rng_subset(cell[c], RNG_TEST, 3, n, n, scratch, order);
        for (size_t p = 0; p < n; p++) {
            size_t r = 0;
            while (r < SAMPLE_RATES && (size_t)((double)n * sample_rates[r]) <= p) {
                r++;
            }
            ranking[c * n + p] = (uint32_t)order[p];
            removed_at[c * n + order[p]] = (uint16_t)r;
        }
    }
    *t = (result_track){.criterion = criterion, .kind = kind, .n_components = n, .component = component, .n_cells = TRACK, .cell = cell,
                        .relevance = get(TRACK * n, sizeof(double)), .ranking = ranking, .removed_at = removed_at};
}

static void sample_provenance(results *r, const char *checkpoint, const char *images)
{
    result_text *texts = get(2, sizeof *texts);
    result_input *inputs = get(3, sizeof *inputs);
    const char *json = arena_text(memory, "%s/model.json", path_folder(memory, checkpoint));
    const char *study = arena_text(memory,
                                   "study: sample\ndata: {reference: '%s', evaluation: '%s'}\nmodels: [{name: net, checkpoint: '%s'}]\n"
                                   "criteria: [{name: random, method: random}, {name: magnitude, method: magnitude}]\n"
                                   "tasks: {classes: [3, 10], seeds: 2, references: [10]}\nrates: [0, 0.3, 0.6, 0.95]\n",
                                   images, images, checkpoint);
    texts[0] = (result_text){"config_path", "some/sample.yaml"};
    texts[1] = (result_text){"config_resolved", study};
    inputs[0] = (result_input){"some/sample.yaml", "00", 1};
    inputs[1] = (result_input){checkpoint, digest_of(checkpoint), 1};
    inputs[2] = (result_input){json, digest_of(json), 1};
    r->texts = texts;
    r->n_texts = 2;
    r->inputs = inputs;
    r->n_inputs = 3;
}

/* Writes the result of a study of one of the digits networks; images: the folder of both of its sets. */
static void write_sample(const char *path, const char *network, const char *images)
{
    static const char *const names[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, *const methods[] = {"random", "magnitude"}, *const tasks[SAMPLE_TASKS] = {"3", "10"},
                             *const none[] = {"", ""};
    static const ranking_options rankings[SAMPLE_CRITERIA] = {{RANKING_LEAST_FIRST, RANKING_GLOBAL, 0.0}};
    const char *checkpoint = checkpoint_of(network);
    const graph *g = read_graph(checkpoint);
    result_model model = {.name = "net", .architecture = g->architecture, .checkpoint = checkpoint, .preprocessing = ""};
    result_cell *cells = get(COMPONENT_KINDS * SAMPLE_CRITERIA * TRACK, sizeof *cells);
    result_track *tracks = get(COMPONENT_KINDS * SAMPLE_CRITERIA, sizeof *tracks);
    results r = {.study = "sample", .n_models = 1, .n_criteria = SAMPLE_CRITERIA, .n_rates = SAMPLE_RATES, .models = &model,
                 .criterion_name = sample_criteria, .criterion_method = methods, .criterion_ranking = rankings,
                 .criterion_composite = none, .rates = sample_rates, .n_tasks = SAMPLE_TASKS, .task_name = tasks, .class_name = names, .n_classes = 10, .cells = cells, .tracks = tracks};
    sample_layers(g, &model);
    for (component_kind kind = COMPONENT_FILTER; (int)kind < COMPONENT_KINDS; kind++) {
        size_t n = 0;
        const size_t *component = NULL;
        assert_ok(graph_components(memory, g, kind, &n, &component));
        for (size_t k = 0; n > 0 && k < SAMPLE_CRITERIA; k++) {
            sample_track(&tracks[r.n_tracks++], k, kind, r.n_cells, n, component);
            for (size_t i = 0; i < TRACK; i++) {
                sample_cell(&cells[r.n_cells++], k, kind, i, n);
            }
        }
    }
    sample_provenance(&r, checkpoint, images);
    assert_ok(results_write(path, &r));
}

static const char *digits(void)
{
    return arena_text(memory, "%s", source_path("examples/digits/data/val"));
}

/* ---- the command ---- */

static char said[1 << 14]; /* what it printed */

/* export_of("result.h5", "--rate", "0.3", ..., NULL) */
static status export_of(const char *first, ...)
{
    enum { MOST = 32 };
    char *argv[MOST] = {arena_text(memory, "pollard"), arena_text(memory, "export"), arena_text(memory, "%s", first)};
    int argc = 3;
    va_list args;
    cli cl;
    va_start(args, first);
    for (const char *word = va_arg(args, const char *); word != NULL && argc < MOST; word = va_arg(args, const char *)) {
        argv[argc++] = arena_text(memory, "%s", word);
    }
    va_end(args);
    FILE *to = tmpfile();
    assert_non_null(to);
    status st = cli_parse(argc, argv, &cl);
    if (status_ok(st)) {
        st = export_run(&cl, to);
    }
    rewind(to);
    said[fread(said, 1, sizeof said - 1, to)] = '\0';
    (void)fclose(to);
    return st;
}

#endif
