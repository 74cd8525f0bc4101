/* The text of a job: resources, one command line, and the part that all jobs have in common (slurm/body.sh). */
#include <math.h>
#include <string.h>

#include "pipeline/provenance.h"
#include "pipeline/submit_parts.h"
#include "submit_body.h"

const char *submit_time(arena *a, double seconds)
{
    const long minutes = (long)ceil(seconds / 60.0), days = minutes / 1440;
    const char *rest = arena_text(a, "%02ld:%02ld:00", minutes / 60 % 24, minutes % 60);
    return rest == NULL || days == 0 ? rest : arena_text(a, "%ld-%s", days, rest);
}

static const char *mebibytes(arena *a, double bytes)
{
    const double step = 256.0;
    return arena_text(a, "%.0fM", step * ceil(bytes / 1048576.0 / step));
}

/* "pollard run study.yaml -o r.h5 --set tasks.seeds=2", each word as a shell reads it. */
static status command_line(arena *a, const job *j, const char *command, const char **out)
{
    const char *const words[] = {j->program, command, j->cl->file, "-o", j->output};
    const char *text = "";
    for (size_t i = 0; i < COUNT(words) + j->cl->n_sets && text != NULL; i++) {
        const bool is_set = i >= COUNT(words);
        const char *word = provenance_word(a, is_set ? j->cl->sets[i - COUNT(words)] : words[i]);
        text = word == NULL ? NULL : arena_text(a, "%s%s%s%s", text, i == 0 ? "" : " ", is_set ? "--set " : "", word);
    }
    *out = text;
    return text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

static const char *option_line(arena *a, const char *name, const char *value)
{
    return value == NULL ? "" : arena_text(a, "#SBATCH --%s=%s\n", name, value);
}

/* What the two kinds of jobs differ in. */
typedef struct kind {
    const char *name, *array, *log, *mark; /* mark: what makes the finished marker of a job its own */
    size_t nodes, per_node;
    double bytes, seconds;
    const char *command, *more; /* more: behind the command, for the shell */
    const char *remark;
} kind;

static status write_script(arena *a, const job *j, const kind *k, const char **out)
{
    const char *partition = option_line(a, "partition", j->cl->partition), *account = option_line(a, "account", j->cl->account);
    const char *array = option_line(a, "array", k->array);
    const char *memory = mebibytes(a, k->bytes), *time = submit_time(a, k->seconds), *command;
    const char *output = provenance_word(a, j->output);
    TRY(command_line(a, j, k->command, &command));
    if (partition == NULL || account == NULL || array == NULL || memory == NULL || time == NULL || output == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY_TEXT(*out, a,
             "#!/usr/bin/env bash\n# Written by `pollard submit`. %s\n"
             "#SBATCH --job-name=%s\n%s%s%s#SBATCH --nodes=%zu\n#SBATCH --ntasks-per-node=%zu\n#SBATCH --cpus-per-task=1\n"
             "#SBATCH --mem=%s\n#SBATCH --time=%s\n#SBATCH --signal=B:USR1@120\n#SBATCH --requeue\n#SBATCH --open-mode=append\n"
             "#SBATCH --output=%s.log\n"
             "launcher=%s\ndone=%s.done-%s\ncommand=(%s%s)\n%s",
             k->remark, k->name, partition, account, array, k->nodes, k->per_node, memory, time, k->log, j->launcher, output, k->mark, command,
             k->more, submit_body);
    return STATUS_OK;
}

static status remark(arena *a, const job *j, const char **out)
{
    const job_shape *s = &j->shape;
    if (s->core_seconds < 0.0) {
        TRY_TEXT(*out, a, "The time is as given; nothing was tried.");
        return STATUS_OK;
    }
    TRY_TEXT(*out, a, "By a trial on this machine: %.3g core-hours together, %.3g minutes for %s of this size; twice that and 10 minutes, or as given.",
             s->core_seconds / 3600.0, s->run_seconds / 60.0, s->shares > 0 ? "each job" : "a job");
    return STATUS_OK;
}

status submit_script(arena *a, const job *j, const char **out)
{
    const job_shape *s = &j->shape;
    kind k = {.name = j->name, .nodes = s->nodes, .per_node = s->per_node, .bytes = s->node_bytes, .seconds = s->seconds,
              .command = "run", .more = "", .mark = "$SLURM_JOB_ID"};
    TRY(remark(a, j, &k.remark));
    if (s->shares > 0) {
        TRY_TEXT(k.array, a, "1-%zu", s->shares);
        TRY_TEXT(k.log, a, "%s-%%A_%%a", j->name);
        TRY_TEXT(k.more, a, " --array \"$SLURM_ARRAY_TASK_ID/%zu\"", s->shares);
        k.mark = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID";
    } else {
        TRY_TEXT(k.log, a, "%s-%%j", j->name);
    }
    return write_script(a, j, &k, out);
}

status submit_merge_script(arena *a, const job *j, const char **out)
{
    kind k = {.nodes = 1, .per_node = 1, .bytes = j->shape.merge_bytes, .seconds = j->shape.merge_seconds, .command = "merge", .more = "",
              .mark = "$SLURM_JOB_ID", .remark = "Joins the shares; of the study it computes the spectra alone, where it has any."};
    TRY_TEXT(k.name, a, "%s-merge", j->name);
    TRY_TEXT(k.log, a, "%s-merge-%%j", j->name);
    return write_script(a, j, &k, out);
}
