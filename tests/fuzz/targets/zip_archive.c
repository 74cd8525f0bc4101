/* The directory of a zip archive, and the bytes of every entry. */
#include "io/zip_archive.h"
#include "fuzz/fuzz.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    zip_archive z;
    volatile unsigned char sink = 0; /* every byte is read */
    const status st = zip_open(a, "fuzz", (file_bytes){data, size}, &z);
    fuzz_expect(st);
    for (size_t i = 0; status_ok(st) && i < z.n; i++) {
        file_bytes bytes = {0};
        const status one = zip_entry_bytes(&z, &z.entry[i], &bytes);
        fuzz_expect(one);
        for (size_t k = 0; status_ok(one) && k < bytes.size; k++) {
            sink = bytes.data[k];
        }
        for (size_t k = 0; k < z.entry[i].name_size; k++) {
            sink = (unsigned char)z.entry[i].name[k];
        }
    }
    (void)sink;
    if (status_ok(st)) {
        (void)zip_find(&z, "archive/data.pkl");
    }
}

static const char *const corpus[] = {"tests/unit/checkpoints/zip.pt", "tests/unit/checkpoints/zip_wrapped.pt", NULL};
const fuzz_target fuzz_zip_archive = {"zip_archive", run, corpus, 1 << 14};
