/* Tar archives as a data set: members, names, labels. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "io/tar_samples.h"

typedef struct bytes {
    const uint8_t *data;
    size_t size;
} bytes;

static status read_bytes(void *context, uint64_t offset, size_t n, void *data)
{
    const bytes *b = context;
    if (n > b->size || offset > b->size - n) {
        return FAIL(ST_BUG, "read outside of the archive");
    }
    memcpy(data, b->data + offset, n);
    return STATUS_OK;
}

static void run(arena *a, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"fuzz.tar"};
    bytes b = {data, size};
    const tar_source source = {names[0], size, read_bytes, &b};
    tar_collector *c;
    tar_samples s;
    status st = tar_collect_open(a, names, &c);
    if (status_ok(st)) {
        st = tar_collect(c, 0, &source);
    }
    if (status_ok(st)) {
        st = tar_collect_end(c, names[0], &s);
    }
    fuzz_expect(st);
    for (size_t i = 0; status_ok(st) && i < s.n; i++) {
        const dataset_place *p = &s.list[i].place;
        fuzz_expect(p->size > size || p->offset > size - p->size || s.list[i].path[0] == '\0' || s.list[i].label[0] == '\0'
                        ? FAIL(ST_BUG, "a sample outside of the archive")
                        : STATUS_OK);
    }
}

static const char *const corpus[] = {"tests/fuzz/corpus/folders.tar", "tests/fuzz/corpus/labels.tar", NULL};
const fuzz_target fuzz_tar = {"tar", run, corpus, 1 << 16};
