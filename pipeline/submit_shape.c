/* What a job is to be given: ranks, memory and time, from what the plan says. */
#include <math.h>
#include <unistd.h>

#include "pipeline/dry_run.h"
#include "pipeline/submit_parts.h"

static const double most_seconds = 24.0 * 3600.0, least_merge_seconds = 3600.0;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Shares leave a stage to the one rank of the job that joins them. */
static bool is_left(const job_shape *s, size_t stage)
{
    return s->shares > 0 && stage_table[stage]->at_the_end;
}

/* Items of the stage that has most, of each job: more ranks than that only wait. */
static size_t most_items(const dry_run_report *r, const job_shape *s)
{
    size_t n = 1;
    for (size_t i = 0; i < stage_count; i++) {
        const size_t items = r->search.n_parts > 0 && r->search.stage[i].items > r->stage[i].items ? r->search.stage[i].items : r->stage[i].items;
        n = items > n && !is_left(s, i) ? items : n;
    }
    const size_t jobs = s->shares > 0 ? s->shares : 1;
    return (n + jobs - 1) / jobs;
}

static void set_ranks(const dry_run_report *r, const slurm_node *has, job_shape *s)
{
    const long here = sysconf(_SC_NPROCESSORS_ONLN);
    if (s->per_node == 0) {
        const size_t cores = has->cpus > 0 ? has->cpus : here > 0 ? (size_t)here : 1;
        const size_t useful = (most_items(r, s) + s->nodes - 1) / s->nodes;
        s->per_node = least(cores, useful);
    }
}

/* One rank alone was planned, with the weights as its own; the ranks of a node have one copy of the networks', and one rank of all gathers what is
 * kept and makes the file. What kernels read beside the weights stays counted for each, so this is more than is needed. A quarter and half a GiB are
 * for what MPI takes. */
static void set_memory(const dry_run_report *r, job_shape *s)
{
    static const double margin = 1.25, mpi = 512.0 * 1048576.0;
    const study *planned = &r->plan->study;
    double weights = 0.0;
    for (size_t i = 0; i < planned->n_models; i++) {
        uint64_t parameters, macs;
        graph_cost(planned->models[i].graph, &parameters, &macs, NULL, NULL);
        weights += (double)parameters * (double)sizeof(float);
    }
    const double first = fmax(0.0, r->memory.most - weights), other = fmax(0.0, r->others.most - weights);
    s->node_bytes = margin * (weights + first + (double)(s->per_node - 1) * other) + mpi;
    s->merge_bytes = margin * r->memory.most + mpi;
}

static double time_limit(double seconds)
{
    static const double margin = 2.0, start = 600.0, step = 300.0;
    return step * ceil((margin * seconds + start) / step);
}

static double shared_by(double ranks, size_t n_items)
{
    const double items = (double)n_items;
    return items == 0.0 ? 1.0 : ranks < items ? ranks : items;
}

/* A stage's items are dealt to all ranks of all jobs; what has none is done by each rank. A job that is too short queues itself again and goes on; the
 * one that joins shares would begin again, since of what is left to it nothing is noted: no most_seconds for that. */
static void set_time(const dry_run_report *r, job_shape *s)
{
    const double ranks = (double)(s->nodes * s->per_node * (s->shares > 0 ? s->shares : 1));
    double left = r->search.proposal_seconds; /* the job that joins shares goes through the search once more, with all its proposals */
    s->core_seconds = s->run_seconds = r->start_seconds;
    for (size_t i = 0; i < stage_count && r->search.n_parts > 0; i++) {
        s->core_seconds += r->search.seconds[i];
        s->run_seconds += r->search.seconds[i] / shared_by(ranks, r->search.fewest[i]);
    }
    s->core_seconds += r->search.proposal_seconds * ranks; /* each rank works out all of them */
    s->run_seconds += r->search.proposal_seconds;
    for (size_t i = 0; i < stage_count; i++) {
        const double together = shared_by(ranks, r->stage[i].items);
        s->core_seconds += r->seconds[i];
        s->run_seconds += is_left(s, i) ? 0.0 : r->seconds[i] / together;
        left += is_left(s, i) ? r->seconds[i] : 0.0;
    }
    s->seconds = s->seconds > 0.0 ? s->seconds : fmin(time_limit(s->run_seconds), most_seconds);
    s->merge_seconds = fmax(least_merge_seconds, time_limit(left));
}

/* Where the job that joins the shares computes anything, it gets as much as each of them. */
static void set_time_untried(const dry_run_report *r, job_shape *s)
{
    s->core_seconds = s->run_seconds = -1.0;
    s->merge_seconds = least_merge_seconds;
    for (size_t i = 0; i < stage_count; i++) {
        if (is_left(s, i) && r->stage[i].items > 0) {
            s->merge_seconds = fmax(least_merge_seconds, s->seconds);
        }
    }
}

status submit_shape(const dry_run_report *r, const slurm_node *has, job_shape *s)
{
    set_ranks(r, has, s);
    set_memory(r, s);
    if (has->bytes > 0.0 && s->node_bytes > has->bytes) {
        return FAIL(ST_ENVIRONMENT, "%zu ranks a node need %.0f MiB, but the smallest node has %.0f MiB (sinfo); use fewer --ranks-per-node, another --partition, or a "
                                    "smaller micro_batch",
                    s->per_node, s->node_bytes / 1048576.0, has->bytes / 1048576.0);
    }
    if (r->tried) {
        set_time(r, s);
    } else if (s->seconds == 0.0) {
        return FAIL(ST_ENVIRONMENT, "this machine has not the memory for a trial (%.0f MiB), so that the time is not known; say it with --time, or run `pollard "
                                    "submit` on a larger node",
                    r->memory.most / 1048576.0);
    } else {
        set_time_untried(r, s);
    }
    return STATUS_OK;
}
