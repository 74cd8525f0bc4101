/* libFuzzer's entry: the environment variable FUZZ_TARGET says which reader. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *name = getenv("FUZZ_TARGET");
    target = name == NULL ? NULL : fuzz_find(name);
    if (target == NULL) {
        (void)fprintf(stderr, "set FUZZ_TARGET to one of:");
        for (size_t i = 0; i < fuzz_count; i++) {
            (void)fprintf(stderr, " %s", fuzz_table[i]->name);
        }
        (void)fputc('\n', stderr);
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= target->most_bytes) {
        fuzz_one(target, data, size);
    }
    return 0;
}
