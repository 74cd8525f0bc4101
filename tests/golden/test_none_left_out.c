/* Every data set of the golden files is read by a test. The tests note what they read (support/golden.h) while CTest runs them, in files of the
 * folder POLLARD_GOLDEN_NOTES; this one runs behind them. Of the full set where it is there, else of tests/golden. */
#include "support/golden.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const files[] = {
    "vgg_bn_tiny.h5", "vgg_tiny.h5",   "resnet_basic_tiny.h5", "resnet_bottleneck_tiny.h5",
    "vit_tiny.h5",    "unit_rules.h5", "preproc_rng.h5"};

/* What is not ours to reproduce. */
static const struct {
    const char *file, *data_sets, *why;
} left_out[] = {
    {"unit_rules.h5", "lxt/*",
     "another library's formulas, with a stabiliser without sign; stored for comparison with it"},
};
enum { LEFT_OUT = sizeof left_out / sizeof left_out[0], SHOWN = 20 };

/* Lines of all notes, sorted. */
typedef struct notes {
    size_t n, most;
    char **line;
} notes;

static void add_line(notes *n, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (n->n == n->most) {
        n->most = 2 * n->most + 1024;
        n->line = realloc(n->line, n->most * sizeof *n->line);
        assert_non_null(n->line);
    }
    n->line[n->n] = strdup(line);
    assert_non_null(n->line[n->n++]);
}

static void add_file(notes *n, const char *folder, const char *name)
{
    char path[4096], line[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = name[0] == '.' ? NULL : fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        add_line(n, line);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_notes(const char *folder, notes *n)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e != NULL;
         e = readdir(d)) { /* NOLINT(concurrency-mt-unsafe): one thread */
        add_file(n, folder, e->d_name);
    }
    (void)closedir(d);
    assert_true(n->n > 0);
    qsort(n->line, n->n, sizeof *n->line, by_text);
}

static bool was_read(const notes *n, const char *file, const char *data_set)
{
    char line[1024], *key = line;
    (void)snprintf(line, sizeof line, "%s %s", file, data_set);
    return bsearch(&key, n->line, n->n, sizeof *n->line, by_text) != NULL;
}

static bool is_left_out(const char *file, const char *data_set, size_t seen[LEFT_OUT])
{
    for (size_t i = 0; i < LEFT_OUT; i++) {
        if (strcmp(file, left_out[i].file) == 0 && fnmatch(left_out[i].data_sets, data_set, 0) == 0) {
            seen[i]++;
            return true;
        }
    }
    return false;
}

/* Returns how many data sets the file has; *missed counts those that no test has read. */
static size_t check_file(const notes *n, const char *name, size_t seen[LEFT_OUT], size_t *missed)
{
    const char *const *paths;
    golden *g = golden_open_full(name);
    g = g == NULL ? golden_open(name) : g;
    const size_t count = golden_data_sets(g, &paths);
    for (size_t i = 0; i < count; i++) {
        if (!is_left_out(name, paths[i], seen) && !was_read(n, name, paths[i])) {
            if ((*missed)++ < SHOWN) {
                print_error("%s: no test reads %s\n", name, paths[i]);
            }
        }
    }
    golden_close(&g);
    return count;
}

static void every_data_set_is_read(void **state)
{
    (void)state;
    const char *folder = getenv("POLLARD_GOLDEN_NOTES");
    notes n = {0};
    size_t seen[LEFT_OUT] = {0}, missed = 0, all = 0;
    if (folder == NULL) {
        print_message("POLLARD_GOLDEN_NOTES names no folder: run this by ctest\n");
        skip();
    }
    read_notes(folder, &n);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        all += check_file(&n, files[i], seen, &missed);
    }
    for (size_t i = 0; i < LEFT_OUT; i++) {
        print_message("%s %s: %zu data sets left out, %s\n", left_out[i].file, left_out[i].data_sets, seen[i],
                      left_out[i].why);
        assert_true(seen[i] > 0);
    }
    print_message("%zu data sets, %zu not read\n", all, missed);
    assert_int_equal(missed, 0);
    for (size_t i = 0; i < n.n; i++) {
        free(n.line[i]);
    }
    free(n.line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_data_set_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
