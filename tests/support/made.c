#include "support/made.h"

#include <math.h>
#include <stdio.h>

#include "core/rng.h"
#include "nn/arch.h"

made *made_open(arena *a)
{
    made *m = arena_alloc(a, 1, sizeof *m);
    assert_non_null(m);
    m->arena = a;
    m->t = (tensors){.source = "made", .list = m->list};
    return m;
}

void made_put(made *m, const char *name, size_t rank, const size_t dim[], double low, double high, const float *data)
{
    tensor *t = &m->list[m->t.n];
    size_t n = 1;
    assert_true(m->t.n < MADE_ROOM);
    *t = (tensor){.name = arena_text(m->arena, "%s", name), .type = TENSOR_F32, .type_name = "F32", .rank = rank};
    for (size_t i = 0; i < rank; i++) {
        t->dim[i] = dim[i];
        n *= dim[i];
    }
    float *values = arena_alloc(m->arena, n, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) {
        values[i] =
            data != NULL ? data[i] : (float)(low + (high - low) * rng_uniform(m->t.n, RNG_TEST, 0, (uint32_t)i));
    }
    t->data = values;
    m->t.n++;
}

void made_put_conv(made *m, const char *conv, const char *norm, size_t out, size_t in, size_t k, const float *weight)
{
    char name[160];
    const char *const part[] = {"weight", "bias", "running_mean", "running_var"};
    const double low[] = {0.8, -0.1, -0.1, 0.5}, high[] = {1.2, 0.1, 0.1, 1.5};
    const double bound = sqrt(3.0 / (double)(in * k * k));
    (void)snprintf(name, sizeof name, "%s.weight", conv);
    made_put(m, name, 4, (const size_t[]){out, in, k, k}, -bound, bound, weight);
    for (size_t i = 0; i < COUNT(part); i++) {
        (void)snprintf(name, sizeof name, "%s.%s", norm, part[i]);
        made_put(m, name, 1, &out, low[i], high[i], NULL);
    }
}

/* A norm that changes nothing, but for its eps of 1e-5: var + eps = 1. */
static void put_identity_norm(made *m, const char *norm, size_t n)
{
    char name[160];
    const char *const part[] = {"weight", "bias", "running_mean", "running_var"};
    const double value[] = {1.0, 0.0, 0.0, 1.0 - 1e-5};
    for (size_t i = 0; i < COUNT(part); i++) {
        (void)snprintf(name, sizeof name, "%s.%s", norm, part[i]);
        made_put(m, name, 1, &n, value[i], value[i], NULL);
    }
}

made *made_cifar_net(arena *a, size_t blocks, size_t w, bool explicit_shortcuts)
{
    made *m = made_open(a), *shortcuts = made_open(a);
    char conv[100], norm[100];
    made_put_conv(m, "conv1", "bn1", w, 3, 3, NULL);
    for (size_t stage = 1, in = w; stage <= 3; stage++) {
        const size_t out = w << (stage - 1);
        for (size_t i = 0; i < blocks; i++) {
            for (size_t k = 1; k <= 2; k++) {
                (void)snprintf(conv, sizeof conv, "layer%zu.%zu.conv%zu", stage, i, k);
                (void)snprintf(norm, sizeof norm, "layer%zu.%zu.bn%zu", stage, i, k);
                made_put_conv(m, conv, norm, out, k == 1 ? in : out, 3, NULL);
            }
            if (explicit_shortcuts && in != out) {
                float *identity = arena_alloc(a, out * in, sizeof *identity);
                for (size_t c = 0; c < in; c++) {
                    identity[((out - in) / 2 + c) * in + c] = 1.0f;
                }
                (void)snprintf(conv, sizeof conv, "layer%zu.%zu.shortcut.0.weight", stage, i);
                (void)snprintf(norm, sizeof norm, "layer%zu.%zu.shortcut.1", stage, i);
                made_put(shortcuts, conv, 4, (const size_t[]){out, in, 1, 1}, 0.0, 0.0, identity);
                put_identity_norm(shortcuts, norm, out);
            }
            in = out;
        }
    }
    made_put(m, "linear.weight", 2, (const size_t[]){10, 4 * w}, -0.5, 0.5, NULL);
    made_put(m, "linear.bias", 1, (const size_t[]){10}, -0.1, 0.1, NULL);
    for (size_t i = 0; i < shortcuts->t.n; i++) { /* behind, so that both networks have the same numbers */
        m->list[m->t.n++] = shortcuts->list[i];
    }
    return m;
}

const graph *made_build(const made *m)
{
    const graph *g = NULL;
    assert_ok(graph_build(m->arena, &m->t, &g));
    return g;
}
