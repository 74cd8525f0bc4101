#include "pipeline/watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stages/counters.h"
#include "stages/evaluate_parts.h"
#include "stages/item_keys.h"

static status cell_text(arena *a, const study *s, const study_cell *cell, const char *out[RUN_NOTE_FIELDS])
{
    const study_model *m = &s->models[cell->model];
    out[0] = m->config->name;
    out[1] = component_kind_name(m->kinds[cell->kind]);
    out[2] = s->config->task_name[s->tasks[cell->task].subset];
    out[3] = s->config->criteria[cell->criterion].name;
    if (cell->reference == NO_REFERENCE) {
        out[4] = "-";
        return STATUS_OK;
    }
    TRY_TEXT(out[4], a, "%zu", s->references[cell->reference].per_class);
    return STATUS_OK;
}

/* Items of the stages; of pruned networks as many as there are points of curves, before equal masks are found. */
void watch_count(const study *s, run_note *n)
{
    for (size_t m = 0; m < s->n_models; m++) {
        for (size_t k = 0; k < s->config->n_criteria; k++) {
            n->rows += attribute_explains(s, m, k) ? study_batches(study_explained(s, m, k), s->config->micro_batch) : 0;
        }
        for (size_t e = 0; e < s->n_evaluations; e++) {
            n->whole += study_batches(&s->evaluations[e].samples, s->config->micro_batch);
        }
    }
    for (size_t i = 0; i < s->n_cells; i++) {
        const study_cell *cell = &s->cells[i];
        n->pruned += evaluate_runs(s, cell->model, s->tasks[cell->task].evaluation) * (s->config->n_rates - 1);
    }
}

static void describe_run(const study *s, const resume *r, run_note *n)
{
    const char *job = getenv("SLURM_JOB_ID");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *n = (run_note){.layout = RUN_NOTE_LAYOUT, .ranks = (uint32_t)r->comm->size, .task = (uint32_t)r->items.task, .n_tasks = (uint32_t)r->items.n_tasks,
                    .started = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec, .prediction = (uint32_t)s->config->prediction,
                    .n_rates = (uint32_t)s->config->n_rates, .n_cells = (uint32_t)s->n_cells, .n_models = (uint32_t)s->n_models,
                    .more = s->config->search.on || s->config->heatmaps.images > 0};
    (void)snprintf(n->study, sizeof n->study, "%s", s->config->name);
    (void)snprintf(n->job, sizeof n->job, "%s", job == NULL ? "" : job);
    (void)gethostname(n->host, sizeof n->host - 1);
    watch_count(s, n);
}

status watch_note(arena *a, const study *s, resume *r)
{
    run_note n;
    unsigned char *data;
    describe_run(s, r, &n);
    const char **text;
    size_t size = sizeof n + s->config->n_rates * sizeof(double);
    TRY_ALLOC(text, a, s->n_cells * RUN_NOTE_FIELDS);
    for (size_t i = 0; i < s->n_cells; i++) {
        TRY(cell_text(a, s, &s->cells[i], text + i * RUN_NOTE_FIELDS));
    }
    for (size_t i = 0; i < s->n_cells * RUN_NOTE_FIELDS; i++) {
        n.text += (uint32_t)strlen(text[i]) + 1;
    }
    size += n.text;
    TRY_ALLOC(data, a, size);
    memcpy(data, &n, sizeof n);
    memcpy(data + sizeof n, s->config->rates, s->config->n_rates * sizeof(double));
    char *to = (char *)data + sizeof n + s->config->n_rates * sizeof(double);
    for (size_t i = 0; i < s->n_cells * RUN_NOTE_FIELDS; i++) {
        to = stpcpy(to, text[i]) + 1;
    }
    return resume_note(r, ITEM_RUN, data, size);
}
