#include "support/naive_walk.h"

#include <math.h>
#include <string.h>

#include "support/naive.h"
#include "support/naive_rule.h"
#include "support/support.h"

typedef struct walker {
    arena *a;
    const graph *g;
    const composite *c;
    const composite_entry *const *rules;
    const naive_weights *w;
    naive_walk *at;
    naive_jumps jumps;
} walker;

static double *doubles(arena *a, size_t n)
{
    double *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static void add_to(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

/* The denominator is the output, which was perhaps given and not summed here: R_in = x . W' (R / st(z)) */
static void back_by_output(const walker *k, node_id id, const naive_layer *l, double epsilon, double *r_in)
{
    double *s = doubles(k->a, naive_outputs(&l->shape));
    for (size_t o = 0; o < naive_outputs(&l->shape); o++) {
        s[o] = k->at->relevance[id][o] / naive_stabilise(k->at->out[id][o], epsilon);
    }
    naive_layer_gradient(l, s, r_in);
    for (size_t i = 0; i < naive_inputs(&l->shape); i++) {
        r_in[i] *= k->at->out[k->g->nodes[id].in[0]][i];
    }
}

static void back_by_rule(const walker *k, node_id id)
{
    const composite_entry *e = k->rules[id];
    const node_id in = k->g->nodes[id].in[0];
    naive_layer l = naive_layer_at(k->g, k->w, id);
    const rule_pixels *pixels = &k->c->pixels;
    double *r_in = doubles(k->a, naive_inputs(&l.shape)), *low = doubles(k->a, l.shape.in_channels),
           *high = doubles(k->a, l.shape.in_channels);
    if (e->rule->kind == RULE_GRADIENT) {
        naive_layer_gradient(&l, k->at->relevance[id], r_in);
    } else if (strcmp(e->rule->name, "epsilon") == 0) {
        back_by_output(k, id, &l, e->parameters[e->rule->epsilon_field], r_in);
    } else {
        const rule_terms t = e->rule->terms(e->parameters);
        for (size_t c = 0; t.of_pixels && c < l.shape.in_channels; c++) {
            low[c] = (t.low - (double)pixels->mean[c]) / (double)pixels->std[c];
            high[c] = (t.high - (double)pixels->mean[c]) / (double)pixels->std[c];
        }
        l.low = t.of_pixels ? low : NULL;
        l.high = t.of_pixels ? high : NULL;
        naive_rule(&l, &t, e->parameters[e->rule->epsilon_field], k->at->out[in], k->at->out[id], k->at->relevance[id],
                   r_in, NULL);
    }
    add_to(naive_inputs(&l.shape), r_in, k->at->relevance[in]);
}

/* R_in = x . T' (R / st(y)) */
static void back_by_norm(const walker *k, node_id id)
{
    const node *n = &k->g->nodes[id];
    const size_t count = shape_count(n->out);
    double *q = doubles(k->a, count);
    for (size_t i = 0; i < count; i++) {
        q[i] = k->at->relevance[id][i] / naive_stabilise(k->at->out[id][i], k->c->epsilon);
    }
    for (size_t j = 0; j < n->n_in; j++) {
        const shape in = k->g->nodes[n->in[j]].out;
        double *back = n->op == &op_add ? q : doubles(k->a, shape_count(in));
        if (n->op != &op_add) {
            naive_avgpool_back(n, in, q, back);
        }
        for (size_t i = 0; i < shape_count(in); i++) {
            k->at->relevance[n->in[j]][i] += k->at->out[n->in[j]][i] * back[i];
        }
    }
}

static void back_node(const walker *k, node_id id)
{
    const node *n = &k->g->nodes[id];
    if (n->op->product != NULL) {
        back_by_rule(k, id);
    } else if (n->op == &op_maxpool2d) {
        const shape in = k->g->nodes[n->in[0]].out;
        const size_t plane = n->out.dim[1] * n->out.dim[2], plane_in = in.dim[1] * in.dim[2];
        for (size_t i = 0; i < shape_count(n->out); i++) {
            k->at->relevance[n->in[0]][i / plane * plane_in + k->jumps.winner[id][i]] += k->at->relevance[id][i];
        }
    } else if (n->op == &op_avgpool2d || n->op == &op_add) {
        back_by_norm(k, id);
    } else {
        add_to(shape_count(n->out), k->at->relevance[id], k->at->relevance[n->in[0]]);
    }
}

void naive_walk_run(arena *a, const graph *g, const composite *c, const naive_weights *w, const float *image,
                    const float *const outputs[], size_t target, naive_walk *out)
{
    walker k = {.a = a, .g = g, .c = c, .w = w, .at = out};
    assert_ok(composite_resolve(a, c, g, &k.rules));
    out->out = naive_maps_new(a, g);
    out->relevance = naive_maps_new(a, g);
    k.jumps = naive_jumps_new(a, g);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const size_t n = shape_count(g->nodes[id].out);
        if (id > 0) {
            naive_node_forward(g, w, id, out->out, &k.jumps);
        }
        const float *given = id == 0 ? image : outputs == NULL ? NULL : outputs[id];
        for (size_t i = 0; given != NULL && i < n; i++) {
            out->out[id][i] = (double)given[i]; /* the winners stay those of the twin's pass over these inputs */
        }
    }
    out->relevance[g->n_nodes - 1][target] = 1.0;
    for (node_id id = g->n_nodes; id-- > 1;) {
        back_node(&k, id);
    }
}
