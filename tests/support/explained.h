#ifndef SUPPORT_EXPLAINED_H
#define SUPPORT_EXPLAINED_H
/* A golden network explained by LRP, with every relevance kept, and comparisons with the golden values. The composite comes as a study file
 * states it, so that what is compared is the whole way from its text to the numbers. */
#include "support/backends.h"
#include "support/golden.h"

#include "attribution/walk.h"

enum { EXPLAINED = 6 }; /* samples of every golden network */

/* One composite of the golden files, and the same as keys of a criterion. */
typedef struct golden_composite {
    const char *name;    /* below composites/ */
    const char *sets[4]; /* "key=value"; NULL behind the last */
} golden_composite;
extern const golden_composite cnn_composites[], vit_composites[]; /* end with a NULL name */

extern const char *const golden_cnns[]; /* file names; NULL-terminated */
extern const char *const golden_vit;

typedef struct explained {
    arena *a;
    golden *file;
    bool full; /* the file is of the full set */
    const char *network;
    char group[128]; /* "composites/eps" */
    const graph *g;
    const composite *composite;
    const float *images;
    size_t target[EXPLAINED], row; /* row: floats a sample */
    walk *w;
    float *rows;
    double tolerance; /* the larger of 2e-5 and ten times what the reference's own float32 run deviates (golden/README.md) */
} explained;

/* Of the full set where it is there, else of tests/golden. to_input: the walk goes below the lowest component too. */
void explain(const char *network, const golden_composite *c, bool to_input, explained *e);
void explained_close(explained *e);

/* Whether the golden file has heatmaps of this composite, which need a walk to the input. */
bool golden_has_heatmap(const char *network, const golden_composite *c);

float *explained_floats(const explained *e, size_t n);
double *explained_doubles(const explained *e, size_t n);
node_id explained_node(const explained *e, const char *name);
/* The prunable layers of a kind, which are those that the file lists in `attribute`, in its order. Returns how many. */
enum { MOST_LAYERS = 64 };
size_t explained_layers(const explained *e, component_kind kind, const char *attribute, const node *layers[MOST_LAYERS]);

double largest_of(size_t n, const double x[]);
/* got against expected, relative to the largest value of the whole tensor. */
void assert_relevance(const explained *e, const char *what, const char *layer, size_t n, const double got[],
                      const double expected[]);
/* Relevance at a node's output, of those samples that the golden data set of this name has (`sample` [k] for its k-th). */
void assert_relevance_at(const explained *e, const char *node_name, const char *data_set, size_t n_samples,
                         const size_t sample[]);

/* One moment of one layer, [sample, component]; and exact sums over the samples, [component of the graph]. */
const double *explained_moment(const explained *e, const node *layer, size_t which);
const double *explained_scores(const explained *e);

#endif
