#include "support/classify.h"

#include <math.h>
#include <string.h>

#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/image.h"
#include "nn/arch.h"
#include "nn/forward.h"
#include "support/backends.h"

enum { BATCH = 16 };
static const double tolerance = 1e-4;

typedef struct fixture {
    arena *a, *scratch;
    dataset *data;
    const graph *graph;
    preprocess preprocess;
    forward *forward;
    float *images;
} fixture;

static void open_case(fixture *f, const classify_case *c)
{
    file_bytes checkpoint, json;
    tensors *t = NULL;
    fact *facts = NULL;
    size_t n_facts = 0;
    assert_ok(arena_open("test", &f->a));
    assert_ok(arena_open("scratch", &f->scratch));
    assert_ok(file_read(f->a, c->checkpoint, (size_t)1 << 30, &checkpoint));
    assert_ok(checkpoint_parse(f->a, c->checkpoint, checkpoint, &t));
    if (c->json != NULL) {
        assert_ok(file_read(f->a, c->json, (size_t)1 << 24, &json));
        assert_ok(model_json_parse(f->a, c->json, json, &n_facts, &facts));
    }
    assert_ok(facts_merge(f->a, 0, NULL, n_facts, facts, t));
    assert_ok(graph_build(f->a, t, &f->graph));
    assert_ok(preprocess_from_facts(t, f->graph->input.dim[1], f->graph->input.dim[2], &f->preprocess));
    assert_ok(forward_build(f->a, f->graph, test_backend(), BATCH, KEEP_LOGITS, &f->forward));
    assert_ok(dataset_open(f->a, c->images, &f->data));
    f->images = arena_alloc(f->a, BATCH * shape_count(f->graph->input), sizeof *f->images);
    assert_non_null(f->images);
}

static void load_image(fixture *f, size_t sample, float *out)
{
    file_bytes bytes;
    image picture;
    arena_reset(f->scratch);
    const char *path = path_join(f->scratch, f->data->root, f->data->path[sample]);
    assert_ok(file_read(f->scratch, path, 1 << 20, &bytes));
    assert_ok(image_decode(f->scratch, path, bytes, &picture));
    assert_ok(preprocess_apply(f->scratch, &f->preprocess, path, &picture, out));
}

static size_t argmax(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

void classify_check(const classify_case *c, const golden_array *expected)
{
    fixture f;
    open_case(&f, c);
    assert_int_equal(f.data->n_samples, expected->dim[0]);
    const size_t size = shape_count(f.graph->input), n_classes = f.graph->n_classes;
    double largest = 0.0, worst = 0.0;
    size_t correct = 0;
    for (size_t first = 0; first < f.data->n_samples; first += BATCH) {
        const size_t left = f.data->n_samples - first, n = left < BATCH ? left : BATCH;
        for (size_t i = 0; i < n; i++) {
            load_image(&f, first + i, f.images + i * size);
        }
        forward_run(f.forward, f.images, NULL);
        for (size_t i = 0; i < n; i++) {
            const float *logits = forward_logits(f.forward) + i * n_classes;
            correct += argmax(logits, n_classes) == f.data->label[first + i];
            for (size_t k = 0; k < n_classes; k++) {
                const double e = expected->real[(first + i) * n_classes + k];
                largest = fmax(largest, fabs(e));
                const double off = fabs((double)logits[k] - e);
                worst = worst_of(worst, off);
            }
        }
    }
    print_message("%s: largest difference %.2g of %.3g, %zu of %zu correct\n", c->checkpoint, worst, largest, correct,
                  f.data->n_samples);
    assert_true(worst <= tolerance * largest);
    assert_int_equal(correct, c->correct);
    arena_close(&f.scratch);
    arena_close(&f.a);
}
