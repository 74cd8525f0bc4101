/* The heatmaps stage against what it means: one image at a time, each network built for it alone, no micro-batches, no shared masks, no items.
 * Any number of ranks. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "attribution/walk_pruned.h"
#include "pipeline/plan.h"
#include "stages/heatmaps.h"

static comm world;
static arena *memory, *scratch;
static plan resolved;
static stage_ctx ctx;
static item_service items;
static double ticked;

static void count_tick(void *progress, double images)
{
    (void)progress;
    ticked += images;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = arena_alloc(memory, n, size);
    assert_non_null(p);
    return p;
}

static status run_study(void)
{
    /* Two seeds of different classes and one task of all, so that sets differ; images that do not fill a micro-batch; more masks than an
     * item has; magnitude, whose masks seeds share. */
    static const char *const sets[] = {"tasks.seeds=[0, 3]", "tasks.classes=[3, 10]", "tasks.references=[1]", "rates=[0, 0.1, 0.2, 0.3, 0.45, 0.9]",
                                       "micro_batch=4", "heatmaps.images=2", "heatmaps.rates=[0.1, 0.2, 0.3, 0.9]", "heatmaps.keep=true",
                                       "heatmaps.criteria=[lrp-epsilon, magnitude]"};
    double expected = 0.0;
    TRY(items_open(&world, memory, &items));
    TRY(plan_build(&world, memory, source_path("configs/digits.yaml"), COUNT(sets), sets, &resolved));
    ctx = (stage_ctx){.comm = &world, .study = &resolved.study, .arena = memory, .tick = count_tick, .items = &items};
    ctx.reference_mark = zeroed(resolved.study.reference_data->n_samples, sizeof *ctx.reference_mark);
    ctx.evaluation_mark = zeroed(resolved.study.evaluation_data->n_samples, sizeof *ctx.evaluation_mark);
    for (size_t i = 0; i < stage_count; i++) {
        expected = stage_table[i]->work(&ctx);
        ticked = 0.0;
        if (strcmp(stage_table[i]->name, "evaluate") != 0) {
            TRY(stage_table[i]->run(&ctx));
        }
    }
    int64_t all[] = {(int64_t)ticked};
    comm_sum_i64(&world, 1, all);
    assert_int_equal(all[0], llround(expected * (double)world.size)); /* the progress line reaches its end */
    return STATUS_OK;
}

static int run_stages(void **state)
{
    (void)state;
    if (!status_ok(arena_open("test", &memory)) || !status_ok(arena_open("scratch", &scratch)) || !status_ok(run_study())) {
        print_message("%s\n", status_message());
        return 1;
    }
    return 0;
}

/* ---- by definition ---- */

typedef struct alone {
    double *map; /* sum over the channels */
    double *r;
    double logit, confidence;
    int64_t prediction;
    size_t input, pixels;
} alone;

static alone explain_alone(const study_model *m, const study_evaluation *set, size_t sample, const uint8_t *alive)
{
    const study *s = &resolved.study;
    const criterion_setup setup = study_heatmap_setup(s, (size_t)(m - s->models));
    const size_t label = s->evaluation_data->label[sample], input = shape_count(m->graph->input), pixels = input / 3;
    const composite *c;
    walk *w;
    arena *a;
    assert_ok(arena_open("alone", &a));
    float *image_data = zeroed(input, sizeof *image_data), *r = zeroed(input, sizeof *r);
    alone out = {.map = zeroed(pixels, sizeof *out.map), .r = zeroed(input, sizeof *out.r), .input = input, .pixels = pixels};
    file_mark *mark = zeroed(s->evaluation_data->n_samples, sizeof *mark);
    const sample_list one = {1, &sample};
    batch b = {.images = image_data};
    assert_ok(batch_read(scratch, s->evaluation_data, &one, 0, 1, &m->evaluation_preprocess, mark, &b));
    assert_ok(s->config->heatmaps.explanation.method->composite(a, &setup, &c));
    assert_ok(walk_pruned_build(a, m->graph, alive, c, s->backend, 1, NULL, &w)); /* not of the rows that logits need alone */
    walk_run_from(w, image_data, &(walk_start){.value = START_ONE}, &label, 0, NULL);
    walk_read_input(w, r);
    const float *logits = forward_logits(walk_activations(w));
    double sum = 0.0;
    out.prediction = set->classes[0];
    for (size_t k = 0; k < set->n_classes; k++) {
        const double y = (double)logits[set->classes[k]];
        out.prediction = y > (double)logits[out.prediction] ? (int64_t)set->classes[k] : out.prediction;
        sum += exp(y - (double)logits[label]);
    }
    out.logit = (double)logits[label];
    out.confidence = 1.0 / sum;
    for (size_t i = 0; i < input; i++) {
        out.r[i] = (double)r[i];
        out.map[i % pixels] += (double)r[i];
    }
    arena_close(&a);
    return out;
}

static double cosine(size_t n, const double *a, const double *b)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa) / sqrt(bb) : 0.0;
}

/* Alone and in a micro-batch, in the whole network and that of needed rows: two float32 runs. */
static const double tolerance = 2e-3;

static void compare(const study_cell *cell, size_t rate, const heatmap_set *set, size_t i, const alone *before, const alone *after,
                    const heatmap_answer_pair *got, const float *map)
{
    const char *name = resolved.study.config->criteria[cell->criterion].name;
    const double off[] = {fabs(got->cosine - cosine(before->input, before->r, after->r)), fabs(got->map_cosine - cosine(before->pixels, before->map, after->map)),
                          fabs(got->logit - after->logit), fabs(got->confidence - after->confidence)};
    for (size_t k = 0; k < COUNT(off); k++) {
        if (!(off[k] <= tolerance)) {
            fail_msg("%s, rate %zu, image %zu of evaluation set %zu: number %zu is off by %g", name, rate, i, set->evaluation, k, off[k]);
        }
    }
    assert_int_equal(got->prediction, after->prediction);
    double largest = 0.0, worst = 0.0;
    for (size_t p = 0; p < before->pixels; p++) {
        largest = fmax(largest, fabs(after->map[p]));
        worst = worst_of(worst, fabs(after->map[p] - (double)map[p]));
    }
    assert_true(worst <= tolerance * largest + 1e-12);
    assert_true(got->gone == (largest == 0.0));
}

static void answers_are_those_of_images_alone(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    size_t compared = 0, differ = 0;
    for (size_t i = 0; i < s->n_cells; i += 3) {
        const study_cell *cell = &s->cells[i];
        const study_model *m = &s->models[cell->model];
        if (ctx.heatmaps.set[i] == NO_HEATMAPS) {
            continue;
        }
        const heatmap_set *set = &ctx.heatmaps.sets[ctx.heatmaps.set[i]];
        const study_evaluation *e = &s->evaluations[set->evaluation];
        assert_true(set->evaluation == s->tasks[cell->task].evaluation && set->model == cell->model && set->n_images == 2 * e->n_classes);
        for (size_t r = 0; r < s->config->n_rates && world.rank == 0; r++) {
            const size_t mask = ctx.heatmaps.mask[i * s->config->n_rates + r], k = (i + r) % set->n_images, sample = e->heatmaps.sample[k];
            uint8_t *alive = zeroed(2, m->graph->n_components), *all = alive + m->graph->n_components;
            assert_true((mask == NO_HEATMAPS) == (r == 4)); /* the one that is not asked for */
            if (mask == NO_HEATMAPS) {
                continue;
            }
            memset(alive, 1, 2 * m->graph->n_components);
            for (size_t c = 0; c < m->n_components[cell->kind]; c++) {
                alive[m->component[cell->kind][c]] = ctx.prune.removed_at[i][c] > r;
            }
            const alone before = explain_alone(m, e, sample, all), after = explain_alone(m, e, sample, alive);
            const heatmap_answer_pair *got = &set->answers[mask * set->n_images + k];
            compare(cell, r, set, k, &before, &after, got, set->maps[mask * set->n_images + k]);
            assert_true(r > 0 || (mask == 0 && (got->cosine == 1.0 || got->gone) && !memcmp(alive, all, m->graph->n_components)));
            differ += fabs(got->cosine - got->map_cosine) > 2 * tolerance; /* they are not to be mixed up */
            compared++;
        }
    }
    assert_true(world.rank > 0 || (compared > 40 && differ > 0));
}

/* Rank 0 has the answers; what is asked for is known everywhere. Magnitude's masks are those of both seeds. */
static void cells_share_what_is_equal(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    size_t n = 0;
    for (size_t i = 0; i < ctx.heatmaps.n_sets; i++) {
        assert_true((ctx.heatmaps.sets[i].answers != NULL) == (world.rank == 0));
        n += ctx.heatmaps.sets[i].n_masks;
    }
    assert_int_equal(n, ctx.heatmaps.n_explained);
    assert_true(ctx.heatmaps.n_explained < ctx.heatmaps.n_wanted);
    for (size_t i = 0; i < s->n_cells; i++) {
        const bool random = strcmp(s->config->criteria[s->cells[i].criterion].name, "random") == 0;
        assert_true((ctx.heatmaps.set[i] == NO_HEATMAPS) == random);
    }
}

/* A class has the same images in every task, and each task as many of every class as it was asked for. */
static void classes_keep_their_images(void **state)
{
    (void)state;
    const study *s = &resolved.study;
    size_t *first = zeroed(2 * s->evaluation_data->n_classes, sizeof *first);
    for (size_t e = 0; e < s->n_evaluations; e++) {
        const sample_list *l = &s->evaluations[e].heatmaps;
        for (size_t i = 0; i < l->n; i++) {
            const size_t class = s->evaluation_data->label[l->sample[i]];
            assert_int_equal(class, s->evaluations[e].classes[i / 2]);
            assert_true(i == 0 || l->sample[i] > l->sample[i - 1]);
            size_t *known = &first[2 * class + i % 2];
            assert_true(*known == 0 || *known == l->sample[i] + 1);
            *known = l->sample[i] + 1;
        }
    }
}

/* Items by themselves: in any order, twice, the same words; together they are all of them. */
static void items_know_nothing_of_each_other(void **state)
{
    (void)state;
    arena *a, *small, *images;
    heatmap_work w;
    heatmapper *h = NULL;
    assert_ok(arena_open("items", &a));
    assert_ok(arena_open("small", &small));
    assert_ok(arena_open("images", &images));
    assert_ok(heatmaps_plan(a, &ctx, 0, &w));
    const status opened = heatmaps_open(&ctx, a, small, images, &w, &h);
    assert_ok(heatmaps_ready(&ctx, a, opened, h));
    assert_true(w.n_items > 6);
    const size_t n = w.offset[w.n_items];
    int64_t *forward_order = zeroed(n, 8), *backward = zeroed(n, 8);
    for (size_t i = 0; i < w.n_items; i++) {
        int64_t *block = zeroed(w.offset[i + 1] - w.offset[i], 8);
        assert_ok(heatmaps_compute(h, i, block));
        heatmaps_place(&w, i, block, forward_order);
    }
    for (size_t i = w.n_items; i-- > 0;) {
        assert_ok(heatmaps_compute(h, i, backward + w.offset[i]));
    }
    assert_memory_equal(forward_order, backward, n * 8);
    if (world.rank == 0) { /* the stage's own numbers, whoever has computed them */
        const heatmap_item last = heatmaps_item(&w, w.n_items - 1);
        const heatmap_set *set = &ctx.heatmaps.sets[w.n_lists - 1];
        const int64_t *word = forward_order + w.offset[w.n_items - 1];
        double real[HEATMAP_REALS];
        memcpy(real, word, sizeof real);
        const heatmap_answer_pair *pair = &set->answers[last.first_mask * set->n_images + last.batch * w.micro_batch];
        assert_true(pair->cosine == real[HEATMAP_COSINE] && pair->map_cosine == real[HEATMAP_MAP_COSINE] && pair->logit == real[HEATMAP_LOGIT] &&
                    pair->confidence == real[HEATMAP_CONFIDENCE] && pair->prediction == word[HEATMAP_PREDICTION]);
    }
    arena_close(&images);
    arena_close(&small);
    arena_close(&a);
}

/* An image that cannot be read on one rank: all leave, with the message of the file. */
static void a_failure_is_everybodys(void **state)
{
    (void)state;
    const dataset *d = resolved.study.evaluation_data;
    dataset broken = *d;
    const char **path = zeroed(d->n_samples, sizeof *path);
    study s = resolved.study;
    stage_ctx c = ctx;
    memcpy(path, d->path, d->n_samples * sizeof *path);
    path[s.evaluations[0].heatmaps.sample[0]] = "no/such.png";
    broken.path = path;
    s.evaluation_data = &broken;
    c.study = &s;
    c.heatmaps = (heatmaps_output){.n_sets = 0};
    const stage_def *stage = stage_table[stage_count - 1];
    assert_string_equal(stage->name, "heatmaps");
    const status st = stage->run(&c);
    assert_false(status_ok(st));
    assert_true(st.code == ST_NO_INPUT || st.code == ST_PEER);
    status_clear();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_images_alone), cmocka_unit_test(cells_share_what_is_equal),
        cmocka_unit_test(classes_keep_their_images),         cmocka_unit_test(items_know_nothing_of_each_other),
        cmocka_unit_test(a_failure_is_everybodys),
    };
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, run_stages, NULL);
    comm_finish(&world);
    return failed;
}
