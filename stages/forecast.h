#ifndef STAGES_FORECAST_H
#define STAGES_FORECAST_H
/* What a stage will do and need, told without doing it. The counts are those of the loops that run() has. */
#include "stages/study.h"

enum { FORECAST_PARTS = 10 };

/* Memory of a rank for one purpose while the stage runs. */
typedef struct forecast_part {
    const char *name;
    size_t bytes;
} forecast_part;

typedef struct stage_forecast {
    bool idle;              /* the study asks for nothing that the stage does */
    size_t items;           /* what is dealt out to the ranks: micro-batches of images that are read */
    size_t passes;          /* micro-batches through a network */
    double macs;            /* multiply-adds of the explanations of a search, which are no whole passes; 0: nothing is said */
    size_t unshared;        /* ... if every cell and rate went its own way */
    bool at_most;           /* `passes` is a bound: masks of rankings that are not known yet may turn out equal */
    size_t images;          /* distinct ones that are read */
    size_t masks, distinct; /* points of curves, and the masks that these are at most */
    size_t n_parts;
    forecast_part part[FORECAST_PARTS];
    const char *shared_what; /* what `shared` is for; NULL: weights in the order of the kernels */
    size_t shared; /* bytes that the ranks of a node have together while the stage runs, beside the parts */
    size_t kept;   /* bytes of output, which stay until the end */
    size_t gathered; /* of these what rank 0 alone has, so that not every rank of a node needs it */
    size_t file;   /* bytes of the result file that tables do not account for, before compression */
} stage_forecast;

void forecast_add(stage_forecast *f, const char *name, size_t bytes);
size_t forecast_bytes(const stage_forecast *f); /* all parts */
/* What comes one after the other needs the memory of the largest: *out has it of what was before and `one`, on a node of so many ranks. */
void forecast_keep_most(stage_forecast *out, const stage_forecast *one, int ranks);

size_t forecast_block(size_t count, size_t size); /* what an arena takes for an array */
size_t forecast_share(size_t items, int ranks);   /* the most that one rank gets of a list */
size_t forecast_unread(const sample_list *l, uint8_t read[]); /* samples of the list that are not in `read` yet, which then has them */

/* A study as it is, with micro-batches so small that a trial of one does not take long. */
typedef struct trial {
    config config;
    study study;
} trial;
/* `seconds` for a micro-batch that costs `macs` multiply-adds an image, on a slow core. */
void trial_open(const study *s, double macs, double seconds, trial *out);

/* Seconds of one thing that is done again and again; the first time warms up and counts only where it is the only one. */
typedef struct trial_clock {
    double first, sum;
    double first_used, used; /* the same in seconds of the processor that this thread used; only with trial_since() */
    size_t n;
} trial_clock;
void trial_lap(trial_clock *c, double seconds);
double trial_mean(const trial_clock *c);
double trial_used(const trial_clock *c); /* the mean of the processor's seconds: also where others use the machine */

typedef struct trial_moment {
    double at, used;
} trial_moment;
trial_moment trial_now(void);
void trial_since(trial_clock *c, trial_moment begun); /* a lap from then to now */

/* What is tried in turn: the whole network, and one with half of its components. Between and beyond them time is taken to follow the
 * multiply-adds that are left. */
enum { TRIAL_WHOLE, TRIAL_HALF, TRIAL_NETWORKS };
size_t trial_network(size_t round, size_t n_components, uint8_t alive[]); /* which of them; `alive` [n_components] is written */
/* Seconds (of which kind, `mean_of` says) at so many multiply-adds, on the line through both, and no less than nothing. */
double trial_line(const trial_clock at[TRIAL_NETWORKS], const uint64_t macs[TRIAL_NETWORKS], double x, double (*mean_of)(const trial_clock *c));

#endif
