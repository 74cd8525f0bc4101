/* Masks from LRP of the five golden networks at all rates, under every composite whose pruning is in the golden files. */
#include "support/explained.h"
#include "support/masks.h"

#include <math.h>
#include <string.h>

#include "pruning/ranking.h"

enum { RATES = 20 };

/* Where our mask differs from the stored one, the components that changed sides must have stored scores that differ by less
 * than the tolerance times the largest score: rounding may swap them. Returns how many components differ. */
static size_t check_mask(const explained *e, size_t n, const double stored[], const uint8_t alive[],
                         const int64_t keep[])
{
    const double near = e->tolerance * largest_of(n, stored);
    size_t differ = 0;
    for (size_t i = 0; i < n; i++) {
        differ += alive[i] != keep[i];
        for (size_t j = 0; j < n; j++) {
            const bool swapped = alive[i] != 0 && keep[i] == 0 && alive[j] == 0 && keep[j] != 0;
            if (swapped && !(fabs(stored[i] - stored[j]) < near)) {
                fail_msg("%s: components %zu and %zu changed sides with scores %.9g and %.9g", e->network, i, j, stored[i],
                         stored[j]);
            }
        }
    }
    return differ;
}

static size_t compare_masks(const explained *e, const char *pruning, size_t n, const double score[], bool exactly)
{
    const golden_array stored = golden_read(e->file, "%s/scores", pruning),
                       rate = golden_read(e->file, "%s/rates", pruning);
    const golden_array keep = golden_read(e->file, "%s/least_first/keep", pruning);
    const golden_array count = golden_read(e->file, "%s/least_first/count", pruning);
    assert_true(stored.count == n && rate.count == RATES && keep.count == RATES * n);
    uint32_t *order = arena_alloc(e->a, n, sizeof *order);
    uint8_t *alive = arena_alloc(e->a, n, 1);
    assert_true(order != NULL && alive != NULL);
    assert_ok(ranking_build(e->a, n, score, order));
    size_t differ = 0;
    for (size_t r = 0; r < RATES; r++) {
        assert_int_equal(ranking_count(n, rate.real[r]), count.integer[r]);
        masks_alive(n, order, ranking_count(n, rate.real[r]), alive);
        differ += check_mask(e, n, stored.real, alive, keep.integer + r * n);
    }
    assert_true(!exactly || differ == 0);
    return differ;
}

static void check_pruning(const explained *e, const char *pruning, component_kind kind)
{
    size_t n;
    const size_t *index;
    assert_ok(graph_components(e->a, e->g, kind, &n, &index));
    const double *all = explained_scores(e);
    double *mine = explained_doubles(e, n);
    for (size_t i = 0; i < n; i++) {
        mine[i] = all[index[i]];
    }
    const golden_array stored = golden_read(e->file, "%s/scores", pruning);
    (void)compare_masks(e, pruning, n, stored.real, true); /* ties at 0 included: the order is total */
    const size_t differ = compare_masks(e, pruning, n, mine, false);
    print_message("%s %s: %zu of %zu mask entries differ, all between scores that rounding may swap\n", e->network,
                  pruning, differ, RATES * n);
}

/* Every composite that is below pruning/. */
static void check_network(const char *network, const golden_composite *c, size_t n_kinds, const char *const parts[],
                          const component_kind kinds[])
{
    size_t found = 0, stored = 0;
    for (; c->name != NULL; c++) {
        explained e;
        char group[160];
        const char *const *names;
        explain(network, c, false, &e);
        stored = golden_members(e.file, "pruning", &names);
        for (size_t k = 0; k < n_kinds && golden_has(e.file, "pruning/%s", c->name); k++) {
            (void)snprintf(group, sizeof group, "pruning/%s%s", c->name, parts[k]);
            check_pruning(&e, group, kinds[k]);
            found += k == 0;
        }
        explained_close(&e);
    }
    assert_true(found > 0 && found == stored);
}

static void masks_are_golden(void **state)
{
    (void)state;
    static const char *const whole[] = {""}, *const parts[] = {"/linear", "/heads"};
    static const component_kind filters[] = {COMPONENT_FILTER}, both[] = {COMPONENT_NEURON, COMPONENT_HEAD};
    for (size_t i = 0; golden_cnns[i] != NULL; i++) {
        check_network(golden_cnns[i], cnn_composites, COUNT(whole), whole, filters);
    }
    check_network(golden_vit, vit_composites, COUNT(parts), parts, both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks_are_golden)};
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
