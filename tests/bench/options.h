#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H
/* The command line of bench_engine. */
#include <stddef.h>

#include "bench/engine.h"
#include "core/status.h"

typedef struct options {
    bool help;
    const char *networks; /* "resnet18,vit_b_16"; NULL: all */
    const char *backend;  /* NULL: all */
    bool task[TASK_COUNT];
    const char *rules; /* "epsilon,gamma" */
    size_t batch, repeats, size, shrink, masks;
    bool all_rows;
} options;

extern const char options_help[];

/* Errors: ST_USAGE. */
MUST_CHECK status options_parse(int argc, char *argv[], options *out);
bool options_want_network(const options *o, const char *name);
bool options_want_backend(const options *o, const char *name);
bool options_want_rule(const options *o, const char *name);

#endif
