#include "pipeline/export_compare.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/log.h"
#include "core/rng.h"
#include "io/dataset.h"
#include "nn/arch.h"
#include "nn/forward.h"
#include "nn/passes/compact.h"
#include "stages/batch.h"

enum { BATCH = 16, MOST_IMAGES = 64 };
static const double most_difference = 1e-4; /* the sums are the same but for their order: 1e-6 is usual */

/* [n] images as the network wants them, padded to whole micro-batches. */
typedef struct pictures {
    size_t n, n_batches;
    float *image; /* [n_batches, BATCH, input] */
} pictures;

/* ---- images ---- */

static status open_images(arena *a, const config *cfg, dataset **out)
{
    char *text = NULL;
    size_t size = 0;
    TRY(dataset_list_any(a, cfg->evaluation, cfg->evaluation_list, NULL, &text, &size));
    return dataset_parse(a, cfg->evaluation, text, size, out);
}

static status alloc_images(arena *a, const graph *g, size_t n, pictures *out)
{
    *out = (pictures){.n = n, .n_batches = (n + BATCH - 1) / BATCH};
    TRY_ALLOC(out->image, a, out->n_batches * BATCH * shape_count(g->input));
    return STATUS_OK;
}

/* Images of the evaluation set, from all of it. */
static status study_images(arena *a, arena *scratch, const config *cfg, const export_network *net, pictures *out)
{
    dataset *d = NULL;
    preprocess p;
    size_t *sample;
    file_mark *mark;
    const graph *g = net->graph;
    if (g->input.dim[0] != 3) {
        return FAIL(ST_DATA, "the network takes images of %zu channels", g->input.dim[0]);
    }
    TRY(preprocess_for_evaluation(net->whole, g->input.dim[1], g->input.dim[2], &p));
    TRY(open_images(a, cfg, &d));
    if (d->steps != NULL) {
        TRY(preprocess_check_steps(a, d->root, d->steps, net->checkpoint, &p));
    }
    TRY(alloc_images(a, g, d->n_samples < MOST_IMAGES ? d->n_samples : MOST_IMAGES, out));
    TRY_ALLOC(sample, a, out->n);
    TRY_ALLOC(mark, a, d->n_samples);
    for (size_t i = 0; i < out->n; i++) {
        sample[i] = i * d->n_samples / out->n;
    }
    const sample_list list = {out->n, sample};
    for (size_t i = 0; i < out->n_batches; i++) {
        batch b = {.images = out->image + i * BATCH * shape_count(g->input)};
        TRY(batch_read(scratch, d, &list, i, BATCH, &p, mark, &b));
    }
    return STATUS_OK;
}

/* About as large as normalised images are. */
static status random_images(arena *a, const graph *g, pictures *out)
{
    TRY(alloc_images(a, g, MOST_IMAGES, out));
    const size_t size = shape_count(g->input);
    for (size_t i = 0; i < out->n; i++) {
        for (size_t k = 0; k < size; k++) {
            out->image[i * size + k] = (float)(4.0 * rng_uniform(0, RNG_IMAGES, (uint32_t)i, (uint32_t)k) - 2.0);
        }
    }
    return STATUS_OK;
}

static status find_images(arena *a, arena *scratch, const config *cfg, const export_network *net, pictures *out, export_comparison *said)
{
    said->images = "study";
    said->from = cfg->evaluation;
    const status st = study_images(a, scratch, cfg, net, out);
    if (st.code != ST_NO_INPUT && st.code != ST_DATA) { /* there, or a failure that random images do not mend */
        return st;
    }
    said->images = "random";
    TRY_TEXT(said->from, a, "%s", status_message());
    status_clear();
    log_line(LOG_WARNING, "images=random the study's are not to be had: %s", said->from);
    return random_images(a, net->graph, out);
}

/* ---- logits ---- */

static status run(arena *scratch, const graph *g, const backend_def *backend, const pictures *p, float *logits)
{
    forward *f = NULL;
    TRY(forward_build(scratch, g, backend, BATCH, KEEP_LOGITS, &f));
    for (size_t i = 0; i < p->n_batches; i++) {
        forward_run(f, p->image + i * BATCH * shape_count(g->input), NULL);
        memcpy(logits + i * BATCH * g->n_classes, forward_logits(f), BATCH * g->n_classes * sizeof *logits);
    }
    return STATUS_OK;
}

static status masked_logits(arena *scratch, const export_network *net, const backend_def *backend, const pictures *p, float *logits)
{
    const graph *g = NULL;
    TRY(graph_build(scratch, net->masked, &g));
    return run(scratch, g, backend, p, logits);
}

/* The small network that runs is cut out of the small tensors put back in their places, so that a wrong index shows. */
static status shrunk_logits(arena *scratch, const export_network *net, const backend_def *backend, const pictures *p, float *logits)
{
    const graph *g = NULL, *small = NULL;
    tensors expanded;
    TRY(export_network_expand(scratch, net, &expanded));
    TRY(graph_build(scratch, &expanded, &g));
    TRY(graph_compact(scratch, g, net->cuts.kept, NULL, backend->block(), &small));
    return run(scratch, small, backend, p, logits);
}

static size_t largest(size_t n, const float *x)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

static void compare_image(size_t n, const float *masked, const float *shrunk, export_comparison *out)
{
    double most = 0.0, difference = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)masked[i] - (double)shrunk[i]);
        most = fmax(most, fabs((double)masked[i]));
        difference = d > difference || isnan(d) ? d : difference;
    }
    const double relative = most > 0.0 ? difference / most : difference;
    out->difference = relative > out->difference || isnan(relative) ? relative : out->difference;
    out->n_agree += largest(n, masked) == largest(n, shrunk);
}

static status find_backend(const config *cfg, const backend_def **out)
{
    const backend_def *of_study = strcmp(cfg->backend, "auto") == 0 ? NULL : backend_find(cfg->backend);
    *out = of_study != NULL ? of_study : backend_default();
    return (*out)->start();
}

static status compare(arena *a, arena *scratch, const config *cfg, const export_network *net, export_comparison *out)
{
    const backend_def *backend;
    pictures p;
    float *masked, *shrunk;
    const size_t classes = net->graph->n_classes;
    TRY(find_backend(cfg, &backend));
    out->backend = backend->name;
    TRY(find_images(a, scratch, cfg, net, &p, out));
    TRY_ALLOC(masked, a, p.n_batches * BATCH * classes);
    TRY_ALLOC(shrunk, a, p.n_batches * BATCH * classes);
    arena_release(scratch);
    TRY(masked_logits(scratch, net, backend, &p, masked));
    arena_release(scratch);
    TRY(shrunk_logits(scratch, net, backend, &p, shrunk));
    out->n_images = p.n;
    for (size_t i = 0; i < p.n; i++) {
        compare_image(classes, masked + i * classes, shrunk + i * classes, out);
    }
    if (!(out->difference <= most_difference)) {
        return FAIL(ST_BUG, "%s: masked and shrunk network differ by %g of the largest logit; nothing was written", net->checkpoint,
                    out->difference);
    }
    return STATUS_OK;
}

status export_compare(arena *a, const config *cfg, const export_network *n, export_comparison *out)
{
    arena *scratch = NULL;
    *out = (export_comparison){.n_images = 0};
    status st = arena_open("comparison", &scratch);
    if (status_ok(st)) {
        st = compare(a, scratch, cfg, n, out);
    }
    arena_close(&scratch);
    return st;
}
