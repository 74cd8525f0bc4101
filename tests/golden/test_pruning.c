/* Rankings under every option, from the scores that the reference stored, and predictions under both conventions, against golden values. */
#include "support/backends.h"
#include "support/golden.h"
#include "support/verdict.h"

#include <math.h>
#include <string.h>

#include "nn/arch.h"
#include "nn/forward.h"
#include "pruning/curve.h"
#include "pruning/ranking.h"

enum { RATES = 20, SAMPLES = 6, CLASSES = 10 };

static const char *const networks[] = {"vgg_bn_tiny", "vgg_tiny", "resnet_basic_tiny", "resnet_bottleneck_tiny",
                                       "vit_tiny"};
static const double logit_tolerance = 1e-5; /* float32 against float64, relative to the largest (tests/golden/README.md) */

typedef struct network {
    const char *name;
    bool vit;
    golden *file;
    arena *a;
    const graph *g;
} network;

static void open_network(network *n, const char *name)
{
    char file[64];
    (void)snprintf(file, sizeof file, "%s.h5", name);
    *n = (network){.name = name, .vit = strcmp(name, "vit_tiny") == 0, .file = golden_open(file)};
    assert_ok(arena_open("test", &n->a));
    assert_ok(graph_build(n->a, golden_tensors(n->file), &n->g));
}

static void close_network(network *n)
{
    golden_close(&n->file);
    arena_close(&n->a);
}

/* ---- rankings ---- */

/* One set of scores: "pruning/zplus_softmax_CP/heads". */
typedef struct scored {
    const network *net;
    const char *path;
    component_kind kind;
    ranking_layers layers;
    golden_array score, rate;
} scored;

/* The graph's layers of the kind are those between the stored offsets. */
static void read_scores(const network *net, const char *path, component_kind kind, scored *out)
{
    const golden_array offset = golden_read(net->file, "%s/layer_offsets", path);
    *out = (scored){.net = net, .path = path, .kind = kind};
    out->score = golden_read(net->file, "%s/scores", path);
    out->rate = golden_read(net->file, "%s/rates", path);
    out->layers.n = out->score.count;
    assert_ok(graph_layer_sizes(net->a, net->g, kind, &out->layers.n_layers, &out->layers.size));
    assert_int_equal(out->layers.n_layers + 1, offset.count);
    for (size_t l = 0; l < out->layers.n_layers; l++) {
        assert_int_equal(out->layers.size[l], offset.integer[l + 1] - offset.integer[l]);
    }
    assert_int_equal(offset.integer[offset.count - 1], out->score.count);
    assert_int_equal(out->rate.count, RATES);
}

/* alive [RATES, n] under the options. */
static uint8_t *masks(const scored *s, const ranking_options *o, size_t count[RATES])
{
    const size_t n = s->layers.n;
    uint32_t *order = arena_alloc(s->net->a, n, sizeof *order);
    uint8_t *alive = arena_alloc(s->net->a, RATES * n, 1);
    assert_true(order != NULL && alive != NULL);
    assert_ok(ranking_build_by(s->net->a, o, &s->layers, s->score.real, order));
    for (size_t r = 0; r < RATES; r++) {
        count[r] = ranking_removed(o, &s->layers, s->rate.real[r]);
        ranking_alive(n, order, count[r], alive + r * n);
    }
    return alive;
}

static void assert_masks(const scored *s, const char *keep_name, const uint8_t alive[])
{
    const golden_array keep = golden_read(s->net->file, "%s/%s", s->path, keep_name);
    assert_int_equal(keep.count, RATES * s->layers.n);
    for (size_t i = 0; i < keep.count; i++) {
        if (alive[i] != keep.integer[i]) {
            fail_msg("%s/%s: rate %g, component %zu", s->path, keep_name, s->rate.real[i / s->layers.n], i % s->layers.n);
        }
    }
}

/* The reference's own top-k keeps as many, and others only where scores are exactly 0. Returns how many entries differ. */
static size_t compare_topk(const scored *s, const char *order, const uint8_t alive[])
{
    const golden_array keep = golden_read(s->net->file, "%s/%s/keep_reference_topk", s->path, order);
    const size_t n = s->layers.n;
    size_t differ = 0;
    for (size_t r = 0; r < RATES; r++) {
        size_t mine = 0, theirs = 0;
        for (size_t i = 0; i < n; i++) {
            const bool kept = keep.integer[r * n + i] != 0;
            mine += alive[r * n + i];
            theirs += kept;
            assert_true(kept == (alive[r * n + i] != 0) || s->score.real[i] == 0.0);
            differ += kept != (alive[r * n + i] != 0);
        }
        assert_int_equal(mine, theirs);
    }
    return differ;
}

/* Networks with these components left compute the logits that are stored for three of the rates. */
static void compare_logits(const scored *s, const char *order, const uint8_t alive[])
{
    static const struct {
        const char *name;
        size_t row;
    } rates[] = {{"0.25", 5}, {"0.5", 10}, {"0.75", 15}};
    const network *net = s->net;
    const golden_array inputs = golden_read(net->file, "inputs");
    size_t n = 0;
    const size_t *index = NULL;
    forward *run = NULL;
    uint8_t *mask = arena_alloc(net->a, net->g->n_components, 1);
    assert_non_null(mask);
    assert_ok(graph_components(net->a, net->g, s->kind, &n, &index));
    assert_ok(forward_build(net->a, net->g, test_backend(), SAMPLES, KEEP_LOGITS, &run));
    memset(mask, 1, net->g->n_components);
    for (size_t r = 0; r < COUNT(rates); r++) {
        const golden_array expected = golden_read(net->file, "%s/%s/logits_rate%s", s->path, order, rates[r].name);
        double largest = 0.0;
        for (size_t i = 0; i < n; i++) {
            mask[index[i]] = alive[rates[r].row * n + i];
        }
        forward_run(run, inputs.f32, mask);
        for (size_t i = 0; i < expected.count; i++) {
            largest = fmax(largest, fabs(expected.real[i]));
        }
        for (size_t i = 0; i < expected.count; i++) {
            assert_true(fabs((double)forward_logits(run)[i] - expected.real[i]) <= logit_tolerance * largest);
        }
    }
}

/* `ties`: how many entries the reference's top-k has otherwise; `entries`: of how many. */
static void check_rankings(const network *net, const char *path, component_kind kind, size_t *ties, size_t *entries)
{
    static const char *const orders[RANKING_ORDERS] = {"least_first", "most_first"};
    scored s;
    size_t count[RATES];
    read_scores(net, path, kind, &s);
    for (size_t o = 0; o < RANKING_ORDERS; o++) {
        const ranking_options options = {.order = (ranking_order)o};
        const golden_array expected = golden_read(net->file, "%s/%s/count", path, orders[o]);
        const uint8_t *alive = masks(&s, &options, count);
        for (size_t r = 0; r < RATES; r++) {
            assert_int_equal(count[r], expected.integer[r]);
        }
        assert_masks(&s, o == RANKING_LEAST_FIRST ? "least_first/keep" : "most_first/keep", alive);
        compare_logits(&s, orders[o], alive);
        if (!net->vit) {
            *ties += compare_topk(&s, orders[o], alive);
            *entries += RATES * s.layers.n;
        }
    }
    const ranking_options local = {.scope = RANKING_LAYER};
    assert_masks(&s, "local_least_first/keep", masks(&s, &local, count));
}

static void rankings_are_golden(void **state)
{
    (void)state;
    size_t sets = 0, ties = 0, entries = 0;
    for (size_t i = 0; i < COUNT(networks); i++) {
        network net;
        const char *const *composite = NULL;
        open_network(&net, networks[i]);
        const size_t n = golden_members(net.file, "pruning", &composite);
        assert_int_equal(n, 3);
        for (size_t k = 0; k < n; k++) {
            const char *path = arena_text(net.a, "pruning/%s", composite[k]);
            assert_non_null(path);
            if (net.vit) {
                check_rankings(&net, arena_text(net.a, "%s/linear", path), COMPONENT_NEURON, &ties, &entries);
                check_rankings(&net, arena_text(net.a, "%s/heads", path), COMPONENT_HEAD, &ties, &entries);
            } else {
                check_rankings(&net, path, COMPONENT_FILTER, &ties, &entries);
            }
            sets += net.vit ? 2 : 1;
        }
        close_network(&net);
    }
    print_message("%zu sets of scores; the reference's own top-k differs in %zu of %zu mask entries, all of score 0\n", sets, ties, entries);
    assert_true(ties > 0); /* a stable order and an unstable one were told apart */
}

/* ---- predictions ---- */

static const char *last_layer(const network *n)
{
    return n->vit ? "heads.head" : strncmp(n->name, "vgg", 3) == 0 ? "classifier.6" : "fc";
}

/* The network as the reference restricts it: the last layer's rows outside the classes are 0. */
static const graph *restrict_network(const network *net, const golden_array *classes)
{
    const tensors *whole = golden_tensors(net->file);
    tensors *t = arena_alloc(net->a, 1, sizeof *t);
    tensor *list = arena_alloc(net->a, whole->n, sizeof *list);
    const graph *g = NULL;
    size_t changed = 0;
    assert_true(t != NULL && list != NULL);
    memcpy(list, whole->list, whole->n * sizeof *list);
    for (size_t i = 0; i < whole->n; i++) {
        const size_t length = strlen(last_layer(net));
        if (strncmp(list[i].name, last_layer(net), length) != 0 || list[i].name[length] != '.') {
            continue;
        }
        const size_t row = list[i].rank == 2 ? list[i].dim[1] : 1;
        float *data = arena_alloc(net->a, CLASSES * row, sizeof *data);
        assert_non_null(data);
        assert_int_equal(list[i].dim[0], CLASSES);
        for (size_t k = 0; k < classes->count; k++) {
            const size_t at = (size_t)classes->integer[k] * row;
            memcpy(data + at, list[i].data + at, row * sizeof *data);
        }
        list[i].data = data;
        changed++;
    }
    assert_int_equal(changed, 2); /* weight and bias */
    *t = *whole;
    t->list = list;
    assert_ok(graph_build(net->a, t, &g));
    return g;
}

static const float *logits_of(const network *net, const graph *g)
{
    forward *run = NULL;
    assert_ok(forward_build(net->a, g, test_backend(), SAMPLES, KEEP_LOGITS, &run));
    forward_run(run, golden_read(net->file, "inputs").f32, NULL);
    return forward_logits(run);
}

static uint32_t argmax(size_t n, const double value[], const uint32_t index[])
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = value[index[i]] > value[index[best]] ? i : best;
    }
    return index[best];
}

/* Every sample as if it were of every class of the subset. */
static size_t check_predictions(const network *net)
{
    const golden_array classes = golden_read(net->file, "restricted/classes");
    const golden_array expected = golden_read(net->file, "restricted/logits");
    const float *whole = logits_of(net, net->g), *zeroed = logits_of(net, restrict_network(net, &classes));
    uint32_t subset[CLASSES], all[CLASSES];
    double largest = 0.0;
    size_t differ = 0;
    assert_int_equal(expected.count, SAMPLES * CLASSES);
    for (size_t i = 0; i < CLASSES; i++) {
        all[i] = (uint32_t)i;
        subset[i] = i < classes.count ? (uint32_t)classes.integer[i] : 0;
    }
    for (size_t i = 0; i < expected.count; i++) {
        largest = fmax(largest, fabs(expected.real[i]));
    }
    for (size_t i = 0; i < expected.count; i++) { /* the masked logits of the reference, and that the others are exactly 0 */
        assert_true(fabs((double)zeroed[i] - expected.real[i]) <= logit_tolerance * largest);
        assert_true(expected.real[i] != 0.0 || zeroed[i] == 0.0f);
    }
    for (size_t s = 0; s < SAMPLES; s++) {
        const double *logits = expected.real + s * CLASSES;
        const uint32_t masked = argmax(CLASSES, logits, all), restricted = argmax(classes.count, logits, subset);
        for (size_t k = 0; k < classes.count; k++) {
            const verdict v = verdict_of(CLASSES, whole + s * CLASSES, classes.count, subset, subset[k]);
            const verdict real = verdict_of(CLASSES, zeroed + s * CLASSES, CLASSES, all, subset[k]);
            assert_int_equal(v.correct[PREDICTION_MASKED], masked == subset[k]);
            assert_int_equal(v.correct[PREDICTION_RESTRICTED], restricted == subset[k]);
            assert_int_equal(v.correct[PREDICTION_MASKED], real.correct[PREDICTION_RESTRICTED]);
            assert_int_equal(v.top5[PREDICTION_MASKED], real.top5[PREDICTION_RESTRICTED]);
            differ += v.top5[PREDICTION_MASKED] != v.top5[PREDICTION_RESTRICTED];
        }
    }
    return differ;
}

/* Logits of a pruned network as the reference stored them: its argmax after masking, and the one among the classes. Returns how many
 * samples are right among the classes alone. */
static size_t check_stored(const network *net, const char *path)
{
    const golden_array classes = golden_read(net->file, "restricted/classes");
    const golden_array stored = golden_read(net->file, "%s", path);
    uint32_t subset[CLASSES], all[CLASSES];
    size_t differ = 0;
    for (size_t i = 0; i < CLASSES; i++) {
        all[i] = (uint32_t)i;
        subset[i] = i < classes.count ? (uint32_t)classes.integer[i] : 0;
    }
    for (size_t s = 0; s < SAMPLES; s++) {
        const double *logits = stored.real + s * CLASSES;
        double masked[CLASSES] = {0.0};
        for (size_t k = 0; k < classes.count; k++) {
            masked[subset[k]] = logits[subset[k]];
        }
        const uint32_t best = argmax(classes.count, logits, subset), best_masked = argmax(CLASSES, masked, all);
        for (size_t k = 0; k < classes.count; k++) {
            const verdict v = verdict_of(CLASSES, stored.f32 + s * CLASSES, classes.count, subset, subset[k]);
            assert_int_equal(v.correct[PREDICTION_RESTRICTED], best == subset[k]);
            assert_int_equal(v.correct[PREDICTION_MASKED], best_masked == subset[k]);
        }
        differ += best != best_masked;
    }
    return differ;
}

static size_t check_all_stored(const network *net)
{
    static const char *const orders[] = {"least_first", "most_first"}, *const rates[] = {"0.25", "0.5", "0.75"};
    const char *const kinds[] = {net->vit ? "/linear" : "", "/heads"}, *const *composite = NULL;
    size_t differ = 0;
    for (size_t c = golden_members(net->file, "pruning", &composite); c-- > 0;) {
        for (size_t k = 0; k < (net->vit ? 2 : 1); k++) {
            for (size_t o = 0; o < COUNT(orders); o++) {
                for (size_t r = 0; r < COUNT(rates); r++) {
                    const char *path = arena_text(net->a, "pruning/%s%s/%s/logits_rate%s", composite[c], kinds[k], orders[o], rates[r]);
                    assert_non_null(path);
                    differ += check_stored(net, path);
                }
            }
        }
    }
    return differ;
}

static void predictions_are_golden(void **state)
{
    (void)state;
    size_t top5 = 0, top1 = 0;
    for (size_t i = 0; i < COUNT(networks); i++) {
        network net;
        open_network(&net, networks[i]);
        top5 += check_predictions(&net);
        top1 += check_all_stored(&net);
        close_network(&net);
    }
    print_message("predictions differ for %zu samples of pruned networks\n", top1);
    assert_true(top5 > 0 && top1 > 0); /* the conventions were told apart */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings_are_golden),
        cmocka_unit_test(predictions_are_golden),
    };
    RETURN_RUN_ON_EVERY_BACKEND(tests, NULL, NULL);
}
