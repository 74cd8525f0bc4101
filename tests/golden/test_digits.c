/* The embedded example from file to logits: image folder, PNG, preprocessing, checkpoint, facts, graph, forward pass, against the logits
 * that PyTorch computed from the same files (digits_logits.h5, float32). Relative to the largest logit: 1e-4, for two float32 runs. */
#include "support/backends.h"
#include "support/golden.h"

#include <math.h>
#include <string.h>

#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/image.h"
#include "nn/arch.h"
#include "nn/forward.h"

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

static void read_source(arena *a, const char *name, file_bytes *out)
{
    const char *path = arena_text(a, "examples/digits/%s", name);
    assert_non_null(path);
    assert_ok(file_read(a, source_path(path), (size_t)1 << 30, out));
}

static void open_model(fixture *f, const char *name)
{
    file_bytes checkpoint, json;
    tensors *t = NULL;
    fact *facts = NULL;
    size_t n_facts = 0;
    char path[512];
    assert_ok(arena_open("test", &f->a));
    assert_ok(arena_open("scratch", &f->scratch));
    (void)snprintf(path, sizeof path, "models/%s/model.safetensors", name);
    read_source(f->a, path, &checkpoint);
    (void)snprintf(path, sizeof path, "models/%s/model.json", name);
    read_source(f->a, path, &json);
    assert_ok(safetensors_parse(f->a, name, checkpoint, &t));
    assert_ok(model_json_parse(f->a, path, json, &n_facts, &facts));
    assert_ok(facts_merge(f->a, 0, NULL, n_facts, facts, t));
    assert_ok(graph_build(f->a, t, &f->graph));
    assert_ok(preprocess_from_facts(t, f->graph->input.dim[1], f->graph->input.dim[2], &f->preprocess));
    assert_ok(forward_build(f->a, f->graph, test_backend(), BATCH, KEEP_LOGITS, &f->forward));
    assert_ok(dataset_open(f->a, source_path("examples/digits/data/val"), &f->data));
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

static void check(const char *name, size_t expected_correct)
{
    fixture f;
    golden *g = golden_open("digits_logits.h5");
    const golden_array expected = golden_read(g, "%s/logits", name);
    open_model(&f, name);
    assert_int_equal(f.data->n_samples, expected.dim[0]);
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
                const double e = expected.real[(first + i) * n_classes + k];
                largest = fmax(largest, fabs(e));
                worst = fmax(worst, fabs((double)logits[k] - e));
            }
        }
    }
    print_message("%s: largest difference %.2g of %.3g, %zu of %zu correct\n", name, worst, largest, correct, f.data->n_samples);
    assert_true(worst <= tolerance * largest);
    assert_int_equal(correct, expected_correct);
    arena_close(&f.scratch);
    arena_close(&f.a);
    golden_close(&g);
}

static void digits_vgg_bn(void **state)
{
    (void)state;
    check("digits_vgg_bn", 719);
}

static void digits_resnet(void **state)
{
    (void)state;
    check("digits_resnet", 715);
}

static void digits_vit(void **state)
{
    (void)state;
    check("digits_vit", 710);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_vgg_bn),
        cmocka_unit_test(digits_resnet),
        cmocka_unit_test(digits_vit),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
