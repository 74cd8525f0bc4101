#include "support/support.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/dry_run_parts.h"
#include "pipeline/gather.h"
#include "pipeline/gather_rows.h"
#include "pipeline/launcher.h"
#include "core/rng.h"
#include "stages/pruned.h"

static comm world;

/* Ten classes of a few images each, as links to the digits of the examples. */
static void make_folder(const char *name, const char *from, size_t each)
{
    arena *a;
    dataset *d;
    char path[4300];
    assert_ok(arena_open("images", &a));
    assert_ok(dataset_open(a, source_path(from), &d));
    (void)snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    assert_int_equal(mkdir(path, 0777), 0);
    for (size_t c = 0; c < d->n_classes; c++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", scratch_folder(), name, d->class_name[c]);
        assert_int_equal(mkdir(path, 0777), 0);
        for (size_t i = d->class_first[c]; i < d->class_first[c] + each; i++) {
            (void)snprintf(path, sizeof path, "%s/%s/%s", scratch_folder(), name, d->path[i]);
            assert_int_equal(symlink(path_join(a, d->root, d->path[i]), path), 0);
        }
    }
    arena_close(&a);
}

static const char *study_file(const char *criteria)
{
    static char path[4300];
    (void)snprintf(path, sizeof path, "%s/study.yaml", scratch_folder());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "study: test\ndata: {reference: reference, evaluation: evaluation}\nmodels:\n");
    (void)fprintf(f, "  - {name: vgg, checkpoint: %s}\n",
                  source_path("examples/digits/models/digits_vgg_bn/model.safetensors"));
    (void)fprintf(f, "  - {name: vit, checkpoint: %s}\n",
                  source_path("examples/digits/models/digits_vit/model.safetensors"));
    (void)fprintf(f, "criteria:\n%s", criteria);
    (void)fprintf(f, "tasks: {classes: [3, 10], seeds: 3, references: [1, 3]}\nrates: {from: 0, to: 0.9, step: "
                     "0.3}\nmicro_batch: 4\n");
    assert_int_equal(fclose(f), 0);
    return path;
}

static const char known[] = "  - {name: size, method: magnitude}\n  - {name: chance, method: random}\n";
static const char all[] =
    "  - {name: size, method: magnitude}\n  - {name: chance, method: random}\n"
    "  - {name: narrow, method: lrp, epsilon: 1e-6}\n  - {name: wide, method: lrp, epsilon: 0.1}\n";
/* The same scores ranked in several ways. */
static const char known_ranked[] =
    "  - {name: size, method: magnitude}\n  - {name: layers, method: magnitude, scope: layer}\n"
    "  - {name: most, method: random, order: most-first, floor: 0.2}\n";
static const char all_ranked[] =
    "  - {name: narrow, method: lrp, epsilon: 1e-6}\n  - {name: wide, method: lrp, epsilon: 0.1, scope: layer}\n"
    "  - {name: layers, method: lrp, epsilon: 1.0e-6, scope: layer}\n  - {name: most, method: lrp, order: most-first}\n"
    "  - {name: floor, method: lrp, floor: 0.1}\n";

/* A plan and a run of the same study. */
typedef struct both {
    arena *planned, *a, *outputs;
    plan p;
    dry_run_report report;
    stage_ctx run;
    item_service items;
    size_t passes; /* of the running stage: it ticks once for each */
} both;

static void count_pass(void *progress, double images)
{
    (void)images;
    both *b = progress;
    b->passes++;
}

static void count_images(void *progress, double images)
{
    *(double *)progress += images;
}

static void open_both(both *b, const char *criteria)
{
    memset(b, 0, sizeof *b);
    assert_ok(arena_open("planned", &b->planned));
    assert_ok(arena_open("report", &b->a));
    assert_ok(arena_open("outputs", &b->outputs));
    assert_ok(plan_build(&world, b->planned, study_file(criteria), 0, NULL, &b->p));
    assert_ok(dry_run_forecast(&world, b->planned, b->a, &b->p, 0.05, &b->report));
    b->run = (stage_ctx){.comm = &world, .study = &b->p.study, .arena = b->outputs, .tick = count_pass, .progress = b, .items = &b->items};
    assert_ok(items_open(&world, b->a, &b->items));
    b->run.reference_mark = arena_alloc(b->a, b->p.study.reference_data->n_samples, sizeof(file_mark));
    b->run.evaluation_mark = arena_alloc(b->a, b->p.study.evaluation_data->n_samples, sizeof(file_mark));
    assert_true(b->run.reference_mark != NULL && b->run.evaluation_mark != NULL);
}

static void close_both(both *b)
{
    arena_close(&b->outputs);
    arena_close(&b->a);
    arena_close(&b->planned);
}

static size_t images_read(const dataset *d, const file_mark *mark)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_samples; i++) {
        n += mark[i].bytes > 0;
    }
    return n;
}

/* Runs all stages; each keeps what was forecast, or for masks that turned out equal, less. */
static void run_stages(both *b, size_t passes[])
{
    for (size_t i = 0; i < stage_count; i++) {
        const stage_forecast *f = &b->report.stage[i];
        const size_t before = arena_bytes(b->outputs);
        b->passes = 0;
        assert_ok(stage_table[i]->run(&b->run));
        passes[i] = b->passes;
        const size_t kept = arena_bytes(b->outputs) - before;
        if (f->at_most) {
            assert_in_range(kept, f->kept / 2, f->kept);
            assert_in_range(passes[i], 1, f->passes);
        } else {
            assert_int_equal(kept, f->kept);
            assert_int_equal(passes[i], f->passes);
        }
    }
}

static const stage_forecast *of_stage(const both *b, const char *name)
{
    for (size_t i = 0; i < stage_count; i++) {
        if (strcmp(stage_table[i]->name, name) == 0) {
            return &b->report.stage[i];
        }
    }
    fail_msg("no stage %s", name);
    return NULL;
}

static void check_against_run(const char *criteria, bool bound)
{
    both b;
    size_t passes[8];
    open_both(&b, criteria);
    const study *s = &b.p.study;
    const stage_forecast *attribute = of_stage(&b, "attribute"), *evaluate = of_stage(&b, "evaluate");
    assert_int_equal(evaluate->at_most, bound);
    assert_int_equal(attribute->at_most, false);
    assert_true(stage_count <= COUNT(passes));
    run_stages(&b, passes);
    assert_int_equal(images_read(s->reference_data, b.run.reference_mark), attribute->images);
    assert_int_equal(images_read(s->evaluation_data, b.run.evaluation_mark), evaluate->images);
    assert_int_equal(b.run.evaluate.n_masks, evaluate->masks);
    assert_int_equal(evaluate->masks, s->n_cells * s->config->n_rates);
    assert_true(evaluate->distinct < evaluate->masks && evaluate->passes < evaluate->unshared);
    assert_in_range(b.run.evaluate.n_evaluated, bound ? evaluate->distinct / 2 : evaluate->distinct,
                    evaluate->distinct);
    close_both(&b);
}

static void a_plan_without_relevance_is_exact(void **state)
{
    (void)state;
    check_against_run(known, false);
    check_against_run(known_ranked, false);
}

static void a_plan_with_relevance_is_a_bound(void **state)
{
    (void)state;
    check_against_run(all, true);
}

/* Of a network with this many kinds on an evaluation set that so many seeds share: at rate 0 all cells have one mask; at the other three rates
 * magnitude gives every seed the same, and chance and the criteria of relevance (each with two sizes of reference sets) one a seed. */
static size_t masks_of_set(size_t n_kinds, size_t seeds, size_t relevance)
{
    return 1 + n_kinds * 3 * (1 + seeds + relevance * 2 * seeds);
}

static size_t masks_of_sets(size_t relevance)
{
    size_t n = 0;
    for (size_t n_kinds = 1; n_kinds <= 2; n_kinds++) { /* vgg has filters, vit neurons and heads */
        n += masks_of_set(n_kinds, 3, relevance) + 3 * masks_of_set(n_kinds, 1, relevance);
    }
    return n;
}

/* Counted by hand: three seeds, classes 3 and 10, one and three references a class, micro-batches of four. */
static void sharing_is_counted(void **state)
{
    (void)state;
    both b;
    open_both(&b, all);
    const stage_forecast *f = of_stage(&b, "attribute");
    const size_t kinds = 1 + 2, criteria = 2, seeds = 3, batches = 1 + 3 + 3 + 8; /* 3, 9, 10 and 30 images */
    assert_int_equal(f->unshared, kinds * criteria * seeds * batches);
    const size_t union_batches = (b.p.study.explained.n + 3) / 4;
    assert_int_equal(f->passes, 2 * criteria * union_batches); /* two networks */
    assert_int_equal(f->items, f->passes);
    assert_int_equal(f->images, b.p.study.explained.n);
    const stage_forecast *e = of_stage(&b, "evaluate");
    assert_int_equal(b.p.study.n_evaluations, 4); /* three draws of three classes, and all ten */
    assert_int_equal(e->images, 50);
    /* 15 and 50 images through the whole networks; each set is one run for each other mask. */
    assert_int_equal(e->items, 2 * (3 * 4 + 13) + masks_of_sets(2) - 2 * 4);
    assert_int_equal(e->distinct, masks_of_sets(2));
    shared_work w[SHARED_WORK];
    dry_run_shared(&b.report, w);
    const size_t cells = kinds * seeds * 2 * (2 + criteria * 2); /* class counts; magnitude and chance, then references */
    assert_int_equal(w[SHARED_EXPLAINED].once, 2 * criteria * b.p.study.explained.n);
    assert_int_equal(w[SHARED_EXPLAINED].alone, kinds * criteria * seeds * (3 + 9 + 10 + 30));
    assert_int_equal(w[SHARED_EVALUATED].once, masks_of_sets(2));
    assert_int_equal(w[SHARED_EVALUATED].alone, cells * 4);
    assert_true(!w[SHARED_EXPLAINED].at_most && w[SHARED_EVALUATED].at_most);
    for (size_t i = 0; i < SHARED_WORK; i++) {
        assert_true(w[i].hours > 0.0);
        const double more = (double)w[i].passes_alone / (double)w[i].passes;
        assert_true(fabs(w[i].hours_alone / w[i].hours / more - 1.0) < 1e-12);
    }
    close_both(&b);
    open_both(&b, known);
    assert_int_equal(of_stage(&b, "evaluate")->distinct, masks_of_sets(0));
    assert_int_equal(of_stage(&b, "attribute")->passes, 0);
    dry_run_shared(&b.report, w);
    assert_int_equal(w[SHARED_EXPLAINED].once + w[SHARED_EXPLAINED].alone, 0);
    assert_false(w[SHARED_EVALUATED].at_most);
    close_both(&b);
}

/* `rows: keep` costs what the plan says, on rank 0 and, before compression, in the file. */
static void kept_rows_are_foreseen(void **state)
{
    (void)state;
    both stream, keep;
    size_t passes[8], scores = 0;
    char criteria[sizeof all + 32];
    open_both(&stream, all);
    (void)snprintf(criteria, sizeof criteria, "%srows: keep\n", all);
    open_both(&keep, criteria);
    for (size_t m = 0; m < keep.p.study.n_models; m++) {
        scores += 2 * keep.p.study.models[m].graph->n_components; /* two criteria */
    }
    const size_t n = keep.p.study.explained.n;
    assert_in_range(gather_rows_kept_bytes(&keep.p.study), n * scores * sizeof(float), n * scores * sizeof(float) + 4 * 64);
    assert_int_equal(gather_rows_kept_bytes(&stream.p.study), gather_rows_kept_bytes(&keep.p.study));
    assert_int_equal(gather_rows_file_bytes(&stream.p.study),
                     gather_rows_kept_bytes(&stream.p.study) + 2 * 10 * scores * sizeof(double)); /* images of all ten classes */
    assert_int_equal(of_stage(&keep, "attribute")->kept, of_stage(&stream, "attribute")->kept + gather_rows_kept_bytes(&keep.p.study));
    assert_true(keep.report.memory.file > stream.report.memory.file + (double)gather_rows_file_bytes(&keep.p.study));
    assert_int_equal(of_stage(&keep, "attribute")->gathered, gather_rows_kept_bytes(&keep.p.study));
    /* Of another rank neither what is gathered nor the file counts. */
    enum { STAGES = 16, GIB = 1 << 30 };
    stage_forecast large[STAGES];
    rank_memory first = keep.report.memory, other = keep.report.memory;
    assert_true(stage_count <= STAGES);
    memcpy(large, keep.report.stage, stage_count * sizeof large[0]);
    large[0].kept += GIB;
    large[0].gathered += GIB;
    dry_run_memory_sum(large, &keep.report.search, &keep.p.study, true, &first);
    dry_run_memory_sum(large, &keep.report.search, &keep.p.study, false, &other);
    assert_true(first.most > GIB && other.most < GIB && other.file == 0.0 && keep.report.others.file == 0.0);
    run_stages(&keep, passes); /* it takes what was forecast */
    close_both(&keep);
    close_both(&stream);
}

/* `rows: auto` is one of the others, and `spectrum: true` needs rows on rank 0, whatever becomes of them. Both leave what was foreseen. */
static void spectra_and_their_rows_are_foreseen(void **state)
{
    (void)state;
    both stream, automatic;
    size_t passes[8];
    char criteria[sizeof all + 64];
    (void)snprintf(criteria, sizeof criteria, "%sspectrum: true\n", all);
    open_both(&stream, criteria);
    (void)snprintf(criteria, sizeof criteria, "%srows: auto\n", all);
    open_both(&automatic, criteria);
    assert_int_equal(of_stage(&automatic, "attribute")->kept, of_stage(&stream, "attribute")->kept);
    assert_true(gather_rows_stored(&automatic.p.study) && !gather_rows_stored(&stream.p.study));
    assert_true(automatic.report.memory.rows == (double)gather_rows_file_bytes(&automatic.p.study) && stream.report.memory.rows == 0.0);
    study large = automatic.p.study; /* the bound is in bytes of all pairs */
    large.explained.n = gather_rows_auto_bytes() / (gather_rows_kept_bytes(&large) / large.explained.n) - 10;
    assert_true(gather_rows_stored(&large));
    large.explained.n += 20;
    assert_false(gather_rows_stored(&large));
    assert_int_equal(of_stage(&automatic, "spectrum")->items, 0);
    assert_int_equal(of_stage(&automatic, "spectrum")->kept, 0);
    /* Of each criterion: under six references, every layer, kind and, where there are several, the network. */
    size_t items = 0;
    for (size_t m = 0; m < stream.p.study.n_models; m++) {
        const study_model *of = &stream.p.study.models[m];
        size_t layers = 0;
        for (size_t l = 0; l < of->graph->n_layers; l++) {
            for (size_t k = 0; k < of->n_kinds; k++) {
                layers += of->graph->nodes[of->graph->layers[l]].components == of->kinds[k];
            }
        }
        items += 2 * stream.p.study.n_references * (layers + of->n_kinds + (of->n_kinds > 1));
    }
    assert_int_equal(of_stage(&stream, "spectrum")->items, items);
    run_stages(&stream, passes);
    run_stages(&automatic, passes);
    assert_non_null(stream.run.spectrum.pairs);
    assert_null(automatic.run.spectrum.pairs);
    close_both(&automatic);
    close_both(&stream);
}

/* Explanations before and after pruning: passes, images and what lasts are those of the run; with maps, and where rankings are not known yet. */
static void explanations_under_pruning_are_planned(void **state)
{
    (void)state;
    static const char *const ends[] = {"heatmaps: {images: 2, keep: true}\n", "heatmaps: {images: 1, rates: [0.6], criteria: [chance]}\n"};
    for (size_t i = 0; i < 2 * COUNT(ends); i++) {
        both b;
        size_t passes[8], unshared = 0;
        char criteria[sizeof all + 128];
        const bool whole = i % COUNT(ends) == 0;
        (void)snprintf(criteria, sizeof criteria, "%s%s", i < COUNT(ends) ? known : all, ends[i % COUNT(ends)]);
        open_both(&b, criteria);
        const study *s = &b.p.study;
        const stage_forecast *f = of_stage(&b, "heatmaps");
        assert_true(!f->idle && f->at_most == (i == COUNT(ends))); /* in the last study no ranking that is not known is asked for */
        run_stages(&b, passes);
        assert_true(b.run.heatmaps.n_explained <= b.run.heatmaps.n_wanted && b.run.heatmaps.sets[0].answers != NULL);
        assert_int_equal(f->images, whole ? 2 * 10 : 10); /* of the task of all classes, whose images the others share */
        for (size_t k = 0; k < s->n_cells; k++) { /* every point, had it gone its own way */
            const bool chosen = whole || strcmp(s->config->criteria[s->cells[k].criterion].name, "chance") == 0;
            const study_evaluation *e = &s->evaluations[s->tasks[s->cells[k].task].evaluation];
            unshared += chosen ? (whole ? 4 : 2) * study_batches(&e->heatmaps, 4) : 0;
        }
        assert_int_equal(f->unshared, unshared);
        assert_int_equal(f->file > 0, whole);
        close_both(&b);
    }
}

/* Images are explained for scores, not for rankings. */
static void rankings_of_the_same_scores_share_their_explanation(void **state)
{
    (void)state;
    both b;
    size_t passes[8];
    open_both(&b, all_ranked);
    const study *s = &b.p.study;
    assert_int_equal(of_stage(&b, "attribute")->passes,
                     2 * 2 * study_batches(&s->explained, 4)); /* two networks, two epsilons */
    assert_true(stage_count <= COUNT(passes));
    run_stages(&b, passes);
    for (size_t r = 0; r < s->n_references; r++) {
        const double *narrow = b.run.attribute.sums[attribute_index(s, 1, 0, r)];
        assert_non_null(narrow);
        for (size_t k = 2; k < 5; k++) {
            assert_ptr_equal(b.run.attribute.sums[attribute_index(s, 1, k, r)], narrow);
        }
        assert_ptr_not_equal(b.run.attribute.sums[attribute_index(s, 1, 1, r)], narrow);
    }
    close_both(&b);
}

/* Methods that go through the network more often say so in the plan and in what is counted down while they run. */
static void passes_of_a_method_are_counted(void **state)
{
    (void)state;
    both b;
    double ticked = 0.0;
    open_both(&b, "  - {name: steps, method: integrated-gradients, steps: 5}\n"
                  "  - {name: logits, method: smoothgrad, draws: 7, initial: logit}\n  - {name: mean, method: activation}\n"
                  "  - {name: again, method: activation, order: most-first}\n");
    const stage_forecast *f = of_stage(&b, "attribute");
    const size_t union_batches = (b.p.study.explained.n + 3) / 4, kinds = 1 + 2, seeds = 3, batches = 1 + 3 + 3 + 8;
    const size_t each = (5 + 1) + (7 + 1) + 1; /* and the zero input; and the image itself for its logit */
    assert_int_equal(f->passes, 2 * each * union_batches); /* two networks */
    assert_int_equal(f->items, 2 * 3 * union_batches);
    assert_int_equal(f->unshared, kinds * seeds * batches * (each + 1)); /* the other order would explain again */
    b.run.tick = count_images;
    b.run.progress = &ticked;
    for (size_t i = 0; i < stage_count; i++) {
        if (strcmp(stage_table[i]->name, "attribute") == 0) {
            assert_ok(stage_table[i]->run(&b.run));
            assert_true(ticked == stage_table[i]->work(&b.run));
        }
    }
    assert_true(ticked == (double)(2 * each * union_batches * 4));
    close_both(&b);
}

/* What is computed and what turns out to be no work are together what a stage said that it would do; one pass is counted once, however many points of
 * curves it serves. */
static void progress_ends_where_it_was_said(void **state)
{
    (void)state;
    both b;
    open_both(&b, all_ranked);
    for (size_t i = 0; i < stage_count; i++) {
        double computed = 0.0, skipped = 0.0;
        b.run.tick = count_images;
        b.run.progress = &computed;
        b.items.skip = count_images;
        b.items.progress = &skipped;
        assert_ok(stage_table[i]->run(&b.run));
        assert_true(computed + skipped == stage_table[i]->work(&b.run));
        if (strcmp(stage_table[i]->name, "evaluate") == 0) {
            assert_in_range((size_t)computed, 1, b.report.stage[i].passes * b.p.study.config->micro_batch);
            assert_true(skipped > 0.0);
        }
    }
    close_both(&b);
}

/* Cells of the pairs and numbers of references that the study asks for, and of no others; bn-scale, which a transformer has not, does no harm. */
static void criteria_may_be_for_some_models_and_references(void **state)
{
    (void)state;
    both b;
    size_t passes[8], of[4][2][4] = {0};
    open_both(&b, "  - {name: norms, method: bn-scale, models: [vgg]}\n  - {name: few, method: lrp, references: [1], models: [vit]}\n"
                  "  - {name: same, method: lrp, references: [3], order: most-first, models: [vgg]}\n  - {name: all, method: activation}\n");
    const study *s = &b.p.study;
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *c = &s->cells[i];
        of[c->criterion][c->model][c->reference == NO_REFERENCE ? 0 : s->references[c->reference].per_class]++;
    }
    const size_t drawn = 2 * 3; /* class counts x seeds */
    const size_t twice = 2 * drawn; /* neurons and heads */
    const size_t expected[4][2][4] = {{{drawn}, {0}}, {{0}, {0, twice}}, {{0, 0, 0, drawn}, {0}}, {{0, drawn, 0, drawn}, {0, twice, 0, twice}}};
    assert_memory_equal(of, expected, sizeof of);
    assert_true(stage_count <= COUNT(passes));
    run_stages(&b, passes);
    results r;
    assert_ok(gather_results(b.a, s, &b.run, &r));
    assert_int_equal(r.n_audits, 2); /* few on vit, same on vgg */
    assert_int_equal(r.audits[0].n_sets + r.audits[1].n_sets, 2 * drawn); /* each of one of the two numbers of references */
    assert_int_equal(r.n_summary, s->n_cells / 3);
    close_both(&b);
}

static void a_network_without_what_a_criterion_looks_at_is_refused(void **state)
{
    (void)state;
    arena *a;
    plan p;
    assert_ok(arena_open("planned", &a));
    assert_fails(plan_build(&world, a, study_file("  - {name: size, method: bn-scale}\n"), 0, NULL, &p), ST_CONFIG, "criterion 'size'",
                 "model 'vit'", "bn-scale needs a batch norm", "softmax' (heads", NULL);
    assert_fails(plan_build(&world, a, study_file("  - {name: size, method: magnitude, models: [vgg]}\n"), 0, NULL, &p), ST_CONFIG, "model 'vit'",
                 "expected a criterion that is for it", NULL);
    arena_close(&a);
}

/* What a stage allocates while it runs is what was forecast, beside small change. */
typedef struct watched {
    const arena *work;
    size_t most;
} watched;

static void watch(void *progress, double images)
{
    (void)images;
    watched *w = progress;
    const size_t bytes = arena_bytes(w->work);
    w->most = bytes > w->most ? bytes : w->most;
}

enum { SMALL_CHANGE = 512 << 10 }; /* steps, blocks, composites, orders of weights */

static size_t part_bytes(const stage_forecast *f, const char *name)
{
    for (size_t i = 0; i < f->n_parts; i++) {
        if (strcmp(f->part[i].name, name) == 0) {
            return f->part[i].bytes;
        }
    }
    return 0;
}

/* What has memory of its own: pruned networks (pruned_networks_take_what_is_forecast), and the micro-batches that are read ahead, a ring of as
 * many as a stage takes at once, or two, and what threads need. */
static size_t elsewhere(const both *b, const stage_forecast *f)
{
    const size_t values = shape_count(b->p.study.models[0].graph->input), one = b->p.study.config->micro_batch * values * sizeof(float);
    const size_t ahead = part_bytes(f, "micro-batches read ahead"), run = part_bytes(f, "micro-batches of images");
    const size_t ring = run > 0 ? run : 2 * one;
    assert_in_range(ahead, ring, ring + ((size_t)3 << 20));
    return ahead + part_bytes(f, "a pruned network");
}

static void pruned_networks_take_what_is_forecast(void **state)
{
    (void)state;
    both b;
    arena *a, *small, *scratch;
    open_both(&b, known);
    assert_ok(arena_open("test", &a));
    assert_ok(arena_open("small", &small));
    assert_ok(arena_open("scratch", &scratch));
    for (size_t m = 0; m < b.run.study->n_models; m++) {
        pruned p;
        const size_t n = b.run.study->models[m].graph->n_components, bytes = pruned_bytes(scratch, b.run.study, m);
        static const uint32_t classes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        uint8_t *alive = arena_alloc(a, n, 1);
        size_t most = 0;
        assert_ok(pruned_open(a, b.run.study, m, small, &p));
        pruned_want(&p, m == 0 ? COUNT(classes) : 3, classes);
        for (size_t rate = 0; rate <= 100; rate += 4) {
            for (size_t i = 0; i < n; i++) {
                alive[i] = rng_uniform(5, RNG_TEST, (uint32_t)m, (uint32_t)i) >= (double)rate / 100.0;
            }
            assert_ok(pruned_cut(&p, alive, rate == 0));
            most = arena_bytes(small) > most ? arena_bytes(small) : most;
        }
        assert_in_range(most, bytes - bytes / 5, bytes + SMALL_CHANGE);
    }
    arena_close(&scratch);
    arena_close(&small);
    arena_close(&a);
    close_both(&b);
}

static void memory_is_what_is_allocated(void **state)
{
    (void)state;
    both b;
    arena *work, *images;
    double seconds = 0.0;
    open_both(&b, all);
    assert_ok(arena_open("work", &work));
    assert_ok(arena_open("images", &images));
    size_t passes[8];
    run_stages(&b, passes);
    for (size_t i = 0; i < stage_count; i++) {
        watched w = {.work = work};
        b.run.tick = watch;
        b.run.progress = &w;
        if (b.report.stage[i].images > 0) {
            assert_ok(stage_table[i]->trial(&b.run, work, images, 0.5, &seconds));
            assert_true(seconds > 0.0);
            const size_t here = forecast_bytes(&b.report.stage[i]) - elsewhere(&b, &b.report.stage[i]);
            assert_in_range(w.most, here - SMALL_CHANGE / 8, here + SMALL_CHANGE);
        }
    }
    const rank_memory *m = &b.report.memory;
    assert_true(b.report.tried && b.report.node.fits && b.report.node.n_nodes == 1 && b.report.node.ranks == 1);
    assert_true(m->program > 0.0 && m->image > 0.0 && m->study >= (double)arena_bytes(b.planned));
    assert_true(m->most > m->program + m->study + (double)forecast_bytes(of_stage(&b, "attribute")));
    arena_close(&images);
    arena_close(&work);
    close_both(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_without_relevance_is_exact),
        cmocka_unit_test(a_plan_with_relevance_is_a_bound),
        cmocka_unit_test(sharing_is_counted),
        cmocka_unit_test(kept_rows_are_foreseen),
        cmocka_unit_test(spectra_and_their_rows_are_foreseen),
        cmocka_unit_test(explanations_under_pruning_are_planned),
        cmocka_unit_test(rankings_of_the_same_scores_share_their_explanation),
        cmocka_unit_test(passes_of_a_method_are_counted),
        cmocka_unit_test(progress_ends_where_it_was_said),
        cmocka_unit_test(criteria_may_be_for_some_models_and_references),
        cmocka_unit_test(a_network_without_what_a_criterion_looks_at_is_refused),
        cmocka_unit_test(memory_is_what_is_allocated),
        cmocka_unit_test(pruned_networks_take_what_is_forecast),
    };
    launcher_prepare();
    if (!status_ok(comm_start(&argc, &argv, &world))) {
        (void)fprintf(stderr, "%s\n", status_message());
        return 1;
    }
    make_folder("reference", "examples/digits/data/train", 20);
    make_folder("evaluation", "examples/digits/data/val", 5);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_finish(&world);
    return failed;
}
