#include "support/golden.h"
#include "support/masks.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "pruning/ranking.h"

static arena *scratch;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("ranking test", &scratch)) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&scratch);
    return 0;
}

static void counts_truncate_the_double_product(void **state)
{
    (void)state;
    assert_int_equal(ranking_count(180, strtod("0.35", NULL)), 62);
    assert_int_equal(ranking_count(180, strtod("0.7", NULL)), 125);
    assert_int_equal(ranking_count(180, 7 * 0.05), 63); /* why a rate is parsed from its text */
    assert_int_equal(ranking_count(180, 0.0), 0);
    assert_int_equal(ranking_count(0, 0.95), 0);
    golden *g = golden_open("preproc_rng.h5");
    const golden_array n = golden_read(g, "count/n"), rate = golden_read(g, "count/rate"),
                       k = golden_read(g, "count/k");
    assert_true(n.count > 100);
    for (size_t i = 0; i < n.count; i++) {
        assert_int_equal(ranking_count((size_t)n.integer[i], rate.real[i]), k.integer[i]);
    }
    golden_close(&g);
}

static void lowest_score_goes_first_and_ties_by_index(void **state)
{
    (void)state;
    const double score[] = {0.5, -0.0, 3.0, 0.0, -2.0, 0.5, -0.0, INFINITY, -INFINITY};
    const uint32_t expected[] = {8, 4, 1, 3, 6, 0, 5, 2, 7};
    uint32_t order[COUNT(score)];
    assert_ok(ranking_build(scratch, COUNT(score), score, order));
    assert_memory_equal(order, expected, sizeof expected);
}

static void many_ties_stay_in_order(void **state)
{
    (void)state;
    enum { N = 5000, VALUES = 7 };
    static double score[N];
    static uint32_t order[N];
    for (size_t i = 0; i < N; i++) {
        score[i] = (double)(rng_u64(4, RNG_TEST, 0, (uint32_t)i) % VALUES);
    }
    assert_ok(ranking_build(scratch, N, score, order));
    for (size_t i = 1; i < N; i++) {
        const uint32_t a = order[i - 1], b = order[i];
        assert_true(score[a] < score[b] ||
                    (score[a] == score[b] && a < b)); /* strictly ascending, so a permutation too */
    }
}

static void refuses_what_cannot_be_ranked(void **state)
{
    (void)state;
    const double score[] = {1.0, 2.0, NAN, 0.0};
    uint32_t order[COUNT(score)];
    assert_fails(ranking_build(scratch, COUNT(score), score, order), ST_DATA, "component 2 (of 4)", "not a number",
                 NULL);
    assert_ok(ranking_build(scratch, 0, score, order));
}

enum { RATES = 20 };
static const char *const rate_text[RATES] = {"0",   "0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35", "0.4", "0.45",
                                             "0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95"};

static void masks_are_nested_and_agree_with_removed_at(void **state)
{
    (void)state;
    enum { N = 180 };
    double score[N];
    size_t count[RATES];
    uint32_t order[N];
    uint16_t removed_at[N];
    uint8_t alive[RATES][N];
    for (size_t i = 0; i < N; i++) {
        score[i] = rng_uniform(5, RNG_TEST, 0, (uint32_t)i);
    }
    for (size_t r = 0; r < RATES; r++) {
        count[r] = ranking_count(N, strtod(rate_text[r], NULL));
    }
    assert_ok(ranking_build(scratch, N, score, order));
    ranking_removed_at(N, order, RATES, count, removed_at);
    for (size_t r = 0; r < RATES; r++) {
        size_t dead = 0;
        masks_alive(N, order, count[r], alive[r]);
        for (size_t i = 0; i < N; i++) {
            dead += !alive[r][i];
            assert_int_equal(alive[r][i], removed_at[i] > r);
            assert_true(r == 0 || alive[r][i] <= alive[r - 1][i]);
        }
        assert_int_equal(dead, count[r]);
    }
    assert_int_equal(removed_at[order[0]], 1);
    assert_int_equal(removed_at[order[N - 1]], RATES);
}

/* ---- options: laws, for layers of many shapes, scores with many ties, every order, scope and floor ---- */

enum { MOST_LAYERS = 9, MOST_COMPONENTS = 400 };

typedef struct ranked {
    ranking_options options;
    ranking_layers layers;
    size_t size[MOST_LAYERS], layer[MOST_COMPONENTS], place[MOST_COMPONENTS];
    double score[MOST_COMPONENTS];
    uint32_t order[MOST_COMPONENTS];
} ranked;

/* Does component a go before b, scores alone considered? */
static bool goes_before(const ranked *k, size_t a, size_t b)
{
    const double sa = k->score[a], sb = k->score[b];
    return sa != sb ? (k->options.order == RANKING_MOST_FIRST ? sa > sb : sa < sb) : a < b;
}

static void draw(uint32_t trial, ranked *k)
{
    static const double floors[] = {0.0, 0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 0.999};
    memset(k, 0, sizeof *k);
    k->options.order = (ranking_order)(trial % RANKING_ORDERS);
    k->options.scope = (ranking_scope)(trial / 2 % RANKING_SCOPES);
    k->options.floor = k->options.scope == RANKING_GLOBAL ? floors[trial / 4 % COUNT(floors)] : 0.0;
    k->layers.n_layers = trial % 7 == 0 ? 1 : 1 + rng_u64(1, RNG_TEST, 0, trial) % MOST_LAYERS;
    k->layers.size = k->size;
    const uint64_t values = trial % 3 == 0 ? 4 : trial % 3 == 1 ? 50 : UINT64_MAX; /* ties everywhere, some, none */
    for (uint32_t l = 0; l < k->layers.n_layers; l++) {
        k->size[l] = 1 + rng_u64(trial, RNG_TEST, 1, l) % (l % 2 == 0 ? 7 : 60);
        for (size_t i = 0; i < k->size[l]; i++, k->layers.n++) {
            k->layer[k->layers.n] = l;
            k->score[k->layers.n] = (double)(rng_u64(trial, RNG_TEST, 2, (uint32_t)k->layers.n) % values) - 2.0;
        }
    }
    assert_true(k->layers.n <= MOST_COMPONENTS);
    assert_ok(ranking_build_by(scratch, &k->options, &k->layers, k->score, k->order));
    for (size_t p = 0; p < k->layers.n; p++) {
        k->place[k->order[p]] = p;
    }
    for (size_t i = 0; i < k->layers.n; i++) {
        assert_int_equal(k->order[k->place[i]], i); /* a permutation */
    }
    arena_reset(scratch);
}

/* What a rate removes, from the definition: the scope's counts, and for a floor one component after the other, the next that the floor
 * allows, and where it allows none, the next of all. */
static void remove_by_definition(const ranked *k, double rate, uint8_t alive[])
{
    const bool by_layer = k->options.scope == RANKING_LAYER;
    size_t left[MOST_LAYERS], n = 0;
    memset(alive, 1, k->layers.n);
    memcpy(left, k->size, sizeof left);
    for (size_t l = 0; l < k->layers.n_layers; l++) {
        n += (size_t)((double)k->size[l] * rate);
    }
    n = by_layer ? n : (size_t)((double)k->layers.n * rate);
    for (; n > 0; n--) {
        size_t next = SIZE_MAX;
        for (int forced = 0; forced < 2 && next == SIZE_MAX; forced++) {
            for (size_t i = 0; i < k->layers.n; i++) {
                const size_t l = k->layer[i], gone = k->size[l] - left[l];
                const bool allowed = by_layer ? gone < (size_t)((double)k->size[l] * rate)
                                              : (double)(left[l] - 1) >= (double)k->size[l] * k->options.floor - 1e-9;
                if (alive[i] && (allowed || forced > 0) && (next == SIZE_MAX || goes_before(k, i, next))) {
                    next = i;
                }
            }
        }
        alive[next] = 0;
        left[k->layer[next]]--;
    }
}

static void every_option_removes_what_it_says(void **state)
{
    (void)state;
    enum { TRIALS = 240 };
    uint8_t alive[MOST_COMPONENTS], expected[MOST_COMPONENTS];
    size_t broken = 0, held = 0;
    for (uint32_t t = 0; t < TRIALS; t++) {
        ranked k;
        draw(t, &k);
        for (size_t r = 0; r < RATES; r++) {
            const double rate = strtod(rate_text[r], NULL);
            const size_t count = ranking_removed(&k.options, &k.layers, rate);
            size_t dead = 0, unprotected = 0, left[MOST_LAYERS] = {0};
            remove_by_definition(&k, rate, expected);
            masks_alive(k.layers.n, k.order, count, alive);
            assert_memory_equal(alive, expected, k.layers.n);
            for (size_t i = 0; i < k.layers.n; i++) {
                dead += !alive[i];
                left[k.layer[i]] += alive[i];
            }
            assert_int_equal(dead, count);
            for (size_t l = 0; l < k.layers.n_layers; l++) {
                unprotected += k.size[l] - ranking_floor(k.size[l], k.options.floor);
            }
            for (size_t l = 0; l < k.layers.n_layers && k.options.floor > 0.0;
                 l++) { /* the floor holds whenever it can */
                assert_true(count > unprotected || left[l] >= ranking_floor(k.size[l], k.options.floor));
                held += count <= unprotected;
                broken += count > unprotected;
            }
        }
    }
    assert_true(held > 1000 && broken > 1000); /* rates of either kind were met */
}

/* Beyond what is unprotected: protected components by score over all layers, ties by index. */
static void a_floor_that_cannot_hold_gives_way_in_order(void **state)
{
    (void)state;
    const size_t size[] = {4, 2, 1};
    const ranking_layers l = {7, 3, size};
    const double score[] = {1.0, 5.0, 2.0, 9.0, 3.0, 4.0, 0.0};
    const ranking_options half = {.floor = 0.5}, most = {.order = RANKING_MOST_FIRST, .floor = 0.5},
                          little = {.floor = 1e-12};
    const uint32_t half_order[] = {0, 2, 4, 6,
                                   5, 1, 3}; /* unprotected 0, 2, 4; then 6 (the only one of its layer), 5, 1, 3 */
    const uint32_t most_order[] = {3, 1, 5, 4, 2, 0, 6};
    const uint32_t plain[] = {6, 0, 2, 4, 5, 1, 3};
    uint32_t order[7];
    assert_ok(ranking_build_by(scratch, &half, &l, score, order));
    assert_memory_equal(order, half_order, sizeof order);
    assert_ok(ranking_build_by(scratch, &most, &l, score, order));
    assert_memory_equal(order, most_order, sizeof order);
    assert_ok(ranking_build_by(scratch, &little, &l, score, order));
    assert_memory_equal(order, plain, sizeof order);
    assert_int_equal(ranking_floor(100, 0.07), 7); /* 7.000000000000001 */
    assert_int_equal(ranking_floor(10, 0.31), 4);
    assert_int_equal(ranking_floor(10, 0.3), 3);
    assert_int_equal(ranking_floor(3, 0.01), 1);
    assert_int_equal(ranking_floor(3, 0.0), 0);
    assert_int_equal(ranking_floor(3, 0.999999), 3);
}

static void most_first_is_descending_with_ties_by_index(void **state)
{
    (void)state;
    const size_t size[] = {9};
    const ranking_layers l = {9, 1, size};
    const ranking_options o = {.order = RANKING_MOST_FIRST};
    const double score[] = {0.5, -0.0, 3.0, 0.0, -2.0, 0.5, -0.0, INFINITY, -INFINITY};
    const uint32_t expected[] = {7, 2, 0, 5, 1, 3, 6, 4, 8};
    uint32_t order[COUNT(score)];
    assert_ok(ranking_build_by(scratch, &o, &l, score, order));
    assert_memory_equal(order, expected, sizeof expected);
}

/* The first count(rate) are what is removed at any rate, not only at those of a study: here at every rate at which some layer loses a
 * component, and just below it. */
static void a_layer_order_holds_at_every_rate(void **state)
{
    (void)state;
    uint8_t alive[MOST_COMPONENTS], expected[MOST_COMPONENTS];
    for (uint32_t t = 2; t < 40; t += 4) { /* scope: layer */
        ranked k;
        draw(t, &k);
        assert_int_equal(k.options.scope, RANKING_LAYER);
        for (size_t l = 0; l < k.layers.n_layers; l++) {
            for (size_t i = 1; i < k.size[l]; i++) {
                const double at = (double)i / (double)k.size[l], rates[] = {nextafter(at, 0.0), at, nextafter(at, 1.0)};
                for (size_t r = 0; r < COUNT(rates); r++) {
                    remove_by_definition(&k, rates[r], expected);
                    masks_alive(k.layers.n, k.order, ranking_removed(&k.options, &k.layers, rates[r]), alive);
                    assert_memory_equal(alive, expected, k.layers.n);
                }
            }
        }
    }
}

/* 180 x 0.35 is a little less than 63, 20 x 0.35 is 7: the seventh of a layer of 20 goes at a rate at which the 63rd of 180 does not. */
static void equal_shares_go_as_their_rounded_counts_do(void **state)
{
    (void)state;
    enum { A = 180, B = 20 };
    static double score[A + B];
    static uint32_t order[A + B];
    const size_t size[] = {A, B};
    const ranking_layers l = {A + B, 2, size};
    const ranking_options o = {.scope = RANKING_LAYER};
    const double rate = strtod("0.35", NULL);
    for (size_t i = 0; i < A + B; i++) {
        score[i] = (double)i;
    }
    assert_ok(ranking_build_by(scratch, &o, &l, score, order));
    assert_int_equal(ranking_removed(&o, &l, rate), 62 + 7);
    size_t of_a = 0;
    for (size_t p = 0; p < 62 + 7; p++) {
        of_a += order[p] < A;
    }
    assert_int_equal(of_a, 62);
    assert_int_equal(order[62 + 7], 62);
}

static void scopes_agree_on_one_layer(void **state)
{
    (void)state;
    for (uint32_t t = 0; t < 84; t += 7) { /* one layer */
        ranked k;
        uint32_t other[MOST_COMPONENTS];
        draw(t, &k);
        assert_int_equal(k.layers.n_layers, 1);
        for (size_t s = 0; s < RANKING_SCOPES; s++) {
            const ranking_options o = {.order = k.options.order, .scope = (ranking_scope)s};
            assert_ok(ranking_build_by(scratch, &o, &k.layers, k.score, other));
            assert_memory_equal(other, k.order, k.layers.n * sizeof other[0]); /* a floor changes nothing either */
            for (size_t r = 0; r < RATES; r++) {
                const double rate = strtod(rate_text[r], NULL);
                assert_int_equal(ranking_removed(&o, &k.layers, rate), ranking_count(k.layers.n, rate));
            }
        }
    }
}

static void options_refuse_what_cannot_be_ranked(void **state)
{
    (void)state;
    const size_t size[] = {1, 2};
    const ranking_layers l = {3, 2, size}, none = {0, 0, size};
    const double score[] = {1.0, NAN, 0.0};
    uint32_t order[3];
    for (uint32_t t = 0; t < 4; t++) {
        const ranking_options o = {.order = (ranking_order)(t % 2), .scope = (ranking_scope)(t / 2)};
        assert_fails(ranking_build_by(scratch, &o, &l, score, order), ST_DATA, "component 1 (of 3)", "not a number",
                     NULL);
        assert_ok(ranking_build_by(scratch, &o, &none, score, order));
        assert_int_equal(ranking_removed(&o, &none, 0.5), 0);
    }
}

static void rates_may_begin_above_zero(void **state)
{
    (void)state;
    const uint32_t order[] = {2, 0, 3, 1};
    const size_t count[] = {2, 2, 3};
    uint16_t removed_at[4];
    ranking_removed_at(4, order, COUNT(count), count, removed_at);
    assert_int_equal(removed_at[2], 0);
    assert_int_equal(removed_at[0], 0);
    assert_int_equal(removed_at[3], 2);
    assert_int_equal(removed_at[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_truncate_the_double_product),
        cmocka_unit_test(lowest_score_goes_first_and_ties_by_index),
        cmocka_unit_test(many_ties_stay_in_order),
        cmocka_unit_test(refuses_what_cannot_be_ranked),
        cmocka_unit_test(masks_are_nested_and_agree_with_removed_at),
        cmocka_unit_test(rates_may_begin_above_zero),
        cmocka_unit_test(every_option_removes_what_it_says),
        cmocka_unit_test(a_floor_that_cannot_hold_gives_way_in_order),
        cmocka_unit_test(most_first_is_descending_with_ties_by_index),
        cmocka_unit_test(a_layer_order_holds_at_every_rate),
        cmocka_unit_test(equal_shares_go_as_their_rounded_counts_do),
        cmocka_unit_test(scopes_agree_on_one_layer),
        cmocka_unit_test(options_refuse_what_cannot_be_ranked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
