/* model.json and what is made of its facts. */
#include "fuzz/fuzz.h"
#include "io/checkpoint.h"
#include "io/image.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    size_t n = 0;
    fact *facts = NULL;
    tensors t = {.source = "fuzz"};
    preprocess p;
    status st = model_json_parse(a, "model.json", (file_bytes){data, size}, &n, &facts);
    fuzz_expect(st);
    if (!status_ok(st)) {
        return;
    }
    st = facts_merge(a, 0, NULL, n, facts, &t);
    fuzz_expect(st);
    if (!status_ok(st)) {
        return;
    }
    st = preprocess_from_facts(&t, 224, 224, &p);
    fuzz_expect(st);
    if (status_ok(st) && preprocess_text(a, &p) == NULL) {
        fuzz_expect((status){ST_ENVIRONMENT});
    }
}

static const char *const corpus[] = {"examples/digits/models/digits_vit/model.json",
                                     "examples/digits/models/digits_resnet/model.json", "tests/fuzz/corpus/timm.json",
                                     NULL};
const fuzz_target fuzz_model_json = {"model_json", run, corpus, 1 << 14};
