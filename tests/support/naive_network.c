#include "support/naive_network.h"

#include <math.h>
#include <string.h>

#include "nn/forward.h"
#include "support/naive.h"

static double *doubles(arena *a, size_t n)
{
    double *x = arena_alloc(a, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static const double *widened(arena *a, size_t n, const float *x)
{
    double *out = doubles(a, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)x[i];
    }
    return n > 0 ? out : NULL;
}

naive_weights naive_weights_of(arena *a, const graph *g)
{
    const double **w = arena_alloc(a, g->n_nodes, sizeof *w), **b = arena_alloc(a, g->n_nodes, sizeof *b);
    assert_true(w != NULL && b != NULL);
    for (node_id id = 0; id < g->n_nodes; id++) {
        w[id] = widened(a, g->nodes[id].n_weight, g->nodes[id].weight);
        b[id] = widened(a, g->nodes[id].n_bias, g->nodes[id].bias);
    }
    return (naive_weights){.w = w, .b = b};
}

naive_weights naive_weights_golden(arena *a, golden *file, const graph *g)
{
    const naive_weights own = naive_weights_of(a, g);
    const double **w = arena_alloc(a, g->n_nodes, sizeof *w), **b = arena_alloc(a, g->n_nodes, sizeof *b);
    assert_true(w != NULL && b != NULL);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        w[id] = own.w[id];
        b[id] = own.b[id];
        if (golden_has(file, "folded/%s.weight", n->name)) {
            const golden_array weight = golden_read(file, "folded/%s.weight", n->name);
            const golden_array bias = golden_read(file, "folded/%s.bias", n->name);
            assert_true(weight.count == n->n_weight && bias.count == n->n_bias);
            w[id] = weight.real;
            b[id] = bias.real;
        }
    }
    return (naive_weights){.w = w, .b = b};
}

double **naive_maps_new(arena *a, const graph *g)
{
    double **maps = arena_alloc(a, g->n_nodes, sizeof *maps);
    assert_non_null(maps);
    for (node_id id = 0; id < g->n_nodes; id++) {
        maps[id] = doubles(a, shape_count(g->nodes[id].out));
    }
    return maps;
}

naive_jumps naive_jumps_new(arena *a, const graph *g)
{
    naive_jumps j = {.open = arena_alloc(a, g->n_nodes, sizeof *j.open),
                     .winner = arena_alloc(a, g->n_nodes, sizeof *j.winner)};
    assert_true(j.open != NULL && j.winner != NULL);
    for (node_id id = 0; id < g->n_nodes; id++) {
        const node *n = &g->nodes[id];
        if (n->op == &op_relu) {
            j.open[id] = arena_alloc(a, shape_count(n->out), sizeof *j.open[id]);
            assert_non_null(j.open[id]);
        } else if (n->op == &op_maxpool2d) {
            j.winner[id] = arena_alloc(a, shape_count(n->out), sizeof *j.winner[id]);
            assert_non_null(j.winner[id]);
        }
    }
    return j;
}

static shape input_of(const graph *g, node_id id)
{
    return g->nodes[g->nodes[id].in[0]].out;
}

static void maxpool(const graph *g, node_id id, const double *x, double *y, size_t *winner)
{
    const node *n = &g->nodes[id];
    const maxpool_attr *m = n->attr;
    const shape in = input_of(g, id);
    naive_maxpool(n->out.dim[0], in.dim + 1, n->out.dim + 1, m->kernel, m->stride, m->padding, x, y, winner);
}

static void find_open(size_t n, const double *in, bool *open)
{
    for (size_t i = 0; i < n; i++) {
        open[i] = in[i] > 0.0;
    }
}

void naive_jumps_find(arena *scratch, const graph *g, node_id id, const double *in, const naive_jumps *j)
{
    const node *n = &g->nodes[id];
    if (n->op == &op_relu) {
        find_open(shape_count(n->out), in, j->open[id]);
    } else if (n->op == &op_maxpool2d) {
        maxpool(g, id, in, doubles(scratch, shape_count(n->out)), j->winner[id]);
    }
}

naive_layer naive_layer_at(const graph *g, const naive_weights *w, node_id id)
{
    naive_layer l = {.w = w->w[id], .b = w->b[id]};
    forward_product_shape(g, id, &l.shape);
    return l;
}

void naive_node_forward(const graph *g, const naive_weights *w, node_id id, double *const out[], const naive_jumps *j)
{
    const node *n = &g->nodes[id];
    const double *x = out[n->in[0]];
    const size_t count = shape_count(n->out);
    double *y = out[id];
    if (n->op->product != NULL) {
        const naive_layer l = naive_layer_at(g, w, id);
        naive_layer_forward(&l, x, y);
    } else if (n->op == &op_maxpool2d) {
        maxpool(g, id, x, y, j->winner[id]);
    } else if (n->op == &op_avgpool2d) {
        naive_avgpool(n->out.dim[0], input_of(g, id).dim + 1, n->out.dim + 1, x, y);
    } else if (n->op == &op_relu || n->op == &op_flatten || n->op == &op_add) {
        for (size_t i = 0; i < count; i++) {
            y[i] = n->op == &op_add ? x[i] + out[n->in[1]][i] : n->op == &op_relu ? fmax(x[i], 0.0) : x[i];
        }
        if (n->op == &op_relu) {
            find_open(count, x, j->open[id]);
        }
    } else {
        fail_msg("naive network: '%s' is a %s layer", n->name, n->op->name);
    }
}

void naive_network_forward(const graph *g, const naive_weights *w, const double *image, double *const out[],
                           const naive_jumps *j)
{
    memcpy(out[0], image, shape_count(g->input) * sizeof *image);
    for (node_id id = 1; id < g->n_nodes; id++) {
        naive_node_forward(g, w, id, out, j);
    }
}

void naive_network_forward_behind(arena *scratch, const graph *g, const naive_weights *w, node_id from,
                                  double *const out[], const naive_jumps *j)
{
    bool *reached = arena_alloc(scratch, g->n_nodes, sizeof *reached);
    assert_non_null(reached);
    reached[from] = true;
    for (node_id id = from + 1; id < g->n_nodes; id++) {
        for (size_t i = 0; i < g->nodes[id].n_in; i++) {
            reached[id] = reached[id] || reached[g->nodes[id].in[i]];
        }
        if (reached[id]) {
            naive_node_forward(g, w, id, out, j);
        }
    }
    arena_reset(scratch);
}

void naive_avgpool_back(const node *n, shape in, const double *r_out, double *r_in)
{
    const size_t *to = n->out.dim, *from = in.dim;
    for (size_t i = 0; i < shape_count(n->out); i++) {
        const size_t plane = i / (to[1] * to[2]), oy = i / to[2] % to[1], ox = i % to[2];
        const size_t y0 = oy * from[1] / to[1], y1 = ((oy + 1) * from[1] + to[1] - 1) / to[1];
        const size_t x0 = ox * from[2] / to[2], x1 = ((ox + 1) * from[2] + to[2] - 1) / to[2];
        const double count = (double)((y1 - y0) * (x1 - x0));
        for (size_t t = 0; t < (y1 - y0) * (x1 - x0); t++) {
            r_in[(plane * from[1] + y0 + t / (x1 - x0)) * from[2] + x0 + t % (x1 - x0)] += r_out[i] / count;
        }
    }
}

/* Adds what a node's derivative gives to those of its inputs. */
static void derive_node(arena *scratch, const graph *g, const naive_weights *w, const naive_jumps *j, node_id id,
                        double *const d[])
{
    const node *n = &g->nodes[id];
    const shape in = input_of(g, id);
    const size_t count = shape_count(n->out);
    double *to = d[n->in[0]];
    if (n->op->product != NULL) {
        const naive_layer l = naive_layer_at(g, w, id);
        double *back = doubles(scratch, naive_inputs(&l.shape));
        naive_layer_gradient(&l, d[id], back);
        for (size_t i = 0; i < naive_inputs(&l.shape); i++) {
            to[i] += back[i];
        }
    } else if (n->op == &op_avgpool2d) {
        naive_avgpool_back(n, in, d[id], to);
    } else {
        const size_t plane = count / n->out.dim[0], plane_in = shape_count(in) / in.dim[0];
        for (size_t i = 0; i < count; i++) {
            if (n->op == &op_maxpool2d) {
                to[i / plane * plane_in + j->winner[id][i]] += d[id][i];
            } else {
                to[i] += n->op == &op_relu && !j->open[id][i] ? 0.0 : d[id][i];
            }
            if (n->op == &op_add) {
                d[n->in[1]][i] += d[id][i];
            }
        }
    }
}

void naive_network_derive(arena *scratch, const graph *g, const naive_weights *w, const naive_jumps *j, size_t target,
                          node_id last, double *const d[])
{
    for (node_id id = 0; id < g->n_nodes; id++) {
        memset(d[id], 0, shape_count(g->nodes[id].out) * sizeof **d);
    }
    d[g->n_nodes - 1][target] = 1.0;
    for (node_id id = g->n_nodes; id-- > last + 1;) {
        derive_node(scratch, g, w, j, id, d);
        arena_reset(scratch);
    }
}

static double *sizes_of(arena *a, size_t n, const double *x)
{
    double *out = doubles(a, n);
    for (size_t i = 0; x != NULL && i < n; i++) {
        out[i] = fabs(x[i]);
    }
    return out;
}

static void rounding_at(arena *scratch, const graph *g, const naive_weights *w, node_id id, double *const out[],
                        const naive_jumps *j, double *const rounding[])
{
    const node *n = &g->nodes[id];
    const size_t count = shape_count(n->out);
    if (n->op->product != NULL) {
        naive_layer l = naive_layer_at(g, w, id);
        l.w = sizes_of(scratch, n->n_weight, l.w);
        l.b = l.b == NULL ? NULL : sizes_of(scratch, n->n_bias, l.b);
        naive_layer_forward(&l, sizes_of(scratch, naive_inputs(&l.shape), out[n->in[0]]), rounding[id]);
        for (size_t i = 0; i < count; i++) {
            rounding[id][i] *= 0x1p-24;
        }
    } else if (n->op == &op_avgpool2d) {
        naive_avgpool(n->out.dim[0], input_of(g, id).dim + 1, n->out.dim + 1, rounding[n->in[0]], rounding[id]);
    } else if (n->op == &op_maxpool2d) {
        const shape in = input_of(g, id);
        for (size_t i = 0; i < count; i++) {
            rounding[id][i] =
                rounding[n->in[0]][i / (count / n->out.dim[0]) * (in.dim[1] * in.dim[2]) + j->winner[id][i]];
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            rounding[id][i] = rounding[n->in[0]][i] + (n->op == &op_add ? rounding[n->in[1]][i] : 0.0);
        }
    }
}

void naive_network_rounding(arena *scratch, const graph *g, const naive_weights *w, double *const out[],
                            const naive_jumps *j, double *const rounding[])
{
    memset(rounding[0], 0, shape_count(g->input) * sizeof **rounding);
    for (node_id id = 1; id < g->n_nodes; id++) {
        rounding_at(scratch, g, w, id, out, j, rounding);
        arena_reset(scratch);
    }
}
