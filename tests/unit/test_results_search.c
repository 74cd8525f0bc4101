/* Searches in result files: every number at its place, and groups where there is none. */
#include "unit/results_sample.h"

#include <hdf5.h>

static void read_all(hid_t file, const char *name, hid_t type, size_t n, void *out)
{
    const hid_t dataset = H5Dopen2(file, arena_text(memory, "/search/vit/neurons/%s", name), H5P_DEFAULT);
    assert_true(dataset >= 0);
    const hid_t space = H5Dget_space(dataset);
    assert_int_equal(H5Sget_simple_extent_npoints(space), n);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    (void)H5Sclose(space);
    (void)H5Dclose(dataset);
}

static void assert_texts(hid_t file, const char *name, size_t n, const char *const expected[])
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    char **found = get(n, sizeof *found);
    assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
    read_all(file, name, type, n, found);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(found[i], expected[i]);
        (void)H5free_memory(found[i]);
    }
    (void)H5Tclose(type);
}

static void read_attribute(hid_t file, const char *name, hid_t type, void *out)
{
    const hid_t attr = H5Aopen_by_name(file, "/search/vit/neurons", name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0 && H5Aread(attr, type, out) >= 0);
    (void)H5Aclose(attr);
}

/* Bits, since NaN is among them. */
static void assert_reals(hid_t file, const char *name, size_t n, const double expected[])
{
    double *found = get(n, sizeof *found);
    read_all(file, name, H5T_NATIVE_DOUBLE, n, found);
    for (size_t i = 0; i < n; i++) {
        if (isnan(expected[i]) ? !isnan(found[i]) : found[i] != expected[i]) {
            fail_msg("%s: %g at place %zu, expected %g", name, found[i], i, expected[i]);
        }
    }
}

static void searches_are_written(void **state)
{
    (void)state;
    const char *path = scratch_path("search.h5");
    const results *r = sample(9);
    const result_search *s = &r->searches[0];
    const size_t n = s->n_trials;
    double *trapezoid = get(n, sizeof *trapezoid), *parameters = get(n, sizeof *parameters), *macs = get(n, sizeof *macs);
    uint64_t *round = get(n, sizeof *round), *rank = get(n, sizeof *rank), n_masks = 0, n_evaluated = 0, n_images = 0, n_explained = 0;
    uint32_t *front = get(n, sizeof *front);
    result_search own = *s; /* all measures different: they are not to be mixed up */
    results with = *r;
    for (size_t i = 0; i < n; i++) {
        trapezoid[i] = 10.0 + (double)i;
        parameters[i] = 20.0 + (double)i;
        macs[i] = 30.0 + (double)i;
    }
    double *mean = get(n, sizeof *mean);
    for (size_t i = 0; i < n; i++) {
        mean[i] = 40.0 + (double)i;
    }
    double *at = get(n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        at[i] = i == 1 ? (double)NAN : 50.0 + (double)i;
    }
    own.accuracy_at = at;
    own.a_pr_mean = mean;
    own.a_pr_trapezoid = trapezoid;
    own.area_parameters = parameters;
    own.area_macs = macs;
    with.searches = &own;
    assert_ok(results_write(path, &with));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_texts(file, "dimension", s->n_dimensions, s->dimension);
    assert_texts(file, "choices", s->n_dimensions, s->choice);
    assert_texts(file, "setting", n, s->setting);
    assert_reals(file, "point", n * s->n_dimensions, s->point);
    assert_reals(file, "importance_main", s->n_dimensions, s->main);
    assert_reals(file, "importance_total", s->n_dimensions, s->total);
    assert_reals(file, "objective", n, s->objective);
    assert_reals(file, "error", n, s->error);
    assert_reals(file, "a_pr_mean", n, mean);
    assert_reals(file, "a_pr_trapezoid", n, trapezoid);
    assert_reals(file, "area_parameters", n, parameters);
    assert_reals(file, "area_macs", n, macs);
    assert_reals(file, "held_out", n, s->held_out);
    assert_reals(file, "held_out_error", n, s->held_out_error);
    assert_reals(file, "accuracy_at", n, at);
    assert_reals(file, "cost", n, s->cost);
    assert_reals(file, "regret", n, s->regret);
    const char **state_names = get(n, sizeof *state_names);
    int64_t *parent = get(n, sizeof *parent);
    for (size_t i = 0; i < n; i++) {
        state_names[i] = s->state[i] == TRIAL_COMPLETE ? "complete" : s->state[i] == TRIAL_WORSE ? "worse" : "share";
    }
    assert_texts(file, "state", n, state_names);
    read_all(file, "parent", H5T_NATIVE_INT64, n, parent);
    assert_memory_equal(parent, s->parent, n * sizeof *parent);
    read_all(file, "round", H5T_NATIVE_UINT64, n, round);
    read_all(file, "rank", H5T_NATIVE_UINT64, n, rank);
    read_all(file, "front", H5T_NATIVE_UINT32, n, front);
    for (size_t i = 0; i < n; i++) {
        assert_true(round[i] == s->round[i] && rank[i] == s->rank[i] && front[i] == s->front[i]);
    }
    read_attribute(file, "n_masks", H5T_NATIVE_UINT64, &n_masks);
    read_attribute(file, "n_evaluated", H5T_NATIVE_UINT64, &n_evaluated);
    read_attribute(file, "n_images", H5T_NATIVE_UINT64, &n_images);
    read_attribute(file, "n_explained", H5T_NATIVE_UINT64, &n_explained);
    assert_true(n_masks == 480 && n_evaluated == 77 && n_images == 1234 && n_explained == 55);
    const hid_t type = H5Tcopy(H5T_C_S1);
    char *objective = NULL;
    assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
    read_attribute(file, "objective", type, (void *)&objective);
    assert_string_equal(objective, "a_pr_mean");
    (void)H5free_memory(objective);
    (void)H5Tclose(type);
    assert_true(H5Lexists(file, "/search/vit/heads", H5P_DEFAULT) == 0);
    (void)H5Fclose(file);
}

/* The group is there for readers, and empty. */
static void a_study_without_search_has_none(void **state)
{
    (void)state;
    const char *path = scratch_path("without.h5");
    results r = *sample(9);
    H5G_info_t info;
    r.n_searches = 0;
    assert_ok(results_write(path, &r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(H5Gget_info_by_name(file, "/search", &info, H5P_DEFAULT) >= 0);
    assert_int_equal(info.nlinks, 0);
    assert_true(H5Fclose(file) >= 0);
}

/* Each kind of components of a model is searched by itself. */
static void kinds_have_groups_of_their_own(void **state)
{
    (void)state;
    const char *path = scratch_path("kinds.h5");
    results r = *sample(9);
    result_search searches[2] = {r.searches[0], r.searches[0]};
    searches[1].kind = COMPONENT_HEAD;
    searches[1].n_trials = 3;
    r.searches = searches;
    r.n_searches = 2;
    assert_ok(results_write(path, &r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t heads = H5Dopen2(file, "/search/vit/heads/objective", H5P_DEFAULT), space = H5Dget_space(heads);
    assert_int_equal(H5Sget_simple_extent_npoints(space), 3);
    assert_true(H5Lexists(file, "/search/vit/neurons", H5P_DEFAULT) > 0);
    (void)H5Sclose(space);
    (void)H5Dclose(heads);
    (void)H5Fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(searches_are_written, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(a_study_without_search_has_none, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(kinds_have_groups_of_their_own, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
