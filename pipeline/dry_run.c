#include "pipeline/dry_run.h"

#include "core/log.h"
#include "io/results.h"
#include "pipeline/dry_run_parts.h"
#include "stages/work_list.h"

static const double budget_seconds = 4.0;

/* What ticks look at: memory while a stage's buffers are all there. */
typedef struct sampler {
    const arena *planned, *rest, *work, *images;
    const stage_ctx *ctx;
    double pictures; /* that are decoded at once: one a thread */
    rank_memory *memory;
} sampler;

static void sample(void *progress, double images)
{
    (void)images;
    sampler *s = progress;
    const double own = (double)arena_bytes(s->images);
    const double arenas = (double)(arena_bytes(s->planned) + arena_bytes(s->rest) + arena_bytes(s->work)) + own +
                          (s->ctx->watched == NULL ? 0.0 : (double)arena_bytes(s->ctx->watched));
    const double program = dry_run_resident() - arenas;
    s->memory->program =
        program > s->memory->program ? program : s->memory->program; /* BLAS takes its buffers when it needs them */
    s->memory->image = own * s->pictures > s->memory->image ? own * s->pictures : s->memory->image;
}

static status forecast_stages(stage_ctx *ctx, arena *scratch, stage_forecast out[])
{
    for (size_t i = 0; i < stage_count; i++) {
        TRY(stage_table[i]->forecast(ctx, scratch, &out[i]));
    }
    return STATUS_OK;
}

/* The slowest rank's. */
static status slowest(comm *c, arena *a, double mine, double *out)
{
    const double *all;
    TRY(comm_gather_f64(c, a, mine, &all));
    for (int rank = 0; rank < c->size; rank++) {
        *out = all[rank] > *out ? all[rank] : *out;
    }
    return STATUS_OK;
}

static status try_search(comm *c, arena *a, stage_ctx *ctx, arena *work, arena *images, double budget, search_forecast *f)
{
    TRY(search_forecast_try(ctx, work, images, budget, f));
    for (size_t i = 0; i < stage_count && f->n_parts > 0; i++) {
        const double mine = f->seconds[i];
        TRY(slowest(c, a, mine, &f->seconds[i]));
    }
    return slowest(c, a, f->proposal_seconds, &f->proposal_seconds);
}

static status try_stages(comm *c, arena *a, stage_ctx *ctx, arena *work, arena *images, const stage_forecast forecast[], double budget, double seconds[])
{
    size_t busy = 0;
    for (size_t i = 0; i < stage_count; i++) {
        busy += !forecast[i].idle;
    }
    for (size_t i = 0; i < stage_count; i++) {
        double mine = 0.0;
        TRY(comm_agree(c, stage_table[i]->trial(ctx, work, images, budget / (double)busy, &mine)));
        TRY(slowest(c, a, mine, &seconds[i]));
    }
    return STATUS_OK;
}

static status open_context(comm *c, arena *a, const study *s, stage_ctx *out)
{
    *out = (stage_ctx){.comm = c, .study = s, .arena = a, .tick = sample};
    TRY_ALLOC(out->reference_mark, a, s->reference_data->n_samples);
    TRY_ALLOC(out->evaluation_mark, a, s->evaluation_data->n_samples);
    return STATUS_OK;
}

/* `work` and `images` hold what a stage has while it runs; what `a` holds is counted as what stages keep. */
static status forecast(comm *c, arena *a, arena *work, arena *images, sampler *sampled, double budget,
                       dry_run_report *out)
{
    plan *extended = arena_alloc(a, 1, sizeof *extended);
    stage_ctx ctx;
    work_notes *lists = arena_alloc(a, 1, sizeof *lists);
    stage_forecast *stage = arena_alloc(a, stage_count, sizeof *stage);
    double *seconds = arena_alloc(a, stage_count, sizeof *seconds);
    TRY(comm_agree(c, extended == NULL || lists == NULL || stage == NULL || seconds == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    *extended = *out->plan;
    TRY(comm_agree(c, search_forecast_open(c, a, &out->plan->study, &out->search, &extended->study)));
    const study *plain = &out->plan->study, *s = &extended->study;
    out->plan = extended;
    TRY(comm_agree(c, open_context(c, a, s, &ctx)));
    *lists = (work_notes){.arena = a};
    ctx.noted = lists;
    ctx.progress = sampled;
    sampled->ctx = &ctx;
    TRY(comm_agree(c, forecast_stages(&ctx, work, stage)));
    out->stage = stage;
    out->seconds = seconds;
    out->lists = lists;
    dry_run_memory_sum(stage, &out->search, s, c->rank == 0, &out->memory);
    out->memory.lacks = dry_run_memory_lacks(c, stage, &out->search);
    TRY(dry_run_memory_of_nodes(c, a, &out->memory, &out->node));
    out->tried = out->node.fits;
    if (out->tried) {
        const double started = log_seconds();
        TRY(try_stages(c, a, &ctx, work, images, stage, budget, seconds));
        ctx.study = plain;
        TRY(try_search(c, a, &ctx, work, images, budget, &out->search));
        out->trial_seconds = log_seconds() - started;
        out->memory.now = dry_run_taken();
        dry_run_memory_sum(stage, &out->search, s, c->rank == 0, &out->memory);
        TRY(dry_run_memory_of_nodes(c, a, &out->memory, &out->node));
    }
    out->others = out->memory;
    dry_run_memory_sum(stage, &out->search, s, false, &out->others);
    return STATUS_OK;
}

status dry_run_forecast(comm *c, const arena *planned, arena *a, const plan *p, double budget, dry_run_report *out)
{
    arena *work = NULL, *images = NULL;
    *out = (dry_run_report){.plan = p, .ranks = c->size};
    dry_run_memory_start(c, planned, p, &out->memory);
    status st = arena_open("plan", &work);
    if (status_ok(st)) {
        st = arena_open("plan images", &images);
    }
    st = comm_agree(c, st);
    if (status_ok(st)) {
        const size_t threads = p->study.config->decode_threads;
        sampler sampled = {.planned = planned, .rest = a, .work = work, .images = images,
                           .pictures = threads > 1 ? (double)threads : 1.0, .memory = &out->memory};
        st = forecast(c, a, work, images, &sampled, budget, out);
    }
    arena_close(&images);
    arena_close(&work);
    return st;
}

static status dry_run_in(comm *c, arena *planned, arena *a, const cli *cl)
{
    plan p;
    dry_run_report report;
    scale_wanted wanted;
    TRY(comm_agree(c, scale_parse(cl, &wanted)));
    const double started = log_seconds();
    TRY(plan_build(c, planned, cl->file, cl->n_sets, cl->sets, &p));
    const double built = log_seconds();
    const char *output = cl->output != NULL ? cl->output : p.study.config->output;
    TRY(comm_agree(c, c->rank == 0 ? results_foresee_output(output) : STATUS_OK));
    TRY(dry_run_forecast(c, planned, a, &p, budget_seconds, &report));
    report.start_seconds = built - started;
    TRY(comm_agree(c, c->rank == 0 ? dry_run_print(a, stdout, &report) : STATUS_OK));
    return comm_agree(c, c->rank == 0 ? dry_run_print_scale(a, stdout, &report, &wanted) : STATUS_OK);
}

status dry_run(comm *c, const cli *cl)
{
    arena *planned = NULL, *a = NULL;
    status st = arena_open("study", &planned);
    if (status_ok(st)) {
        st = arena_open("plan", &a);
    }
    st = comm_agree(c, st);
    if (status_ok(st)) {
        st = dry_run_in(c, planned, a, cl);
    }
    arena_close(&a);
    arena_close(&planned);
    return st;
}
