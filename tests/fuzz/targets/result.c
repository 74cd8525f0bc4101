/* Result files, as `pollard inspect` and `pollard export` read them: from a file and in a process of its own, in which HDF5 may crash, but we may not. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "io/results.h"
#include "io/results_read.h"

static char path[] = "/tmp/pollard-fuzz-XXXXXX";

static void remove_file(void)
{
    (void)unlink(path);
}

static FILE *open_file(void)
{
    static bool made;
    if (!made) {
        const int fd = mkstemp(path);
        if (fd < 0 || close(fd) != 0 || atexit(remove_file) != 0) {
            return NULL;
        }
        made = true;
    }
    return fopen(path, "wb");
}

static void run(arena *a, const uint8_t *data, size_t size)
{
    FILE *to = open_file(), *printed = fopen("/dev/null", "w");
    if (to == NULL || printed == NULL || fwrite(data, 1, size, to) != size || fclose(to) != 0) {
        (void)fprintf(stderr, "fuzz: %s cannot be written\n", path);
        abort();
    }
    fuzz_expect(results_inspect(a, path, printed));
    (void)fclose(printed);
    results_cells cells;
    const status st = results_read_cells(a, path, &cells);
    fuzz_expect(st);
    if (status_ok(st)) {
        results_mask mask;
        fuzz_expect(results_read_mask(a, path, &cells, cells.n - 1, cells.n_rates - 1, &mask));
    }
}

static const char *const corpus[] = {"tests/fuzz/corpus/result.h5", NULL};
const fuzz_target fuzz_result = {"result", run, corpus, 1 << 17};
