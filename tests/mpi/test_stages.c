/* The stages against what they mean: one image at a time, plain loops over the cells' own samples, no micro-batches, no exact sums, no
 * shared masks. Rankings and counts must be equal, sums equal up to the rounding of a double sum. Any number of ranks. */
#include "support/support.h"
#include "support/jacobi.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/walk.h"
#include "attribution/walk_audit.h"
#include "core/rng.h"
#include "parallel/eigen.h"
#include "pipeline/plan.h"
#include "stages/rows.h"
#include "stages/spectrum.h"
#include "stages/stage.h"

static comm world;
static arena *memory, *scratch;
static plan resolved, many; /* `many`: criteria of every kind, explained and ranked only */
static stage_ctx ctx, many_ctx;
static item_service items;

static void no_tick(void *progress, double images)
{
    (void)progress;
    (void)images;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

/* Plans and runs the stages from the first one to `last`. */
static status run_study(size_t n_sets, const char *const sets[], const char *last, plan *p, stage_ctx *c)
{
    TRY(plan_build(&world, memory, source_path("configs/digits.yaml"), n_sets, sets, p));
    *c = (stage_ctx){.comm = &world, .study = &p->study, .arena = memory, .tick = no_tick, .items = &items};
    TRY(items_open(&world, memory, &items));
    c->reference_mark = zeroed(p->study.reference_data->n_samples, sizeof *c->reference_mark);
    c->evaluation_mark = zeroed(p->study.evaluation_data->n_samples, sizeof *c->evaluation_mark);
    for (size_t i = 0; i < stage_count && (i == 0 || strcmp(stage_table[i - 1]->name, last) != 0); i++) {
        TRY(stage_table[i]->run(c));
    }
    return STATUS_OK;
}

static int run_stages(void **state)
{
    (void)state;
    /* Every order, scope and floor, on criteria that look at images and on those that do not. Half of the classes are masked, and at the last
     * rate floors give way. */
    const char *const sets[] = {
        "tasks.seeds=[0, 3]", "tasks.classes=[6]", "tasks.references=[1, 3]", "rates=[0, 0.45, 0.9]", "micro_batch=8", "rows=keep",
        "spectrum=true", eigen_built() ? "spectrum_lapack=17" : "spectrum_lapack=18", /* of 18 images */
        "criteria=[{name: plain, method: lrp}, {name: floor, method: lrp, floor: 0.3}, {name: layers, method: lrp, scope: layer},"
        " {name: least, method: magnitude}, {name: most, method: random, order: most-first, floor: 0.25},"
        " {name: most-layers, method: magnitude, order: most-first, scope: layer}]"};
    static const char *const criteria =
        "criteria=[{name: a, method: gradient-activation}, {name: b, method: taylor, absolute: sample}, {name: c, method: snip}, "
        "{name: d, method: smoothgrad, draws: 2, normalise: l2}, {name: e, method: integrated-gradients, steps: 2, points: left}, "
        "{name: f, method: integrated-gradients, form: layer, steps: 1, target: prediction}, {name: g, method: gradient, initial: logit}, "
        "{name: h, method: activation, statistic: variance}, {name: i, method: wanda}, {name: j, method: activation, absolute: never}, "
        "{name: k, method: lrp, absolute: sum, normalise: max}]";
    const char *const more[] = {"tasks.seeds=[0, 3]", "tasks.classes=[6]", "tasks.references=[1, 3]", "rates=[0, 0.45]",
                                "micro_batch=8", criteria};
    if (!status_ok(arena_open("test", &memory)) || !status_ok(arena_open("scratch", &scratch)) ||
        !status_ok(run_study(COUNT(sets), sets, "spectrum", &resolved, &ctx)) ||
        !status_ok(run_study(COUNT(more), more, "prune", &many, &many_ctx))) {
        print_message("%s\n", status_message());
        return 1;
    }
    return 0;
}

static void load(const dataset *d, size_t sample, const preprocess *p, float *out)
{
    const sample_list one = {1, &sample};
    file_mark *mark = zeroed(d->n_samples, sizeof *mark);
    batch b = {.images = out};
    assert_ok(batch_read(scratch, d, &one, 0, 1, p, mark, &b));
}

/* What every component of a model scores, from the definition of each criterion. */
static void score_alone(const study_cell *cell, double *score)
{
    const study *s = &resolved.study;
    const study_model *m = &s->models[cell->model];
    const config_criterion *cc = &s->config->criteria[cell->criterion];
    const size_t n = m->graph->n_components;
    if (cell->reference == NO_REFERENCE) {
        const criterion_setup setup = study_setup(s, cell->model, cell->criterion);
        assert_ok(cc->method->scores(&setup, s->tasks[cell->task].seed, score));
        return;
    }
    const composite *c;
    walk *w;
    assert_ok(composite_epsilon(memory, cc->parameters[0], &c));
    assert_ok(walk_build(memory, m->logits_graph, c, s->backend, 1, &w));
    float *pixels = zeroed(shape_count(m->graph->input), sizeof *pixels), *row = zeroed(WALK_MOMENTS * n, sizeof *row);
    memset(score, 0, n * sizeof *score);
    const study_reference *r = &s->references[cell->reference];
    assert_true(r->task == cell->task && r->samples.n == r->per_class * s->tasks[cell->task].n_classes);
    for (size_t i = 0; i < r->samples.n; i++) {
        const size_t sample = r->samples.sample[i], target = s->reference_data->label[sample];
        load(s->reference_data, sample, &m->preprocess, pixels);
        walk_run(w, pixels, &target, row);
        for (size_t k = 0; k < n; k++) {
            score[k] += (double)row[WALK_ABSOLUTE * n + k];
        }
    }
}

/* The layer of a component: from the graph, not from the plan. */
static size_t layer_of(const graph *g, size_t component)
{
    size_t l = 0;
    while (component < g->nodes[g->layers[l]].first_component ||
           component >= g->nodes[g->layers[l]].first_component + g->nodes[g->layers[l]].n_components) {
        l++;
    }
    return l;
}

enum { MOST_LAYERS = 64 };

/* One cell at one rate, component by component. */
typedef struct removal {
    const ranking_options *options;
    const graph *graph;
    const size_t *component; /* of the kind */
    const double *score;
    size_t n, size[MOST_LAYERS], left[MOST_LAYERS]; /* components of the kind in each layer */
    double rate;
} removal;

static bool may_go(const removal *r, size_t layer)
{
    if (r->options->scope == RANKING_LAYER) {
        return r->size[layer] - r->left[layer] < (size_t)((double)r->size[layer] * r->rate);
    }
    return (double)(r->left[layer] - 1) >= (double)r->size[layer] * r->options->floor - 1e-9;
}

/* The next that goes: by score, ties by index, where its layer lets it; where none does, of all. */
static size_t next_to_go(const removal *r, const uint8_t *alive)
{
    const double sign = r->options->order == RANKING_MOST_FIRST ? -1.0 : 1.0;
    size_t next[2] = {SIZE_MAX, SIZE_MAX};
    for (size_t k = 0; k < r->n; k++) {
        const size_t allowed = may_go(r, layer_of(r->graph, r->component[k])) ? 0 : 1;
        if (alive[k] && (next[allowed] == SIZE_MAX || sign * r->score[k] < sign * r->score[next[allowed]])) {
            next[allowed] = k;
        }
    }
    return next[0] != SIZE_MAX ? next[0] : next[1];
}

/* What each rate removes, and that it is what the cell's ranking, counts and removed_at say. */
static void check_ranking(size_t cell_index)
{
    const study *s = &resolved.study;
    const study_cell *cell = &s->cells[cell_index];
    const study_model *m = &s->models[cell->model];
    removal r = {.options = &s->config->criteria[cell->criterion].ranking, .graph = m->graph, .component = m->component[cell->kind],
                 .score = ctx.prune.score[cell_index], .n = m->n_components[cell->kind]};
    uint8_t *alive = zeroed(r.n, 1), *placed = zeroed(r.n, 1);
    assert_true(m->graph->n_layers <= MOST_LAYERS);
    for (size_t k = 0; k < r.n; k++) {
        r.size[layer_of(m->graph, r.component[k])]++;
        assert_true(ctx.prune.order[cell_index][k] < r.n && placed[ctx.prune.order[cell_index][k]]++ == 0); /* a permutation */
    }
    for (size_t i = 0; i < s->config->n_rates; i++) {
        size_t removed = 0;
        r.rate = s->config->rates[i];
        memcpy(r.left, r.size, sizeof r.left);
        memset(alive, 1, r.n);
        for (size_t l = 0; l < m->graph->n_layers; l++) {
            removed += (size_t)((double)r.size[l] * r.rate);
        }
        removed = r.options->scope == RANKING_LAYER ? removed : (size_t)((double)r.n * r.rate);
        assert_int_equal(ctx.prune.removed[cell_index][i], removed);
        for (; removed > 0; removed--) {
            const size_t k = next_to_go(&r, alive);
            alive[k] = 0;
            r.left[layer_of(m->graph, r.component[k])]--;
        }
        for (size_t k = 0; k < r.n; k++) {
            assert_int_equal(alive[ctx.prune.order[cell_index][k]], k >= ctx.prune.removed[cell_index][i]);
            assert_int_equal(alive[k], ctx.prune.removed_at[cell_index][k] > i);
        }
    }
}

static void scores_and_rankings_are_those_of_the_definition(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    for (size_t i = world.rank == 0 ? 0 : s->n_cells; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        const study_model *m = &s->models[cell->model];
        double *all = zeroed(m->graph->n_components, sizeof *all);
        score_alone(cell, all);
        const size_t n = m->n_components[cell->kind];
        assert_int_equal(ctx.prune.n_components[i], n);
        for (size_t k = 0; k < n; k++) {
            const double expected = all[m->component[cell->kind][k]], got = ctx.prune.score[i][k];
            assert_true(fabs(got - expected) <= 1e-12 * fabs(expected));
        }
        check_ranking(i);
    }
}

/* Rows of one image at a time, added in double, to finish(). */
static void score_rows_alone(const study_cell *cell, double *score, double *size)
{
    const study *s = &many.study;
    const study_model *m = &s->models[cell->model];
    const criterion_def *method = s->config->criteria[cell->criterion].method;
    criterion_setup setup = study_setup(s, cell->model, cell->criterion);
    setup.batch = 1;
    const size_t n = criterion_row(method, &setup), n_components = m->graph->n_components;
    void *explainer = NULL;
    assert_ok(method->open(memory, &setup, &explainer));
    float *pixels = zeroed(shape_count(m->graph->input), sizeof *pixels), *row = zeroed(n, sizeof *row);
    double *sums = zeroed(n, sizeof *sums);
    const study_reference *r = &s->references[cell->reference];
    *size = 0.0;
    for (size_t i = 0; i < r->samples.n; i++) {
        const size_t sample = r->samples.sample[i], target = s->reference_data->label[sample];
        const uint64_t identity = sample;
        load(s->reference_data, sample, &m->preprocess, pixels);
        method->rows(explainer, &(criterion_batch){pixels, &target, &identity}, row);
        for (size_t k = 0; k < n; k++) {
            sums[k] += (double)row[k];
        }
    }
    method->finish(&setup, r->samples.n, sums, score);
    for (size_t k = 0; k < n_components; k++) {
        *size = fmax(*size, fabs(score[k]));
    }
}

static void every_method_is_its_rows_one_image_at_a_time(void **state)
{
    (void)state;
    const study *s = &many.study;
    for (size_t i = world.rank == 0 ? 0 : s->n_cells; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        const study_model *m = &s->models[cell->model];
        double *all = zeroed(m->graph->n_components, sizeof *all), size = 0.0;
        score_rows_alone(cell, all, &size);
        for (size_t k = 0; k < m->n_components[cell->kind]; k++) {
            const double expected = all[m->component[cell->kind][k]], got = many_ctx.prune.score[i][k];
            if (!(fabs(got - expected) <= 1e-12 * size)) { /* differences of positive numbers among them */
                fail_msg("criterion %s, component %zu: %.17g, alone %.17g", s->config->criteria[cell->criterion].name, k, got, expected);
            }
        }
    }
}

typedef struct counts {
    uint64_t correct[CURVE_PREDICTIONS], top5[CURVE_PREDICTIONS], of_class[CURVE_PREDICTIONS][16], agree;
    double loss;
} counts;

/* How many logits come before the label's. Masked, logits of other classes are 0; restricted, they do not exist. */
static size_t classes_before(const float *logits, size_t n_logits, const study_task *t, uint32_t label, bool masked)
{
    size_t before = 0;
    for (uint32_t c = 0; c < n_logits; c++) {
        bool selected = false;
        for (size_t k = 0; k < t->n_classes; k++) {
            selected = selected || t->classes[k] == c;
        }
        const float z = selected ? logits[c] : 0.0f;
        before += (selected || masked) && (z > logits[label] || (z == logits[label] && c < label));
    }
    return before;
}

/* Of the task's classes the one with the largest logit, the first of equals. */
static uint32_t best_class(const float *logits, const study_task *t)
{
    uint32_t best = t->classes[0];
    for (size_t k = 1; k < t->n_classes; k++) {
        best = logits[t->classes[k]] > logits[best] ? t->classes[k] : best;
    }
    return best;
}

static void count_alone(const study_cell *cell, forward *f, const uint8_t *alive, counts *out)
{
    const study *s = &resolved.study;
    const study_model *m = &s->models[cell->model];
    const study_task *t = &s->tasks[cell->task];
    const dataset *d = s->evaluation_data;
    static float *images[8]; /* one cache a model: all evaluation images */
    const size_t size = shape_count(m->graph->input);
    if (images[cell->model] == NULL) {
        images[cell->model] = zeroed(d->n_samples * size, sizeof(float));
        for (size_t i = 0; i < d->n_samples; i++) {
            load(d, i, &m->evaluation_preprocess, images[cell->model] + i * size);
        }
    }
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < d->n_samples; i++) {
        size_t slot = t->n_classes;
        for (size_t k = 0; k < t->n_classes; k++) {
            slot = t->classes[k] == d->label[i] ? k : slot;
        }
        if (slot == t->n_classes) {
            continue;
        }
        static uint32_t *whole[8]; /* what the unpruned network says, by model and task */
        uint32_t **memory_of = &whole[cell->model];
        if (*memory_of == NULL) {
            *memory_of = zeroed(s->n_tasks * d->n_samples, sizeof **memory_of);
        }
        uint32_t *said = *memory_of + cell->task * d->n_samples + i; /* class + 1 */
        if (*said == 0) {
            forward_run(f, images[cell->model] + i * size, NULL);
            *said = best_class(forward_logits(f), t) + 1;
        }
        forward_run(f, images[cell->model] + i * size, alive);
        const float *z = forward_logits(f);
        out->agree += best_class(z, t) + 1 == *said;
        double sum = 0.0;
        for (size_t k = 0; k < t->n_classes; k++) {
            sum += exp((double)z[t->classes[k]] - (double)z[d->label[i]]);
        }
        for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
            const size_t before = classes_before(z, m->graph->n_classes, t, d->label[i], p == PREDICTION_MASKED);
            out->correct[p] += before == 0;
            out->top5[p] += before < 5;
            out->of_class[p][slot] += before == 0;
        }
        out->loss += log(sum);
    }
}

static void curves_are_those_of_the_definition(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    forward *f = NULL;
    size_t model = SIZE_MAX, told_apart = 0;
    for (size_t i = world.rank == 0 ? 0 : s->n_cells; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        const study_model *m = &s->models[cell->model];
        uint8_t *alive = zeroed(m->graph->n_components, 1);
        memset(alive, 1, m->graph->n_components);
        if (model != cell->model) {
            assert_ok(forward_build(memory, m->logits_graph, s->backend, 1, KEEP_LOGITS, &f));
            model = cell->model;
        }
        size_t gone = 0;
        for (size_t r = 0; r < s->config->n_rates; r++) {
            const evaluate_point *p = &ctx.evaluate.points[i * s->config->n_rates + r];
            const size_t removed = ctx.prune.removed[i][r]; /* checked above */
            for (; gone < removed; gone++) {
                alive[m->component[cell->kind][ctx.prune.order[i][gone]]] = 0;
            }
            counts c;
            uint64_t parameters, macs;
            count_alone(cell, f, alive, &c);
            assert_ok(graph_cost_left(memory, m->graph, alive, &parameters, &macs));
            assert_int_equal(p->removed, removed);
            assert_int_equal(p->agree, c.agree);
            for (size_t k = 0; k < CURVE_PREDICTIONS; k++) {
                assert_int_equal(p->correct[k], c.correct[k]);
                assert_int_equal(p->top5[k], c.top5[k]);
                for (size_t slot = 0; slot < s->tasks[cell->task].n_classes; slot++) {
                    assert_int_equal(p->class_correct[k][slot], c.of_class[k][slot]);
                }
            }
            told_apart += c.correct[PREDICTION_RESTRICTED] != c.correct[PREDICTION_MASKED];
            assert_true(fabs(p->loss_sum - c.loss) <= 1e-6 * fabs(c.loss));
            assert_true(p->parameters_left == parameters && p->macs_left == macs);
        }
    }
    assert_true(world.rank != 0 || told_apart > 0);
}

/* One image explained alone: its row of the moment that the score adds up, and its audit. */
static void explain_alone(size_t model, size_t criterion, size_t sample, float *score, float *audit)
{
    const study *s = &resolved.study;
    const study_model *m = &s->models[model];
    const config_criterion *cc = &s->config->criteria[criterion];
    criterion_setup setup = study_setup(s, model, criterion);
    void *method;
    setup.batch = 1;
    float *pixels = zeroed(shape_count(m->graph->input), sizeof *pixels), *row = zeroed(criterion_row(cc->method, &setup), sizeof *row);
    const size_t target = s->reference_data->label[sample], n = m->graph->n_components;
    const uint64_t id = sample;
    load(s->reference_data, sample, &m->preprocess, pixels);
    assert_ok(cc->method->open(memory, &setup, &method));
    cc->method->rows(method, &(criterion_batch){pixels, &target, &id}, row);
    memcpy(score, row + criterion_score_moment(cc->method, &setup) * n, n * sizeof *score);
    memcpy(audit, row + criterion_audit(cc->method, &setup), setup.graph->n_nodes * AUDIT_SUMS * sizeof *audit);
}

static size_t place_of(const study_reference *r, size_t sample)
{
    size_t i = 0;
    while (i < r->samples.n && r->samples.sample[i] != sample) {
        i++;
    }
    return i;
}

/* Kept rows are those of the images alone, wherever they were computed; audits are sums over the images of a reference set. */
static void rows_and_audits_are_those_of_the_images(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    for (size_t pair = 0; pair < s->n_models * s->config->n_criteria; pair++) {
        const size_t model = pair / s->config->n_criteria, criterion = pair % s->config->n_criteria;
        const criterion_def *method = s->config->criteria[criterion].method;
        const float *rows = ctx.attribute.rows[attribute_index(s, model, criterion, 0) / s->n_references];
        assert_true((rows != NULL) == (world.rank == 0 && method->uses_samples));
        if (rows == NULL) {
            continue;
        }
        const criterion_setup setup = study_setup(s, model, criterion);
        const graph *g = setup.graph;
        const size_t n = g->n_components, n_audit = g->n_nodes * AUDIT_SUMS;
        float *score = zeroed(n, sizeof *score), *audit = zeroed(n_audit, sizeof *audit);
        double *sums = zeroed(s->n_references * n_audit, sizeof *sums), *sizes = zeroed(s->n_references * n_audit, sizeof *sizes);
        for (size_t i = 0; i < s->explained.n; i++) {
            explain_alone(model, criterion, s->explained.sample[i], score, audit);
            assert_memory_equal(rows + i * n, score, n * sizeof *score);
            for (size_t r = 0; r < s->n_references; r++) {
                for (size_t k = 0; k < n_audit && place_of(&s->references[r], s->explained.sample[i]) < s->references[r].samples.n; k++) {
                    sums[r * n_audit + k] += (double)audit[k];
                    sizes[r * n_audit + k] += fabs((double)audit[k]);
                }
            }
        }
        for (size_t k = 0; k < s->n_references * n_audit; k++) {
            const double got = ctx.attribute.sums[attribute_index(s, model, criterion, k / n_audit)][criterion_audit(method, &setup) + k % n_audit];
            assert_true(fabs(got - sums[k]) <= 1e-14 * sizes[k]);
        }
    }
}

/* ---- spectrum ---- */

/* K(i,j): product of the scores of images i and j about their means, over (n - 1). */
static void covariances(const float *rows, size_t stride, const study *s, const study_reference *r, const spectrum_part *p, double k[MOST_IMAGES][MOST_IMAGES])
{
    const size_t n = r->samples.n;
    const sample_list all = s->explained;
    const study_reference explained = {.samples = all};
    memset(k, 0, sizeof(double[MOST_IMAGES][MOST_IMAGES]));
    for (size_t c = 0; c < p->n; c++) {
        double x[MOST_IMAGES], mean = 0.0;
        for (size_t i = 0; i < n; i++) {
            x[i] = (double)rows[place_of(&explained, r->samples.sample[i]) * stride + p->component[c]];
            mean += x[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                k[i][j] += (x[i] - mean) * (x[j] - mean) / (double)(n - 1);
            }
        }
    }
}

static void spectra_are_those_of_the_definition(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    size_t together = 0, parts = 0;
    for (size_t pair = 0; pair < s->n_models * s->config->n_criteria; pair++) {
        const size_t model = pair / s->config->n_criteria, criterion = pair % s->config->n_criteria;
        const study_model *m = &s->models[model];
        const spectrum_pair *p = spectrum_of_pair(&ctx, model, criterion);
        const float *rows = ctx.attribute.rows[attribute_index(s, model, criterion, 0) / s->n_references];
        assert_true((p != NULL) == rows_exist(s, model, criterion));
        if (p == NULL || rows == NULL) {
            continue; /* on rank 0 alone */
        }
        assert_int_equal(p->parts[p->n_parts - 1].level, SPECTRUM_NETWORK);
        assert_int_equal(p->parts[p->n_parts - 1].n, spectrum_components(m));
        for (size_t i = 0; i < s->n_references * p->n_parts; i++) {
            const study_reference *r = &s->references[i / p->n_parts];
            const spectrum_part *of = &p->parts[i % p->n_parts];
            const size_t n = r->samples.n;
            double k[MOST_IMAGES][MOST_IMAGES], values[MOST_IMAGES] = {0}, trace = 0.0, squares = 0.0;
            assert_true(n <= MOST_IMAGES);
            covariances(rows, m->graph->n_components, s, r, of, k);
            for (size_t j = 0; j < n; j++) {
                trace += k[j][j];
                for (size_t l = 0; l < n; l++) {
                    squares += k[j][l] * k[j][l];
                }
            }
            jacobi(n, k, values);
            assert_int_equal(p->order[i], n < of->n ? n : of->n);
            assert_int_equal(p->over_ranks[i], p->order[i] > s->config->spectrum_lapack);
            for (size_t j = 0; j < n; j++) {
                assert_true(fabs((j < p->order[i] ? p->values[i][j] : 0.0) - values[j]) <= 1e-13 * values[0]);
            }
            assert_true(fabs(p->measures[i].participation - trace * trace / squares) <= 1e-11 * (double)n);
            assert_true(fabs(p->measures[i].trace - trace) <= 1e-12 * trace);
            together += p->over_ranks[i];
            parts += of->level == SPECTRUM_LAYER;
        }
    }
    assert_true(world.rank != 0 || (parts > 0 && (together > 0) == eigen_built()));
}

static const stage_def *stage_named(const char *name)
{
    size_t i = 0;
    while (strcmp(stage_table[i]->name, name) != 0) {
        i++;
    }
    return stage_table[i];
}

/* One score is infinite: whoever works on it says which, the others leave with it. */
static void a_score_that_is_not_finite_ends_the_spectrum(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    const size_t n_pairs = s->n_models * s->config->n_criteria, stride = s->models[0].graph->n_components, sample = 2;
    const float **rows = zeroed(n_pairs, sizeof *rows);
    stage_ctx broken = ctx;
    int64_t named = 0;
    for (size_t i = 0; i < n_pairs; i++) {
        rows[i] = ctx.attribute.rows[i];
    }
    assert_true(rows_exist(s, 0, 0));
    if (world.rank == 0) {
        float *copy = zeroed(s->explained.n * stride, sizeof *copy);
        memcpy(copy, rows[0], s->explained.n * stride * sizeof *copy);
        copy[sample * stride + stride - 1] = INFINITY;
        rows[0] = copy;
    }
    broken.attribute.rows = rows;
    const status st = stage_named("spectrum")->run(&broken);
    named = st.code == ST_DATA;
    if (named) {
        const graph *g = s->models[0].graph;
        const char *layer = g->nodes[g->layers[g->n_layers - 1]].name;
        assert_true(strstr(status_message(), layer) != NULL || strstr(status_message(), "filters") != NULL || strstr(status_message(), "network") != NULL);
        assert_fails(st, ST_DATA, s->models[0].config->name, s->config->criteria[0].name, "expected finite scores", "inf",
                     s->reference_data->path[s->explained.sample[sample]], NULL);
    } else {
        assert_fails(st, ST_PEER, NULL);
    }
    comm_sum_i64(&world, 1, &named);
    assert_true(named > 0);
}

static void every_file_that_was_read_is_known(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    comm_or_bytes(&world, sizeof(file_mark) * s->reference_data->n_samples, ctx.reference_mark);
    for (size_t i = 0; i < s->explained.n; i++) {
        assert_true(ctx.reference_mark[s->explained.sample[i]].bytes > 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_and_rankings_are_those_of_the_definition),
        cmocka_unit_test(every_method_is_its_rows_one_image_at_a_time),
        cmocka_unit_test(curves_are_those_of_the_definition),
        cmocka_unit_test(rows_and_audits_are_those_of_the_images),
        cmocka_unit_test(spectra_are_those_of_the_definition),
        cmocka_unit_test(a_score_that_is_not_finite_ends_the_spectrum),
        cmocka_unit_test(every_file_that_was_read_is_known),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, run_stages, NULL);
    comm_finish(&world);
    return failed;
}
