/* Sample lists, and the listing that is made of them. */
#include "fuzz/fuzz.h"
#include "io/dataset.h"
#include "io/dataset_list.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    static const char *const files[] = {"val_1.JPEG", "val_2.JPEG", "val_3.JPEG", "val_4.png"}, *const classes[] = {
                                                                                                    "n01", "n02",
                                                                                                    "n03"};
    const image_names folder = {COUNT(files), files};
    char *listing = NULL;
    size_t length = 0;
    dataset *d = NULL;
    const status st = sample_list_parse(a, "fuzz", (file_bytes){data, size}, &folder,
                                        size % 2 == 0 ? 0 : COUNT(classes), classes, &listing, &length);
    fuzz_expect(st);
    if (status_ok(st)) {
        fuzz_expect(dataset_parse(a, "fuzz", listing, length, &d));
    }
}

static const char *const corpus[] = {"tests/fuzz/corpus/kaggle.csv", "tests/fuzz/corpus/paths.csv",
                                     "tests/fuzz/corpus/labels.txt", NULL};
const fuzz_target fuzz_sample_list = {"sample_list", run, corpus, 1 << 12};
