/* Listings of image folders, as ranks hand them on. */
#include "fuzz/fuzz.h"
#include "io/dataset.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    dataset *d = NULL;
    fuzz_expect(dataset_parse(a, "fuzz", (const char *)data, size, &d));
}

static const char *const corpus[] = {"tests/fuzz/corpus/folder.listing", "tests/fuzz/corpus/tars.listing", "tests/fuzz/corpus/pack.listing", NULL};
const fuzz_target fuzz_listing = {"listing", run, corpus, 1 << 12};
