#ifndef PIPELINE_RUN_H
#define PIPELINE_RUN_H
/* `pollard run` and its kin: plan, stages, results. */
#include "parallel/comm.h"
#include "pipeline/resume.h"

typedef struct run_options {
    const char *config;
    size_t n_sets;
    const char *const *sets;
    const char *output; /* NULL: as the config says */
    const char *done;   /* NULL, or: the file that is written as soon as the result, or the share, is in place */
    bool quiet;         /* no table, no plot */
    size_t *n_items;    /* NULL, or: that the ranks together have computed */
    resume_options resume;
} run_options;

/* Collective. A job of an array writes no result. */
MUST_CHECK status run_study(comm *c, const run_options *o, int argc, char *const argv[]);

#endif
