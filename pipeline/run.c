#include "pipeline/run.h"

#include <time.h>

#include "core/log.h"
#include "pipeline/gather.h"
#include "pipeline/gather_audit.h"
#include "pipeline/progress.h"
#include "pipeline/provenance.h"
#include "pipeline/report.h"
#include "pipeline/winograd.h"

/* On a terminal the progress line is enough for whoever looks on. */
static void stage_report(const stage_ctx *s, const progress *p, const char *stage, double seconds, double waited)
{
    log_line(p->terminal ? LOG_DEBUG : LOG_INFO, "stage=%s seconds=%.2f image_wait=%.2f image_wait_share=%.1f%% busy=%.2f idle=%.2f", stage,
             seconds, waited, 100.0 * stage_share(waited, seconds), s->busy_seconds, s->idle_seconds);
}

static status stages_run(stage_ctx *s, progress *p, stage_time times[])
{
    for (size_t i = 0; i < stage_count; i++) {
        const double started = log_seconds(), waited = s->image_seconds;
        progress_stage(p, stage_table[i]->name, stage_table[i]->work(s));
        const status st = stage_table[i]->run(s);
        progress_end(p);
        TRY(st);
        times[i] = (stage_time){log_seconds() - started, s->image_seconds - waited};
        stage_report(s, p, stage_table[i]->name, times[i].seconds, times[i].image_wait);
    }
    return STATUS_OK;
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

static status write_and_report(arena *a, const char *output, const results *r)
{
    TRY(results_write(output, r));
    gather_audits_warn(r);
    return report(a, output, r);
}

static status run_in(comm *c, arena *a, const cli *cl, int argc, char *const argv[])
{
    plan p;
    results r;
    progress bar;
    stage_time *times = arena_alloc(a, stage_count, sizeof *times);
    TRY(comm_agree(c, times == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const provenance_run started = {argc, argv, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec, times};

    TRY(plan_build(c, a, cl->file, cl->n_sets, cl->sets, &p));
    const char *output = cl->output != NULL ? cl->output : p.study.config->output;
    TRY(comm_agree(c, c->rank == 0 ? results_check_output(output) : STATUS_OK)); /* before hours of work, not after */
    announce(c, &p.study);

    stage_ctx s = {.comm = c, .study = &p.study, .arena = a, .tick = progress_tick, .progress = &bar};
    progress_start(&bar, c->rank, c->size);
    TRY(comm_agree(c, open_marks(a, &p.study, &s)));
    TRY(stages_run(&s, &bar, times));

    TRY(comm_agree(c, gather_results(a, &p.study, &s, &r)));
    TRY(provenance_gather(c, a, &p, &s, &started, &r));
    return comm_agree(c, c->rank == 0 ? write_and_report(a, output, &r) : STATUS_OK);
}

status run_study(comm *c, const cli *cl, int argc, char *const argv[])
{
    arena *a = NULL;
    status st = comm_agree(c, arena_open("study", &a));
    if (status_ok(st)) {
        st = run_in(c, a, cl, argc, argv);
    }
    arena_close(&a);
    return st;
}
