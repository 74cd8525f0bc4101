/* Study files. */
#include "fuzz/fuzz.h"
#include "io/config.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    config *c = NULL;
    fuzz_expect(config_parse(a, "fuzz.yaml", (file_bytes){data, size}, 0, NULL, &c));
}

static const char *const corpus[] = {"configs/digits.yaml", "configs/digits-composites.yaml", "configs/digits-criteria.yaml", "configs/digits-heatmaps.yaml", "tests/fuzz/corpus/aliases.yaml", NULL};
const fuzz_target fuzz_study = {"study", run, corpus, 1 << 13};
