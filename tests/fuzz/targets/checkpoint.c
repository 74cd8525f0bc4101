/* Every format of checkpoints, and the network that is built from what they say. */
#include "io/checkpoint.h"
#include "fuzz/fuzz.h"
#include "nn/arch.h"

static void run(arena *a, const uint8_t *data, size_t size)
{
    tensors *t = NULL;
    const graph *g = NULL;
    volatile float sink = 0.0f; /* every number is read */
    const status st = checkpoint_parse(a, "fuzz", (file_bytes){data, size}, &t);
    fuzz_expect(st);
    if (!status_ok(st)) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t n = t->list[i].type == TENSOR_F32;
        for (size_t d = 0; d < t->list[i].rank; d++) {
            n *= t->list[i].dim[d];
        }
        for (size_t k = 0; k < n; k++) {
            sink = t->list[i].data[k];
        }
    }
    (void)sink;
    const status merged = facts_merge(a, 0, NULL, 0, NULL, t);
    fuzz_expect(merged);
    if (status_ok(merged)) {
        fuzz_expect(graph_build(a, t, &g));
    }
}

static const char *const corpus[] = {"tests/unit/checkpoints/zip.pt",
                                     "tests/unit/checkpoints/zip_wrapped.pt",
                                     "tests/unit/checkpoints/legacy.pt",
                                     "tests/unit/checkpoints/legacy_wrapped.pt",
                                     "tests/unit/checkpoints/averaged.pt",
                                     "tests/unit/checkpoints/whole_model.pt",
                                     "tests/fuzz/corpus/small.safetensors",
                                     "tests/fuzz/corpus/vgg.safetensors",
                                     "tests/fuzz/corpus/resnet_cifar.safetensors",
                                     "tests/fuzz/corpus/vit.safetensors",
                                     NULL};
const fuzz_target fuzz_checkpoint = {"checkpoint", run, corpus, 1 << 16};
