#include "support/naive_walk.h"

#include <math.h>
#include <string.h>

#include "nn/forward.h"
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
    size_t **winner; /* [n_nodes] of max pools */
} walker;

static double *doubles(arena *a, size_t n)
{
    double *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

naive_weights naive_weights_of(arena *a, const graph *g)
{
    const double **w = arena_alloc(a, g->n_nodes, sizeof *w), **b = arena_alloc(a, g->n_nodes, sizeof *b);
    assert_true(w != NULL && b != NULL);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        double *weight = doubles(a, n->n_weight), *bias = doubles(a, n->n_bias);
        for (size_t i = 0; i < n->n_weight; i++) {
            weight[i] = (double)n->weight[i];
        }
        for (size_t i = 0; i < n->n_bias; i++) {
            bias[i] = (double)n->bias[i];
        }
        w[id] = n->n_weight > 0 ? weight : NULL;
        b[id] = n->n_bias > 0 ? bias : NULL;
    }
    return (naive_weights){.w = w, .b = b};
}

static naive_layer layer_of(const walker *k, node_id id)
{
    naive_layer l = {.w = k->w->w[id], .b = k->w->b[id]};
    forward_product_shape(k->g, id, &l.shape);
    return l;
}

static void maxpool_forward(const walker *k, node_id id)
{
    const node *n = &k->g->nodes[id];
    const maxpool_attr *m = n->attr;
    const shape in = k->g->nodes[n->in[0]].out;
    const double *x = k->at->out[n->in[0]];
    for (size_t i = 0; i < shape_count(n->out); i++) {
        const size_t plane = i / (n->out.dim[1] * n->out.dim[2]), oy = i / n->out.dim[2] % n->out.dim[1],
                     ox = i % n->out.dim[2];
        double best = -INFINITY;
        for (size_t t = 0; t < m->kernel * m->kernel; t++) {
            const size_t y = oy * m->stride + t / m->kernel, c = ox * m->stride + t % m->kernel;
            if (y < m->padding || c < m->padding || y - m->padding >= in.dim[1] || c - m->padding >= in.dim[2]) {
                continue;
            }
            const size_t at = (plane * in.dim[1] + y - m->padding) * in.dim[2] + c - m->padding;
            if (x[at] > best) {
                best = x[at];
                k->winner[id][i] = at;
            }
        }
        k->at->out[id][i] = best;
    }
}

/* Bins of an adaptive average along one axis. */
static size_t bin_from(size_t i, size_t bins, size_t size)
{
    return i * size / bins;
}

static size_t bin_to(size_t i, size_t bins, size_t size)
{
    return ((i + 1) * size + bins - 1) / bins;
}

/* y = x T, or with `back` the transpose: x[i] += y / count. */
static void avgpool(const node *n, shape in, bool back, double *x, double *y)
{
    for (size_t i = 0; i < shape_count(n->out); i++) {
        const size_t plane = i / (n->out.dim[1] * n->out.dim[2]), oy = i / n->out.dim[2] % n->out.dim[1],
                     ox = i % n->out.dim[2];
        const size_t y0 = bin_from(oy, n->out.dim[1], in.dim[1]), y1 = bin_to(oy, n->out.dim[1], in.dim[1]);
        const size_t x0 = bin_from(ox, n->out.dim[2], in.dim[2]), x1 = bin_to(ox, n->out.dim[2], in.dim[2]);
        const double count = (double)((y1 - y0) * (x1 - x0));
        for (size_t t = 0; t < (y1 - y0) * (x1 - x0); t++) {
            const size_t at = (plane * in.dim[1] + y0 + t / (x1 - x0)) * in.dim[2] + x0 + t % (x1 - x0);
            if (back) {
                x[at] += y[i] / count;
            } else {
                y[i] += x[at] / count;
            }
        }
    }
}

static void forward_node(const walker *k, node_id id)
{
    const node *n = &k->g->nodes[id];
    const size_t count = shape_count(n->out);
    double *y = k->at->out[id];
    if (n->op->product != NULL) {
        const naive_layer l = layer_of(k, id);
        naive_layer_forward(&l, k->at->out[n->in[0]], y);
    } else if (n->op == &op_maxpool2d) {
        maxpool_forward(k, id);
    } else if (n->op == &op_avgpool2d) {
        avgpool(n, k->g->nodes[n->in[0]].out, false, k->at->out[n->in[0]], y);
    } else if (n->op == &op_relu || n->op == &op_flatten || n->op == &op_add) {
        for (size_t i = 0; i < count; i++) {
            const double x = k->at->out[n->in[0]][i];
            y[i] = n->op == &op_add ? x + k->at->out[n->in[1]][i] : n->op == &op_relu ? fmax(x, 0.0) : x;
        }
    } else {
        fail_msg("naive walk: '%s' is a %s layer", n->name, n->op->name);
    }
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
    naive_layer l = layer_of(k, id);
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
            avgpool(n, in, true, back, q);
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
        for (size_t i = 0; i < shape_count(n->out); i++) {
            k->at->relevance[n->in[0]][k->winner[id][i]] += k->at->relevance[id][i];
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
    out->out = arena_alloc(a, g->n_nodes, sizeof *out->out);
    out->relevance = arena_alloc(a, g->n_nodes, sizeof *out->relevance);
    k.winner = arena_alloc(a, g->n_nodes, sizeof *k.winner);
    assert_true(out->out != NULL && out->relevance != NULL && k.winner != NULL);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const size_t n = shape_count(g->nodes[id].out);
        out->out[id] = doubles(a, n);
        out->relevance[id] = doubles(a, n);
        k.winner[id] = arena_alloc(a, n, sizeof **k.winner);
        assert_non_null(k.winner[id]);
        if (id > 0) {
            forward_node(&k, id);
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
