#include "support/network.h"

#include <math.h>
#include <string.h>

#include "core/exact_sum.h"
#include "nn/arch.h"

enum { BATCH = NETWORK_BATCH, BOOKKEEPING = 256 << 10 };

void network_open(const char *name, network *n)
{
    *n = (network){.name = name};
    assert_ok(arena_open("network", &n->a));
    assert_ok(arena_open("network's rows", &n->work));
    n->file = golden_open(name);
    assert_ok(graph_build(n->a, golden_tensors(n->file), &n->g));
    n->images = golden_read(n->file, "inputs").f32;
    const golden_array target = golden_read(n->file, "targets");
    assert_int_equal(target.count, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        n->target[i] = (size_t)target.integer[i];
        n->sample[i] = 100 + i;
    }
}

void network_close(network *n)
{
    golden_close(&n->file);
    arena_close(&n->work);
    arena_close(&n->a);
}

void network_forget(const network *n)
{
    arena_reset(n->work);
}

double *network_doubles(const network *n, size_t count)
{
    double *x = arena_alloc(n->work, count, sizeof *x);
    assert_non_null(x);
    return x;
}

criterion_setup network_setup(const network *n, const double parameters[])
{
    return (criterion_setup){.graph = n->g, .backend = test_backend(), .batch = BATCH, .parameters = parameters};
}

const float *network_rows(const network *n, const criterion_def *c, const double parameters[], size_t *stride)
{
    const criterion_setup setup = network_setup(n, parameters);
    void *method = NULL;
    size_t before = arena_bytes(n->work), expected = 0;
    *stride = criterion_row(c, &setup);
    assert_ok(c->bytes(&setup, &expected));
    assert_ok(c->open(n->work, &setup, &method));
    const size_t taken = arena_bytes(n->work) - before;
    assert_true(expected <= taken &&
                taken <= expected + BOOKKEEPING); /* beside the arrays: steps, blocks, the composite */
    float *rows = arena_alloc(n->work, BATCH * *stride, sizeof *rows),
          *again = arena_alloc(n->work, BATCH * *stride, sizeof *rows);
    assert_true(rows != NULL && again != NULL);
    memset(rows, 0xff, BATCH * *stride * sizeof *rows); /* NaN: every element has to be written */
    c->rows(method, &(criterion_batch){n->images, n->target, n->sample}, rows);
    for (size_t i = 0; i < BATCH * *stride; i++) {
        if (isnan(rows[i])) {
            fail_msg("%s leaves element %zu of a row of %zu", c->name, i % *stride, *stride);
        }
    }
    c->rows(method, &(criterion_batch){n->images, n->target, n->sample}, again); /* nothing is left of the run before */
    assert_memory_equal(again, rows, BATCH * *stride * sizeof *rows);
    return rows;
}

const double *network_score(const network *n, const criterion_def *c, const double parameters[], uint64_t seed)
{
    const criterion_setup setup = network_setup(n, parameters);
    double *out = network_doubles(n, n->g->n_components);
    size_t stride;
    for (size_t i = 0; i < n->g->n_components; i++) {
        out[i] = (double)NAN;
    }
    if (!c->uses_samples) {
        assert_ok(c->scores(&setup, seed, out));
        return out;
    }
    const float *rows = network_rows(n, c, parameters, &stride);
    double *sums = network_doubles(n, stride);
    for (size_t i = 0; i < stride; i++) {
        exact_sum sum = {0};
        for (size_t b = 0; b < BATCH; b++) {
            exact_sum_add(&sum, rows[b * stride + i]);
        }
        sums[i] = exact_sum_value(&sum);
    }
    c->finish(&setup, BATCH, sums, out);
    return out;
}

const float *network_logits(const network *n, const float *images)
{
    forward *f = NULL;
    float *out = arena_alloc(n->work, BATCH * n->g->n_classes, sizeof *out);
    assert_non_null(out);
    assert_ok(forward_build(n->work, n->g, test_backend(), BATCH, KEEP_LOGITS, &f));
    forward_run(f, images == NULL ? n->images : images, NULL);
    memcpy(out, forward_logits(f), BATCH * n->g->n_classes * sizeof *out);
    return out;
}
