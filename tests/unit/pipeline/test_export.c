/* `pollard export` of good results: the files are the network that the engine's mask makes, and say so; options choose the cell. */
#include "unit/pipeline/export_sample.h"

#include <jansson.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/forward.h"

enum { BATCH = 4 };

static const char *in(const char *folder, const char *name)
{
    return arena_text(memory, "%s/%s", folder, name);
}

/* ---- the same network ---- */

static const float *logits_of(const graph *g, const uint8_t *alive)
{
    forward *f = NULL;
    const backend_def *backend = backend_default();
    const size_t n = BATCH * shape_count(g->input);
    float *images = get(n, sizeof *images), *logits = get(BATCH * g->n_classes, sizeof *logits);
    for (size_t i = 0; i < n; i++) {
        images[i] = (float)(4.0 * rng_uniform(1, RNG_TEST, 0, (uint32_t)i) - 2.0);
    }
    assert_ok(backend->start());
    assert_ok(forward_build(memory, g, backend, BATCH, KEEP_LOGITS, &f));
    forward_run(f, images, alive);
    memcpy(logits, forward_logits(f), BATCH * g->n_classes * sizeof *logits);
    return logits;
}

static void assert_close(const char *what, size_t classes, const float *expected, const float *found)
{
    for (size_t b = 0; b < BATCH; b++) {
        double most = 0.0, difference = 0.0;
        for (size_t i = b * classes; i < (b + 1) * classes; i++) {
            most = fmax(most, fabs((double)expected[i]));
            const double off = fabs((double)expected[i] - (double)found[i]);
            difference = off > difference || isnan(off) ? off : difference; /* fmax would lose what is no number */
        }
        if (!(difference <= 1e-4 * most)) {
            fail_msg("%s: image %zu differs by %g of %g", what, b, difference, most);
        }
    }
}

/* The mask as the sample has it: cell `place` of the track, at rate `rate`. */
static const uint8_t *mask_of(const graph *g, component_kind kind, size_t first_cell, size_t place, size_t rate)
{
    size_t n = 0;
    const size_t *component = NULL;
    result_track t;
    uint8_t *alive = get(g->n_components, 1);
    assert_ok(graph_components(memory, g, kind, &n, &component));
    sample_track(&t, 0, kind, first_cell, n, component);
    memset(alive, 1, g->n_components);
    for (size_t i = 0; i < n; i++) {
        alive[component[i]] = t.removed_at[place * n + i] > rate;
    }
    return alive;
}

/* Zeros of the whole shape with the small tensor's numbers at the rows and columns that the description lists. Written from docs/export.md,
 * not from the program's own code. */
static void put_back(const tensor *small, const tensor *whole, const json_t *rows, size_t first_row, const json_t *columns, float *to)
{
    const size_t n_columns = whole->rank > 1 ? whole->dim[1] : 1;
    size_t taps = 1, small_columns = small->rank > 1 ? small->dim[1] : 1, at = 0;
    for (size_t i = 2; i < whole->rank; i++) {
        taps *= whole->dim[i];
    }
    const size_t n_rows = rows == NULL ? (size_t)-1 : json_array_size(rows);
    for (size_t r = 0; r < n_rows && r < small->dim[0]; r++) {
        const size_t row = first_row + (rows == NULL ? r : (size_t)json_integer_value(json_array_get(rows, r)));
        for (size_t c = 0; c < small_columns; c++, at += taps) {
            const size_t column = columns == NULL || whole->rank < 2 ? c : (size_t)json_integer_value(json_array_get(columns, c));
            assert_true(row < whole->dim[0] && column < n_columns);
            memcpy(to + (row * n_columns + column) * taps, small->data + at, taps * sizeof *to);
        }
    }
}

static float *zeros_like(const tensor *t)
{
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++) {
        n *= t->dim[i];
    }
    return get(n, sizeof(float));
}

static size_t index_of(const tensors *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->list[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no tensor %s", name);
    return 0;
}

/* What a layer of the description says about a tensor of it. */
static void take_tensor(const tensors *whole, const tensors *small, const json_t *layer, const char *name, bool matrix, tensor *list,
                        float **data)
{
    const size_t i = index_of(whole, name);
    const json_t *rows = json_object_get(json_object_get(layer, "outputs"), "kept");
    const json_t *columns = matrix ? json_object_get(json_object_get(layer, "columns"), "kept") : NULL;
    const size_t of = (size_t)json_integer_value(json_object_get(json_object_get(layer, "outputs"), "of"));
    tensor part = *tensors_find(small, name);
    size_t first = 0;
    if (of != whole->list[i].dim[0]) { /* q, k and v one after the other: as many rows each, first_row says where */
        const size_t before = (size_t)json_integer_value(json_object_get(layer, "first_row")) / of, each = part.dim[0] / 3;
        const size_t taken = part.rank > 1 ? part.dim[1] : 1;
        first = before * of;
        part.data += before * each * taken;
        part.dim[0] = each;
    }
    if (data[i] == NULL) {
        data[i] = zeros_like(&whole->list[i]);
    }
    put_back(&part, &whole->list[i], rows, first, columns, data[i]);
    list[i].data = data[i];
    memcpy(list[i].dim, whole->list[i].dim, sizeof list[i].dim);
}

/* The network again from shrunk.safetensors and shrunk.json alone. */
static const graph *graph_of_shrunk(const char *folder)
{
    static const char *const ends[] = {"weight", "bias", "running_mean", "running_var"};
    const tensors *whole = read_tensors(in(folder, "masked.safetensors")), *small = read_tensors(in(folder, "shrunk.safetensors"));
    tensors t = *whole; /* its shapes and facts */
    tensor *list = get(t.n, sizeof *list);
    float **data = get(t.n, sizeof *data);
    const graph *g = NULL;
    json_error_t error;
    json_t *root = json_load_file(in(folder, "shrunk.json"), 0, &error), *layer;
    size_t i;
    assert_non_null(root);
    for (size_t k = 0; k < t.n; k++) {
        list[k] = small->list[index_of(small, whole->list[k].name)];
    }
    t.list = list;
    json_array_foreach(json_object_get(root, "layers"), i, layer)
    {
        const char *weight = json_string_value(json_object_get(layer, "weight")), *bias = json_string_value(json_object_get(layer, "bias"));
        const char *norm = json_string_value(json_object_get(layer, "norm"));
        const bool linear = json_object_get(layer, "columns") != NULL;
        if (linear) {
            take_tensor(whole, small, layer, weight, true, list, data);
        }
        if (linear && bias != NULL) {
            take_tensor(whole, small, layer, bias, false, list, data);
        }
        for (size_t k = 0; norm != NULL && k < COUNT(ends); k++) {
            take_tensor(whole, small, layer, arena_text(memory, "%s.%s", norm, ends[k]), false, list, data);
        }
    }
    json_decref(root);
    assert_ok(graph_build(memory, &t, &g));
    return g;
}

/* Masks times weights are the masked weights, and what has no mask is as it was. */
static void assert_masks_fit(const char *checkpoint, const char *folder)
{
    const tensors *whole = read_tensors(checkpoint), *masked = read_tensors(in(folder, "masked.safetensors")),
                  *masks = read_tensors(in(folder, "masks.safetensors"));
    size_t used = 0;
    assert_int_equal(whole->n, masked->n);
    for (size_t i = 0; i < whole->n; i++) {
        const tensor *from = &whole->list[i], *to = tensors_find(masked, from->name);
        const tensor *mask = tensors_find(masks, arena_text(memory, "%s_mask", from->name));
        assert_non_null(to);
        assert_int_equal(to->rank, from->rank);
        assert_memory_equal(to->dim, from->dim, from->rank * sizeof *from->dim);
        if (from->type != TENSOR_F32) {
            assert_string_equal(to->type_name, from->type_name);
            assert_int_equal(to->stored_bytes, from->stored_bytes);
            assert_memory_equal(to->stored, from->stored, from->stored_bytes);
            continue;
        }
        size_t n = 1;
        for (size_t d = 0; d < from->rank; d++) {
            n *= from->dim[d];
        }
        if (mask != NULL) {
            used++;
            assert_int_equal(mask->rank, from->rank);
            assert_memory_equal(mask->dim, from->dim, from->rank * sizeof *from->dim);
        }
        for (size_t k = 0; k < n; k++) {
            assert_true(to->data[k] == from->data[k] * (mask == NULL ? 1.0f : mask->data[k]));
        }
    }
    assert_int_equal(used, masks->n);
    assert_true(used > 0);
}

static void files_are_the_pruned_network(void **state)
{
    static const struct {
        const char *network, *kind;
        component_kind component;
        size_t first_cell; /* of the track of criterion 1 */
    } cases[] = {{"digits_vgg_bn", "filters", COMPONENT_FILTER, TRACK},
                 {"digits_resnet", "filters", COMPONENT_FILTER, TRACK},
                 {"digits_vit", "neurons", COMPONENT_NEURON, TRACK},
                 {"digits_vit", "heads", COMPONENT_HEAD, 3 * TRACK}};
    static const char *const rates[SAMPLE_RATES] = {"0", "0.3", "0.6", "0.95"};
    const char *result = scratch_path("r.h5"), *folder = scratch_path("out");
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_sample(result, cases[i].network, digits());
        const char *checkpoint = checkpoint_of(cases[i].network);
        const graph *g = read_graph(checkpoint);
        for (size_t r = 0; r < SAMPLE_RATES; r++) {
            assert_ok(export_of(result, "--model", "net", "--kind", cases[i].kind, "--criterion", "magnitude", "--rate", rates[r], "--task", "10",
                                "--seed", "18446744073709551615", "-o", folder, "--force", NULL));
            assert_non_null(strstr(said, "64 of 64 images"));
            const float *expected = logits_of(g, mask_of(g, cases[i].component, cases[i].first_cell, 3, r));
            assert_close("masked", g->n_classes, expected, logits_of(read_graph(in(folder, "masked.safetensors")), NULL));
            assert_close("shrunk", g->n_classes, expected, logits_of(graph_of_shrunk(folder), NULL));
            assert_masks_fit(checkpoint, folder);
        }
    }
}

static void files_say_where_they_come_from(void **state)
{
    const char *result = scratch_path("r.h5"), *folder = scratch_path("said");
    json_error_t error;
    (void)state;
    write_sample(result, "digits_vgg_bn", digits());
    assert_ok(export_of(result, "--criterion", "random", "--rate", "0.6", "--task", "3", "--seed", "0", "-o", folder, NULL));
    json_t *root = json_load_file(in(folder, "shrunk.json"), 0, &error);
    const json_t *pruning = json_object_get(root, "pruning"), *provenance = json_object_get(root, "provenance"),
                 *comparison = json_object_get(root, "comparison");
    assert_string_equal(json_string_value(json_object_get(pruning, "criterion")), "random");
    assert_true(json_real_value(json_object_get(pruning, "rate")) == 0.6);
    assert_int_equal(json_integer_value(json_object_get(pruning, "removed")), 134); /* trunc(224 x 0.6) */
    assert_int_equal(json_array_size(json_object_get(pruning, "classes")), 3);
    assert_string_equal(json_string_value(json_object_get(provenance, "checkpoint_sha256")), digest_of(checkpoint_of("digits_vgg_bn")));
    assert_string_equal(json_string_value(json_object_get(provenance, "result_sha256")), digest_of(result));
    assert_string_equal(json_string_value(json_object_get(comparison, "images")), "study");
    const double difference = json_real_value(json_object_get(comparison, "largest_relative_difference"));
    assert_true(difference >= 0.0 && difference < 1e-4);
    static const char *const files[] = {"masks.safetensors", "masked.safetensors", "shrunk.safetensors"};
    for (size_t i = 0; i < COUNT(files); i++) {
        const tensors *t = read_tensors(in(folder, files[i]));
        assert_string_equal(tensors_fact(t, "pollard.criterion"), "random");
        assert_string_equal(tensors_fact(t, "pollard.removed"), "134 of 224");
        assert_true(fabs(strtod(tensors_fact(t, "pollard.largest_relative_difference"), NULL) - difference) <= 0.01 * difference);
    }
    json_decref(root);
}

static void without_the_images_of_the_study_random_ones_are_taken(void **state)
{
    const char *result = scratch_path("r.h5"), *folder = scratch_path("random");
    json_error_t error;
    (void)state;
    write_sample(result, "digits_resnet", "/nowhere/at/all");
    assert_ok(export_of(result, "--criterion", "random", "--rate", "0.6", "--task", "3", "--seed", "0", "-o", folder, NULL));
    assert_non_null(strstr(said, "random ones"));
    json_t *root = json_load_file(in(folder, "shrunk.json"), 0, &error);
    const json_t *comparison = json_object_get(root, "comparison");
    assert_string_equal(json_string_value(json_object_get(comparison, "images")), "random");
    assert_non_null(strstr(json_string_value(json_object_get(comparison, "images_from")), "/nowhere/at/all"));
    json_decref(root);
}

/* ---- options ---- */

static void options_choose_the_cell(void **state)
{
    const char *result = scratch_path("vit.h5"), *folder = scratch_path("none");
    struct stat info;
    (void)state;
    write_sample(result, "digits_vit", digits());
    assert_fails(export_of(result, NULL), ST_USAGE, "--kind: neurons or heads", "--criterion: random or magnitude", "--task: 3 or 10",
                 "--references: 0 or 10", "--seed: 0 or 18446744073709551615", NULL);
    assert_fails(export_of(result, "--kind", "heads", "--criterion", "random", "--rate", "0.3", NULL), ST_USAGE, "leave 4 cells",
                 "--task: 3 or 10", NULL);
    assert_fails(export_of(result, "--model", "nets", NULL), ST_USAGE, "--model nets", "expected net", NULL);
    assert_fails(export_of(result, "--criterion", "magnitud", NULL), ST_USAGE, "did you mean 'magnitude'?", NULL);
    assert_fails(export_of(result, "--kind", "filters", NULL), ST_USAGE, "one of neurons or heads", NULL);
    assert_fails(export_of(result, "--criterion", "random", "--references", "10", NULL), ST_USAGE, "--references 10", "expected 0", NULL);
    assert_fails(export_of(result, "--seed", "1", NULL), ST_USAGE, "--seed 1", NULL);
    assert_fails(export_of(result, "--seed", "-1", NULL), ST_USAGE, "--seed -1", NULL);
    assert_fails(export_of(result, "--task", "3x", NULL), ST_USAGE, "--task 3x", NULL);
    static const char *const bad[] = {"0.5", "half", "", "nan", "0.3 "};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_fails(export_of(result, "--kind", "heads", "--criterion", "random", "--task", "3", "--seed", "0", "--rate", bad[i], "-o", folder,
                               NULL),
                     ST_USAGE, "--rate", NULL);
    }
    assert_fails(export_of(result, "--kind", "heads", "--criterion", "random", "--task", "3", "--seed", "0", "-o", folder, NULL), ST_USAGE,
                 "0, 0.3, 0.6 or 0.95", NULL);
    assert_true(stat(folder, &info) != 0); /* nothing was made */
}

#define CELL "--criterion", "random", "--rate", "0.3", "--task", "3", "--seed", "0"

static void nothing_is_replaced_unasked(void **state)
{
    const char *result = scratch_path("r.h5"), *folder = scratch_path("old"), *file = scratch_path("file");
    (void)state;
    write_sample(result, "digits_vgg_bn", digits());
    assert_ok(export_of(result, CELL, "-o", folder, NULL));
    const file_bytes before = bytes_of(in(folder, "masks.safetensors"));
    assert_fails(export_of(result, CELL, "-o", folder, NULL), ST_CANT_WRITE, "--force", NULL);
    assert_ok(export_of(result, CELL, "-o", folder, "--force", NULL));
    const file_bytes after = bytes_of(in(folder, "masks.safetensors"));
    assert_int_equal(before.size, after.size); /* the same export gives the same bytes */
    assert_memory_equal(before.data, after.data, before.size);
    assert_int_equal(unlink(in(folder, "masks.safetensors")), 0);
    assert_fails(export_of(result, CELL, "-o", folder, NULL), ST_CANT_WRITE, "masked.safetensors", NULL); /* any of the four */
    assert_ok(file_write_atomic(file, "x", 1));
    assert_fails(export_of(result, CELL, "-o", file, NULL), ST_CANT_WRITE, "-o", NULL);
}

static void a_checkpoint_may_move_but_not_change(void **state)
{
    const char *result = scratch_path("r.h5"), *folder = scratch_path("moved"), *copy = scratch_path("elsewhere.safetensors");
    (void)state;
    write_sample(result, "digits_vgg_bn", digits());
    const file_bytes bytes = bytes_of(checkpoint_of("digits_vgg_bn"));
    assert_ok(file_write_atomic(copy, bytes.data, bytes.size));
    assert_ok(export_of(result, CELL, "-o", folder, "--checkpoint", copy, NULL));
    assert_fails(export_of(result, CELL, "-o", scratch_path("x"), "--checkpoint", scratch_path("absent"), NULL), ST_NO_INPUT, "absent",
                 "--checkpoint", NULL);
    assert_fails(export_of(result, CELL, "-o", scratch_path("x"), "--checkpoint", checkpoint_of("digits_resnet"), NULL), ST_DATA, "SHA-256",
                 digest_of(checkpoint_of("digits_vgg_bn")), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_the_pruned_network),
        cmocka_unit_test(files_say_where_they_come_from),
        cmocka_unit_test(without_the_images_of_the_study_random_ones_are_taken),
        cmocka_unit_test(options_choose_the_cell),
        cmocka_unit_test(nothing_is_replaced_unasked),
        cmocka_unit_test(a_checkpoint_may_move_but_not_change),
    };
    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
