/* `inspect` of result files: good, foreign, wrong in one place, damaged anywhere. */
#include "unit/results_sample.h"

#include <fcntl.h>
#include <hdf5.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/guard.h"

static void put_bytes(const char *path, const void *data, size_t size)
{
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(data, 1, size, to), size);
    assert_int_equal(fclose(to), 0);
}

/* ---- inspect ---- */

static status inspect_into(const char *path, char *text, size_t size)
{
    arena *a = NULL;
    FILE *to = tmpfile();
    assert_non_null(to);
    assert_ok(arena_open("inspect", &a));
    const status st = results_inspect(a, path, to);
    arena_close(&a);
    rewind(to);
    text[fread(text, 1, size - 1, to)] = '\0';
    (void)fclose(to);
    return st;
}

static void inspect_tells_what_is_inside(void **state)
{
    (void)state;
    static char text[1 << 16];
    const char *path = scratch_path("inspect.h5");
    assert_ok(results_write(path, sample(90)));
    assert_true(results_recognise(path));
    assert_ok(inspect_into(path, text, sizeof text));
    static const char *const parts[] = {"'sample'",
                                        "cnn_1.x",
                                        "model.safetensors",
                                        "1099511627776",
                                        "lrp epsilon=1e-06",
                                        "heads",
                                        "pollard run sample.yaml",
                                        "2 files",
                                        "node2",
                                        "Kendall",
                                        "accuracies are 'restricted'",
                                        "most-first",
                                        "every-one",
                                        "0.875",
                                        "study: sample ...",
                                        "rank  attribute s   share  evaluate s   share",
                                        "   1       0.7500   6.2 %      3.5000  37.5 %",
                                        "vit    lrp-epsilon  neurons        3          10      1      30           8           2.65      2.94            3.12       4.0",
                                        "vit    lrp-epsilon  network        3          10      1      30          10           2.82      3.15            3.47       4.0             4.45",
                                        "vit    lrp-epsilon  network        3           1      1       1          10            nan       nan             nan       nan              nan",
                                        "Explanations under pruning",
                                        "cnn_1.x  filters  lrp-epsilon  ",
                                        "Search of vit, neurons: 12 settings by a_pr_mean on the tuning images, 480 points of curves by 77 masks and 1234 images",
                                        "4 settings have seen everything; dropped before: 4 clearly worse than the leader, 4 since enough were better\n",
                                        "    1      0      0     0.9375  0.0156    0.7500  0.0312  0.1875      1  epsilon      token\n",
                                        "    2      5      1     0.9219  0.0205    0.8281  0.0312  0.0938      1  gamma 0.625  token\n",
                                        "   10      9      2     0.7969  0.0244         -       -       -      0  gamma 1.125  token\n",
                                        "The best one as a criterion: {name: tuned-0, method: lrp, composite: [{rule: epsilon}]}\n",
                                        "low        0.7500       0.8125  epsilon,gamma\n",
                                        "low.gamma       -            -",
                                        "vit    lrp-epsilon  residual   -0.1  heads.head",
                                        "vit    lrp-epsilon  gain        nan  block.1.attention",
                                        "vit    lrp-epsilon  growth      nan  block.1.attention"};
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (strstr(text, parts[i]) == NULL) {
            fail_msg("'%s' is not in:\n%s", parts[i], text);
        }
    }
    assert_null(strstr(text, "some/where"));
    assert_null(strstr(text, "   11      2      0")); /* the eleventh place is not shown */
}

/* The curves that are printed are those of the study's prediction. */
static void inspect_prints_the_accuracies_of_the_study(void **state)
{
    (void)state;
    static char text[CURVE_PREDICTIONS][1 << 16];
    const char *path = scratch_path("prediction.h5");
    for (size_t p = 0; p < CURVE_PREDICTIONS; p++) {
        results r = *sample(9);
        r.prediction = (curve_prediction)p;
        assert_ok(results_write(path, &r));
        assert_ok(inspect_into(path, text[p], sizeof text[p]));
        const result_cell *c = r.cells;
        const uint64_t *one = p == PREDICTION_MASKED ? c[0].correct_masked : c[0].correct,
                       *two = p == PREDICTION_MASKED ? c[1].correct_masked : c[1].correct;
        const double mean = ((double)one[0] / (double)c[0].total + (double)two[0] / (double)c[1].total) / 2.0;
        assert_non_null(strstr(text[p], arena_text(memory, "3          10      2  %.3f", mean)));
    }
    assert_non_null(strstr(text[PREDICTION_MASKED], "accuracies are 'masked'"));
}

static double worst_class(const result_cell *c, size_t rate)
{
    double worst = 2.0;
    for (size_t i = 0; i < c->n_classes; i++) {
        worst = fmin(worst, (double)c->class_correct[rate * c->n_classes + i] / (double)c->class_total[i]);
    }
    return worst;
}

/* A table each for accuracy, the worst class, agreement and loss: the row of the first two cells, which are two seeds, at two rates. */
static void inspect_prints_what_is_known_at_every_rate(void **state)
{
    (void)state;
    static char text[1 << 16];
    const char *path = scratch_path("rates.h5");
    const results r = *sample(9);
    const result_cell *c = r.cells;
    assert_ok(results_write(path, &r));
    assert_ok(inspect_into(path, text, sizeof text));
    for (size_t rate = 1; rate < 3; rate++) {
        const double worst = (worst_class(&c[0], rate) + worst_class(&c[1], rate)) / 2.0;
        const double agree = ((double)c[0].agree[rate] / (double)c[0].total + (double)c[1].agree[rate] / (double)c[1].total) / 2.0;
        const double loss = (c[0].loss_sum[rate] / (double)c[0].total + c[1].loss_sum[rate] / (double)c[1].total) / 2.0;
        const struct {
            const char *title;
            double value;
        } tables[] = {{"\nAccuracy of the worst class of the task", worst},
                      {"\nShare of the images with the answer of the unpruned network", agree},
                      {"\nCross entropy of an image, in nat", loss}};
        for (size_t i = 0; i < COUNT(tables); i++) {
            char *row = strstr(text, tables[i].title);
            assert_non_null(row);
            row = strstr(row, "cnn_1.x");
            assert_non_null(row);
            char *cell = strstr(row, "10      2  ");
            assert_true(cell != NULL && cell < strchr(row, '\n'));
            double found[3];
            assert_int_equal(sscanf(cell + 11, "%lf %lf %lf", &found[0], &found[1], &found[2]), 3);
            assert_true(fabs(found[rate] - tables[i].value) <= 0.000501);
        }
    }
}

/* Fuzzing starts from a file that is read to its end; where the layout goes on, tests/fuzz/corpus/make_result.sh makes it again. */
static void the_seed_of_fuzzing_is_read(void **state)
{
    (void)state;
    static char text[1 << 14];
    assert_ok(inspect_into(source_path("tests/fuzz/corpus/result.h5"), text, sizeof text));
    assert_non_null(strstr(text, "Waiting for images"));
}

static void empty_study_is_a_file_too(void **state)
{
    (void)state;
    static char text[1 << 14];
    const char *path = scratch_path("empty.h5");
    const results r = {.study = "nothing"};
    assert_ok(results_write(path, &r));
    assert_ok(inspect_into(path, text, sizeof text));
    assert_non_null(strstr(text, "'nothing'"));
}

static void texts_cannot_command_the_terminal(void **state)
{
    (void)state;
    static char text[1 << 16];
    const char *path = scratch_path("escape.h5");
    results r = *sample(9);
    r.study = "\x1b[2Jsample\xc2\x9b"
              "31m";
    assert_ok(results_write(path, &r));
    assert_ok(inspect_into(path, text, sizeof text));
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_non_null(strstr(text, "?[2Jsample"));
}

static void foreign_files_are_named(void **state)
{
    (void)state;
    char text[64];
    const char *path = scratch_path("foreign.h5");
    assert_fails(inspect_into(scratch_path("absent.h5"), text, sizeof text), ST_NO_INPUT, "absent.h5", "No such file",
                 NULL);
    put_bytes(path, "{}", 2);
    assert_false(results_recognise(path));
    assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "foreign.h5", "no HDF5 file", NULL);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Fclose(file);
    assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "foreign.h5", "'schema_version'", "pollard run", NULL);
}

/* ---- a good file made wrong in one place ---- */

typedef struct damage {
    const char *path; /* dataset to replace, or attribute of the root */
    hid_t type;
    size_t rank, dim[2];
    const char *expected;
} damage;

static void replace_dataset(hid_t file, const damage *d)
{
    const hsize_t dims[2] = {d->dim[0], d->dim[1]};
    const hid_t space = H5Screate_simple((int)d->rank, dims, NULL);
    assert_true(H5Ldelete(file, d->path, H5P_DEFAULT) >= 0);
    const hid_t dataset = H5Dcreate2(file, d->path, d->type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    (void)H5Dclose(dataset);
    (void)H5Sclose(space);
}

static void wrong_shapes_and_types_are_named(void **state)
{
    (void)state;
    static char text[1 << 16];
    const char *path = scratch_path("wrong.h5");
    const results *r = sample(9);
    const hid_t fixed = H5Tcopy(H5T_C_S1);
    const damage damages[] = {
        {"/curves/correct", H5T_STD_I64LE, 2, {N_CELLS, N_RATES - 1}, "expected the shape [24, 8], found [24, 7]"},
        {"/curves/correct", H5T_STD_I64LE, 1, {N_CELLS, 0}, "expected the shape [24, 8], found [24]"},
        {"/curves/correct", H5T_IEEE_F32LE, 2, {N_CELLS, N_RATES}, "expected integers"},
        {"/curves/agree", H5T_STD_I64LE, 2, {N_CELLS - 1, N_RATES}, "/curves/agree: expected the shape [24, 8], found [23, 8]"},
        {"/curves/loss_sum", H5T_STD_I64LE, 2, {N_CELLS, N_RATES}, "/curves/loss_sum: expected"},
        {"/curves/class_total", H5T_STD_I64LE, 2, {N_CELLS, 3}, "/curves/class_correct: expected the shape [24, 8, 3], found [24, 8, 10]"},
        {"/curves/class_correct", H5T_STD_I64LE, 2, {N_CELLS, N_RATES}, "/curves/class_correct: expected the shape [24, 8, 10], found [24, 8]"},
        {"/curves/task", H5T_STD_I64LE, 1, {N_CELLS, 0}, "/curves/task: expected texts"},
        {"/curves/total", H5T_STD_I64LE, 1, {N_CELLS + 1, 0}, "/curves/total: expected the shape [24], found [25]"},
        {"/curves/model", H5T_STD_I64LE, 1, {N_CELLS, 0}, "/curves/model: expected texts"},
        {"/curves/kind", fixed, 1, {N_CELLS, 0}, "/curves/kind: expected texts"},
        {"/curves/rate", H5T_IEEE_F64LE, 1, {(size_t)1 << 40, 0}, "/curves/rate: more than"},
        {"/summary/accuracy",
         H5T_IEEE_F64LE,
         1,
         {N_ROWS - 1, 0},
         "/summary/accuracy: expected the shape [12], found [11]"},
        {"/summary/seeds", H5T_IEEE_F64LE, 1, {N_ROWS, 0}, "/summary/seeds: expected integers"},
        {"/models/vit/layer", H5T_STD_REF_OBJ, 1, {3, 0}, "/models/vit/layer: expected texts"},
        {"/provenance/config", H5T_STD_I32LE, 1, {3, 0}, "/provenance/config: expected texts"},
        {"/audit/vit/lrp-epsilon/growth", H5T_IEEE_F64LE, 2, {2, 2}, "expected the shape [2, 3], found [2, 2]"},
        {"/audit/vit/lrp-epsilon/absolute_in", H5T_IEEE_F64LE, 2, {1, 3}, "expected the shape [2, 3], found [1, 3]"},
        {"/audit/vit/lrp-epsilon/complete", H5T_STD_U8LE, 1, {4, 0}, "expected the shape [3], found [4]"},
        {"/audit/vit/lrp-epsilon/rule", H5T_STD_U8LE, 1, {3, 0}, "/audit/vit/lrp-epsilon/rule: expected texts"},
        {"/spectrum/vit/lrp-epsilon/participation", H5T_IEEE_F64LE, 2, {2, 3}, "expected the shape [2, 5], found [2, 3]"},
        {"/spectrum/vit/lrp-epsilon/modes", H5T_IEEE_F64LE, 2, {2, 4}, "expected the shape [2, 5, 3], found [2, 4]"},
        {"/spectrum/vit/lrp-epsilon/images", H5T_STD_I64LE, 1, {3, 0}, "expected the shape [2], found [3]"},
        {"/spectrum/vit/lrp-epsilon/level", H5T_STD_U8LE, 1, {4, 0}, "/spectrum/vit/lrp-epsilon/level: expected texts"},
        {"/search/vit/neurons/rank", H5T_STD_I64LE, 1, {11, 0}, "/search/vit/neurons/rank: expected the shape [12], found [11]"},
        {"/search/vit/neurons/objective", H5T_IEEE_F64LE, 2, {12, 3}, "/search/vit/neurons/objective: expected the shape [12], found [12, 3]"},
        {"/search/vit/neurons/held_out", H5T_C_S1, 1, {12, 0}, "/search/vit/neurons/held_out: expected"},
        {"/search/vit/neurons/importance_total", H5T_IEEE_F64LE, 1, {12, 0}, "/search/vit/neurons/importance_total: expected the shape [3], found [12]"},
        {"/search/vit/neurons/choices", H5T_STD_I64LE, 1, {3, 0}, "/search/vit/neurons/choices: expected texts"},
    };
    for (size_t i = 0; i < COUNT(damages); i++) {
        assert_ok(results_write(path, r));
        const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        replace_dataset(file, &damages[i]);
        (void)H5Fclose(file);
        assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "wrong.h5", damages[i].expected, NULL);
    }
    (void)H5Tclose(fixed);
}

static void missing_parts_and_newer_schemas_are_named(void **state)
{
    (void)state;
    static char text[1 << 16];
    static const char *const parts[] = {"/curves", "/summary/model", "/models", "/provenance", "/audit/vit/lrp-epsilon/growth",
                                        "/spectrum/vit/lrp-epsilon/adjusted", "/search/vit/neurons/setting"};
    const char *path = scratch_path("part.h5");
    const results *r = sample(9);
    for (size_t i = 0; i < COUNT(parts); i++) {
        assert_ok(results_write(path, r));
        const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(H5Ldelete(file, parts[i], H5P_DEFAULT) >= 0);
        (void)H5Fclose(file);
        assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "part.h5", parts[i], NULL);
    }
    assert_ok(results_write(path, r));
    const hid_t without = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(without, "/audit", H5P_DEFAULT) >= 0);
    (void)H5Fclose(without);
    assert_ok(inspect_into(path, text, sizeof text)); /* a result of a program that did not audit */
    assert_null(strstr(text, "growth"));
    assert_ok(results_write(path, r));
    const hid_t older = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(older, "/spectrum", H5P_DEFAULT) >= 0);
    (void)H5Fclose(older);
    assert_ok(inspect_into(path, text, sizeof text));
    assert_null(strstr(text, "participation"));
    assert_ok(results_write(path, r));
    const hid_t unsearched = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(unsearched, "/search", H5P_DEFAULT) >= 0);
    (void)H5Fclose(unsearched);
    assert_ok(inspect_into(path, text, sizeof text));
    assert_null(strstr(text, "Search of"));
    assert_ok(results_write(path, r));
    const hid_t aimless = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Adelete_by_name(aimless, "/search/vit/neurons", "objective", H5P_DEFAULT) >= 0);
    (void)H5Fclose(aimless);
    assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "attribute 'objective' of /search/vit/neurons", NULL);
    assert_ok(results_write(path, r));
    const hid_t bare = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Adelete_by_name(bare, "/models/vit", "total_macs", H5P_DEFAULT) >= 0);
    (void)H5Fclose(bare);
    assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "attribute 'total_macs' of /models/vit", "copy it again", NULL);
    const int64_t newer = RESULTS_SCHEMA_VERSION + 1;
    assert_ok(results_write(path, r));
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), attr = H5Aopen(file, "schema_version", H5P_DEFAULT);
    assert_true(H5Awrite(attr, H5T_NATIVE_INT64, &newer) >= 0);
    (void)H5Aclose(attr);
    (void)H5Fclose(file);
    assert_fails(inspect_into(path, text, sizeof text), ST_DATA, "schema_version is 5", "reads 4", NULL);
}

/* ---- damage anywhere ---- */

static status read_well(void *context)
{
    return *(const int *)context == 0 ? STATUS_OK : FAIL(ST_CONFIG, "the reason is %d", *(const int *)context);
}

static status crash(void *context)
{
    (void)context;
    (void)raise(SIGKILL);
    return STATUS_OK;
}

static status leave(void *context)
{
    (void)context;
    _exit(0); /* without a verdict */
}

static status lose_reader(void *context)
{
    (void)context;
    (void)raise(SIGPIPE);
    return STATUS_OK;
}

static status never_end(void *context)
{
    for (volatile int *forever = context; *forever == 0;) {
    }
    return STATUS_OK;
}

static void guard_turns_crashes_into_refusals(void **state)
{
    (void)state;
    int zero = 0, seven = 7;
    assert_ok(guard_run("some.h5", 10, read_well, &zero));
    assert_fails(guard_run("some.h5", 10, read_well, &seven), ST_CONFIG, "the reason is 7", NULL);
    assert_fails(guard_run("some.h5", 10, crash, NULL), ST_DATA, "some.h5", "crashed", "damaged", NULL);
    assert_fails(guard_run("some.h5", 10, leave, NULL), ST_DATA, "some.h5", "crashed", NULL);
    assert_fails(guard_run("some.h5", 1, never_end, &zero), ST_DATA, "some.h5", "more than 1 s", NULL);
}

/* `pollard inspect result.h5 | head` ends like other programs. */
static void guard_passes_sigpipe_on(void **state)
{
    (void)state;
    int result = 0;
    const pid_t reader = fork();
    if (reader == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        _exit(guard_run("some.h5", 10, lose_reader, NULL).code);
    }
    assert_int_equal(waitpid(reader, &result, 0), reader);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGPIPE);
}

#ifdef __SANITIZE_ADDRESS__
static status overrun(void *context)
{
    volatile size_t behind = *(const size_t *)context;
    volatile unsigned char *block = malloc(behind); /* an arena rounds up */
    block[behind] = 1;
    return STATUS_OK;
}

static status overflow(void *context)
{
    volatile int much = INT_MAX;
    return much + *(const int *)context > 0 ? STATUS_OK : FAIL(ST_DATA, "added too much");
}
#endif

/* Under sanitizers: damage is HDF5's, a report that starts in our code is not. */
static void guard_shows_our_own_mistakes(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    size_t size = 64;
    int one = 1;
    assert_fails(guard_run("some.h5", 10, overrun, &size), ST_BUG, "some.h5", "sanitizer", NULL);
    assert_fails(guard_run("some.h5", 10, overflow, &one), ST_BUG, "some.h5", "sanitizer", NULL);
#else
    skip();
#endif
}

/* Inspects with stderr in a file: printed, or refused with a message that names the file. */
static void inspect_damaged(const char *path, const char *what, size_t at)
{
    static char report[1 << 14];
    arena *a = NULL;
    const char *log = scratch_path("stderr.txt");
    FILE *to = fopen("/dev/null", "w");
    const int keep = dup(STDERR_FILENO), fd = open(log, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(to != NULL && keep >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    assert_ok(arena_open("inspect", &a));
    const status st = results_inspect(a, path, to);
    arena_close(&a);
    (void)fclose(to);
    (void)dup2(keep, STDERR_FILENO);
    (void)close(keep);
    const ssize_t n = pread(fd, report, sizeof report - 1, 0);
    report[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    if (!status_ok(st) && (st.code != ST_DATA || strstr(status_message(), path) == NULL)) {
        fail_msg("%s at byte %zu: status %d: %s\n%s", what, at, (int)st.code, status_message(), report);
    }
    status_clear();
}

static void damage_never_crashes(void **state)
{
    (void)state;
    enum { FLIPS = 160, CUTS = 24 };
    const char *path = scratch_path("damaged.h5");
    assert_ok(results_write(path, sample(9)));
    const file_bytes good = bytes_of(path);
    unsigned char *copy = get(good.size, 1);
    for (size_t i = 0; i < FLIPS; i++) {
        const size_t at = i < 48 ? i : rng_u64(1, RNG_TEST, 5, (uint32_t)i) % good.size;
        memcpy(copy, good.data, good.size);
        copy[at] ^= (unsigned char)(1u + rng_u64(1, RNG_TEST, 6, (uint32_t)i) % 255);
        put_bytes(path, copy, good.size);
        inspect_damaged(path, "one changed", at);
    }
    for (size_t i = 0; i < CUTS; i++) {
        const size_t size = i < 8 ? i : good.size * i / CUTS;
        put_bytes(path, good.data, size);
        inspect_damaged(path, "cut", size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(inspect_tells_what_is_inside, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(inspect_prints_what_is_known_at_every_rate, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(inspect_prints_the_accuracies_of_the_study, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(the_seed_of_fuzzing_is_read, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(empty_study_is_a_file_too, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(texts_cannot_command_the_terminal, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(foreign_files_are_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(wrong_shapes_and_types_are_named, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(missing_parts_and_newer_schemas_are_named, open_memory, close_memory),
        cmocka_unit_test(guard_turns_crashes_into_refusals),
        cmocka_unit_test(guard_passes_sigpipe_on),
        cmocka_unit_test(guard_shows_our_own_mistakes),
        cmocka_unit_test_setup_teardown(damage_never_crashes, open_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
