/* A shard of a pack behind a good index: any bytes with a trailer whose sums are made right, so that what is behind them is reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "io/dataset_read.h"
#include "io/pack_parts.h"

static char folder[] = "/tmp/pollard-fuzz-XXXXXX";
static char path[sizeof folder + 16];
static const char index_text[] = "D 0 0 0000000000000000000000000000000000000000000000000000000000000000 -\nK 3 shard.h5\nC a\nP 1\nP 2\nC b\nP 3\n";

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static FILE *open_file(void)
{
    if (path[0] == '\0') {
        if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0) {
            return NULL;
        }
        (void)snprintf(path, sizeof path, "%s/shard.h5", folder);
    }
    return fopen(path, "wb");
}

static void run(arena *a, const uint8_t *data, size_t size)
{
    pack_trailer t;
    dataset *d = NULL;
    FILE *to = open_file();
    if (size < sizeof t) {
        memset(&t, 0, sizeof t);
        size = sizeof t;
    } else {
        memcpy(&t, data + size - sizeof t, sizeof t);
    }
    memcpy(t.magic, pack_magic, sizeof t.magic);
    memset(t.identity, 0, sizeof t.identity);
    t.before = size - sizeof t;
    t.first = 0;
    t.images = 3;
    t.own = pack_trailer_sum(&t, t.identity);
    if (to == NULL || fwrite(data, 1, size - sizeof t, to) != size - sizeof t || fwrite(&t, sizeof t, 1, to) != 1 || fclose(to) != 0) {
        (void)fprintf(stderr, "fuzz: %s cannot be written\n", path);
        abort();
    }
    status st = dataset_parse(a, folder, index_text, sizeof index_text - 1, &d);
    for (size_t i = 0; status_ok(st) && i < d->n_samples; i++) {
        dataset_image x;
        unsigned char start[64];
        size_t n;
        uint64_t bytes;
        fuzz_expect(dataset_peek(a, d, i, sizeof start, start, &n, &bytes));
        fuzz_expect(dataset_read(a, d, i, &x));
    }
    fuzz_expect(st);
}

static const char *const corpus[] = {"tests/fuzz/corpus/shard.h5", NULL};
const fuzz_target fuzz_pack = {"pack", run, corpus, 1 << 16};
