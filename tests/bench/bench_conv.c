/* What a backend makes of OpenBLAS's matrix product: every convolution of a network, forward and transposed, against sgemm on large
 * square matrices and on the matrices that the convolution is for one sample, in turns (docs/benchmarks.md). A JSON line for every
 * shape and pass, and one for all of a network. Seconds of the processor.
 *
 * usage: bench_conv BACKEND REPEATS BATCH SIZE SHRINK NETWORK... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/networks.h"
#include "core/rng.h"
#include "nn/op.h"

enum { SQUARE = 1024, SAMPLE_FLOPS = 200 * 1000 * 1000 }; /* a product is repeated until it takes this many */

typedef struct setting {
    const backend_def *backend;
    size_t repeats, batch, size, shrink;
} setting;

typedef struct layer {
    conv_shape shape;
    const node *first; /* of the layers of this shape, of which there are n */
    size_t n;
} layer;

typedef struct bench {
    const setting *s;
    arena *network, *run;
    const graph *g;
    const char *name;
    size_t n_layers;
    layer *layers;
} bench;

/* Product of matrices: c [m,n] = op(a) b, with k terms each. */
typedef struct matrices {
    bool transposed; /* a is stored [k,m] */
    size_t m, n, k;
    float *a, *b, *c;
} matrices;

typedef struct rates { /* FLOP/s: of the backend, of a large sgemm, of one that is as large as a sample of the layer */
    double conv, square, own;
} rates;

static double flops_of(const matrices *x)
{
    return 2.0 * (double)x->m * (double)x->n * (double)x->k;
}

static matrices one_sample(const conv_shape *s, bool adjoint)
{
    const size_t out = s->out_channels / s->groups, plane = s->out_height * s->out_width;
    const size_t patch = s->in_channels / s->groups * s->kernel[0] * s->kernel[1];
    return adjoint ? (matrices){.transposed = true, .m = patch, .n = plane, .k = out}
                   : (matrices){.transposed = false, .m = out, .n = plane, .k = patch};
}

static status random_floats(arena *a, size_t n, uint64_t seed, float **out)
{
    float *x;
    TRY_ALLOC(x, a, n);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(2.0 * rng_uniform(seed, RNG_TEST, 0, (uint32_t)i) - 1.0);
    }
    *out = x;
    return STATUS_OK;
}

static status fill_matrices(arena *a, matrices *x)
{
    TRY(random_floats(a, x->m * x->k, 1, &x->a));
    TRY(random_floats(a, x->k * x->n, 2, &x->b));
    TRY_ALLOC(x->c, a, x->m * x->n);
    return STATUS_OK;
}

static double time_product(const backend_def *backend, const matrices *x)
{
    const size_t times = 1 + (size_t)(SAMPLE_FLOPS / flops_of(x));
    const double started = clock_processor();
    for (size_t i = 0; i < times; i++) {
        backend->gemm(x->transposed, 0, x->m, x->n, x->k, 1.0f, x->a, x->transposed ? x->m : x->k, x->b, x->n, x->c,
                      x->n);
    }
    return (clock_processor() - started) / (double)times;
}

static size_t floats(size_t channels, size_t height, size_t width, size_t block)
{
    return (channels + block - 1) / block * block * height * width;
}

static double time_convolution(const product *p, const float *in, float *out, float *work)
{
    const double started = clock_processor();
    product_run(p, in, out, work);
    return clock_processor() - started;
}

static status time_in_turns(bench *b, const product *p, const float *in, float *out, const matrices *square,
                            const matrices *own, double seconds[3])
{
    const size_t n = b->s->repeats;
    float *work;
    double *of[3];
    TRY_ALLOC(work, b->run, p->plan->n_work);
    for (size_t i = 0; i < COUNT(of); i++) {
        TRY_ALLOC(of[i], b->run, n);
    }
    (void)time_convolution(p, in, out, work); /* touches the memory */
    (void)time_product(b->s->backend, own);
    for (size_t i = 0; i < n; i++) {
        of[0][i] = time_convolution(p, in, out, work);
        of[1][i] = time_product(b->s->backend, square);
        of[2][i] = time_product(b->s->backend, own);
    }
    for (size_t i = 0; i < COUNT(of); i++) {
        seconds[i] = clock_median(n, of[i]);
    }
    return STATUS_OK;
}

static void print(const bench *b, const conv_shape *s, const char *kernel, bool adjoint, size_t layers, double flops,
                  rates r)
{
    printf("{\"bench\": \"conv\", \"network\": \"%s\", \"backend\": \"%s\", \"batch\": %zu, \"size\": %zu, \"shrink\": "
           "%zu, "
           "\"repeats\": %zu, \"pass\": \"%s\", \"layers\": %zu, ",
           b->name, b->s->backend->name, b->s->batch, b->s->size, b->s->shrink, b->s->repeats,
           adjoint ? "adjoint" : "forward", layers);
    if (s != NULL) {
        printf("\"kernel\": \"%s\", \"in\": [%zu, %zu, %zu], \"out\": [%zu, %zu, %zu], \"window\": [%zu, %zu], "
               "\"stride\": [%zu, %zu], ",
               kernel, s->in_channels, s->in_height, s->in_width, s->out_channels, s->out_height, s->out_width,
               s->kernel[0], s->kernel[1], s->stride[0], s->stride[1]);
    }
    const double best = r.square > r.own ? r.square : r.own;
    printf("\"gflop\": %.4f, \"gflops\": %.1f, \"sgemm_gflops\": %.1f, \"own_sgemm_gflops\": %.1f, \"share\": %.3f, "
           "\"share_best\": %.3f}\n",
           1e-9 * flops, 1e-9 * r.conv, 1e-9 * r.square, 1e-9 * r.own, r.conv / r.square, r.conv / best);
    (void)fflush(stdout);
}

/* sum[]: seconds of the backend and of both products, for all layers of the shape */
static status measure_layer(bench *b, const layer *l, bool adjoint, double *all_flops, double sum[3])
{
    const conv_shape *s = &l->shape;
    const size_t batch = b->s->batch, block = b->s->backend->block(), in_block = s->plain_input ? 1 : block;
    const size_t n_in = batch * floats(s->in_channels, s->in_height, s->in_width, adjoint ? block : in_block),
                 n_out = batch * floats(s->out_channels, s->out_height, s->out_width, block);
    const conv_pass pass = {.adjoint = adjoint, .bias = !adjoint, .relu = !adjoint};
    matrices square = {.m = SQUARE, .n = SQUARE, .k = SQUARE}, own = one_sample(s, adjoint);
    conv_shape used = *s;
    float *in = NULL, *out, *bias = NULL;
    product p;
    double seconds[3];
    arena_release(b->run);
    used.plain_input = used.plain_input && !adjoint;
    TRY(random_floats(b->run, adjoint ? n_out : n_in, 3, &in));
    TRY_ALLOC(out, b->run, adjoint ? n_in : n_out);
    TRY(fill_matrices(b->run, &square));
    TRY(fill_matrices(b->run, &own));
    if (!adjoint) {
        TRY(random_floats(b->run, s->out_channels, 4, &bias));
    }
    TRY(product_plan(b->run, b->s->backend, &used, batch, pass, false, &p));
    TRY(product_load(b->run, l->first->weight, bias, &p));
    TRY(time_in_turns(b, &p, in, out, &square, &own, seconds));
    const double sample = flops_of(&own) * (double)s->groups, flops = sample * (double)batch;
    print(b, s, p.plan->kernel, adjoint, l->n, sample,
          (rates){flops / seconds[0], flops_of(&square) / seconds[1], flops_of(&own) / seconds[2]});
    *all_flops += flops * (double)l->n;
    sum[0] += seconds[0] * (double)l->n;
    sum[1] += seconds[1] * flops / flops_of(&square) * (double)l->n;
    sum[2] += seconds[2] * flops / flops_of(&own) * (double)l->n;
    return STATUS_OK;
}

/* Nothing is explained below the first convolution, so it has no part in the sum of the transposed ones. */
static status measure_pass(bench *b, bool adjoint)
{
    double flops = 0.0, seconds[3] = {0.0};
    size_t n = 0;
    for (size_t i = 0; i < b->n_layers; i++) {
        double mine = 0.0, sum[3] = {0.0};
        TRY(measure_layer(b, &b->layers[i], adjoint, &mine, sum));
        if (adjoint && i == 0) {
            continue;
        }
        n += b->layers[i].n;
        flops += mine;
        for (size_t k = 0; k < COUNT(seconds); k++) {
            seconds[k] += sum[k];
        }
    }
    print(b, NULL, NULL, adjoint, n, flops / (double)b->s->batch,
          (rates){flops / seconds[0], flops / seconds[1], flops / seconds[2]});
    return STATUS_OK;
}

static bool same_shape(const conv_shape *x, const conv_shape *y)
{
    bool same = x->in_channels == y->in_channels && x->out_channels == y->out_channels && x->groups == y->groups;
    same = same && x->in_height == y->in_height && x->in_width == y->in_width && x->plain_input == y->plain_input;
    for (size_t i = 0; i < 2; i++) {
        same = same && x->kernel[i] == y->kernel[i] && x->stride[i] == y->stride[i];
        same = same && x->padding[i] == y->padding[i] && x->dilation[i] == y->dilation[i];
    }
    return same;
}

static status collect(bench *b)
{
    TRY_ALLOC(b->layers, b->network, b->g->n_nodes);
    b->n_layers = 0;
    for (size_t i = 0; i < b->g->n_nodes; i++) {
        const node *n = &b->g->nodes[i];
        conv_shape s;
        size_t at = 0;
        if (n->op != &op_conv2d) {
            continue;
        }
        n->op->product(n, (shape[]){b->g->nodes[n->in[0]].out}, &s);
        s.plain_input = n->in[0] == 0;
        while (at < b->n_layers && !same_shape(&b->layers[at].shape, &s)) {
            at++;
        }
        if (at == b->n_layers) {
            b->layers[b->n_layers++] = (layer){.shape = s, .first = n};
        }
        b->layers[at].n++;
    }
    return STATUS_OK;
}

static status measure_network(void *context, const network_def *d)
{
    bench *b = context;
    arena_release(b->run);
    arena_release(b->network);
    TRY(network_build(b->network, d, b->s->size, b->s->shrink, &b->g));
    b->name = d->name;
    TRY(collect(b));
    TRY(measure_pass(b, false));
    return measure_pass(b, true);
}

static status run(const setting *s, int n, char *names[])
{
    bench b = {.s = s};
    TRY(arena_open("bench network", &b.network));
    TRY(arena_open("bench convolution", &b.run));
    TRY(s->backend->start());
    const status st = network_each(n, names, measure_network, &b);
    arena_close(&b.run);
    arena_close(&b.network);
    return st;
}

int main(int argc, char *argv[])
{
    if (argc < 7 || backend_find(argv[1]) == NULL) {
        (void)fprintf(stderr, "usage: bench_conv BACKEND REPEATS BATCH SIZE SHRINK NETWORK...\n");
        return ST_USAGE;
    }
    const setting s = {.backend = backend_find(argv[1]),
                       .repeats = (size_t)strtoul(argv[2], NULL, 10),
                       .batch = (size_t)strtoul(argv[3], NULL, 10),
                       .size = (size_t)strtoul(argv[4], NULL, 10),
                       .shrink = (size_t)strtoul(argv[5], NULL, 10)};
    if (s.repeats == 0 || s.batch == 0) {
        (void)fprintf(stderr, "bench_conv: expected REPEATS and BATCH of at least 1\n");
        return ST_USAGE;
    }
    const status st = run(&s, argc - 6, argv + 6);
    if (!status_ok(st)) {
        (void)fprintf(stderr, "bench_conv: error: %s\n", status_message());
    }
    return st.code;
}
