#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "io/files.h"
#include "io/results.h"
#include "pipeline/count.h"
#include "pipeline/dry_run.h"
#include "pipeline/duration.h"
#include "pipeline/launcher.h"
#include "pipeline/submit_parts.h"

static const double trial_seconds = 4.0;

/* ---- words of the command line ---- */

/* They become words of a job script and of a shell. */
static status check_plain(const char *option, const char *text)
{
    if (text != NULL && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._,@-")] != '\0') {
        return FAIL(ST_USAGE, "%s: expected letters, digits and . _ , @ - only, found '%s'", option, text);
    }
    return STATUS_OK;
}

static status check_launcher(const char *text)
{
    if (text != NULL && strcmp(text, "srun") != 0 && strcmp(text, "mpirun") != 0) {
        return FAIL(ST_USAGE, "--launcher: expected srun or mpirun, found '%s'", text);
    }
    return STATUS_OK;
}

static status read_words(const cli *cl, job *out)
{
    job_shape *s = &out->shape;
    TRY(check_plain("--partition", cl->partition));
    TRY(check_plain("--account", cl->account));
    TRY(check_launcher(cl->launcher));
    s->nodes = 1;
    if (cl->nodes != NULL) {
        TRY(count_read("--nodes", cl->nodes, SUBMIT_MOST, &s->nodes));
    }
    if (cl->ranks_per_node != NULL) {
        TRY(count_read("--ranks-per-node", cl->ranks_per_node, SUBMIT_MOST, &s->per_node));
    }
    if (cl->array != NULL) {
        TRY(count_read("--array", cl->array, SUBMIT_MOST, &s->shares));
    }
    if (cl->time != NULL) {
        TRY(duration_read("--time", cl->time, &s->seconds));
    }
    out->launcher = cl->launcher == NULL ? "srun" : cl->launcher;
    return STATUS_OK;
}

/* ---- what the plan says ---- */

/* Plain characters, for names of jobs and of logs. */
static status plain_name(arena *a, const char *name, const char **out)
{
    char *text;
    TRY_TEXT(text, a, "%.64s", name);
    for (char *c = text; *c != '\0'; c++) {
        *c = isalnum((unsigned char)*c) || *c == '-' || *c == '_' ? *c : '_';
    }
    *out = text;
    return STATUS_OK;
}

/* Everything for which MPI runs. */
static status plan_job(comm *c, arena *planned, arena *a, const slurm_node *has, job *j)
{
    plan p;
    dry_run_report report;
    const double started = log_seconds();
    TRY(plan_build(c, planned, j->cl->file, j->cl->n_sets, j->cl->sets, &p));
    const double built = log_seconds();
    TRY_TEXT(j->output, a, "%s", j->cl->output != NULL ? j->cl->output : p.study.config->output);
    TRY(plain_name(a, p.study.config->name, &j->name));
    TRY(results_foresee_output(j->output));
    TRY(dry_run_forecast(c, planned, a, &p, trial_seconds, &report));
    report.start_seconds = built - started;
    return submit_shape(&report, has, &j->shape);
}

static status plan_alone(arena *a, const slurm_node *has, job *j)
{
    comm c;
    arena *planned = NULL;
    launcher_prepare();
    status st = comm_start(NULL, NULL, &c);
    if (status_ok(st)) {
        st = arena_open("study", &planned);
    }
    if (status_ok(st)) {
        st = plan_job(&c, planned, a, has, j);
    }
    arena_close(&planned);
    comm_finish(&c);
    return st;
}

/* ---- variables ---- */

/* sbatch hands all of them to the job, and those of this process's MPI would tell the launcher there that it is alone. */
extern char **environ;

static status keep_environment(arena *a, char ***out)
{
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL) {
        n++;
    }
    TRY_ALLOC(*out, a, n + 1);
    for (size_t i = 0; i < n; i++) {
        TRY_TEXT((*out)[i], a, "%s", environ[i]);
    }
    return STATUS_OK;
}

/* ---- the scripts ---- */

/* This program, for nodes that have it at the same place; else by its name. */
static status find_program(arena *a, const char **out)
{
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    TRY_TEXT(*out, a, "%s", n > 0 ? path : "pollard");
    return STATUS_OK;
}

/* The shares are in the queue already: whoever starts again has to know of them. */
static status go_merge(arena *a, const char *id, const char *merge, char last[64])
{
    char why[STATUS_MESSAGE_BYTES];
    const char *options = arena_text(a, "--dependency=afterok:%s --kill-on-invalid-dep=yes", id);
    if (options == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    const status st = submit_sbatch(a, options, merge, last);
    if (status_ok(st)) {
        return STATUS_OK;
    }
    (void)snprintf(why, sizeof why, "%s", status_message());
    status_clear();
    return FAIL(st.code, "job %s, the shares, is in the queue without the job that joins them: `sbatch %s %s` submits that one, `scancel %s` ends the shares. %s", id,
                options, merge, id, why);
}

static status go(arena *a, const job *j, const char *script, const char *merge)
{
    char id[64], last[64];
    TRY(submit_sbatch(a, "", script, id));
    if (merge == NULL) {
        (void)printf("Job %s. `pollard status %s` says how far it is; `scancel %s` stops it, and the same command goes on.\n", id, j->output, id);
        return STATUS_OK;
    }
    TRY(go_merge(a, id, merge, last));
    (void)printf("Jobs %s (%zu shares) and %s, which joins them. `pollard status %s` says how far they are; `scancel %s` stops them, and the same "
                 "command goes on.\n",
                 id, j->shape.shares, last, j->output, id);
    return STATUS_OK;
}

/* An older script may go; a study, or a network, whose name has slipped into this place, may not. */
static status check_script(arena *a, const char *path)
{
    enum { MOST = 1 << 20 };
    file_bytes there = {NULL, 0};
    if (file_is_absent(path)) {
        return STATUS_OK;
    }
    const bool read = status_ok(file_read(a, path, MOST, &there));
    status_clear();
    return read && (there.size == 0 || strncmp((const char *)there.data, "#!", 2) == 0)
               ? STATUS_OK
               : FAIL(ST_CANT_WRITE, "%s: expected a job script or nothing, found a file of another kind, which would be lost; choose another --script", path);
}

static status write_script(arena *a, const char *path, const char *text)
{
    TRY(check_script(a, path));
    TRY(file_write_atomic(path, text, strlen(text)));
    (void)fprintf(stderr, "Written: %s\n", path);
    return STATUS_OK;
}

static status hand_out(arena *a, const job *j)
{
    const char *text, *merge = NULL, *file = j->cl->script, *merge_file = NULL;
    TRY(submit_script(a, j, &text));
    if (j->shape.shares > 0) {
        TRY(submit_merge_script(a, j, &merge));
    }
    if (file == NULL && !j->cl->go) {
        (void)fputs(text, stdout);
        if (merge != NULL) {
            (void)fputs("\n# ======== the job behind it, in a file of its own (--script FILE writes both) ========\n", stdout);
            (void)fputs(merge, stdout);
        }
        return STATUS_OK;
    }
    if (file == NULL) {
        TRY_TEXT(file, a, "%s.sbatch", j->name);
    }
    TRY(write_script(a, file, text));
    if (merge != NULL) {
        TRY_TEXT(merge_file, a, "%s.merge", file);
        TRY(write_script(a, merge_file, merge));
    }
    return j->cl->go ? go(a, j, file, merge_file) : STATUS_OK;
}

static status submit_in(arena *a, job *j)
{
    slurm_node has;
    char **before, **after;
    TRY(read_words(j->cl, j));
    TRY(find_program(a, &j->program));
    submit_slurm_nodes(j->cl->partition, &has);
    TRY(keep_environment(a, &before));
    TRY(plan_alone(a, &has, j));
    after = environ;
    environ = before;
    const status st = hand_out(a, j);
    environ = after; /* the other ends with its arena */
    return st;
}

status submit_study(comm *c, const cli *cl)
{
    arena *a = NULL;
    job j = {.cl = cl};
    if (c != NULL) {
        return comm_agree(c, FAIL(ST_USAGE, "submit: expected to be started alone, on a login node; found a launcher (mpirun, srun). It writes the job that uses one"));
    }
    status st = arena_open("submit", &a);
    if (status_ok(st)) {
        st = submit_in(a, &j);
    }
    arena_close(&a);
    return st;
}
