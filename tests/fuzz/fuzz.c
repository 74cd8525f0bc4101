#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ(name) extern const fuzz_target fuzz_##name;
#include "fuzz/fuzz.def"
#undef FUZZ

#define FUZZ(name) &fuzz_##name,
const fuzz_target *const fuzz_table[] = {
#include "fuzz/fuzz.def"
};
#undef FUZZ
const size_t fuzz_count = COUNT(fuzz_table);

const fuzz_target *fuzz_find(const char *name)
{
    for (size_t i = 0; i < fuzz_count; i++) {
        if (strcmp(fuzz_table[i]->name, name) == 0) {
            return fuzz_table[i];
        }
    }
    return NULL;
}

static void stop(const char *why)
{
    (void)fprintf(stderr, "fuzz: %s: %s\n", why, status_message());
    abort();
}

void fuzz_expect(status st)
{
    if (!status_ok(st) && st.code != ST_DATA && st.code != ST_CONFIG && st.code != ST_NO_INPUT) {
        stop("a reader answers with another code than one for bad input");
    }
    if (!status_ok(st) && status_message()[0] == '\0') {
        stop("a refusal without a message");
    }
    status_clear();
}

/* The input lies in a block of exactly its size, so that AddressSanitizer sees a read behind it. */
void fuzz_one(const fuzz_target *t, const uint8_t *data, size_t size)
{
    arena *a = NULL;
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL || !status_ok(arena_open("fuzz", &a))) {
        stop("no memory");
    }
    memcpy(copy, data, size);
    t->run(a, copy, size);
    arena_close(&a);
    free(copy);
}
