/* Sums of inputs that have not the same channels (nn/ops/scatter_add.c): element for element what the definition says, in every order of an image, with
 * channels that ascend and with places that pad between them; with and without the ReLU. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include "nn/images.h"
#include "nn/op.h"

enum { CHANNELS = 75, HEIGHT = 3, WIDTH = 2, PLANE = HEIGHT * WIDTH, BATCH = 2, MOST = 3 * CHANNELS };

/* Of all channels those that `draws` falls on, and `pads` places that pad before each. */
static channel_map some_of(arena *a, uint64_t seed, double share, size_t pads)
{
    const float *draw = random_floats(a, CHANNELS, seed);
    uint32_t *channel = arena_alloc(a, MOST, sizeof *channel);
    size_t n = 0;
    assert_non_null(channel);
    for (uint32_t c = 0; c < CHANNELS; c++) {
        for (size_t k = 0; k < pads && c % 5 == 0; k++) {
            channel[n++] = NO_CHANNEL;
        }
        if (0.5 * ((double)draw[c] + 1.0) < share || (c + 1 == CHANNELS && n == 0)) {
            channel[n++] = c;
        }
    }
    return (channel_map){.n = n, .channel = channel};
}

static size_t place_of(const channel_map *m, uint32_t channel)
{
    for (size_t k = 0; k < m->n; k++) {
        if (m->channel[k] == channel) {
            return k;
        }
    }
    return m->n;
}

/* Values of a map's channels, plain; some are -0 and some no numbers. */
static float *values(arena *a, const channel_map *m, uint64_t seed)
{
    float *x = random_floats(a, BATCH * m->n * PLANE, seed);
    for (size_t i = 0; i < BATCH * m->n * PLANE; i += 7) {
        x[i] = i % 2 == 0 ? -0.0f : NAN;
    }
    return x;
}

static void check(uint64_t seed, size_t block, double share, size_t pads, bool relu)
{
    arena *a;
    assert_ok(arena_open("scatter", &a));
    const channel_map all = some_of(a, seed, 2.0, 0), in[] = {some_of(a, seed + 1, share, pads), some_of(a, seed + 2, 0.7, 0)};
    const shape in_shape[] = {{.rank = 3, .dim = {in[0].n, HEIGHT, WIDTH}}, {.rank = 3, .dim = {in[1].n, HEIGHT, WIDTH}}};
    node n = {.op = &op_scatter_add, .name = "sum", .n_in = 2, .out = {.rank = 3, .dim = {CHANNELS, HEIGHT, WIDTH}}};
    const float *x[] = {values(a, &in[0], seed + 3), values(a, &in[1], seed + 4)};
    op_call call = {.node = &n, .batch = BATCH, .block = block, .in_shape = in_shape, .relu = relu};
    assert_ok(scatter_attr_make(a, 2, in, &all, &n.attr));
    for (size_t i = 0; i < 2; i++) {
        float *stored = random_floats(a, BATCH * images_floats(in_shape[i], block), 9);
        images_store(BATCH, in_shape[i], block, x[i], stored);
        call.in[i] = stored;
    }
    float *found = random_floats(a, BATCH * CHANNELS * PLANE, 8);
    call.out = random_floats(a, BATCH * images_floats(n.out, block), 7);
    n.op->forward(&call);
    images_load(BATCH, n.out, block, call.out, found);
    for (size_t i = 0; i < (size_t)BATCH * CHANNELS * PLANE; i++) {
        const size_t sample = i / (CHANNELS * PLANE), c = i / PLANE % CHANNELS;
        float v[2];
        for (size_t k = 0; k < 2; k++) {
            const size_t place = place_of(&in[k], (uint32_t)c);
            v[k] = place < in[k].n ? x[k][(sample * in[k].n + place) * PLANE + i % PLANE] : 0.0f;
        }
        float sum = v[0] + v[1];
        sum = relu && sum <= 0.0f ? 0.0f : sum;
        if (!(found[i] == sum && signbit(found[i]) == signbit(sum)) && !(isnan(found[i]) && isnan(sum))) {
            fail_msg("block %zu, %g of the channels, %zu that pad: element %zu is %g, expected %g", block, share, pads, i, (double)found[i], (double)sum);
        }
    }
    arena_close(&a);
}

static void sums_are_those_of_the_definition(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 8, 16};
    static const double shares[] = {0.02, 0.1, 0.5, 0.9, 1.0};
    for (size_t b = 0; b < COUNT(blocks); b++) {
        for (size_t k = 0; k < COUNT(shares) * 8; k++) {
            check(10 * k, blocks[b], shares[k % COUNT(shares)], k / COUNT(shares) / 2 * 5, k / COUNT(shares) % 2 == 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
