#include "pipeline/run.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "pipeline/alike.h"
#include "pipeline/gather.h"
#include "pipeline/gather_audit.h"
#include "pipeline/progress.h"
#include "pipeline/provenance.h"
#include "pipeline/report.h"
#include "pipeline/resume.h"
#include "pipeline/search.h"
#include "pipeline/shortfall.h"
#include "pipeline/watch.h"
#include "pipeline/winograd.h"

/* On a terminal the progress line is enough for whoever looks on. */
static void stage_report(const progress *p, const char *stage, const stage_time *t)
{
    log_line(p->terminal ? LOG_DEBUG : LOG_INFO, "stage=%s seconds=%.2f busy=%.2f image_wait=%.2f image_wait_share=%.1f%% idle=%.2f", stage,
             t->seconds, t->seconds - t->image_wait - t->idle, t->image_wait, 100.0 * stage_share(t->image_wait, t->seconds), t->idle);
}

/* share: of an array of jobs. Where they are merged, all that is missing is counted before the one error that tells of it. */
static status stages_run(stage_ctx *s, progress *p, bool share, stage_time times[])
{
    for (size_t i = 0; i < stage_count && !shortfall_ends(s); i++) {
        if (stage_table[i]->at_the_end && (share || items_missing(s->items) > 0)) {
            continue;
        }
        const double started = log_seconds();
        const double waited = s->image_seconds, idle = s->items->idle_seconds;
        progress_stage(p, stage_table[i]->name, stage_table[i]->work(s));
        const status st = stage_table[i]->run(s);
        progress_end(p);
        TRY(st);
        times[i] = (stage_time){log_seconds() - started, s->image_seconds - waited, s->items->idle_seconds - idle};
        stage_report(p, stage_table[i]->name, &times[i]);
    }
    return comm_agree(s->comm, shortfall_check(s->arena, s));
}

static void announce(const comm *c, const study *s)
{
    size_t points = s->n_cells * s->config->n_rates;
    log_line(LOG_INFO, "study=%s ranks=%d models=%zu criteria=%zu tasks=%zu cells=%zu curve_points=%zu explained_images=%zu", s->config->name,
             c->size, s->n_models, s->config->n_criteria, s->n_tasks, s->n_cells, points, s->explained.n);
    if (c->rank == 0) {
        winograd_announce(s);
    }
}

static status open_marks(arena *a, const study *s, stage_ctx *out)
{
    TRY_ALLOC(out->reference_mark, a, s->reference_data->n_samples);
    TRY_ALLOC(out->evaluation_mark, a, s->evaluation_data->n_samples);
    return STATUS_OK;
}

static status report(arena *a, const char *output, const results *r)
{
    (void)fputc('\n', stdout);
    report_table(stdout, r);
    (void)fputc('\n', stdout);
    TRY(report_plot(a, stdout, r));
    (void)fprintf(stdout, "Result: %s\n", output);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) { /* the first alone does not tell of what was lost before */
        return FAIL(ST_CANT_WRITE, "the table cannot be written to standard output; the result itself is complete: %s", output);
    }
    return STATUS_OK;
}

static const char done_end[] = ": done\n"; /* of a marker: "result.h5: done" */
enum { MOST_MARKER = 4352 };

/* Where the marker is to be, nothing is lost but an older one: not the result, and not the study either. */
static status check_done(arena *a, const char *done, const char *output)
{
    file_bytes there = {NULL, 0};
    TRY(file_check_writable(done));
    if (strcmp(done, output) == 0) {
        return FAIL(ST_USAGE, "--done %s: expected a file of its own, found the result's name", done);
    }
    const bool exists = access(done, F_OK) == 0, read = exists && status_ok(file_read(a, done, MOST_MARKER, &there));
    const size_t n = sizeof done_end - 1;
    if (exists && (!read || (there.size > 0 && (there.size < n || memcmp(there.data + there.size - n, done_end, n) != 0)))) {
        status_clear();
        return FAIL(ST_CANT_WRITE, "--done %s: expected what an earlier run has written there or nothing, found a file of another kind, which would be lost; "
                                   "choose another", done);
    }
    return STATUS_OK;
}

/* Collective. The proof that this run has reached its end, whatever the launcher makes of its exit code. */
static status write_done(comm *c, arena *a, const char *done, const char *output)
{
    status st = STATUS_OK;
    if (done != NULL && c->rank == 0) {
        char text[MOST_MARKER];
        const int n = snprintf(text, sizeof text, "%.*s%s", (int)(sizeof text - sizeof done_end), output, done_end);
        st = check_done(a, done, output); /* the result is in place now, and may have two names */
        if (status_ok(st)) {
            st = file_write_atomic(done, text, n < 0 ? 0 : (size_t)n);
        }
    }
    return comm_agree(c, st);
}

/* What the ranks have noted is on the disk, before anybody relies on it. */
static status finish_share(comm *c, arena *a, const resume *j, const char *output, const char *done)
{
    TRY(comm_agree(c, j->items.writer == NULL ? STATUS_OK : journal_sync(j->items.writer)));
    return write_done(c, a, done, output);
}

/* A job of an array has done its share, and no result is to be written. */
static status report_share(const comm *c, arena *a, const resume *j, const char *study_file)
{
    const item_service *i = &j->items;
    if (c->rank != 0) {
        return STATUS_OK;
    }
    (void)fprintf(stdout, "\nJob %zu of %zu has done its share. ", i->task + 1, i->n_tasks);
    TRY(shortfall_print(a, stdout, i));
    (void)fprintf(stdout, "    pollard merge %s    (with the same -o and --set)\n", study_file);
    return fflush(stdout) == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "standard output cannot be written; the share is done all the same");
}

/* The journal goes as soon as the result is in place, before a table that nobody can read is an error. */
static status finish(comm *c, arena *a, const plan *p, stage_ctx *s, const provenance_run *run, search_outcome *found, const char *output, resume *j,
                     const run_options *o)
{
    results r;
    TRY(comm_agree(c, gather_results(a, &p->study, s, &r)));
    TRY(comm_agree(c, search_held_out(a, &p->study, &r, found)));
    r.n_searches = found->n_searches;
    r.searches = found->searches;
    TRY(provenance_gather(c, a, p, s, run, &r));
    TRY(comm_agree(c, c->rank == 0 ? results_write(output, &r) : STATUS_OK));
    TRY(comm_agree(c, c->rank == 0 && found->n_tuned > 0 ? search_write_study(a, &p->study, found, output) : STATUS_OK));
    TRY(write_done(c, a, o->done, output));
    TRY(resume_done(j));
    if (c->rank == 0) {
        gather_audits_warn(&r);
    }
    return comm_agree(c, c->rank == 0 && !o->quiet ? report(a, output, &r) : STATUS_OK);
}

/* The search, whose best settings become criteria of the study; then the stages. All with what earlier runs have finished. */
static status run_stages(comm *c, arena *a, plan *p, resume *j, bool share, progress *bar, stage_time times[], search_outcome *found, stage_ctx *s)
{
    *s = (stage_ctx){.comm = c, .study = &p->study, .arena = a, .tick = progress_tick, .progress = bar, .items = &j->items};
    j->items.skip = progress_skip;
    j->items.progress = bar;
    progress_start(bar, c->rank, c->size);
    TRY(comm_agree(c, open_marks(a, &p->study, s)));
    if (p->study.config->search.on) {
        const search_marks marks = {s->reference_mark, s->evaluation_mark};
        TRY(search_run(c, a, p, j, bar, &marks, found));
        TRY(comm_agree(c, search_extend(a, found, &p->study)));
        TRY(comm_agree(c, c->rank == 0 ? watch_note(a, &p->study, j) : STATUS_OK)); /* there are more curves now */
    }
    return stages_run(s, bar, share, times);
}

/* Collective. Items of all ranks. */
static size_t computed(const comm *c, const resume *j)
{
    int64_t n = (int64_t)j->items.n_computed;
    comm_sum_i64(c, 1, &n);
    return (size_t)n;
}

static status run_in(comm *c, arena *a, const run_options *o, int argc, char *const argv[])
{
    plan p;
    resume j;
    progress bar;
    stage_ctx s;
    search_outcome found = {.n_searches = 0};
    stage_time *times = arena_alloc(a, stage_count, sizeof *times);
    TRY(comm_agree(c, times == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const provenance_run started = {argc, argv, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec, times};

    TRY(plan_build(c, a, o->config, o->n_sets, o->sets, &p));
    TRY(alike_check(c, a, p.study.backend));
    resume_options with = o->resume;
    with.output = o->output != NULL ? o->output : p.study.config->output;
    TRY(comm_agree(c, c->rank == 0 ? results_check_output(with.output) : STATUS_OK)); /* before hours of work, not after */
    TRY(comm_agree(c, c->rank == 0 && o->done != NULL ? check_done(a, o->done, with.output) : STATUS_OK));
    announce(c, &p.study);
    TRY(resume_open(c, a, &p, &with, &j));
    TRY(comm_agree(c, c->rank == 0 ? watch_note(a, &p.study, &j) : STATUS_OK));
    const status st = run_stages(c, a, &p, &j, with.n_tasks > 0, &bar, times, &found, &s);
    TRY(status_ok(st) ? st : resume_failed(&j, st));
    if (o->n_items != NULL) {
        *o->n_items = computed(c, &j);
    }
    if (with.n_tasks > 0) {
        TRY(finish_share(c, a, &j, with.output, o->done));
        return comm_agree(c, report_share(c, a, &j, o->config));
    }
    return finish(c, a, &p, &s, &started, &found, with.output, &j, o);
}

status run_study(comm *c, const run_options *o, int argc, char *const argv[])
{
    arena *a = NULL;
    status st = comm_agree(c, arena_open("study", &a));
    if (status_ok(st)) {
        st = run_in(c, a, o, argc, argv);
    }
    arena_close(&a);
    return st;
}
