/* /provenance: the only part that may hold times, dates and names of hosts, and so the only one that differs between equal runs. */
#include <string.h>

#include "io/results_parts.h"

#define INPUT(field) offsetof(result_input, field)

static const h5_column inputs[] = {
    COLUMN("path", "input", H5_STRING, NULL, "input file", FROM_TEXT, INPUT(path), 0),
    COLUMN("sha256", "input", H5_STRING, NULL, "SHA-256 of its content", FROM_TEXT, INPUT(sha256), 0),
    COLUMN("bytes", "input", H5_COUNT, "byte", "its size", FROM_COUNT, INPUT(bytes), 0),
};

static status put_ranks(h5_group *g, const results *r)
{
    static const h5_variable host = {"host", "rank", H5_STRING, NULL, "where the rank ran", NULL, NULL};
    static const h5_variable busy = {"busy", "rank", H5_REAL, "s", "time computing", NULL, NULL};
    static const h5_variable idle = {"idle", "rank", H5_REAL, "s", "time waiting for other ranks to finish their items", NULL, NULL};
    static const h5_variable share = {"idle_share", "rank", H5_REAL, "1", "idle over the time that all stages took", NULL, NULL};
    TRY(results_put_numbering(g, "rank", r->n_ranks, "MPI rank"));
    TRY(h5_put(g, &host, r->rank_host));
    TRY(h5_put(g, &busy, r->rank_busy));
    TRY(h5_put(g, &idle, r->rank_idle));
    return h5_put(g, &share, r->rank_idle_share);
}

static status put_times(h5_group *g, const results *r)
{
    static const h5_variable time = {"seconds_per_image", "cell rate", H5_REAL, "s",
                                     "time of the compacted network on one core, padding counted as images", NULL, NULL};
    double *seconds;
    TRY_ALLOC(seconds, g->file->scratch, r->n_cells * r->n_rates);
    for (size_t c = 0; c < r->n_cells; c++) {
        memcpy(seconds + c * r->n_rates, r->cells[c].seconds_per_image, r->n_rates * sizeof *seconds);
    }
    TRY(results_put_numbering(g, "cell", r->n_cells, "cell of /curves"));
    TRY(results_put_rates(g, r));
    return h5_put(g, &time, seconds);
}

static status put_waits(h5_group *g, const results *r)
{
    static const h5_variable stage = {"stage", "stage", H5_STRING, NULL, "stage, in the order in which they ran", NULL, NULL};
    static const h5_variable wait = {"image_wait", "rank stage", H5_REAL, "s", "time waiting for images to be read and decoded", NULL, NULL};
    static const h5_variable share = {"image_wait_share", "rank stage", H5_REAL, "1", "image_wait over the time that the stage took", NULL, NULL};
    TRY(h5_dim_add(g, &stage, r->n_stages, r->stage_name));
    TRY(h5_put(g, &wait, r->image_wait));
    return h5_put(g, &share, r->image_wait_share);
}

/* Datasets, not attributes: an attribute holds at most 64 KB, a config may be longer. */
static status put_texts(h5_group *g, const results *r)
{
    for (size_t i = 0; i < r->n_texts; i++) {
        const h5_variable v = {r->texts[i].name, "", H5_STRING, NULL, NULL, NULL, NULL};
        TRY(h5_put(g, &v, &r->texts[i].value));
    }
    return STATUS_OK;
}

status results_put_provenance(const results_writer *w)
{
    const results *r = w->r;
    const h5_table table = {r->n_inputs, sizeof *r->inputs, r->inputs, 0, w->names};
    status st = STATUS_OK;
    h5_group g;
    TRY(h5_group_create(w->file, "/provenance", &g));
    TRY_OR(cleanup, st, put_texts(&g, r));
    TRY_OR(cleanup, st, results_put_numbering(&g, "input", r->n_inputs, "input file"));
    TRY_OR(cleanup, st, h5_put_table(&g, &table, COUNT(inputs), inputs));
    TRY_OR(cleanup, st, put_ranks(&g, r));
    TRY_OR(cleanup, st, put_times(&g, r));
    TRY_OR(cleanup, st, put_waits(&g, r));
cleanup:
    return h5_group_close(st, &g);
}
