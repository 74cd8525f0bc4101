#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H
/* The family of fuzz targets: one reader each in tests/fuzz/targets/, listed in tests/fuzz/fuzz.def. A target hands any bytes to its reader
 * and, where they are taken, reads all that came out; memory goes into `a`. One program holds them all: with libFuzzer's main
 * (tests/fuzz/libfuzzer.c) where clang is there, or with one that replays the corpus and changes it at random (tests/fuzz/replay.c). */
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

typedef struct fuzz_target {
    const char *name;
    void (*run)(arena *a, const uint8_t *data, size_t size);
    const char *const *corpus; /* files below the sources that it starts from; NULL-terminated */
    size_t most_bytes;         /* of an input; larger corpus files are cut by nobody and passed over */
} fuzz_target;

extern const fuzz_target *const fuzz_table[];
extern const size_t fuzz_count;

const fuzz_target *fuzz_find(const char *name); /* NULL: none */
/* Runs one input; a status other than OK and those that files can cause ends the program. */
void fuzz_one(const fuzz_target *t, const uint8_t *data, size_t size);
/* Input errors are what a reader may answer. */
void fuzz_expect(status st);

#endif
