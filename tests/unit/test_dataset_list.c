#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/dataset.h"
#include "io/dataset_list.h"

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

static const char *const files[] = {"val_1.JPEG", "val_2.JPEG", "val_3.JPEG", "val_4.png"};
static const image_names folder = {COUNT(files), files};
static const char *const wnids[] = {"n01", "n02", "n03"};

/* A copy of exactly this size, so that the sanitizer sees a read behind it. */
static status parse(const char *text, size_t n_classes, char **listing)
{
    size_t size = 0;
    char *copy = malloc(strlen(text) + 1);
    assert_non_null(copy);
    memcpy(copy, text, strlen(text));
    const status st = sample_list_parse(a, "list.txt", (file_bytes){(unsigned char *)copy, strlen(text)}, &folder,
                                        n_classes, wnids, listing, &size);
    free(copy);
    if (status_ok(st)) {
        dataset *d = NULL;
        assert_int_equal(size, strlen(*listing));
        assert_ok(dataset_parse(a, "root", *listing, size, &d));
    }
    return st;
}

static void every_form_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n_classes;
        const char *listing;
    } cases[] = {
        /* a label a line: the folder's images in order */
        {"n02\nn01\nn02\nn01\n", 0, "C n01\nP val_2.JPEG\nP val_4.png\nC n02\nP val_1.JPEG\nP val_3.JPEG\n"},
        {"2\r\n0\r\n1\r\n0", 3, "C n01\nP val_2.JPEG\nP val_4.png\nC n02\nP val_3.JPEG\nC n03\nP val_1.JPEG\n"},
        {"# comment\n\n1\n 0 \n1\n0\n", 0, "C 0\nP val_2.JPEG\nP val_4.png\nC 1\nP val_1.JPEG\nP val_3.JPEG\n"},
        /* paths and labels */
        {"b/x.jpg dog\na/y z.jpg   cat\n", 0, "C cat\nP a/y z.jpg\nC dog\nP b/x.jpg\n"},
        {"x.jpg, 1\ny.jpg, 0\n", 0, "C 0\nP y.jpg\nC 1\nP x.jpg\n"},
        {"x.jpg\t1\ny.jpg\t0\n", 0, "C 0\nP y.jpg\nC 1\nP x.jpg\n"},
        {"path,label\nx.jpg,n02\n/data/y.jpg,n01\n", 0, "C n01\nP /data/y.jpg\nC n02\nP x.jpg\n"},
        {"\xef\xbb\xbfpath,label\nx.jpg,n02\ny.jpg,n01\n", 0, "C n01\nP y.jpg\nC n02\nP x.jpg\n"}, /* as spreadsheets write it */
        {"\"a,b.jpg\",\"say \"\"x\"\"\",more\nc.jpg,0", 0, "C 0\nP c.jpg\nC say \"x\"\nP a,b.jpg\n"},
        /* Kaggle's */
        {"\xef\xbb\xbfImageId,PredictionString\nval_1,n01\nval_2,n02\n", 0, "C n01\nP val_1.JPEG\nC n02\nP val_2.JPEG\n"},
        {"ImageId,PredictionString\nval_2,n03 85 1 499 272 \nval_1,n01 1 2 3 4 n01 5 6 7 8 \nval_4,n02 0 0 1 1\n", 0,
         "C n01\nP val_1.JPEG\nC n02\nP val_4.png\nC n03\nP val_2.JPEG\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *listing = NULL;
        assert_ok(parse(cases[i].text, cases[i].n_classes, &listing));
        assert_string_equal(listing, cases[i].listing);
    }
    char text[200] = "", *listing = NULL; /* eleven classes: names of one width keep the order of the numbers */
    for (int i = 0; i < 11; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%d.png %d\n", i, i);
    }
    assert_ok(parse(text, 0, &listing));
    assert_non_null(strstr(listing, "C 02\nP 2.png\nC 03\n"));
    assert_non_null(strstr(listing, "C 09\nP 9.png\nC 10\nP 10.png\n"));
}

static void broken_lists_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n_classes;
        const char *expected;
    } cases[] = {
        {"", 0, "expected a label for each of the folder's 4 images, found 0"},
        {"# nothing\n", 0, "found 0"},
        {"n01\nn02\n", 0, "found 2"},
        {"n01\nn02\nn01\nn02\nn01\n", 0, "line 5: expected as many labels as the folder has images, 4, found more"},
        {"n01\nn02 x\nn01\nn02\n", 0, "line 2: expected one label"},
        {"x.jpg 0\ny.jpg\n", 0, "line 2: expected a path and a label"},
        {"x.jpg,0\ny.jpg,\n", 0, "line 2: expected a path and a label"},
        {"x.jpg 0\ny.jpg 0\nx.jpg 0\n", 0, "lines 1 and 3 have the same image 'x.jpg'"},
        {"x.jpg 0\ny.jpg 2\n", 0, "at least one image of class 1 ('1'), found none"},
        {"x.jpg 0\ny.jpg 9999999\n", 0, "at least one image of class 1 ('1'), found none"},
        {"x.jpg 0\ny.jpg 0\nz.jpg 2\n", 0, "at least one image of class 1 ('1'), found none"},
        {"x.jpg 0\ny.jpg 1\nz.jpg 3\n", 0, "at least one image of class 2 ('2'), found none"},
        {"x.jpg 0\ny.jpg 3\n", 3, "expected class numbers 0 to 2, found 3"},
        {"1\n2\n3\n3\n", 3, "found 1 to 3; the numbers of ImageNet's development kit"},
        {"ImageId,PredictionString\nval_9,n01 0 0 0 0\n", 0, "line 2: expected the folder to have an image 'val_9'"},
        {"ImageId,PredictionString\nval,n01 0 0 0 0\n", 0, "line 2: expected the folder to have an image 'val'"},
        {"x.jpg a/b\n", 0, "line 1: expected a label without /"},
        {"x.jpg ..\n", 0, "line 1: expected a label without /"},
        {"x.jpg \xff\n", 0, "line 1: expected UTF-8"},
        {"x\x1b.jpg 0\n", 0, "line 1: expected UTF-8 without control characters"},
        {"x.jpg 99999999999999999999999\ny.jpg 0\n", 0, NULL}, /* a name, since it is no class number */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *listing = NULL;
        const status st = parse(cases[i].text, cases[i].n_classes, &listing);
        if (cases[i].expected == NULL) {
            assert_ok(st);
        } else {
            assert_fails(st, ST_DATA, "list.txt: ", cases[i].expected, NULL);
        }
    }
    assert_true(arena_bytes(a) < 100000); /* also of the largest class number, memory is that of the list */
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Through files: a flat folder, class folders whose names numbers get, and what is missing. */
static void a_flat_folder_is_read(void **state)
{
    (void)state;
    char root[4200], path[4500], *text = NULL;
    size_t size = 0;
    dataset *d = NULL;
    const dataset other = {.n_classes = 3, .class_name = wnids};
    (void)snprintf(root, sizeof root, "%s/flat", scratch_folder());
    assert_int_equal(mkdir(root, 0700), 0);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", root, files[i]);
        write_file(path, "");
    }
    (void)snprintf(path, sizeof path, "%s/labels.txt", root);
    write_file(path, "2\n1\n0\n0\n");
    assert_ok(dataset_list_samples(a, root, path, &other, &text, &size));
    assert_ok(dataset_parse(a, root, text, size, &d));
    assert_int_equal(d->n_classes, 3);
    assert_string_equal(d->class_name[2], "n03");
    assert_string_equal(d->path[d->class_first[2]], "val_1.JPEG");
    assert_int_equal(d->label[3], 2);
    /* The archive that the images came in still lies beside them. */
    (void)snprintf(path, sizeof path, "%s/val.tar", root);
    write_file(path, "");
    (void)snprintf(path, sizeof path, "%s/labels.txt", root);
    assert_ok(dataset_list_any(a, root, path, &other, &text, &size));
    assert_ok(dataset_parse(a, root, text, size, &d));
    assert_int_equal(d->n_samples, COUNT(files));
    (void)snprintf(path, sizeof path, "%s/nothing.txt", root);
    assert_fails(dataset_list_samples(a, root, path, NULL, &text, &size), ST_NO_INPUT, "nothing.txt", NULL);
}

/* Folders of classes come before a tar that lies beside them. */
static void class_folders_come_before_tars(void **state)
{
    (void)state;
    char root[4200], path[4500], *text = NULL;
    size_t size = 0;
    dataset *d = NULL;
    (void)snprintf(root, sizeof root, "%s/tree", scratch_folder());
    assert_int_equal(mkdir(root, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/cat", root);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/cat/a.png", root);
    write_file(path, "");
    (void)snprintf(path, sizeof path, "%s/all.tar", root);
    write_file(path, "");
    assert_ok(dataset_list_any(a, root, NULL, NULL, &text, &size));
    assert_ok(dataset_parse(a, root, text, size, &d));
    assert_true(d->n_samples == 1 && d->n_classes == 1);
    assert_string_equal(d->path[0], "cat/a.png");
}

static void numbers_out_of_order_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *listing, *found;
    } cases[] = {
        {"C 0\nF a.png\nC 1\nF a.png\nC 10\nF a.png\nC 2\nF a.png\n", "10"},
        {"C 00\nF a.png\nC 01\nF a.png\nC 10\nF a.png\n", NULL},
        {"C 0\nF a.png\nC 1\nF a.png\nC 2\nF a.png\n", NULL},
        {"C 1\nF a.png\nC 10\nF a.png\nC 2x\nF a.png\n", NULL},
        {"C n1\nF a.png\nC n10\nF a.png\nC n2\nF a.png\n", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        dataset *d = NULL;
        assert_ok(dataset_parse(a, "root", cases[i].listing, strlen(cases[i].listing), &d));
        const char *found = dataset_misplaced_number(d);
        assert_true(found == NULL ? cases[i].found == NULL
                                  : cases[i].found != NULL && strcmp(found, cases[i].found) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(a_flat_folder_is_read),
        cmocka_unit_test(class_folders_come_before_tars),
        cmocka_unit_test(numbers_out_of_order_are_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
