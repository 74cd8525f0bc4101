#include "support/gradient_twin.h"

#include <math.h>
#include <string.h>

#include "attribution/methods/derivative.h"
#include "nn/forward.h"
#include "support/naive_network.h"

enum { BATCH = NETWORK_BATCH };

/* One sample's maps at a point. */
typedef struct point {
    double **out;
    naive_jumps jumps;
} point;

typedef struct twin {
    const network *n;
    const graph *g;
    naive_weights w;
    arena *scratch;
    forward *f;                  /* the float32 run */
    float *floats;               /* [BATCH, the largest output] */
    naive_jumps in_float[BATCH]; /* at the point at hand */
    double **d, **d_float, **rounding;
    gradient_twin *to;
} twin;

static float *floats(const twin *t, size_t n)
{
    float *x = arena_alloc(t->n->work, n, sizeof *x);
    assert_non_null(x);
    return x;
}

static size_t out_count(const twin *t, node_id id)
{
    return shape_count(t->g->nodes[id].out);
}

static point new_point(const twin *t)
{
    return (point){.out = naive_maps_new(t->n->work, t->g), .jumps = naive_jumps_new(t->n->work, t->g)};
}

static bool can_jump(const twin *t, node_id id)
{
    return t->g->nodes[id].op == &op_relu || t->g->nodes[id].op == &op_maxpool2d;
}

/* Reads ReLUs and windows of the float32 run, of every sample. */
static void read_float_jumps(const twin *t)
{
    for (node_id id = 1; id < t->g->n_nodes; id++) {
        const node_id in = t->g->nodes[id].in[0];
        const size_t count = out_count(t, in);
        if (!can_jump(t, id)) {
            continue;
        }
        forward_read(t->f, in, t->floats);
        for (size_t b = 0; b < BATCH; b++) {
            double *x = arena_alloc(t->scratch, count, sizeof *x);
            assert_non_null(x);
            for (size_t i = 0; i < count; i++) {
                x[i] = (double)t->floats[b * count + i];
            }
            naive_jumps_find(t->scratch, t->g, id, x, &t->in_float[b]);
            arena_reset(t->scratch);
        }
    }
}

/* Distance of element i of a node to where it jumps from the side of `a` to that of `b`, in units of its rounding; 0: they are the same. */
static double distance(const twin *t, node_id id, size_t i, double *const out[], const naive_jumps *a,
                       const naive_jumps *b)
{
    const node *n = &t->g->nodes[id];
    const double *x = out[n->in[0]], *rounding = t->rounding[n->in[0]];
    if (n->op == &op_relu) {
        return a->open[id][i] == b->open[id][i] ? 0.0 : fabs(x[i]) / rounding[i];
    }
    const size_t *in = t->g->nodes[n->in[0]].out.dim;
    const size_t first = i / (n->out.dim[1] * n->out.dim[2]) * (in[1] * in[2]);
    const size_t p = first + a->winner[id][i], q = first + b->winner[id][i];
    return p == q ? 0.0 : fabs(x[p] - x[q]) / (rounding[p] + rounding[q]);
}

static bool same_jumps(const twin *t, const naive_jumps *a, const naive_jumps *b)
{
    bool same = true;
    for (node_id id = 1; id < t->g->n_nodes && same; id++) {
        const size_t count = out_count(t, id);
        same = t->g->nodes[id].op == &op_relu        ? memcmp(a->open[id], b->open[id], count * sizeof(bool)) == 0
               : t->g->nodes[id].op == &op_maxpool2d ? memcmp(a->winner[id], b->winner[id], count * sizeof(size_t)) == 0
                                                     : true;
    }
    return same;
}

/* In how many elements behind node `from` float32 is on the other side. */
static size_t count_jumps(const twin *t, const point *p, const naive_jumps *in_float, node_id from)
{
    size_t n = 0;
    if (same_jumps(t, &p->jumps, in_float)) {
        return 0;
    }
    naive_network_rounding(t->scratch, t->g, &t->w, p->out, &p->jumps, t->rounding);
    for (node_id id = from + 1; id < t->g->n_nodes; id++) {
        for (size_t i = 0; can_jump(t, id) && i < out_count(t, id); i++) {
            const double off = distance(t, id, i, p->out, &p->jumps, in_float);
            t->to->furthest = worst_of(t->to->furthest, off);
            n += off > 0.0;
        }
    }
    return n;
}

/* What derivatives are multiplied with before they are summed over the map. before NULL: activations, else their step from there. */
typedef struct measure {
    double weight;
    double *const *a, *const *before;
} measure;

static double sum_of_map(const double *d, const double *a, const double *before, size_t plane)
{
    double sum = 0.0;
    for (size_t i = 0; i < plane; i++) {
        sum += d[i] * (a == NULL ? 1.0 : before == NULL ? a[i] : a[i] - before[i]);
    }
    return sum;
}

static void add_layer(const twin *t, node_id id, size_t b, double *const d[], measure m, double *to)
{
    const node *n = &t->g->nodes[id];
    const size_t plane = n->out.dim[1] * n->out.dim[2];
    for (size_t c = 0; c < n->n_components; c++) {
        to[b * t->g->n_components + n->first_component + c] +=
            m.weight * sum_of_map(d[id] + c * plane, m.a == NULL ? NULL : m.a[id] + c * plane,
                                  m.before == NULL ? NULL : m.before[id] + c * plane, plane);
    }
}

/* Adds a point's derivatives, on both sides, to a method. */
static void add_point(const twin *t, twin_method method, size_t b, size_t jumps, measure m)
{
    twin_values *v = &t->to->of[method];
    for (size_t l = 0; l < t->g->n_layers; l++) {
        add_layer(t, t->g->layers[l], b, t->d, m, v->own);
        add_layer(t, t->g->layers[l], b, jumps > 0 ? t->d_float : t->d, m, v->as_float);
    }
    v->jumps[b] += jumps;
}

/* Derivatives at a point, of both sides. Returns in how many elements they differ. */
static size_t derive(const twin *t, const point *p, size_t b, node_id last)
{
    const size_t jumps = count_jumps(t, p, &t->in_float[b], last);
    naive_network_derive(t->scratch, t->g, &t->w, &p->jumps, t->n->target[b], last, t->d);
    if (jumps > 0) {
        naive_network_derive(t->scratch, t->g, &t->w, &t->in_float[b], t->n->target[b], last, t->d_float);
    }
    return jumps;
}

/* A sample's straight way from 0 has come to point k, from `before`; NULL: it begins here. */
static void add_straight(const twin *t, size_t b, size_t k, const point *at, const point *before, const point *next)
{
    const size_t jumps = derive(t, at, b, 0);
    if (before != NULL) {
        add_point(t, TWIN_LATENT, b, jumps, (measure){.weight = 1.0 / TWIN_STEPS});
        add_point(t, TWIN_CONDUCTANCE_RIGHT, b, jumps, (measure){.weight = 1.0, .a = at->out, .before = before->out});
    }
    if (next != NULL) {
        add_point(t, TWIN_CONDUCTANCE_LEFT, b, jumps, (measure){.weight = 1.0, .a = next->out, .before = at->out});
    }
    if (k == TWIN_STEPS) {
        add_point(t, TWIN_GRADIENT, b, jumps, (measure){.weight = 1.0});
        add_point(t, TWIN_GRADIENT_ACTIVATION, b, jumps, (measure){.weight = 1.0, .a = at->out});
    }
}

static void forward_at(const twin *t, size_t b, double alpha, const point *to)
{
    const size_t pixels = shape_count(t->g->input);
    double *image = arena_alloc(t->scratch, pixels, sizeof *image);
    assert_non_null(image);
    for (size_t i = 0; i < pixels; i++) {
        image[i] = alpha * (double)t->n->images[b * pixels + i];
    }
    naive_network_forward(t->g, &t->w, image, to->out, &to->jumps);
    arena_reset(t->scratch);
}

static void forward_float(const twin *t, double alpha)
{
    const size_t pixels = BATCH * shape_count(t->g->input);
    float *images = arena_alloc(t->scratch, pixels, sizeof *images);
    assert_non_null(images);
    for (size_t i = 0; i < pixels; i++) {
        images[i] = (float)alpha * t->n->images[i];
    }
    forward_run(t->f, images, NULL);
    arena_reset(t->scratch);
}

static double alpha_of(size_t k)
{
    return (double)k / TWIN_STEPS;
}

static void run_straight(const twin *t)
{
    point ring[BATCH][3];
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t i = 0; i < 3; i++) {
            ring[b][i] = new_point(t);
        }
        forward_at(t, b, alpha_of(0), &ring[b][0]);
    }
    for (size_t k = 0; k <= TWIN_STEPS; k++) {
        forward_float(t, alpha_of(k));
        read_float_jumps(t);
        for (size_t b = 0; b < BATCH; b++) {
            const point *at = &ring[b][k % 3], *next = k == TWIN_STEPS ? NULL : &ring[b][(k + 1) % 3];
            if (next != NULL) {
                forward_at(t, b, alpha_of(k + 1), next);
            }
            add_straight(t, b, k, at, k == 0 ? NULL : &ring[b][(k + 2) % 3], next);
        }
    }
}

/* Sums of activations, in the place of derivatives: they do not jump. */
static void run_activations(const twin *t)
{
    const point at = new_point(t);
    for (size_t b = 0; b < BATCH; b++) {
        forward_at(t, b, 1.0, &at);
        for (size_t l = 0; l < t->g->n_layers; l++) {
            const node_id id = t->g->layers[l];
            for (size_t i = 0; i < out_count(t, id); i++) {
                t->d[id][i] = at.out[id][i];
                t->d_float[id][i] = fmax(at.out[id][i], 0.0);
            }
            add_layer(t, id, b, t->d, (measure){.weight = 1.0}, t->to->of[TWIN_ACTIVATION].own);
            add_layer(t, id, b, t->d_float, (measure){.weight = 1.0}, t->to->of[TWIN_ACTIVATION_RELU].own);
        }
    }
    for (twin_method m = TWIN_ACTIVATION; m <= TWIN_ACTIVATION_RELU; m++) {
        t->to->of[m].as_float = t->to->of[m].own;
    }
}

/* Layer `id` at zero + alpha (full - zero), in float32 as the method does it. */
static void set_float_layer(const twin *t, node_id id, double alpha, const float *zero, const float *full)
{
    const size_t each = component_floats(t->g, id, test_backend()->block());
    float *a = forward_component(t->f, id);
    for (size_t i = 0; i < BATCH * each; i++) {
        const double z = (double)zero[i % each], change = (double)full[i] - z;
        a[i] = alpha == 1.0 ? full[i] : (float)(z + alpha * change);
    }
    forward_run_behind(t->f, id);
}

typedef struct layer_run {
    node_id id;
    const double *zero, *full[BATCH]; /* the layer in double */
    const float *float_zero, *float_full;
} layer_run;

static void run_layer_step(const twin *t, const layer_run *r, size_t k, const point at[BATCH])
{
    set_float_layer(t, r->id, alpha_of(k), r->float_zero, r->float_full);
    read_float_jumps(t);
    for (size_t b = 0; b < BATCH; b++) {
        double *a = at[b].out[r->id];
        twin_values *v = &t->to->of[TWIN_LAYER_RIGHT];
        for (size_t i = 0; i < out_count(t, r->id); i++) {
            a[i] = r->zero[i] + alpha_of(k) * (r->full[b][i] - r->zero[i]);
        }
        naive_network_forward_behind(t->scratch, t->g, &t->w, r->id, at[b].out, &at[b].jumps);
        const size_t jumps = derive(t, &at[b], b, r->id);
        for (size_t i = 0; i < out_count(t, r->id); i++) {
            a[i] = r->full[b][i] - r->zero[i];
        }
        const measure m = {.weight = 1.0 / TWIN_STEPS, .a = at[b].out};
        add_layer(t, r->id, b, t->d, m, v->own);
        add_layer(t, r->id, b, jumps > 0 ? t->d_float : t->d, m, v->as_float);
        v->jumps[b] += jumps;
    }
}

static const double *copy_of(const twin *t, size_t n, const double *x)
{
    double *out = network_doubles(t->n, n);
    memcpy(out, x, n * sizeof *out);
    return out;
}

static const float *float_layer(const twin *t, node_id id, double alpha)
{
    const size_t count = BATCH * component_floats(t->g, id, test_backend()->block());
    float *out = floats(t, count);
    forward_float(t, alpha);
    memcpy(out, forward_component(t->f, id), count * sizeof *out);
    return out;
}

static void run_layers(const twin *t)
{
    const point zero = new_point(t);
    point at[BATCH];
    forward_at(t, 0, 0.0, &zero);
    for (size_t b = 0; b < BATCH; b++) {
        at[b] = new_point(t);
        forward_at(t, b, 1.0, &at[b]);
    }
    for (size_t l = 0; l < t->g->n_layers; l++) {
        layer_run r = {.id = t->g->layers[l]};
        r.zero = zero.out[r.id];
        r.float_zero = float_layer(t, r.id, 0.0);
        r.float_full = float_layer(t, r.id, 1.0); /* the run stays there */
        for (size_t b = 0; b < BATCH; b++) {
            r.full[b] = copy_of(t, out_count(t, r.id), at[b].out[r.id]);
        }
        for (size_t k = 1; k <= TWIN_STEPS; k++) {
            run_layer_step(t, &r, k, at);
        }
        for (size_t b = 0; b < BATCH; b++) { /* as it was, for the next layer */
            memcpy(at[b].out[r.id], r.full[b], out_count(t, r.id) * sizeof **at[b].out);
            naive_network_forward_behind(t->scratch, t->g, &t->w, r.id, at[b].out, &at[b].jumps);
        }
    }
}

void gradient_twin_run(const network *n, gradient_twin *out)
{
    size_t most = 0;
    twin t = {.n = n, .g = n->g, .to = out, .w = naive_weights_golden(n->work, n->file, n->g)};
    *out = (gradient_twin){0};
    for (size_t m = 0; m < TWIN_METHODS; m++) {
        out->of[m].own = network_doubles(n, BATCH * n->g->n_components);
        out->of[m].as_float = network_doubles(n, BATCH * n->g->n_components);
    }
    for (node_id id = 0; id < n->g->n_nodes; id++) {
        most = out_count(&t, id) > most ? out_count(&t, id) : most;
    }
    t.floats = floats(&t, BATCH * most);
    t.d = naive_maps_new(n->work, n->g);
    t.d_float = naive_maps_new(n->work, n->g);
    t.rounding = naive_maps_new(n->work, n->g);
    for (size_t b = 0; b < BATCH; b++) {
        t.in_float[b] = naive_jumps_new(n->work, n->g);
    }
    assert_ok(arena_open("gradient twin", &t.scratch));
    assert_ok(forward_build(n->work, n->g, test_backend(), BATCH, KEEP_ALL, &t.f));
    run_activations(&t);
    run_straight(&t);
    run_layers(&t);
    arena_close(&t.scratch);
}
