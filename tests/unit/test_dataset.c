#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/dataset.h"

static arena *a;

static int set_up(void **state)
{
    (void)state;
    return status_ok(arena_open("test", &a)) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(&a);
    return 0;
}

/* A path within this test's own folder of the scratch folder; parents are made. */
static const char *make_parents(const char *relative)
{
    static char path[5000];
    (void)snprintf(path, sizeof path, "%s/%s", scratch_folder(), relative);
    for (char *slash = path + strlen(scratch_folder()) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0777);
        *slash = '/';
    }
    return path;
}

static void make_file(const char *relative)
{
    FILE *f = fopen(make_parents(relative), "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void make_folder(const char *relative)
{
    assert_int_equal(mkdir(make_parents(relative), 0777), 0);
}

static const char *root(const char *name)
{
    return arena_text(a, "%s/%s", scratch_folder(), name);
}

static void folders_are_listed_in_bytewise_order(void **state)
{
    (void)state;
    static const char *const files[] = {
        "good/b/2.png",       "good/b/10.JPG",           "good/b/Z.jpeg",       "good/a/x.JPEG",   "good/B/only.png",
        "good/a/.hidden.png", "good/a/notes.txt",        "good/a/png",          "good/README.png", "good/.cache/x.png",
        "good/a/deep/y.png",  "good/a/folder.png/z.png", "good/b/\xc3\xa4.png", "good/b/\xff.png"};
    static const char *const paths[] = {"B/only.png", "a/link.png",     "a/x.JPEG",   "b/10.JPG",  "b/2.png",
                                        "b/Z.jpeg",   "b/\xc3\xa4.png", "b/\xff.png", "c/only.png"};
    static const uint32_t labels[] = {0, 1, 1, 2, 2, 2, 2, 2, 3};
    static const size_t first[] = {0, 1, 3, 8, 9};
    dataset *d = NULL;
    for (size_t i = 0; i < COUNT(files); i++) {
        make_file(files[i]);
    }
    assert_int_equal(symlink("x.JPEG", make_parents("good/a/link.png")), 0);
    assert_int_equal(symlink("B", make_parents("good/c")), 0);
    assert_int_equal(symlink("nowhere", make_parents("good/dangling")), 0);
    assert_ok(dataset_open(a, root("good"), &d));
    assert_int_equal(d->n_classes, 4);
    assert_string_equal(d->class_name[0], "B");
    assert_string_equal(d->class_name[2], "b");
    assert_int_equal(d->n_samples, COUNT(paths));
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_string_equal(d->path[i], paths[i]);
        assert_int_equal(d->label[i], labels[i]);
    }
    assert_memory_equal(d->class_first, first, sizeof first);
    assert_string_equal(d->root, root("good"));
}

static void folders_without_data_are_named(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    assert_fails(dataset_list(a, root("absent"), &text, &size), ST_NO_INPUT, "/absent", "No such file", NULL);
    make_file("plain");
    assert_fails(dataset_list(a, root("plain"), &text, &size), ST_NO_INPUT, "/plain", "Not a directory", NULL);
    make_folder("bare");
    assert_fails(dataset_list(a, root("bare"), &text, &size), ST_DATA, "/bare", "folder per class", NULL);
    make_file("hollow/a/1.png");
    make_file("hollow/b/readme.txt");
    assert_fails(dataset_list(a, root("hollow"), &text, &size), ST_DATA, "/hollow/b", "empty", "add images or remove",
                 NULL);
    make_folder("link");
    make_file("link/a/1.png");
    assert_int_equal(symlink("gone.png", make_parents("link/a/2.png")), 0);
    assert_fails(dataset_list(a, root("link"), &text, &size), ST_NO_INPUT, "/link/a/2.png", NULL);
    assert_null(text);
}

static void names_that_would_break_a_listing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"newline/a/1\nF 2.png", "newclass/a\nb/1.png",     "escape/a/\x1b[2J.png",
                                      "latin/caf\xe9/1.png",  "overlong/\xc0\xaf/1.png", "surrogate/\xed\xa0\x80/1.png",
                                      "cut/\xe2\x82/1.png",   "stray/\x80/1.png",        "middle/\xe9t\xe9 2024/1.png"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char name[20] = "";
        char *text = NULL;
        size_t size = 0;
        memcpy(name, bad[i], strcspn(bad[i], "/"));
        make_file(bad[i]);
        assert_fails(dataset_list(a, root(name), &text, &size), ST_DATA, name, "rename", NULL);
    }
    dataset *d = NULL;
    make_file("fine/caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f/it's 1.png");
    assert_ok(dataset_open(a, root("fine"), &d));
    assert_string_equal(d->path[0], "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f/it's 1.png");
}

static void a_listing_is_not_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } bad[] = {
        {"", "empty or cut off"},
        {"C a\nF 1.png", "empty or cut off"},
        {"F 1.png\n", "line 1"},
        {"C a\n", "without images"},
        {"C a\nF 1.png\nC b\n", "line 3"},
        {"C a\nC b\nF 1.png\n", "line 2"},
        {"C a\nF 1.png\nC a\nF 1.png\n", "line 3 of the listing of images is out of order"},
        {"C b\nF 1.png\nC a\nF 1.png\n", "line 3 of the listing of images is out of order"},
        {"C a\nF 2.png\nF 10.png\n", "line 3 of the listing of images is out of order"},
        {"C a\nF 1.png\nF 1.png\n", "line 3 of the listing of images is out of order"},
        {"C a\nF 1.txt\n", "line 2"},
        {"C a\nF ../../secret.png\n", "line 2"},
        {"C ..\nF 1.png\n", "line 1"},
        {"C a/b\nF 1.png\n", "line 1"},
        {"C \nF 1.png\n", "line 1"},
        {"C\nF 1.png\n", "line 1"},
        {"\n", "line 1"},
        {"X a\n", "line 1"},
        {"C a\nF 1.png\n\n", "line 3"},
        {"C \xff\nF 1.png\n", "UTF-8"},
        {"C a\nF 1\t2.png\n", "control character"},
    };
    dataset *d = NULL;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_fails(dataset_parse(a, "images", bad[i].text, strlen(bad[i].text), &d), ST_DATA, "images",
                     bad[i].expected, NULL);
    }
    assert_fails(dataset_parse(a, "images", "C a\nF 1.png\0x\n", 14, &d), ST_DATA, "cut off", NULL);
    assert_null(d);
    /* Every cut of a good listing but those at a line's end after an image. */
    const char good[] = "C a\nF 1.png\nF 2.png\nC b\nF 1.png\n";
    size_t accepted = 0;
    for (size_t size = 0; size < sizeof good; size++) {
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, good, size);
        const status st = dataset_parse(a, "images", copy, size, &d);
        free(copy);
        if (status_ok(st)) {
            accepted++;
            assert_string_equal(d->path[0], "a/1.png"); /* nothing borrowed from the text */
        } else {
            assert_fails(st, ST_DATA, "images", NULL);
        }
    }
    assert_int_equal(accepted, 3);
}

static void the_digits_are_listed(void **state)
{
    (void)state;
    const char *folder = shared_path("data/digits/val");
    dataset *d = NULL;
    if (folder == NULL) {
        print_message("the digits are not beside the repository\n");
        skip();
    }
    assert_ok(dataset_open(a, folder, &d));
    assert_int_equal(d->n_classes, 10);
    assert_int_equal(d->n_samples, 719);
    assert_int_equal(d->class_first[9], 647); /* 719 less the 72 nines */
    assert_string_equal(d->class_name[9], "9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_listed_in_bytewise_order),
        cmocka_unit_test(folders_without_data_are_named),
        cmocka_unit_test(names_that_would_break_a_listing_are_refused),
        cmocka_unit_test(a_listing_is_not_trusted),
        cmocka_unit_test(the_digits_are_listed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
