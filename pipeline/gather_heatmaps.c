#include "pipeline/gather_heatmaps.h"

#include <math.h>
#include <string.h>

#include "io/config_composite.h"

/* The images of all evaluation sets, each once; ascending, as in the data set. */
typedef struct image_index {
    size_t n;
    const char **path;
    uint32_t *class;
    size_t *number; /* [n_samples of the data set] of those that are explained */
} image_index;

static status index_images(arena *a, const study *s, image_index *out)
{
    const dataset *d = s->evaluation_data;
    uint8_t *used;
    TRY_ALLOC(used, a, d->n_samples);
    TRY_ALLOC(out->number, a, d->n_samples);
    for (size_t e = 0; e < s->n_evaluations; e++) {
        for (size_t i = 0; i < s->evaluations[e].heatmaps.n; i++) {
            used[s->evaluations[e].heatmaps.sample[i]] = 1;
        }
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        out->number[i] = out->n;
        out->n += used[i];
    }
    TRY_ALLOC(out->path, a, out->n);
    TRY_ALLOC(out->class, a, out->n);
    for (size_t i = 0; i < d->n_samples; i++) {
        if (used[i]) {
            out->path[out->number[i]] = d->path[i];
            out->class[out->number[i]] = d->label[i];
        }
    }
    return STATUS_OK;
}

/* Sums in the order of the images. */
typedef struct moments {
    double n, sum, mean, squares;
} moments;

static double standard_error(const moments *m)
{
    return m->n > 1.0 ? sqrt(m->squares / (m->n - 1.0) / m->n) : (double)NAN;
}

/* Mean and standard error of values [n], leaving out where skip[i]. */
static moments moments_of(size_t n, const double *value, const bool skip[])
{
    moments m = {0};
    for (size_t i = 0; i < n; i++) {
        m.n += !skip[i];
        m.sum += skip[i] ? 0.0 : value[i];
    }
    m.mean = m.n > 0.0 ? m.sum / m.n : (double)NAN;
    for (size_t i = 0; i < n; i++) {
        const double off = skip[i] ? 0.0 : value[i] - m.mean;
        m.squares += off * off;
    }
    return m;
}

enum { MEANS = 9, COUNTS = 3, REALS = 4 };

/* Arrays of a cell, one behind the other: means and counts [n_rates], numbers of images [n_rates, n_images]. */
typedef struct cell_arrays {
    double *mean[MEANS], *real[REALS];
    uint64_t *count[COUNTS];
    int64_t *prediction;
    size_t *image, *map;
    bool *skip;   /* [n_images] */
    double *loss; /* [n_images] */
} cell_arrays;

static status arrays_open(arena *a, size_t n_rates, size_t n_images, bool maps, cell_arrays *out)
{
    double *means, *reals;
    uint64_t *counts;
    TRY_ALLOC(means, a, MEANS * n_rates);
    TRY_ALLOC(reals, a, REALS * n_rates * n_images);
    TRY_ALLOC(counts, a, COUNTS * n_rates);
    TRY_ALLOC(out->prediction, a, n_rates * n_images);
    TRY_ALLOC(out->image, a, n_images);
    TRY_ALLOC(out->skip, a, n_images);
    TRY_ALLOC(out->loss, a, n_images);
    out->map = NULL;
    if (maps) {
        TRY_ALLOC(out->map, a, n_rates * n_images);
    }
    for (size_t i = 0; i < MEANS; i++) {
        out->mean[i] = means + i * n_rates;
    }
    for (size_t i = 0; i < REALS; i++) {
        out->real[i] = reals + i * n_rates * n_images;
    }
    for (size_t i = 0; i < COUNTS; i++) {
        out->count[i] = counts + i * n_rates;
    }
    return STATUS_OK;
}

/* The images at one rate: rate k of those that were asked for. `before`: of the unpruned network. */
static void gather_rate(const heatmap_set *set, size_t mask, size_t k, size_t first_map, cell_arrays *to)
{
    const size_t n = set->n_images;
    const heatmap_answer_pair *before = set->answers, *after = set->answers + mask * n;
    double *const real[REALS] = {to->real[0] + k * n, to->real[1] + k * n, to->real[2] + k * n, to->real[3] + k * n};
    for (size_t i = 0; i < n; i++) {
        const double value[REALS] = {after[i].cosine, after[i].map_cosine, after[i].logit, after[i].confidence};
        for (size_t r = 0; r < REALS; r++) {
            real[r][i] = value[r];
        }
        to->prediction[k * n + i] = after[i].prediction;
        to->skip[i] = !isfinite(value[0]) || !isfinite(value[1]) || !isfinite(value[2]) || !isfinite(value[3]);
        to->loss[i] = before[i].confidence - after[i].confidence;
        to->count[0][k] += after[i].prediction != before[i].prediction;
        to->count[1][k] += after[i].gone;
        to->count[2][k] += to->skip[i];
        if (to->map != NULL) {
            to->map[k * n + i] = first_map + mask * n + i;
        }
    }
    const moments of[] = {moments_of(n, real[0], to->skip), moments_of(n, real[1], to->skip), moments_of(n, real[2], to->skip),
                          moments_of(n, real[3], to->skip), moments_of(n, to->loss, to->skip)};
    const double means[MEANS] = {of[0].mean, standard_error(&of[0]), of[1].mean, standard_error(&of[1]), of[2].mean,
                                 of[3].mean, standard_error(&of[3]), of[4].mean, standard_error(&of[4])};
    for (size_t i = 0; i < MEANS; i++) {
        to->mean[i][k] = means[i];
    }
}

/* Where a set's maps begin among those of its model. */
static size_t first_map_of(const heatmaps_output *h, size_t set)
{
    size_t n = 0;
    for (size_t i = 0; i < set; i++) {
        n += h->sets[i].model == h->sets[set].model ? h->sets[i].n_masks * h->sets[i].n_images : 0;
    }
    return n;
}

static status gather_cell(arena *a, const study *s, const heatmaps_output *h, const image_index *images, size_t n_rates, size_t index,
                          result_heatmap_cell *out)
{
    const study_cell *cell = &s->cells[index];
    const study_task *t = &s->tasks[cell->task];
    const heatmap_set *set = &h->sets[h->set[index]];
    const size_t first_map = first_map_of(h, h->set[index]);
    cell_arrays x = {0};
    size_t k = 0;
    TRY(arrays_open(a, n_rates, set->n_images, set->maps != NULL, &x));
    for (size_t r = 0; r < s->config->n_rates; r++) {
        const size_t mask = h->mask[index * s->config->n_rates + r];
        if (mask != NO_HEATMAPS) {
            gather_rate(set, mask, k++, first_map, &x);
        }
    }
    for (size_t i = 0; i < set->n_images; i++) {
        x.image[i] = images->number[s->evaluations[set->evaluation].heatmaps.sample[i]];
    }
    *out = (result_heatmap_cell){
        .cell = index, .model = cell->model, .criterion = cell->criterion, .task = t->subset, .kind = s->models[cell->model].kinds[cell->kind],
        .n_references = cell->reference == NO_REFERENCE ? 0 : s->references[cell->reference].per_class,
        .n_classes = t->n_classes, .seed = t->seed, .n_images = set->n_images,
        .cosine_mean = x.mean[0], .cosine_error = x.mean[1], .map_cosine_mean = x.mean[2], .map_cosine_error = x.mean[3],
        .logit_mean = x.mean[4], .confidence_mean = x.mean[5], .confidence_error = x.mean[6], .confidence_loss_mean = x.mean[7],
        .confidence_loss_error = x.mean[8], .changed = x.count[0], .gone = x.count[1], .undefined = x.count[2], .image = x.image,
        .cosine = x.real[0], .map_cosine = x.real[1], .logit = x.real[2], .confidence = x.real[3], .prediction = x.prediction, .map = x.map};
    return STATUS_OK;
}

static status gather_maps(arena *a, const study *s, const heatmaps_output *h, const image_index *images, size_t model, result_heatmap_maps *out)
{
    const shape input = s->models[model].logits_graph->input;
    const float **map;
    size_t *of, n = 0;
    *out = (result_heatmap_maps){.model = model, .height = input.dim[1], .width = input.dim[2]};
    for (size_t i = 0; i < h->n_sets; i++) {
        out->n_maps += h->sets[i].model == model ? h->sets[i].n_masks * h->sets[i].n_images : 0;
    }
    TRY_ALLOC(map, a, out->n_maps);
    TRY_ALLOC(of, a, out->n_maps);
    for (size_t i = 0; i < h->n_sets; i++) {
        const heatmap_set *set = &h->sets[i];
        for (size_t k = 0; set->model == model && k < set->n_masks * set->n_images; k++, n++) {
            map[n] = set->maps[k];
            of[n] = images->number[s->evaluations[set->evaluation].heatmaps.sample[k % set->n_images]];
        }
    }
    out->map = map;
    out->image = of;
    return STATUS_OK;
}

static status gather_texts(arena *a, const study *s, result_heatmaps *out)
{
    const config_criterion *e = &s->config->heatmaps.explanation;
    const criterion_setup setup = study_heatmap_setup(s, 0);
    const composite *rules;
    TRY(e->method->composite(a, &setup, &rules));
    out->method = criterion_text(a, e);
    out->composite = composite_text(a, rules);
    return out->method == NULL || out->composite == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

static status gather_rates(arena *a, const config *cfg, result_heatmaps *out)
{
    double *rates;
    TRY_ALLOC(rates, a, cfg->n_rates);
    for (size_t r = 0; r < cfg->n_rates; r++) {
        if (cfg->heatmaps.rate[r]) {
            rates[out->n_rates++] = cfg->rates[r];
        }
    }
    out->rates = rates;
    return STATUS_OK;
}

status gather_heatmaps(arena *a, const study *s, const stage_ctx *c, results *out)
{
    const heatmaps_output *h = &c->heatmaps;
    image_index images = {0};
    result_heatmaps *all;
    result_heatmap_cell *cells;
    result_heatmap_maps *maps;
    if (h->n_sets == 0 || h->sets[0].answers == NULL) {
        return STATUS_OK;
    }
    TRY_ALLOC(all, a, 1);
    TRY_ALLOC(cells, a, s->n_cells);
    TRY_ALLOC(maps, a, s->n_models);
    TRY(gather_texts(a, s, all));
    TRY(gather_rates(a, s->config, all));
    TRY(index_images(a, s, &images));
    for (size_t i = 0; i < s->n_cells; i++) {
        if (h->set[i] != NO_HEATMAPS) {
            TRY(gather_cell(a, s, h, &images, all->n_rates, i, &cells[all->n_cells++]));
        }
    }
    for (size_t m = 0; m < s->n_models && s->config->heatmaps.keep; m++) {
        TRY(gather_maps(a, s, h, &images, m, &maps[all->n_models++]));
    }
    all->cells = cells;
    all->maps = maps;
    all->n_images = images.n;
    all->path = images.path;
    all->class = images.class;
    out->heatmaps = all;
    return STATUS_OK;
}

size_t gather_heatmaps_bytes(const study *s)
{
    const config_heatmaps *h = &s->config->heatmaps;
    size_t sum = 0, n_rates = 0;
    for (size_t r = 0; r < s->config->n_rates && h->images > 0; r++) {
        n_rates += h->rate[r];
    }
    for (size_t i = 0; i < s->n_cells && h->images > 0; i++) {
        const size_t n = s->evaluations[s->tasks[s->cells[i].task].evaluation].heatmaps.n;
        if (h->criterion[s->cells[i].criterion]) {
            sum += sizeof(result_heatmap_cell) + n_rates * (MEANS * sizeof(double) + COUNTS * sizeof(uint64_t)) +
                   n * (sizeof(size_t) + sizeof(double) + n_rates * (REALS * sizeof(double) + sizeof(int64_t) + sizeof(size_t)));
        }
    }
    return h->images == 0 ? 0 : sum + s->evaluation_data->n_samples * (sizeof(size_t) + 1);
}
