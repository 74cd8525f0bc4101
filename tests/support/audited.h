#ifndef SUPPORT_AUDITED_H
#define SUPPORT_AUDITED_H
/* Golden networks whose weights can be changed, explained with every relevance kept and audited: what the tests of audits share. */
#include "support/backends.h"
#include "support/golden.h"

#include "attribution/walk.h"
#include "attribution/walk_audit.h"

enum { AUDITED_BATCH = 6 };
#define AUDITED_EPSILON 1e-6

/* The first has no value with two readers, the others have residual sums. */
enum { AUDITED_FILES = 4 };
extern const char *const audited_files[AUDITED_FILES];

typedef struct audited_net {
    arena *a;
    golden *file;
    graph g;
    node *nodes; /* weights and biases in copies of their own */
    const float *images;
    size_t target[AUDITED_BATCH];
} audited_net;

void audited_open(const char *name, audited_net *t);
void audited_close(audited_net *t);
void *audited_get(const audited_net *t, size_t n, size_t size); /* zeroed memory that goes with the network */
float *audited_weights(const audited_net *t, node_id id);
float *audited_biases(const audited_net *t, node_id id);
void audited_without_biases(audited_net *t);
node_id audited_named(const audited_net *t, const char *name);

/* One rule with its default parameters, but for the stabiliser, in every convolution and linear layer. */
const composite *audited_rule(const audited_net *t, const char *name, double eps);

typedef struct audited {
    const audited_net *t;
    walk *w;
    forward *f; /* a forward pass with every output */
    size_t n;
    const audit_step *steps;
    float *audit; /* [AUDITED_BATCH, n_nodes, AUDIT_SUMS] */
} audited;

void audited_explain(const audited_net *t, const composite *c, audited *out);
const float *audited_sums(const audited *x, size_t sample, node_id id);
audit_verdict audited_verdict(const audited *x); /* over all samples */

#endif
