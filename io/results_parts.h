#ifndef IO_RESULTS_PARTS_H
#define IO_RESULTS_PARTS_H
/* The parts of a result file, one file each; results_write.c puts them together. */
#include "io/h5.h"
#include "io/h5_table.h"
#include "io/results.h"

/* Lists that columns refer to by index. */
enum { LIST_MODELS, LIST_CRITERIA, LIST_KINDS, LIST_TASKS, LISTS };

typedef struct results_writer {
    const h5_file *file;
    const results *r;
    const char *const *names[LISTS];
} results_writer;

MUST_CHECK status results_put_catalogue(const results_writer *w);  /* /models/<model>, /criteria, /classes */
MUST_CHECK status results_put_curves(const results_writer *w);     /* /curves */
MUST_CHECK status results_put_tracks(const results_writer *w);     /* /tracks/<model>/<kind>/<criterion> */
MUST_CHECK status results_put_statistics(const results_writer *w); /* /stability, /summary */
MUST_CHECK status results_put_audits(const results_writer *w);     /* /audit/<model>/<criterion> */
MUST_CHECK status results_put_rows(const results_writer *w);       /* /rows/<model>/<criterion> */
MUST_CHECK status results_put_spectra(const results_writer *w);    /* /spectrum/<model>/<criterion> */
MUST_CHECK status results_put_heatmaps(const results_writer *w);   /* /heatmaps, /heatmaps/maps/<model> */
MUST_CHECK status results_put_searches(const results_writer *w);   /* /search/<model>/<kind> */
MUST_CHECK status results_put_provenance(const results_writer *w); /* /provenance */

/* The coordinate `rate` of the study. */
MUST_CHECK status results_put_rates(h5_group *g, const results *r);
/* The dimension `set` and what identifies each reference set. */
MUST_CHECK status results_put_sets(const results_writer *w, h5_group *g, size_t n, const result_set of[]);
/* A coordinate 0, 1, ... n-1. */
MUST_CHECK status results_put_numbering(h5_group *g, const char *name, size_t n, const char *long_name);

#endif
