/* `pollard export` of results that are none, damaged, or of another network: each has its message and exit code, and writes nothing. */
#include "unit/pipeline/export_sample.h"

#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

#define CELL "--criterion", "random", "--rate", "0.3", "--task", "3", "--seed", "0"
#define NET "/models/net/"
#define TRACKS "/tracks/net/filters/random/"

static const char *good, *bad, *folder;

/* A fresh copy of the good result, open for damage. */
static hid_t open_copy(void)
{
    const file_bytes b = bytes_of(good);
    assert_ok(file_write_atomic(bad, b.data, b.size));
    const hid_t f = H5Fopen(bad, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(f >= 0);
    return f;
}

static void assert_refused(hid_t f, status_code code, const char *part)
{
    struct stat info;
    if (f >= 0) {
        assert_true(H5Fclose(f) >= 0);
    }
    assert_fails(export_of(bad, CELL, "-o", folder, NULL), code, bad, part, NULL);
    assert_true(stat(arena_text(memory, "%s/shrunk.json", folder), &info) != 0);
    assert_true(stat(arena_text(memory, "%s/masks.safetensors", folder), &info) != 0);
}

static void set_count(hid_t f, const char *path, size_t index, int64_t value)
{
    const hid_t d = H5Dopen2(f, path, H5P_DEFAULT), space = H5Dget_space(d);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    int64_t *all = get(n, sizeof *all);
    assert_true(index < n);
    assert_true(H5Dread(d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    all[index] = value;
    assert_true(H5Dwrite(d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    (void)H5Sclose(space);
    (void)H5Dclose(d);
}

static void set_text(hid_t f, const char *path, size_t index, const char *value)
{
    const hid_t d = H5Dopen2(f, path, H5P_DEFAULT), space = H5Dget_space(d), type = H5Dget_type(d);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    char **theirs = get(n, sizeof *theirs);
    const char **all = get(n, sizeof *all);
    assert_true(index < n);
    assert_true(H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, theirs) >= 0);
    memcpy(all, theirs, n * sizeof *all);
    all[index] = value;
    assert_true(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    for (size_t i = 0; i < n; i++) {
        (void)H5free_memory(theirs[i]);
    }
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    (void)H5Dclose(d);
}

/* In place of `path`, numbers of these dimensions, all `value`. */
static void put_counts(hid_t f, const char *path, int rank, const hsize_t dims[], int64_t value)
{
    const hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    int64_t *all = get(n, sizeof *all);
    for (size_t i = 0; i < n; i++) {
        all[i] = value;
    }
    assert_true(H5Ldelete(f, path, H5P_DEFAULT) >= 0);
    const hid_t d = H5Dcreate2(f, path, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(d >= 0 && H5Dwrite(d, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    (void)H5Dclose(d);
    (void)H5Sclose(space);
}

static void what_is_no_result_is_named(void **state)
{
    (void)state;
    (void)unlink(bad);
    assert_refused(-1, ST_NO_INPUT, "cannot be opened");
    assert_ok(file_write_atomic(bad, "study: digits\n", 14));
    assert_refused(-1, ST_DATA, "expected a result");
    const hid_t empty = H5Fcreate(bad, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_refused(empty, ST_DATA, "schema_version");
    hid_t f = open_copy();
    const hid_t attr = H5Aopen(f, "schema_version", H5P_DEFAULT);
    const int64_t later = 99;
    assert_true(H5Awrite(attr, H5T_NATIVE_INT64, &later) >= 0 && H5Aclose(attr) >= 0);
    assert_refused(f, ST_DATA, "schema_version is 99");
}

static void parts_that_are_missing_are_named(void **state)
{
    static const char *const parts[] = {
        "/curves", "/curves/model", "/curves/kind", "/curves/criterion", "/curves/seed", "/curves/task", "/curves/n_classes", "/curves/references",
        "/curves/rate", "/curves/classes", "/curves/accuracy", "/models", "/models/net", NET "layer", NET "kind", NET "n_components",
        NET "first_component", NET "component", "/tracks", "/tracks/net/filters", TRACKS "cell", TRACKS "component", TRACKS "removed_at",
        TRACKS "removed", "/provenance", "/provenance/config_path", "/provenance/config_resolved", "/provenance/path",
        "/provenance/sha256"};
    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        const hid_t f = open_copy();
        assert_true(H5Ldelete(f, parts[i], H5P_DEFAULT) >= 0);
        assert_refused(f, ST_DATA, parts[i]);
    }
}

/* Another type of number, another shape. */
static void parts_of_another_kind_are_named(void **state)
{
    static const char *const parts[] = {"/curves/model", "/curves/seed", "/curves/rate", "/curves/classes", NET "layer", NET "component",
                                        TRACKS "cell", TRACKS "component", TRACKS "removed_at", TRACKS "removed",
                                        "/provenance/config_resolved", "/provenance/sha256"};
    static const hsize_t shapes[][4] = {{1}, {3, 5}, {2, 2, 2, 2}, {0}};
    static const int ranks[] = {0, 2, 4, 1};
    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        for (size_t k = 0; k < COUNT(shapes); k++) {
            const hid_t f = open_copy();
            put_counts(f, parts[i], ranks[k], shapes[k], 7);
            (void)H5Fclose(f);
            const status st = export_of(bad, CELL, "-o", folder, NULL);
            if (st.code != ST_DATA && st.code != ST_USAGE) { /* an empty list of components may leave nothing wrong with the rest */
                fail_msg("%s with shape %zu: status %d: %s", parts[i], k, (int)st.code, status_message());
            }
            status_clear();
        }
    }
}

static void numbers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *path;
        size_t index;
        int64_t value;
        const char *part;
    } cases[] = {
        {TRACKS "component", 1, 0, "twice"},
        {TRACKS "component", 1, 100000, "component 100000"},
        {TRACKS "component", 1, -1, "component -1"},
        {TRACKS "cell", 0, 1234, "expected cell 0"},
        {TRACKS "removed", 1, 3, "says 3"},
        {TRACKS "removed_at", 0, 77, "removes"},
        {NET "n_components", 0, 3, "/models"},
        {NET "n_components", 0, -1, "has -1"},
        {NET "n_components", 1, INT64_MAX, "/models"},
        {NET "first_component", 1, 5, "/models"},
        {"/curves/n_classes", 1, -3, "-3"},
        {"/curves/classes", 0, -1, "lacks a class"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const hid_t f = open_copy();
        set_count(f, cases[i].path, cases[i].index, cases[i].value);
        if (strcmp(cases[i].path, TRACKS "removed_at") == 0) { /* one that was removed before, whichever it is */
            for (size_t k = 0; k < 200; k++) {
                set_count(f, cases[i].path, k, cases[i].value);
            }
        }
        assert_refused(f, ST_DATA, cases[i].part);
    }
}

static void texts_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *path;
        size_t index;
        const char *value, *part;
    } cases[] = {
        {"/curves/model", 0, "../../etc", "letters, digits"},
        {"/curves/model", 0, "", "letters, digits"},
        {"/curves/criterion", 0, "a/b", "letters, digits"},
        {"/curves/criterion", 0, "..", "letters, digits"},
        {"/curves/kind", 0, "\xff\xfe", "letters, digits"},
        {NET "layer", 0, "features.1", "features.0"},
        {NET "kind", 0, "heads", "component"},
        {NET "kind", 0, "wheels", "/models"},
        {"/provenance/config_resolved", 0, "{{{", "config_resolved"},
        {"/provenance/config_resolved", 0, "", "config_resolved"},
        {"/provenance/path", 1, "another.safetensors", "/provenance/path"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const hid_t f = open_copy();
        set_text(f, cases[i].path, cases[i].index, cases[i].value);
        assert_refused(f, ST_DATA, cases[i].part);
    }
}

static void a_study_without_the_model_is_refused(void **state)
{
    static const char study[] = "study: s\ndata: {reference: a, evaluation: b}\nmodels: [{name: other, checkpoint: c}]\n"
                                "criteria: [{name: random, method: random}]\ntasks: {classes: [3]}\nrates: [0, 0.3]\n";
    (void)state;
    const hid_t f = open_copy();
    set_text(f, "/provenance/config_resolved", 0, study);
    assert_refused(f, ST_DATA, "no model 'net'");
}

/* A result of one network with the checkpoint of another, both with right digests: layer by layer it does not fit. */
static void masks_of_another_network_do_not_fit(void **state)
{
    char study[3000];
    const char *other = checkpoint_of("digits_resnet");
    (void)state;
    const hid_t f = open_copy();
    (void)snprintf(study, sizeof study,
                   "study: s\ndata: {reference: a, evaluation: b}\nmodels: [{name: net, checkpoint: '%s'}]\n"
                   "criteria: [{name: random, method: random}]\ntasks: {classes: [3]}\nrates: [0, 0.3]\n",
                   other);
    set_text(f, "/provenance/config_resolved", 0, study);
    set_text(f, "/provenance/path", 1, other);
    set_text(f, "/provenance/sha256", 1, digest_of(other));
    assert_refused(f, ST_DATA, "do not fit");
}

/* Bytes changed anywhere: an error with an exit code, or an export, and never anything else. */
static void damage_anywhere_is_survived(void **state)
{
    enum { TRIALS = 12 }; /* the library may take its two minutes over one of them */
    const file_bytes whole = bytes_of(good);
    (void)state;
    for (uint32_t i = 0; i < TRIALS; i++) {
        unsigned char *copy = get(whole.size, 1);
        memcpy(copy, whole.data, whole.size);
        for (uint32_t k = 0; k < 8; k++) {
            copy[rng_u64(i, RNG_TEST, 4, k) % whole.size] ^= (unsigned char)(1 + rng_u64(i, RNG_TEST, 1, k) % 255);
        }
        assert_ok(file_write_atomic(bad, copy, i % 4 == 0 ? whole.size * i / TRIALS : whole.size));
        const status st = export_of(bad, CELL, "-o", scratch_path("damaged"), "--force", NULL);
        if (st.code != ST_OK && st.code != ST_DATA && st.code != ST_USAGE && st.code != ST_NO_INPUT) {
            fail_msg("trial %u: status %d: %s", i, (int)st.code, status_message());
        }
        status_clear();
    }
}

static int set_up(void **state)
{
    (void)open_memory(state);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    good = scratch_path("good.h5");
    bad = scratch_path("bad.h5");
    folder = scratch_path("never");
    write_sample(good, "digits_vgg_bn", digits());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_result_is_named),
        cmocka_unit_test(parts_that_are_missing_are_named),
        cmocka_unit_test(parts_of_another_kind_are_named),
        cmocka_unit_test(numbers_that_cannot_be_are_refused),
        cmocka_unit_test(texts_that_cannot_be_are_refused),
        cmocka_unit_test(a_study_without_the_model_is_refused),
        cmocka_unit_test(masks_of_another_network_do_not_fit),
        cmocka_unit_test(damage_anywhere_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, close_memory);
}
