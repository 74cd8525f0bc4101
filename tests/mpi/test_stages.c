/* The stages against what they mean: one image at a time, plain loops over the cells' own samples, no micro-batches, no exact sums, no
 * shared masks. Rankings and counts must be equal, sums equal up to the rounding of a double sum. Any number of ranks. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attribution/walk.h"
#include "core/rng.h"
#include "pipeline/plan.h"
#include "stages/stage.h"

static comm world;
static arena *memory, *scratch;
static plan resolved;
static stage_ctx ctx;

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

static int run_stages(void **state)
{
    (void)state;
    static const char *const sets[] = {"tasks.seeds=[0, 3]", "tasks.classes=[6]", "tasks.references=[1, 3]", "rates=[0, 0.45]",
                                       "micro_batch=8"};
    if (!status_ok(arena_open("test", &memory)) || !status_ok(arena_open("scratch", &scratch)) ||
        !status_ok(plan_build(&world, memory, source_path("configs/digits.yaml"), COUNT(sets), sets, &resolved))) {
        return 1;
    }
    const study *s = &resolved.study;
    ctx = (stage_ctx){.comm = &world, .study = s, .arena = memory, .tick = no_tick};
    ctx.reference_mark = zeroed(s->reference_data->n_samples, sizeof *ctx.reference_mark);
    ctx.evaluation_mark = zeroed(s->evaluation_data->n_samples, sizeof *ctx.evaluation_mark);
    for (size_t i = 0; i < stage_count; i++) {
        if (!status_ok(stage_table[i]->run(&ctx))) {
            return 1;
        }
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
    assert_ok(walk_build(memory, m->graph, c, s->backend, 1, &w));
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
            assert_true(k == 0 || ctx.prune.score[i][ctx.prune.order[i][k - 1]] <= ctx.prune.score[i][ctx.prune.order[i][k]]);
        }
    }
}

typedef struct counts {
    uint64_t correct, top5, of_class[16];
    double loss;
} counts;

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
        size_t slot = t->n_classes, above = 0;
        for (size_t k = 0; k < t->n_classes; k++) {
            slot = t->classes[k] == d->label[i] ? k : slot;
        }
        if (slot == t->n_classes) {
            continue;
        }
        forward_run(f, images[cell->model] + i * size, alive);
        const float *z = forward_logits(f);
        double sum = 0.0;
        for (size_t k = 0; k < t->n_classes; k++) {
            above += z[t->classes[k]] > z[d->label[i]] || (z[t->classes[k]] == z[d->label[i]] && k < slot);
            sum += exp((double)z[t->classes[k]] - (double)z[d->label[i]]);
        }
        out->correct += above == 0;
        out->top5 += above < 5;
        out->of_class[slot] += above == 0;
        out->loss += log(sum);
    }
}

static void curves_are_those_of_the_definition(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    forward *f = NULL;
    size_t model = SIZE_MAX;
    for (size_t i = world.rank == 0 ? 0 : s->n_cells; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        const study_model *m = &s->models[cell->model];
        uint8_t *alive = zeroed(m->graph->n_components, 1);
        memset(alive, 1, m->graph->n_components);
        if (model != cell->model) {
            assert_ok(forward_build(memory, m->graph, s->backend, 1, KEEP_LOGITS, &f));
            model = cell->model;
        }
        size_t gone = 0;
        for (size_t r = 0; r < s->config->n_rates; r++) {
            const evaluate_point *p = &ctx.evaluate.points[i * s->config->n_rates + r];
            const size_t removed = (size_t)((double)m->n_components[cell->kind] * s->config->rates[r]);
            for (; gone < removed; gone++) {
                alive[m->component[cell->kind][ctx.prune.order[i][gone]]] = 0;
            }
            counts c;
            uint64_t parameters, macs;
            count_alone(cell, f, alive, &c);
            assert_ok(graph_cost_left(memory, m->graph, alive, &parameters, &macs));
            assert_int_equal(p->removed, removed);
            assert_int_equal(p->correct, c.correct);
            assert_int_equal(p->top5, c.top5);
            for (size_t k = 0; k < s->tasks[cell->task].n_classes; k++) {
                assert_int_equal(p->class_correct[k], c.of_class[k]);
            }
            assert_true(fabs(p->loss_sum - c.loss) <= 1e-6 * fabs(c.loss));
            assert_true(p->parameters_left == parameters && p->macs_left == macs);
        }
    }
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
        cmocka_unit_test(curves_are_those_of_the_definition),
        cmocka_unit_test(every_file_that_was_read_is_known),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, run_stages, NULL);
    comm_finish(&world);
    return failed;
}
