/* predict CHECKPOINT IMAGES LOGITS: runs a network of our own engine on prepared images [n, input] of float32, and writes logits [n, classes].
 * For tests that compare it with another program. */
#include <stdio.h>
#include <string.h>

#include "io/checkpoint.h"
#include "nn/arch.h"
#include "nn/forward.h"

enum { BATCH = 16 };

static status run(arena *a, char *const argv[])
{
    file_bytes checkpoint, images;
    tensors *t = NULL;
    const graph *g = NULL;
    forward *f = NULL;
    float *batch, *logits;
    const backend_def *backend = backend_default();
    TRY(file_read(a, argv[1], SIZE_MAX, &checkpoint));
    TRY(file_read(a, argv[2], SIZE_MAX, &images));
    TRY(checkpoint_parse(a, argv[1], checkpoint, &t));
    TRY(facts_merge(a, 0, NULL, 0, NULL, t));
    TRY(graph_build(a, t, &g));
    TRY(backend->start());
    TRY(forward_build(a, g, backend, BATCH, KEEP_LOGITS, &f));
    const size_t each = shape_count(g->input) * sizeof(float), n = images.size / each;
    TRY_ALLOC(batch, a, BATCH * shape_count(g->input));
    TRY_ALLOC(logits, a, (n + BATCH) * g->n_classes);
    for (size_t i = 0; i < n; i += BATCH) {
        memcpy(batch, images.data + i * each, (n - i < BATCH ? n - i : BATCH) * each);
        forward_run(f, batch, NULL);
        memcpy(logits + i * g->n_classes, forward_logits(f), BATCH * g->n_classes * sizeof *logits);
    }
    return file_write_atomic(argv[3], logits, n * g->n_classes * sizeof *logits);
}

int main(int argc, char **argv)
{
    arena *a = NULL;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: predict CHECKPOINT IMAGES LOGITS\n");
        return 2;
    }
    status st = arena_open("predict", &a);
    if (status_ok(st)) {
        st = run(a, argv);
    }
    if (!status_ok(st)) {
        (void)fprintf(stderr, "predict: %s\n", status_message());
    }
    arena_close(&a);
    return st.code;
}
