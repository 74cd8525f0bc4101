/* Without libFuzzer: `replay SOURCES SECONDS [TARGET]` runs every file of each target's corpus, then changes of it (bits, bytes, lengths, cuts,
 * repeats, splices) that follow from a counter, for SECONDS in all. A crash is told with the target and the counter, which give it again:
 * the third argument may be TARGET:COUNTER. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/rng.h"
#include "fuzz/fuzz.h"
#include "io/files.h"

enum { MOST_FILES = 64, MOST_BYTES = 1 << 20 };

typedef struct corpus {
    size_t n;
    file_bytes file[MOST_FILES];
} corpus;

static char place[200]; /* for the message of a crash; written whole before each input */

static void read_corpus(arena *a, const char *sources, const fuzz_target *t, corpus *c)
{
    for (const char *const *name = t->corpus; *name != NULL && c->n < MOST_FILES; name++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", sources, *name);
        if (!status_ok(file_read(a, path, t->most_bytes, &c->file[c->n]))) {
            (void)fprintf(stderr, "%s\n", status_message());
            exit(1);
        }
        c->n++;
    }
}

static uint64_t draw(uint64_t counter, uint32_t *index)
{
    return rng_u64(counter, RNG_TEST, 9, (*index)++);
}

/* One change in place or of the length; returns the new size. */
static size_t change(uint64_t counter, uint32_t *index, uint8_t *data, size_t size, const file_bytes *other)
{
    static const uint64_t lengths[] = {0,      1,          0x7f,       0x80,       0xff,      0x7fff,
                                       0xffff, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
    const uint64_t what = draw(counter, index), where = draw(counter, index), with = draw(counter, index);
    const size_t at = size == 0 ? 0 : where % size, left = size - at;
    size_t n;
    switch (size == 0 ? 6 : what % 7) {
    case 0:
        data[at] ^= (uint8_t)(1u << with % 8);
        return size;
    case 1:
        data[at] = (uint8_t)with;
        return size;
    case 2:
        n = (size_t)1 << with % 4;
        memcpy(data + at, &lengths[(with >> 8) % COUNT(lengths)], n < left ? n : left);
        return size;
    case 3:
        return at;
    case 4: /* a piece again */
        n = with % 64 < left ? with % 64 : left;
        n = size + n <= MOST_BYTES ? n : 0;
        memmove(data + at + n, data + at, left);
        return size + n;
    case 5: /* a piece less */
        n = with % 64 < left ? with % 64 : left;
        memmove(data + at, data + at + n, left - n);
        return size - n;
    default: /* the end of another */
        n = other->size == 0 ? 0 : with % other->size;
        n = at + n <= MOST_BYTES ? n : 0;
        memcpy(data + at, other->data + other->size - n, n);
        return at + n;
    }
}

static void run_changed(const fuzz_target *t, const corpus *c, uint64_t counter)
{
    static uint8_t data[MOST_BYTES];
    uint32_t index = 0;
    const file_bytes *from = &c->file[draw(counter, &index) % c->n], *other = &c->file[draw(counter, &index) % c->n];
    const size_t changes = 1 + draw(counter, &index) % 6;
    size_t size = from->size;
    memcpy(data, from->data, size);
    for (size_t i = 0; i < changes; i++) {
        size = change(counter, &index, data, size, other);
    }
    (void)snprintf(place, sizeof place, "%s:%llu", t->name, (unsigned long long)counter);
    if (size <= t->most_bytes) {
        fuzz_one(t, data, size);
    }
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say_place(void)
{
    if (place[0] != '\0') {
        (void)fprintf(stderr, "the input was %s\n", place);
    }
}

static void run_target(arena *a, const char *sources, const fuzz_target *t, double seconds, const char *only)
{
    corpus c = {0};
    uint64_t counter = 0;
    read_corpus(a, sources, t, &c);
    if (only != NULL) {
        run_changed(t, &c, strtoull(only, NULL, 10));
        return;
    }
    for (size_t i = 0; i < c.n; i++) {
        (void)snprintf(place, sizeof place, "%s, file %s", t->name, t->corpus[i]);
        fuzz_one(t, c.file[i].data, c.file[i].size);
    }
    for (const double end = now() + seconds; now() < end; counter++) {
        run_changed(t, &c, counter);
    }
    (void)printf("%s: %zu files, %llu changes of them\n", t->name, c.n, (unsigned long long)counter);
}

int main(int argc, char **argv)
{
    arena *a = NULL;
    const char *colon = argc > 3 ? strchr(argv[3], ':') : NULL;
    const size_t length = argc > 3 ? (colon != NULL ? (size_t)(colon - argv[3]) : strlen(argv[3])) : 0;
    if (argc < 3 || !status_ok(arena_open("corpus", &a))) {
        (void)fprintf(stderr, "usage: replay SOURCES SECONDS [TARGET[:COUNTER]]\n");
        return 2;
    }
    size_t ran = 0;
    (void)atexit(say_place); /* also where a sanitizer ends the program */
    for (size_t i = 0; i < fuzz_count; i++) {
        const fuzz_target *t = fuzz_table[i];
        if (argc <= 3 || (strncmp(t->name, argv[3], length) == 0 && t->name[length] == '\0')) {
            run_target(a, argv[1], t, strtod(argv[2], NULL) / (argc > 3 ? 1.0 : (double)fuzz_count),
                       colon == NULL ? NULL : colon + 1);
            ran++;
        }
    }
    arena_close(&a);
    place[0] = '\0';
    return ran > 0 ? 0 : 2;
}
