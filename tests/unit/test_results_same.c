/* Two results say the same, but for their provenance, or the first difference is named: results are written, one of them is altered without the
 * code under test, and they are compared. */
#include "unit/results_sample.h"

#include <hdf5.h>

#include "io/results_same.h"

/* Both ways round; `what`: of the first way, "" for the same. */
static void assert_compared(const char *a, const char *b, const char *what)
{
    char found[RESULTS_SAME_BYTES] = "never set";
    bool same = what[0] != '\0';
    assert_ok(results_same(a, b, &same, found));
    assert_string_equal(found, what);
    assert_int_equal(same, what[0] == '\0');
    same = what[0] != '\0';
    assert_ok(results_same(b, a, &same, found));
    assert_int_equal(same, what[0] == '\0');
    assert_int_equal(found[0] == '\0', what[0] == '\0');
}

static void all_but_the_provenance_counts(void **state)
{
    (void)state;
    const char *a = scratch_path("a.h5"), *b = scratch_path("b.h5");
    static const double busy[] = {99.5, 1.0};
    const result_text texts[] = {{"config", "study: other\n"}, {"command", "pollard run other.yaml"}};
    results r = *sample(9);
    assert_ok(results_write(a, &r));
    assert_compared(a, a, "");
    assert_ok(results_write(b, &r));
    assert_compared(a, b, "");
    r.texts = texts;
    r.n_texts = COUNT(texts);
    r.n_inputs = 1;
    r.rank_busy = busy;
    assert_ok(results_write(b, &r));
    assert_compared(a, b, "");
    r.n_classes--; /* and something beside it */
    assert_ok(results_write(b, &r));
    assert_compared(a, b, "/classes/class: another shape");
}

/* ---- one alteration of a file ---- */

/* The last value of a variable of numbers becomes the next one: a single bit of the file. */
static void change_number(hid_t file, const char *path)
{
    const hid_t id = H5Dopen2(file, path, H5P_DEFAULT), type = H5Dget_type(id), space = H5Dget_space(id);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space), size = H5Tget_size(type);
    unsigned char *data = get(n, size);
    assert_true(n > 1 && H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    data[(n - 1) * size] ^= 1;
    assert_true(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Dclose(id);
}

static void change_text(hid_t file, const char *path)
{
    const hid_t id = H5Dopen2(file, path, H5P_DEFAULT), type = H5Dget_type(id), space = H5Dget_space(id);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    char **text = get(n, sizeof *text);
    assert_true(n > 1 && H5Tis_variable_str(type) > 0 && H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    assert_true(text[n - 1][0] != '\0');
    text[n - 1][strlen(text[n - 1]) - 1] ^= 1;
    assert_true(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
    for (size_t i = 0; i < n; i++) {
        (void)H5free_memory(text[i]);
    }
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Dclose(id);
}

static void remove_object(hid_t file, const char *path)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
}

static void rename_object(hid_t file, const char *path)
{
    assert_true(H5Lmove(file, path, file, arena_text(memory, "%s_", path), H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void make_it_a_group(hid_t file, const char *path)
{
    remove_object(file, path);
    assert_true(H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
}

/* path: "OBJECT@ATTRIBUTE"; n: values, 0 for one without an axis. */
static void replace_attribute(hid_t file, const char *path, hid_t type, hsize_t n, const void *data)
{
    const char *at = strchr(path, '@'), *object = arena_text(memory, "%.*s", (int)(at - path), path);
    const hid_t space = n == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
    assert_true(H5Adelete_by_name(file, object, at + 1, H5P_DEFAULT) >= 0);
    const hid_t id = H5Acreate_by_name(file, object, at + 1, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(id, type, data) >= 0);
    (void)H5Aclose(id);
    (void)H5Sclose(space);
}

static hid_t type_of_attribute(hid_t file, const char *path)
{
    const char *at = strchr(path, '@');
    const hid_t id = H5Aopen_by_name(file, arena_text(memory, "%.*s", (int)(at - path), path), at + 1, H5P_DEFAULT, H5P_DEFAULT), type = H5Aget_type(id);
    assert_true(id >= 0 && type >= 0);
    (void)H5Aclose(id);
    return type;
}

static void change_attribute(hid_t file, const char *path)
{
    const hid_t type = type_of_attribute(file, path);
    const char *text = "another";
    const uint64_t number = 12345;
    replace_attribute(file, path, type, 0, H5Tis_variable_str(type) > 0 ? (const void *)&text : (const void *)&number);
    (void)H5Tclose(type);
}

static void reshape_attribute(hid_t file, const char *path)
{
    const hid_t type = type_of_attribute(file, path);
    const char *texts[] = {"direct", "direct"};
    assert_true(H5Tis_variable_str(type) > 0);
    replace_attribute(file, path, type, COUNT(texts), texts);
    (void)H5Tclose(type);
}

static void retype_attribute(hid_t file, const char *path)
{
    const float number = 1.0f;
    replace_attribute(file, path, H5T_IEEE_F32LE, 0, &number);
}

static void remove_attribute(hid_t file, const char *path)
{
    const char *at = strchr(path, '@');
    assert_true(H5Adelete_by_name(file, arena_text(memory, "%.*s", (int)(at - path), path), at + 1, H5P_DEFAULT) >= 0);
}

static void rename_attribute(hid_t file, const char *path)
{
    const char *at = strchr(path, '@');
    assert_true(H5Arename_by_name(file, arena_text(memory, "%.*s", (int)(at - path), path), at + 1, "zzz", H5P_DEFAULT) >= 0);
}

static void what_differs_is_named(void **state)
{
    (void)state;
    static const struct {
        void (*alter)(hid_t file, const char *path);
        const char *path, *what;
    } cases[] = {
        {change_number, "/curves/loss_sum", "/curves/loss_sum: other values"},
        {change_number, "/curves/correct", "/curves/correct: other values"},
        {change_number, "/tracks/vit/heads/random/mask", "/tracks/vit/heads/random/mask: other values"},
        {change_number, "/rows/vit/lrp-epsilon/score", "/rows/vit/lrp-epsilon/score: other values"},
        {change_text, "/classes/name", "/classes/name: other values"},
        {change_text, "/summary/criterion", "/summary/criterion: other values"},
        {remove_object, "/curves/top5", "/curves: other members"},
        {remove_object, "/heatmaps", "/: other members"},
        {rename_object, "/curves/top5", "/curves: other members"},
        {make_it_a_group, "/curves/class_correct_masked", "/curves/class_correct_masked: a group in one, a variable in the other"},
        {change_attribute, "/curves@convolutions", "/curves@convolutions: other values"},
        {change_attribute, "/@schema_version", "/@schema_version: other values"},
        {reshape_attribute, "/curves@convolutions", "/curves@convolutions: another shape"},
        {retype_attribute, "/curves@convolutions", "/curves@convolutions: another type"},
        {remove_attribute, "/curves@convolutions", "/curves: other attributes"},
        {rename_attribute, "/curves@convolutions", "/curves@convolutions: only in one of them"},
        {change_number, "/provenance/busy", ""},
        {remove_object, "/provenance/path", ""},
    };
    const char *a = scratch_path("as_written.h5"), *b = scratch_path("altered.h5");
    assert_ok(results_write(a, sample(9)));
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ok(results_write(b, sample(9)));
        const hid_t file = H5Fopen(b, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(file >= 0);
        cases[i].alter(file, cases[i].path);
        assert_true(H5Fclose(file) >= 0);
        assert_compared(a, b, cases[i].what);
        assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    }
}

static void what_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    const char *a = scratch_path("a.h5"), *text = scratch_path("text.h5"), *none = scratch_path("none.h5");
    char what[RESULTS_SAME_BYTES];
    assert_ok(results_write(a, sample(9)));
    FILE *f = fopen(text, "w");
    assert_non_null(f);
    assert_true(fputs("study: x", f) >= 0);
    assert_int_equal(fclose(f), 0);
    for (int turn = 0; turn < 2; turn++) {
        bool same = true;
        assert_fails(results_same(turn == 0 ? a : none, turn == 0 ? none : a, &same, what), ST_NO_INPUT, "none.h5", NULL);
        assert_false(same);
        same = true;
        assert_fails(results_same(turn == 0 ? a : text, turn == 0 ? text : a, &same, what), ST_DATA, "text.h5", NULL);
        assert_false(same);
    }
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_but_the_provenance_counts, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(what_differs_is_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_an_error, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
