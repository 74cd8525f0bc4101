/* The two lists of items of a model: micro-batches through the unpruned network, whose predictions everything else is compared with, and
 * (run, mask) through the pruned ones. A payload is the counters of the item; the first list's has the marks of the images and the predictions
 * before them. */
#include <string.h>

#include "stages/counters.h"
#include "stages/curve_notes.h"
#include "stages/evaluate_parts.h"

/* ---- the unpruned network ---- */

static const set_plan *set_of_whole(const evaluator *e, size_t item, size_t *index)
{
    size_t i = e->n_sets - 1;
    while (e->sets[i].first_whole > item) {
        i--;
    }
    *index = item - e->sets[i].first_whole;
    return &e->sets[i];
}

static size_t predictions_at(const evaluator *e)
{
    return forecast_block(e->stage->study->config->micro_batch, sizeof(noted_mark));
}

static size_t counters_at(const evaluator *e)
{
    return predictions_at(e) + forecast_block(e->stage->study->config->micro_batch, sizeof(uint32_t));
}

size_t evaluate_whole_payload(const evaluator *e, const set_plan *p)
{
    return counters_at(e) + counters_size(p->set) * sizeof(int64_t);
}

static void whole_key(const void *context, size_t item, journal_key *out)
{
    const evaluator *e = context;
    size_t index;
    const set_plan *p = set_of_whole(e, item, &index);
    *out = (journal_key){ITEM_WHOLE, (uint32_t)e->model, (uint32_t)p->set->number, (uint32_t)index, {0}};
}

static size_t whole_payload(const void *context, size_t item)
{
    size_t index;
    return evaluate_whole_payload(context, set_of_whole(context, item, &index));
}

static double whole_images(const void *context, size_t item)
{
    const evaluator *e = context;
    (void)item;
    return (double)e->stage->study->config->micro_batch;
}

static void whole_expect(void *context, size_t item)
{
    evaluator *e = context;
    size_t index;
    const set_plan *p = set_of_whole(e, item, &index);
    batch_source_ask(e->images, &p->set->samples, &e->stage->study->models[e->model].evaluation_preprocess, index);
}

static status whole_compute(void *context, size_t item, void *payload)
{
    evaluator *e = context;
    const study *s = e->stage->study;
    size_t index;
    const set_plan *p = set_of_whole(e, item, &index);
    uint32_t *predictions = (uint32_t *)((char *)payload + predictions_at(e));
    memset(payload, 0, whole_payload(e, item));
    TRY(batch_source_take(e->images, &e->run[0]));
    TRY(evaluate_batch(e, p, &e->run[0], true, predictions, (int64_t *)((char *)payload + counters_at(e))));
    marks_note(s->evaluation_data, e->run[0].n, e->run[0].sample, e->stage->evaluation_mark, payload);
    return STATUS_OK;
}

static batch samples_of(const evaluator *e, const set_plan *p, size_t index)
{
    batch b = {.images = NULL};
    batch_describe(&p->set->samples, index, e->stage->study->config->micro_batch, &b);
    return b;
}

static status whole_check(void *context, size_t item, const void *payload)
{
    const evaluator *e = context;
    size_t index;
    const set_plan *p = set_of_whole(e, item, &index);
    const batch b = samples_of(e, p, index);
    return marks_check(e->scratch, e->stage->study->evaluation_data, b.n, b.sample, payload);
}

static void add_counters(evaluator *e, const set_plan *p, const mask_point *m, const void *counters)
{
    const int64_t *from = counters;
    for (size_t i = 0; i < counters_size(p->set); i++) {
        e->counters[m->counters + i] += from[i];
    }
}

static status whole_take(void *context, size_t item, const void *payload)
{
    evaluator *e = context;
    size_t index;
    const size_t micro_batch = e->stage->study->config->micro_batch;
    const set_plan *p = set_of_whole(e, item, &index);
    const batch b = samples_of(e, p, index);
    marks_take(b.n, b.sample, payload, e->stage->evaluation_mark);
    memcpy(e->unpruned + p->predictions + index * micro_batch, (const char *)payload + predictions_at(e), micro_batch * sizeof(uint32_t));
    add_counters(e, p, &p->points[0], (const char *)payload + counters_at(e));
    return STATUS_OK;
}

/* ---- pruned networks ---- */

typedef struct pruned_item {
    const set_plan *p;
    const mask_point *m;
    size_t run;
} pruned_item;

static pruned_item pruned_at(const evaluator *e, size_t item)
{
    size_t i = e->n_sets - 1;
    while (e->sets[i].first_pruned > item) { /* a set without new masks begins where the next one does, or behind all items */
        i--;
    }
    const set_plan *p = &e->sets[i];
    const size_t within = item - p->first_pruned;
    return (pruned_item){p, &p->points[1 + within % p->n_new], within / p->n_new};
}

/* One number for a run of any set. */
static size_t run_number(const pruned_item *at)
{
    return at->p->first_run + at->run;
}

static void pruned_key(const void *context, size_t item, journal_key *out)
{
    const evaluator *e = context;
    const pruned_item at = pruned_at(e, item);
    *out = (journal_key){ITEM_PRUNED, (uint32_t)e->model, (uint32_t)at.p->set->number, (uint32_t)at.run, {0}};
    memcpy(out->content, at.m->digest, sizeof out->content);
}

static size_t pruned_payload(const void *context, size_t item)
{
    return counters_size(pruned_at(context, item).p->set) * sizeof(int64_t);
}

static double pruned_images(const void *context, size_t item)
{
    const evaluator *e = context;
    const pruned_item at = pruned_at(e, item);
    size_t first, end;
    set_run(at.p, at.run, &first, &end);
    return (double)((end - first) * e->stage->study->config->micro_batch);
}

static void pruned_expect(void *context, size_t item)
{
    evaluator *e = context;
    const pruned_item at = pruned_at(e, item);
    size_t first, end;
    if (run_number(&at) == e->asked) {
        return;
    }
    e->asked = run_number(&at);
    set_run(at.p, at.run, &first, &end);
    for (size_t i = first; i < end; i++) {
        batch_source_ask(e->images, &at.p->set->samples, &e->stage->study->models[e->model].evaluation_preprocess, i);
    }
}

/* A micro-batch of the item's run into memory, if it is not there. The first item of a run takes one after the other, so that the next are decoded while
 * the network works on this. */
static status load_batch(evaluator *e, const pruned_item *at, size_t within)
{
    if (e->loaded != run_number(at)) { /* what was asked for next */
        e->loaded = run_number(at);
        e->n_loaded = 0;
    }
    for (; e->n_loaded <= within; e->n_loaded++) {
        TRY(batch_source_take(e->images, &e->run[e->n_loaded]));
    }
    return STATUS_OK;
}

static status pruned_compute(void *context, size_t item, void *payload)
{
    evaluator *e = context;
    const pruned_item at = pruned_at(e, item);
    const study_evaluation *set = at.p->set;
    const size_t micro_batch = e->stage->study->config->micro_batch;
    size_t first, end;
    memset(payload, 0, pruned_payload(e, item));
    set_run(at.p, at.run, &first, &end);
    pruned_want(&e->pruned, set->n_classes, set->classes);
    TRY(pruned_cut(&e->pruned, e->masks.use[at.m->first].alive, false));
    for (size_t i = first; i < end; i++) {
        uint32_t *unpruned = e->unpruned + at.p->predictions + i * micro_batch;
        TRY(load_batch(e, &at, i - first));
        TRY(evaluate_batch(e, at.p, &e->run[i - first], false, unpruned, payload));
        claims_tick(e->stage->items->claims);
    }
    return STATUS_OK;
}

static status pruned_take(void *context, size_t item, const void *payload)
{
    evaluator *e = context;
    const pruned_item at = pruned_at(e, item);
    add_counters(e, at.p, at.m, payload);
    return STATUS_OK;
}

/* ---- both ---- */

static status open_images(evaluator *e, size_t most_asked, size_t ahead)
{
    const study *s = e->stage->study;
    const batch_setup setup = {.data = s->evaluation_data,
                               .micro_batch = s->config->micro_batch,
                               .image_size = batch_image_size(&s->models[e->model].evaluation_preprocess),
                               .most_asked = most_asked,
                               .threads = s->config->decode_threads,
                               .ahead = ahead,
                               .mark = e->stage->evaluation_mark,
                               .waited = &e->stage->image_seconds};
    return batch_source_open(&setup, &e->images);
}

static size_t largest_payload(const evaluator *e)
{
    size_t most = 0;
    for (size_t i = 0; i < e->n_sets; i++) {
        const size_t bytes = evaluate_whole_payload(e, &e->sets[i]);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static status run_list(evaluator *e, arena *a, status opened, const item_list *list)
{
    status st = comm_agree(e->stage->comm, opened);
    if (status_ok(st)) {
        st = items_run(e->stage->items, a, list);
    }
    batch_source_close(&e->images);
    return st;
}

/* The whole network is built once, with all logits. */
static status open_whole(evaluator *e)
{
    const mask_use *any = &e->masks.use[e->sets[0].points[0].first];
    TRY(open_images(e, BATCHES_AHEAD, BATCHES_AHEAD));
    return pruned_cut(&e->pruned, any->alive, true);
}

status evaluate_whole(evaluator *e, arena *a)
{
    const item_list list = {.n = e->n_whole,
                            .stretch = 1,
                            .most_payload = largest_payload(e),
                            .needed_by_all = true,
                            .context = e,
                            .key = whole_key,
                            .payload = whole_payload,
                            .images = whole_images,
                            .expect = whole_expect,
                            .compute = whole_compute,
                            .take = whole_take,
                            .check = whole_check};
    if (e->n_whole == 0) {
        return STATUS_OK; /* known of every set */
    }
    TRY(run_list(e, a, open_whole(e), &list));
    comm_or_bytes(e->stage->comm, e->n_predictions * sizeof e->unpruned[0], e->unpruned); /* each by one rank; the others have zeros */
    return STATUS_OK;
}

status evaluate_pruned(evaluator *e, arena *a)
{
    const item_list list = {.n = e->n_pruned,
                            .stretch = EVALUATE_STRETCH,
                            .most_payload = largest_payload(e),
                            .needed_by_all = e->stage->study->part == PART_TUNING, /* what comes next follows from it */
                            .context = e,
                            .key = pruned_key,
                            .payload = pruned_payload,
                            .images = pruned_images,
                            .expect = pruned_expect,
                            .compute = pruned_compute,
                            .take = pruned_take};
    return run_list(e, a, open_images(e, 2 * EVALUATE_STRETCH * e->most_run, e->most_run) /* two blocks, of which each item may be of another run */, &list);
}

/* ---- for who looks on ---- */

static curve_note note_of(const evaluator *e, const set_plan *p, const mask_point *m, const mask_use *u)
{
    const size_t own = counters_size(p->set) * sizeof(int64_t);
    curve_note n = {.evaluation = (uint32_t)p->set->number,
                    .items = (uint32_t)(m->unpruned ? p->n_batches : p->n_runs),
                    .cell = (uint32_t)u->cell,
                    .rate = (uint32_t)u->rate,
                    .n_classes = (uint32_t)p->set->n_classes,
                    .whole = m->unpruned,
                    .counters_at = m->unpruned ? counters_at(e) : 0,
                    .payload = m->unpruned ? evaluate_whole_payload(e, p) : own,
                    .samples = p->set->samples.n};
    memcpy(n.digest, m->digest, m->unpruned ? 0 : sizeof n.digest);
    return n;
}

status evaluate_note_curves(const evaluator *e, arena *a)
{
    const item_service *s = e->stage->items;
    const journal_key key = {.stage = ITEM_CURVES, .model = (uint32_t)e->model};
    curve_note *notes;
    size_t n = 0;
    if (s->writer == NULL || s->study != 0 || journal_find(&s->index, &key) != NULL) {
        return STATUS_OK;
    }
    TRY_ALLOC(notes, a, e->masks.n);
    for (size_t i = 0; i < e->n_sets; i++) {
        for (size_t k = 0; k < e->sets[i].n_points; k++) {
            const mask_point *m = &e->sets[i].points[k];
            for (size_t u = m->first; u < m->end; u++) {
                notes[n++] = note_of(e, &e->sets[i], m, &e->masks.use[u]);
            }
        }
    }
    return journal_append(s->writer, &key, 0.0, notes, n * sizeof *notes);
}
