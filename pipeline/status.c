#include "pipeline/status.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "io/results.h"
#include "io/text_table.h"
#include "stages/counters.h"
#include "stages/curve_notes.h"
#include "stages/item_keys.h"

static const double quiet_seconds = 60.0; /* without news, and four times the slowest item: nobody computes any more */

static const uint32_t stage_of[STATUS_KINDS] = {[STATUS_ROWS] = ITEM_ROWS, [STATUS_WHOLE] = ITEM_WHOLE, [STATUS_PRUNED] = ITEM_PRUNED};

static bool same_key(const journal_entry *a, const journal_entry *b)
{
    return memcmp(&a->key, &b->key, sizeof a->key) == 0;
}

/* Items that are done, each counted once. */
static void count_done(const journal_index *index, status_report *out)
{
    for (size_t i = 0; i < index->n; i++) {
        const journal_entry *e = &index->entry[i];
        status_kind *to = e->key.stage >= ITEM_STUDY ? &out->search : e->key.stage == ITEM_HEATMAPS ? &out->heatmaps : NULL;
        for (size_t k = 0; k < STATUS_KINDS; k++) {
            to = e->key.stage == stage_of[k] ? &out->kind[k] : to;
        }
        if (to != NULL && (i == 0 || !same_key(e, e - 1))) {
            to->done++;
            to->seconds += e->seconds;
            to->slowest = e->seconds > to->slowest ? e->seconds : to->slowest;
        }
    }
}

/* ---- what runs say of themselves ---- */

static status not_understood(const char *what)
{
    return FAIL(ST_DATA, "the journal's note about %s is not what this program writes; is it of another version?", what);
}

/* *out: NULL where the note is damaged, as one whose writer was killed may be. A run passes over it, and so do we. */
static status load_note(arena *a, const journal_index *index, const journal_entry *e, unsigned char **out)
{
    enum { MOST = 1 << 30 };
    unsigned char *data;
    *out = NULL;
    if (e->size > MOST) {
        return not_understood("its size");
    }
    TRY_ALLOC(data, a, (size_t)e->size);
    *out = journal_load(index, &e->key, data, (size_t)e->size) ? data : NULL;
    return STATUS_OK;
}

static void end_text(char *text, size_t size)
{
    text[size - 1] = '\0';
}

/* The head of a note; false: it is not one. */
static bool read_head(const unsigned char *data, size_t size, run_note *n)
{
    if (size < sizeof *n) {
        return false;
    }
    memcpy(n, data, sizeof *n);
    end_text(n->study, sizeof n->study);
    end_text(n->host, sizeof n->host);
    end_text(n->job, sizeof n->job);
    return n->layout == RUN_NOTE_LAYOUT && n->n_rates > 0 && n->prediction < CURVE_PREDICTIONS &&
           size == sizeof *n + (uint64_t)n->n_rates * sizeof(double) + n->text;
}

/* The texts of the cells. */
static status read_cells(arena *a, const char *text, size_t size, size_t n_cells, const char ***out)
{
    const char *end = text + size;
    if (n_cells > size / RUN_NOTE_FIELDS) { /* a text has a byte at least */
        return not_understood("the cells");
    }
    TRY_ALLOC(*out, a, n_cells * RUN_NOTE_FIELDS);
    for (size_t i = 0; i < n_cells * RUN_NOTE_FIELDS; i++) {
        const char *zero = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
        if (zero == NULL) {
            return not_understood("the cells");
        }
        TRY(text_printable(a, text, 200, &(*out)[i]));
        text = zero + 1;
    }
    return STATUS_OK;
}

/* Cells with the same texts, which follow each other, make one curve. *of [n_cells]. */
static status group_cells(arena *a, const char *const *text, status_report *out, size_t **of)
{
    const size_t n = out->last.n_cells;
    TRY_ALLOC(out->curve, a, n);
    TRY_ALLOC(*of, a, n);
    for (size_t i = 0; i < n; i++) {
        const char *const *mine = text + i * RUN_NOTE_FIELDS;
        bool same = i > 0;
        for (size_t f = 0; f < RUN_NOTE_FIELDS && same; f++) {
            same = strcmp(mine[f], out->curve[out->n_curves - 1].field[f]) == 0;
        }
        if (!same) {
            status_curve *c = &out->curve[out->n_curves++];
            c->field = mine;
            TRY_ALLOC(c->sum, a, out->last.n_rates);
            TRY_ALLOC(c->complete, a, out->last.n_rates);
        }
        (*of)[i] = out->n_curves - 1;
        out->curve[out->n_curves - 1].n_seeds++;
    }
    return STATUS_OK;
}

/* The run that began last, and the curves that it wants. */
static status read_runs(arena *a, const journal_index *index, status_report *out, size_t **curve_of)
{
    const unsigned char *latest = NULL;
    for (size_t i = 0; i < index->n; i++) {
        unsigned char *data;
        run_note n;
        if (index->entry[i].key.stage != ITEM_RUN) {
            continue;
        }
        TRY(load_note(a, index, &index->entry[i], &data));
        if (data == NULL) {
            continue;
        }
        if (!read_head(data, (size_t)index->entry[i].size, &n)) {
            return not_understood("a run");
        }
        out->n_runs += i == 0 || !same_key(&index->entry[i], &index->entry[i - 1]);
        /* A search adds curves to those that its run has noted at its start. */
        if (latest == NULL || n.n_cells > out->last.n_cells || (n.n_cells == out->last.n_cells && n.started > out->last.started)) {
            out->last = n;
            latest = data;
        }
    }
    if (latest == NULL) {
        return FAIL(ST_NO_INPUT, "no run has noted anything yet that can be read; try again in a moment");
    }
    const char **text = NULL;
    double *rates;
    TRY_ALLOC(rates, a, out->last.n_rates);
    memcpy(rates, latest + sizeof out->last, out->last.n_rates * sizeof *rates);
    out->rates = rates;
    TRY(read_cells(a, (const char *)latest + sizeof out->last + out->last.n_rates * sizeof(double), out->last.text, out->last.n_cells, &text));
    return group_cells(a, text, out, curve_of);
}

/* ---- curves ---- */

/* Right answers of a point; false: some item is not there yet. */
static bool sum_point(const journal_index *index, uint32_t model, const curve_note *n, size_t prediction, unsigned char *payload, double *correct)
{
    *correct = 0.0;
    for (uint32_t i = 0; i < n->items; i++) {
        journal_key key = {n->whole ? ITEM_WHOLE : ITEM_PRUNED, model, n->evaluation, i, {0}};
        memcpy(key.content, n->digest, sizeof key.content);
        if (!journal_load(index, &key, payload, (size_t)n->payload)) {
            return false;
        }
        *correct += (double)counters_correct(n->n_classes, prediction, (const int64_t *)(payload + n->counters_at));
    }
    return n->items > 0;
}

static status add_point(arena *scratch, const journal_index *index, uint32_t model, const curve_note *n, const size_t *curve_of,
                        status_report *out)
{
    unsigned char *payload;
    double correct = 0.0;
    const uint64_t least = n->counters_at + (CURVE_PREDICTIONS * ((uint64_t)n->n_classes + 2)) * sizeof(int64_t);
    if (n->cell >= out->last.n_cells || n->rate >= out->last.n_rates || n->payload > 1u << 30 || n->counters_at % sizeof(int64_t) != 0 ||
        n->counters_at > n->payload || least > n->payload || n->samples == 0) {
        return not_understood("a curve");
    }
    arena_reset(scratch);
    TRY_ALLOC(payload, scratch, (size_t)n->payload);
    if (sum_point(index, model, n, out->last.prediction, payload, &correct)) {
        status_curve *c = &out->curve[curve_of[n->cell]];
        c->sum[n->rate] += correct / (double)n->samples;
        c->complete[n->rate]++;
    }
    return STATUS_OK;
}

/* A model's points, and of how many items they are made. */
static status read_model(arena *scratch, const journal_index *index, const journal_entry *e, const unsigned char *data, const size_t *curve_of,
                         status_report *out)
{
    const curve_note *notes = (const curve_note *)data;
    const size_t n = (size_t)e->size / sizeof *notes;
    for (size_t i = 0; i < n; i++) {
        TRY(add_point(scratch, index, e->key.model, &notes[i], curve_of, out));
        const bool again = i > 0 && notes[i].evaluation == notes[i - 1].evaluation && notes[i].whole == notes[i - 1].whole &&
                           memcmp(notes[i].digest, notes[i - 1].digest, sizeof notes[i].digest) == 0; /* equal masks lie together */
        out->kind[STATUS_PRUNED].of += notes[i].whole || again ? 0 : notes[i].items;
    }
    return STATUS_OK;
}

static status read_curves(arena *a, const journal_index *index, const size_t *curve_of, status_report *out)
{
    arena *scratch = NULL;
    size_t models = 0;
    TRY(arena_open("status", &scratch));
    status st = STATUS_OK;
    for (size_t i = 0; i < index->n && status_ok(st); i++) {
        const journal_entry *e = &index->entry[i];
        unsigned char *data = NULL;
        if (e->key.stage == ITEM_CURVES && (i == 0 || !same_key(e, e - 1))) { /* several jobs may have noted the same */
            st = load_note(a, index, e, &data);
        }
        if (data != NULL) {
            st = read_model(scratch, index, e, data, curve_of, out);
            models++;
        }
    }
    arena_close(&scratch);
    if (models < out->last.n_models) { /* of the others only a bound is known */
        out->kind[STATUS_PRUNED].of = (size_t)out->last.pruned;
        out->kind[STATUS_PRUNED].at_most = true;
    }
    return st;
}

/* Who has written lately. */
static void look_at_files(const journal_index *index, double now, status_report *out)
{
    double quiet = quiet_seconds;
    for (size_t i = 0; i < index->n; i++) {
        quiet = 4.0 * index->entry[i].seconds > quiet ? 4.0 * index->entry[i].seconds : quiet;
    }
    for (size_t i = 0; i < index->n_files; i++) {
        struct stat info;
        if (stat(index->file[i], &info) == 0) {
            const double at = (double)info.st_mtim.tv_sec + 1e-9 * (double)info.st_mtim.tv_nsec;
            out->changed = at > out->changed ? at : out->changed;
            out->active += now - at < quiet;
        }
    }
    out->running = out->active > 0;
}

status status_read(arena *a, const journal_index *index, double now, status_report *out)
{
    size_t *curve_of = NULL;
    *out = (status_report){.n_runs = 0};
    count_done(index, out);
    TRY(read_runs(a, index, out, &curve_of));
    out->kind[STATUS_ROWS].of = (size_t)out->last.rows;
    out->kind[STATUS_WHOLE].of = (size_t)out->last.whole;
    TRY(read_curves(a, index, curve_of, out));
    look_at_files(index, now, out);
    return STATUS_OK;
}

bool status_shares_done(const status_report *r)
{
    bool done = r->last.n_tasks > 1 && r->last.more == 0; /* how much there is of those is not known */
    for (size_t k = 0; k < STATUS_KINDS; k++) {
        done = done && !r->kind[k].at_most && r->kind[k].done >= r->kind[k].of;
    }
    return done;
}

static status show(arena *a, const char *result, FILE *to)
{
    journal_index index;
    status_report r;
    struct stat info;
    struct timespec now;
    const char *folder = journal_folder(a, result);
    if (folder == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(journal_scan(a, folder, NULL, &index));
    if (index.n_files == 0 && stat(result, &info) == 0) {
        if (!results_there(result)) {
            return FAIL(ST_DATA, "%s: expected the result of a study (.h5), or the name that it will have, found %s and no journal beside it", result,
                        S_ISDIR(info.st_mode) ? "a folder" : "a file of another kind");
        }
        (void)fprintf(to, "%s: complete; `pollard inspect %s` shows it.\n", result, result);
        return STATUS_OK;
    }
    if (index.n_files == 0) {
        return FAIL(ST_NO_INPUT, "%s: there is neither a result nor a journal (%s); is that the name that `pollard run` was given with -o?", result,
                    folder);
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    TRY(status_read(a, &index, seconds, &r));
    status_print(to, result, &r, seconds);
    if (status_shares_done(&r)) {
        return FAIL(ST_STOPPED, "%s: the jobs of the array have computed all of it; `pollard merge` writes the result", result);
    }
    return r.running ? FAIL(ST_STOPPED, "%s: not complete yet", result)
                     : FAIL(ST_STOPPED, "%s: not complete, and nobody works on it: run the same command again to go on", result);
}

status status_show(const char *result, FILE *to)
{
    arena *a = NULL;
    TRY(arena_open("status", &a));
    const status st = show(a, result, to);
    arena_close(&a);
    return st;
}
