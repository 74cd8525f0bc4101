#include "stages/items.h"

#include <string.h>

#include "core/log.h"
#include "stages/forecast.h"
#include "stages/items_block.h"

enum { ROUND_BLOCKS = 4 }; /* stretches that a rank claims of another job's items, until it is looked again what that job has done meanwhile */

/* A list on its way. `left` and what is known of each item are the same on all ranks. */
typedef struct work {
    item_service *s;
    const item_list *list;
    bool *known;    /* [n] taken by some rank, or lost for sure: nothing to be done */
    size_t *left;   /* [n] items to be computed, in the order in which they are claimed */
    size_t n_left;
    size_t *again;  /* [n] this rank's: noted, but cannot be read back */
    size_t n_again;
    bool told;      /* it was told which items are work of this job of an array */
    size_t block;   /* items that are claimed together */
    unsigned char *payload;
} work;

static status tick(const item_service *s, status st)
{
    claims_tick(s->claims);
    return st;
}

status items_open(comm *c, arena *a, item_service *out)
{
    stop *s = arena_alloc(a, 1, sizeof *s);
    *out = (item_service){.comm = c, .stop = s, .n_tasks = 1};
    TRY(comm_agree(c, s == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    *s = (stop){.after = -1};
    return claims_open(c, a, &out->claims);
}

/* ---- how much there is to do, for who looks on ---- */

/* How much of an item is counted as work of this job: as much as of any, until it is known whose it is; of those that other jobs do, nothing. */
static double counted(const work *w)
{
    return w->told ? 0.0 : 1.0 / (double)w->s->n_tasks;
}

/* So many images of this rank are no work; < 0: they are, and were not counted. */
static void skip(const work *w, double images)
{
    if (w->s->skip != NULL) {
        w->s->skip(w->s->progress, images);
    }
}

static double images_of(const work *w, size_t item)
{
    return w->list->images(w->list->context, item);
}

/* An item's even share on every rank: nobody knows yet who computes it. */
static double share(const work *w, size_t item)
{
    return images_of(w, item) / (double)w->s->comm->size;
}

/* ---- what is noted ---- */

static void key_of(const work *w, size_t item, journal_key *out)
{
    w->list->key(w->list->context, item, out);
    out->stage += ITEM_STUDY * w->s->study;
}

/* Where shortfalls of this list are counted; NULL: an empty list. */
static item_shortfall *shortfall_of(const work *w)
{
    journal_key key;
    if (w->list->n == 0) {
        return NULL;
    }
    w->list->key(w->list->context, 0, &key);
    return &w->s->shortfall[key.stage < ITEM_KINDS ? key.stage : 0];
}

static bool is_noted(const work *w, size_t item)
{
    journal_key key;
    if (w->s->index.n == 0) {
        return false;
    }
    key_of(w, item, &key);
    return journal_find(&w->s->index, &key) != NULL;
}

/* One item that is this rank's to read back. */
static status restore(work *w, size_t item)
{
    const item_list *l = w->list;
    journal_key key;
    key_of(w, item, &key);
    if (!journal_load(&w->s->index, &key, w->payload, l->payload(l->context, item))) {
        w->again[w->n_again++] = item;
        skip(w, (counted(w) - 1.0) * images_of(w, item));
        return STATUS_OK;
    }
    if (l->check != NULL) {
        TRY(l->check(l->context, item, w->payload));
    }
    TRY(l->take(l->context, item, w->payload));
    w->s->n_restored++;
    skip(w, counted(w) * images_of(w, item));
    return STATUS_OK;
}

/* All that is noted and not known yet. Not collective: who fails says so with the alarm. */
static status restore_noted(work *w)
{
    size_t n = 0;
    status st = STATUS_OK;
    for (size_t i = 0; i < w->list->n && !comm_alarm(w->s->comm, st); i++) {
        if (w->known[i] || !is_noted(w, i)) {
            continue;
        }
        w->known[i] = true;
        if (n++ % (size_t)w->s->comm->size == (size_t)w->s->comm->rank) {
            st = tick(w->s, restore(w, i));
        }
    }
    return st;
}

/* ---- what is computed ---- */

static status compute(work *w, size_t item)
{
    const item_list *l = w->list;
    item_service *s = w->s;
    const double started = log_seconds();
    TRY(stop_check(s->stop));
    TRY(l->compute(l->context, item, w->payload));
    const double seconds = log_seconds() - started;
    if (s->writer != NULL) {
        journal_key key;
        key_of(w, item, &key);
        TRY(journal_append(s->writer, &key, seconds, w->payload, l->payload(l->context, item)));
    }
    TRY(l->take(l->context, item, w->payload));
    stop_note(s->stop, seconds);
    s->item_seconds += seconds;
    s->n_computed++;
    return STATUS_OK;
}

/* The items left[first..first + n). */
typedef struct block {
    bool exists;
    size_t first, n;
} block;

/* Always one block ahead of what is computed, so that its inputs are read meanwhile. */
static block claim(work *w)
{
    size_t unit = 0;
    block b = {.exists = claims_next(w->s->claims, &unit)};
    if (b.exists) {
        b.first = unit * w->block;
        b.n = w->n_left - b.first < w->block ? w->n_left - b.first : w->block;
        for (size_t i = 0; i < b.n && w->list->expect != NULL; i++) {
            w->list->expect(w->list->context, w->left[b.first + i]);
        }
    }
    return b;
}

static status compute_some(work *w, size_t n, const size_t item[])
{
    status st = STATUS_OK;
    for (size_t i = 0; i < n && !comm_alarm(w->s->comm, st); i++) {
        st = tick(w->s, compute(w, item[i]));
    }
    return st;
}

/* What this rank could not read back. */
static status compute_again(work *w)
{
    status st = STATUS_OK;
    if (w->n_again > 0) {
        log_line(LOG_WARNING, "unreadable=%zu noted items are damaged and are computed again", w->n_again);
    }
    for (size_t i = 0; i < w->n_again && !comm_alarm(w->s->comm, st); i++) {
        if (w->list->expect != NULL) {
            w->list->expect(w->list->context, w->again[i]);
        }
        st = compute_some(w, 1, &w->again[i]);
    }
    w->n_again = 0;
    return st;
}

/* Collective: everything in `left`, and what could not be read back. `restored`: how this rank fared before; where one has failed, the others
 * have left off in different places, and `left` is not the same on all. */
static status compute_left(work *w, status restored)
{
    item_service *s = w->s;
    TRY(comm_agree(s->comm, restored));
    status st = STATUS_OK;
    w->block = items_block(w->n_left, (size_t)s->comm->size, w->list->stretch);
    claims_begin(s->claims, (w->n_left + w->block - 1) / w->block);
    for (block b = claim(w); b.exists && !comm_alarm(s->comm, st);) {
        const block next = claim(w);
        st = compute_some(w, b.n, w->left + b.first);
        b = next;
    }
    if (status_ok(st)) {
        st = compute_again(w);
    }
    (void)comm_alarm(s->comm, st);
    claims_end(s->claims);
    const double finished = log_seconds();
    if (!status_ok(st) && s->writer != NULL) {
        st = status_first(st, journal_sync(s->writer));
    }
    st = comm_agree(s->comm, st);
    s->idle_seconds += log_seconds() - finished;
    return st;
}

/* Items of this job of the array that nobody has finished. */
static void choose_own(work *w)
{
    const item_service *s = w->s;
    double own = 0.0, others = 0.0;
    w->n_left = 0;
    for (size_t i = 0; i < w->list->n; i++) {
        if (w->known[i]) {
            continue;
        }
        if (i / w->list->stretch % s->n_tasks == s->task) {
            w->left[w->n_left++] = i;
            w->known[i] = true;
            own += share(w, i);
        } else {
            others += share(w, i);
        }
    }
    skip(w, counted(w) * others + (counted(w) - 1.0) * own);
    w->told = true;
}

/* Some of the others' from behind, to meet them in the middle. */
static void choose_others(work *w)
{
    const size_t most = ROUND_BLOCKS * (size_t)w->s->comm->size * w->list->stretch;
    double images = 0.0;
    w->n_left = 0;
    for (size_t i = w->list->n; i-- > 0 && w->n_left < most;) {
        if (!w->known[i]) {
            w->left[w->n_left++] = i;
            w->known[i] = true;
            images += share(w, i);
        }
    }
    skip(w, (counted(w) - 1.0) * images);
}

static size_t count_unknown(const work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->list->n; i++) {
        n += !w->known[i];
    }
    return n;
}

/* The next proposals of a search would follow from numbers that are not there. */
static status search_lacks(const work *w, size_t missing, size_t damaged)
{
    journal_key key;
    key_of(w, 0, &key);
    return FAIL(ST_NO_INPUT,
                "the journals do not hold all of the work: of a search missing are %zu of %zu %s (and %zu damaged), and what follows from them; run the "
                "jobs of the array that have not finished again, or `pollard run` without --array to compute what is missing",
                missing, w->list->n, item_kind_name(key.stage), damaged);
}

/* Counts what is missing. The caller goes on with what is there, so that the next lists are counted too. */
static status join_only(work *w, status st)
{
    item_service *s = w->s;
    item_shortfall *f = shortfall_of(w);
    const size_t missing = count_unknown(w);
    int64_t unreadable = (int64_t)w->n_again;
    TRY(comm_agree(s->comm, st));
    comm_sum_i64(s->comm, 1, &unreadable);
    if (s->study != 0) {
        return comm_agree(s->comm, missing == 0 && unreadable == 0 ? STATUS_OK : search_lacks(w, missing, (size_t)unreadable));
    }
    if (f != NULL) {
        f->of += w->list->n;
        f->missing += missing;
        f->damaged += (size_t)unreadable;
    }
    return STATUS_OK;
}

/* What other jobs of the array have or have not done by now. */
static status look_at_others(work *w)
{
    item_service *s = w->s;
    item_shortfall *f = shortfall_of(w);
    if (f != NULL && s->study == 0) {
        f->of += w->list->n;
    }
    while (count_unknown(w) > 0) {
        TRY(s->rescan(s));
        status st = STATUS_OK;
        if (!w->list->needed_by_all) { /* nobody here wants their numbers */
            for (size_t i = 0; i < w->list->n; i++) {
                f->missing += !w->known[i] && !is_noted(w, i);
            }
            return STATUS_OK;
        }
        st = restore_noted(w);
        choose_others(w);
        TRY(compute_left(w, st));
    }
    return STATUS_OK;
}

static status run(work *w)
{
    item_service *s = w->s;
    const status st = restore_noted(w);
    if (s->only_join) {
        return join_only(w, st);
    }
    choose_own(w);
    TRY(compute_left(w, st));
    return s->rescan != NULL && s->n_tasks > 1 ? look_at_others(w) : STATUS_OK;
}

static status open_work(arena *a, work *w)
{
    const size_t n = w->list->n;
    TRY_ALLOC(w->known, a, n);
    TRY_ALLOC(w->left, a, n);
    TRY_ALLOC(w->again, a, n);
    TRY_ALLOC(w->payload, a, w->list->most_payload);
    return STATUS_OK;
}

size_t items_bytes(size_t n, size_t most_payload)
{
    return forecast_block(n, sizeof(bool)) + 2 * forecast_block(n, sizeof(size_t)) + forecast_block(most_payload, 1);
}

status items_run(item_service *s, arena *a, const item_list *list)
{
    work w = {.s = s, .list = list};
    TRY(comm_agree(s->comm, open_work(a, &w)));
    return run(&w);
}
