/* /heatmaps: explanations of evaluation images before and after pruning. */
#include <math.h>
#include <string.h>

#include "io/results_parts.h"

#define CELL(field) offsetof(result_heatmap_cell, field)

static const h5_column coordinates[] = {
    COLUMN("model", "cell", H5_STRING, NULL, "model", FROM_INDEX, CELL(model), LIST_MODELS),
    COLUMN("kind", "cell", H5_STRING, NULL, "what is pruned: filters, neurons or heads", FROM_ENUM, CELL(kind), LIST_KINDS),
    COLUMN("criterion", "cell", H5_STRING, NULL, "criterion", FROM_INDEX, CELL(criterion), LIST_CRITERIA),
    COLUMN("seed", "cell", H5_SEED, NULL, "seed of the task", FROM_COUNT, CELL(seed), 0),
    COLUMN("references", "cell", H5_COUNT, "1", "reference images per class; 0: the criterion needs none", FROM_SIZE, CELL(n_references), 0),
    COLUMN("task", "cell", H5_STRING, NULL, "class subset: how many classes a seed draws, or the name of a stated one", FROM_INDEX, CELL(task), LIST_TASKS),
    COLUMN("n_classes", "cell", H5_COUNT, "1", "classes of the task", FROM_SIZE, CELL(n_classes), 0),
};

static const h5_column measures[] = {
    COLUMN("images", "cell", H5_COUNT, "1", "explained images", FROM_SIZE, CELL(n_images), 0),
    COLUMN("cosine_mean", "cell rate", H5_REAL, "1", "cosine similarity of the input's relevance before and after pruning, mean over the images",
           FROM_REALS, CELL(cosine_mean), 0),
    COLUMN("cosine_error", "cell rate", H5_REAL, "1", "its standard error", FROM_REALS, CELL(cosine_error), 0),
    COLUMN("map_cosine_mean", "cell rate", H5_REAL, "1", "the same of the relevance summed over the channels", FROM_REALS,
           CELL(map_cosine_mean), 0),
    COLUMN("map_cosine_error", "cell rate", H5_REAL, "1", "its standard error", FROM_REALS, CELL(map_cosine_error), 0),
    COLUMN("logit_mean", "cell rate", H5_REAL, NULL, "logit of the image's class, mean over the images", FROM_REALS, CELL(logit_mean), 0),
    COLUMN("confidence_mean", "cell rate", H5_REAL, "1", "softmax of that logit over the task's classes, mean over the images", FROM_REALS,
           CELL(confidence_mean), 0),
    COLUMN("confidence_error", "cell rate", H5_REAL, "1", "its standard error", FROM_REALS, CELL(confidence_error), 0),
    COLUMN("confidence_loss_mean", "cell rate", H5_REAL, "1", "confidence of the unpruned network less that of the pruned one, mean over the images",
           FROM_REALS, CELL(confidence_loss_mean), 0),
    COLUMN("confidence_loss_error", "cell rate", H5_REAL, "1", "its standard error", FROM_REALS, CELL(confidence_loss_error), 0),
    COLUMN("changed", "cell rate", H5_COUNT, "1", "images that are taken for another of the task's classes than by the unpruned network", FROM_COUNTS,
           CELL(changed), 0),
    COLUMN("gone", "cell rate", H5_COUNT, "1", "images without any relevance, whose cosines count as 0", FROM_COUNTS, CELL(gone), 0),
    COLUMN("undefined", "cell rate", H5_COUNT, "1", "images with numbers that are not finite, which the means leave out", FROM_COUNTS,
           CELL(undefined), 0),
};

static status put_dimensions(h5_group *g, const result_heatmaps *h, size_t slots)
{
    static const h5_variable cell = {"cell", "cell", H5_COUNT, NULL, "cell number in /curves", NULL, NULL};
    static const h5_variable rate = {"rate", "rate", H5_REAL, "1", "fraction of the components removed", NULL, NULL};
    uint64_t *number;
    TRY_ALLOC(number, g->file->scratch, h->n_cells);
    for (size_t i = 0; i < h->n_cells; i++) {
        number[i] = h->cells[i].cell;
    }
    TRY(h5_dim_add(g, &cell, h->n_cells, number));
    TRY(h5_dim_add(g, &rate, h->n_rates, h->rates));
    TRY(results_put_numbering(g, "slot", slots, "place of an image among those of the cell"));
    return results_put_numbering(g, "image", h->n_images, "explained image");
}

static status put_images(h5_group *g, const result_heatmaps *h, size_t slots)
{
    static const int64_t none = -1;
    static const h5_variable path = {"path", "image", H5_STRING, NULL, "image file within the folder of evaluation images", NULL, NULL};
    static const h5_variable class = {"image_class", "image", H5_COUNT, NULL, "class number of the image", NULL, NULL};
    static const h5_variable member = {"member", "cell slot", H5_SIGNED, NULL, "position along `image`", &none, NULL};
    uint64_t *of;
    int64_t *members;
    TRY_ALLOC(of, g->file->scratch, h->n_images);
    TRY_ALLOC(members, g->file->scratch, h->n_cells * slots);
    for (size_t i = 0; i < h->n_images; i++) {
        of[i] = h->class[i];
    }
    for (size_t i = 0; i < h->n_cells * slots; i++) {
        const result_heatmap_cell *c = &h->cells[i / slots];
        members[i] = i % slots < c->n_images ? (int64_t)c->image[i % slots] : none;
    }
    TRY(h5_put(g, &path, h->path));
    TRY(h5_put(g, &class, of));
    return h5_put(g, &member, members);
}

/* A number of every image at every rate; slots beyond a cell's images are not a number. */
static status put_reals(h5_group *g, const result_heatmaps *h, size_t slots, const h5_variable *v, size_t offset)
{
    double *all;
    TRY_ALLOC(all, g->file->scratch, h->n_cells * h->n_rates * slots);
    for (size_t i = 0; i < h->n_cells * h->n_rates * slots; i++) {
        const result_heatmap_cell *c = &h->cells[i / slots / h->n_rates];
        const double *one;
        memcpy(&one, (const char *)c + offset, sizeof one);
        all[i] = i % slots < c->n_images ? one[i / slots % h->n_rates * c->n_images + i % slots] : (double)NAN;
    }
    return h5_put(g, v, all);
}

static status put_indices(h5_group *g, const result_heatmaps *h, size_t slots)
{
    static const int64_t none = -1;
    static const h5_variable prediction = {
        "prediction", "cell rate slot", H5_SIGNED, NULL, "class number that the network takes the image for, of the task's", &none, NULL};
    static const h5_variable map = {"heatmap", "cell rate slot", H5_SIGNED, NULL, "position along `heatmap` in /heatmaps/maps/<model>", &none, NULL};
    const size_t n = h->n_cells * h->n_rates * slots;
    int64_t *of, *at;
    TRY_ALLOC(of, g->file->scratch, n);
    TRY_ALLOC(at, g->file->scratch, n);
    for (size_t i = 0; i < n; i++) {
        const result_heatmap_cell *c = &h->cells[i / slots / h->n_rates];
        const size_t k = i / slots % h->n_rates * c->n_images + i % slots;
        const bool used = i % slots < c->n_images;
        of[i] = used ? c->prediction[k] : none;
        at[i] = used && c->map != NULL ? (int64_t)c->map[k] : none;
    }
    TRY(h5_put(g, &prediction, of));
    return h->n_models > 0 ? h5_put(g, &map, at) : STATUS_OK;
}

static status put_single_images(h5_group *g, const result_heatmaps *h, size_t slots)
{
    static const struct {
        h5_variable v;
        size_t offset;
    } reals[] = {
        {{"cosine", "cell rate slot", H5_REAL, "1", "cosine similarity of the input's relevance before and after pruning", NULL, NULL}, CELL(cosine)},
        {{"map_cosine", "cell rate slot", H5_REAL, "1", "the same of the relevance summed over the channels", NULL, NULL}, CELL(map_cosine)},
        {{"logit", "cell rate slot", H5_REAL, NULL, "logit of the image's class", NULL, NULL}, CELL(logit)},
        {{"confidence", "cell rate slot", H5_REAL, "1", "softmax of that logit over the task's classes", NULL, NULL}, CELL(confidence)},
    };
    for (size_t i = 0; i < COUNT(reals); i++) {
        TRY(put_reals(g, h, slots, &reals[i].v, reals[i].offset));
    }
    return put_indices(g, h, slots);
}

static void fill_maps(const void *context, size_t first, size_t n, void *out)
{
    const result_heatmap_maps *m = context;
    const size_t pixels = m->height * m->width;
    float *to = out;
    for (size_t i = 0; i < n; i++) {
        memcpy(to + i * pixels, m->map[first + i], pixels * sizeof *to);
    }
}

static status put_maps(const results_writer *w, const result_heatmap_maps *m)
{
    static const h5_variable relevance = {
        "relevance", "heatmap row column", H5_SINGLE, NULL, "relevance of the input for the image's class, summed over the channels", NULL, NULL};
    static const h5_variable of = {"image", "heatmap", H5_COUNT, NULL, "position along `image` in /heatmaps", NULL, NULL};
    status st = STATUS_OK;
    h5_group g;
    char *path;
    uint64_t *number;
    TRY_TEXT(path, w->file->scratch, "/heatmaps/maps/%s", w->names[LIST_MODELS][m->model]);
    TRY_ALLOC(number, w->file->scratch, m->n_maps);
    for (size_t i = 0; i < m->n_maps; i++) {
        number[i] = m->image[i];
    }
    TRY(h5_group_create(w->file, path, &g));
    TRY_OR(cleanup, st, results_put_numbering(&g, "heatmap", m->n_maps, "map of an image by a distinct network"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "row", m->height, "row of pixels, from the top"));
    TRY_OR(cleanup, st, results_put_numbering(&g, "column", m->width, "column of pixels, from the left"));
    TRY_OR(cleanup, st, h5_put(&g, &of, number));
    TRY_OR(cleanup, st, h5_put_rows(&g, &relevance, fill_maps, m));
cleanup:
    return h5_group_close(st, &g);
}

static status put_group(const results_writer *w, h5_group *g, const result_heatmaps *h)
{
    const h5_table cells = {h->n_cells, sizeof *h->cells, h->cells, h->n_rates, w->names};
    size_t slots = 0;
    for (size_t i = 0; i < h->n_cells; i++) {
        slots = h->cells[i].n_images > slots ? h->cells[i].n_images : slots;
    }
    TRY(h5_attr_text(g, "coordinates", "model kind criterion seed references task n_classes path image_class"));
    TRY(h5_attr_text(g, "method", h->method));
    TRY(h5_attr_text(g, "composite", h->composite));
    TRY(put_dimensions(g, h, slots));
    TRY(h5_put_table(g, &cells, COUNT(coordinates), coordinates));
    TRY(h5_put_table(g, &cells, COUNT(measures), measures));
    TRY(put_images(g, h, slots));
    return put_single_images(g, h, slots);
}

status results_put_heatmaps(const results_writer *w)
{
    const result_heatmaps *h = w->r->heatmaps;
    status st = STATUS_OK;
    h5_group g; /* also where there is none, so that readers need not ask */
    TRY(h5_group_create(w->file, "/heatmaps", &g));
    if (h != NULL) {
        st = put_group(w, &g, h);
    }
    TRY(h5_group_close(st, &g));
    for (size_t i = 0; h != NULL && i < h->n_models; i++) {
        arena_reset(w->file->scratch);
        TRY(put_maps(w, &h->maps[i]));
    }
    return STATUS_OK;
}
