#ifndef PIPELINE_SUBMIT_PARTS_H
#define PIPELINE_SUBMIT_PARTS_H
/* What the files of submit share. */
#include "pipeline/submit.h"

struct dry_run_report;

enum { SUBMIT_MOST = 1000000 };

/* What one job is to be given. */
typedef struct job_shape {
    size_t nodes, per_node; /* ranks per node */
    size_t shares;          /* of an array; 0: none */
    double node_bytes, seconds;
    double merge_bytes, merge_seconds; /* of the job that joins the shares */
    double core_seconds; /* of the whole study, by the trial; < 0: not tried */
    double run_seconds;  /* estimated for a job of this shape, without margin; < 0: not tried */
} job_shape;

typedef struct job {
    const cli *cl;
    job_shape shape;
    const char *name;             /* of the job: plain characters */
    const char *program, *output; /* as the script calls them */
    const char *launcher;         /* "srun" or "mpirun" */
} job;

/* Nodes of the partition (NULL: the default one) as sinfo tells, the least that one has: 0 where that is not known. */
typedef struct slurm_node {
    size_t cpus;
    double bytes;
} slurm_node;
void submit_slurm_nodes(const char *partition, slurm_node *out);

/* Ranks, memory and time of what the words of the command line leave open: those 0. Errors: ST_ENVIRONMENT. */
MUST_CHECK status submit_shape(const struct dry_run_report *r, const slurm_node *has, job_shape *s);

/* Hands a script to sbatch; `options` stand before it; *id [64] is the job's number. Not while MPI runs. */
MUST_CHECK status submit_sbatch(arena *a, const char *options, const char *script, char id[64]);

/* The whole text of a script: of the study or of a share of it; of the job that joins the shares. Errors: ST_ENVIRONMENT. */
MUST_CHECK status submit_script(arena *a, const job *j, const char **out);
MUST_CHECK status submit_merge_script(arena *a, const job *j, const char **out);

/* "1-02:03:00", as sbatch takes it. */
const char *submit_time(arena *a, double seconds);

#endif
