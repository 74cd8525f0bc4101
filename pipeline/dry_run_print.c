/* The report of a dry run: tables for a person. */
#include <inttypes.h>
#include <string.h>

#include "io/config_schema.h"
#include "io/text_table.h"
#include "pipeline/dry_run_parts.h"
#include "pipeline/gather.h"
#include "pipeline/gather_rows.h"
#include "pipeline/winograd.h"

/* A table that is filled row by row. */
typedef struct rows {
    text_table table;
    size_t n; /* rows so far, the heading included */
    arena *a;
} rows;

static status rows_open(arena *a, size_t n_columns, const char *const heading[], size_t n_text, size_t most, rows *out)
{
    *out = (rows){.a = a};
    TRY(text_table_open(a, n_columns, most, &out->table));
    for (size_t i = 0; i < n_columns; i++) {
        out->table.cell[i] = heading[i];
        out->table.right[i] = i >= n_text;
    }
    out->n = 1;
    return STATUS_OK;
}

/* NULL as a cell: memory is gone. */
static status rows_add(rows *r, const char *const cell[])
{
    for (size_t i = 0; i < r->table.n_columns; i++) {
        if (cell[i] == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        r->table.cell[r->n * r->table.n_columns + i] = cell[i];
    }
    r->n++;
    return STATUS_OK;
}

static void rows_print(rows *r, FILE *to, const char *title)
{
    r->table.n_rows = r->n - 1;
    (void)fprintf(to, "\n%s\n", title);
    text_table_print(&r->table, to);
}

static const char *count(arena *a, size_t n)
{
    return arena_text(a, "%zu", n);
}

static const char *mib(arena *a, double bytes)
{
    return arena_text(a, "%.1f", bytes / 1048576.0);
}

static const char *duration(arena *a, double seconds)
{
    if (seconds < 120.0) {
        return arena_text(a, "%.1f s", seconds);
    }
    return seconds < 7200.0 ? arena_text(a, "%.1f min", seconds / 60.0) : arena_text(a, "%.1f h", seconds / 3600.0);
}

static status print_models(arena *a, FILE *to, const study *s)
{
    static const char *const heading[] = {"name",   "family",     "input",      "pruned",
                                          "layers", "components", "parameters", "multiply-adds"};
    rows r;
    TRY(rows_open(a, COUNT(heading), heading, 4, s->n_models * COMPONENT_KINDS, &r));
    for (size_t i = 0; i < s->n_models; i++) {
        const study_model *m = &s->models[i];
        const graph *g = m->graph;
        uint64_t parameters, macs;
        graph_cost(g, &parameters, &macs, NULL, NULL);
        for (size_t k = 0; k < m->n_kinds; k++) {
            size_t layers = 0;
            for (size_t l = 0; l < g->n_layers; l++) {
                layers += g->nodes[g->layers[l]].components == m->kinds[k];
            }
            const char *const cells[] = {
                m->config->name,
                g->architecture,
                arena_text(a, "%zux%zux%zu", g->input.dim[0], g->input.dim[1], g->input.dim[2]),
                component_kind_name(m->kinds[k]),
                count(a, layers),
                count(a, m->n_components[k]),
                arena_text(a, "%" PRIu64, parameters),
                arena_text(a, "%" PRIu64, macs)};
            TRY(rows_add(&r, cells));
        }
    }
    rows_print(&r, to, "Networks (batch norm folded; multiply-adds for one image):");
    return STATUS_OK;
}

/* Which layers, where the study asks for it. */
static status print_winograd(arena *a, FILE *to, const study *s)
{
    const char *text = winograd_text(a, s);
    if (text == NULL || !s->config->winograd) {
        return text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
    }
    (void)fprintf(to, "\nEvaluated by Winograd's algorithm:\n");
    for (const char *line = text; *line != '\0';) {
        const size_t n = strcspn(line, "\n");
        (void)fprintf(to, "  %.*s\n", (int)n, line);
        line += n + (line[n] != '\0');
    }
    return STATUS_OK;
}

static const char *basis(const criterion_def *c)
{
    return c->uses_samples ? "explains the reference images"
           : c->uses_seed  ? "draws from the seed"
                           : "looks at weights";
}

static status print_criteria(arena *a, FILE *to, const dry_run_report *r)
{
    const study *s = &r->plan->study;
    static const char *const heading[] = {"name", "method", "order", "scope", "floor", ""};
    const char **names, **methods;
    rows t;
    TRY(gather_criteria(a, s->config, &names, &methods));
    TRY(rows_open(a, COUNT(heading), heading, COUNT(heading), s->config->n_criteria, &t));
    for (size_t i = 0; i < s->config->n_criteria; i++) {
        const config_criterion *c = &s->config->criteria[i];
        const bool found = i + r->search.n_tuned >= s->config->n_criteria;
        const char *const cells[] = {names[i],
                                     found ? "lrp" : methods[i],
                                     ranking_order_names[c->ranking.order],
                                     ranking_scope_names[c->ranking.scope],
                                     arena_text(a, "%s", number_text(c->ranking.floor).text),
                                     found ? "explains the reference images; stands for what the search finds" : basis(c->method)};
        TRY(rows_add(&t, cells));
    }
    rows_print(&t, to, "Criteria:");
    return STATUS_OK;
}

/* "110" or "110 to 113" over the seeds of a task. */
static const char *range(arena *a, size_t least, size_t most)
{
    return least == most ? count(a, least) : arena_text(a, "%zu to %zu", least, most);
}

static const char *evaluation_images(arena *a, const study *s, size_t first)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = first; i < first + s->config->n_seeds; i++) {
        const size_t n = s->evaluations[s->tasks[i].evaluation].samples.n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    return range(a, least, most);
}

/* Fewer than classes x references where, with `sampling: torch`, a class has not so many. */
static const char *reference_images(arena *a, const study *s, size_t first, size_t references)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = first; i < first + s->config->n_seeds; i++) {
        const size_t n = s->references[i * s->config->n_references + references].samples.n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    return range(a, least, most);
}

static status print_tasks(arena *a, FILE *to, const study *s)
{
    static const char *const heading[] = {"subset", "classes", "seeds", "references per class", "reference images",
                                          "evaluation images"};
    const config *cfg = s->config;
    const size_t n_drawn = cfg->n_tasks - cfg->n_subsets;
    rows r;
    TRY(rows_open(a, COUNT(heading), heading, 1, cfg->n_tasks * cfg->n_references, &r));
    for (size_t i = 0; i < cfg->n_tasks; i++) {
        for (size_t k = 0; k < cfg->n_references; k++) {
            const char *const cells[] = {
                i < n_drawn ? "drawn" : cfg->task_name[i], count(a, cfg->task_classes[i]), count(a, cfg->n_seeds), count(a, cfg->references[k]),
                reference_images(a, s, i * cfg->n_seeds, k), evaluation_images(a, s, i * cfg->n_seeds)};
            TRY(rows_add(&r, cells));
        }
    }
    rows_print(&r, to, "Tasks (images of one seed):");
    return STATUS_OK;
}

static status print_work(arena *a, FILE *to, const dry_run_report *r)
{
    static const char *const heading[] = {"stage", "items", "distinct images", "passes", "without sharing"};
    const study *s = &r->plan->study;
    rows t;
    bool bound = false;
    TRY(rows_open(a, COUNT(heading), heading, 1, stage_count, &t));
    for (size_t i = 0; i < stage_count; i++) {
        const stage_forecast *f = &r->stage[i];
        if (f->idle) {
            continue;
        }
        const char *const cells[] = {stage_table[i]->name, count(a, f->items), count(a, f->images),
                                     arena_text(a, "%s%zu", f->at_most ? "at most " : "", f->passes),
                                     count(a, f->unshared)};
        TRY(rows_add(&t, cells));
        bound = bound || f->at_most;
        if (f->masks > 0) {
            (void)fprintf(
                to, "\n%zu cells (network, kind, criterion, task, references), %zu rates: %zu masks, %s%zu distinct\n",
                s->n_cells, s->config->n_rates, f->masks, f->at_most ? "at most " : "", f->distinct);
        }
    }
    rows_print(
        &t, to,
        arena_text(a, "Work (a pass is a micro-batch of %zu images through a network):", s->config->micro_batch));
    if (bound) {
        (void)fputs(
            "  At most: rankings are known when the reference images are explained, and may then give equal masks.\n",
            to);
    }
    return STATUS_OK;
}

/* "3.4", "at least 3.4" */
static const char *factor(arena *a, bool at_least, double alone, double once)
{
    return once > 0.0 ? arena_text(a, "%s%.2f", at_least ? "at least " : "", alone / once) : "-";
}

static const char *hours(arena *a, double value)
{
    return value >= 0.0 ? arena_text(a, "%.3g", value) : "-";
}

static status print_sharing(arena *a, FILE *to, const dry_run_report *r)
{
    static const char *const heading[] = {"", "once", "cell by cell", "factor", "core-hours", "cell by cell"};
    shared_work w[SHARED_WORK];
    double once = 0.0, alone = 0.0;
    bool bound = false;
    rows t;
    dry_run_shared(r, w);
    TRY(rows_open(a, COUNT(heading), heading, 1, SHARED_WORK + 1, &t));
    for (size_t i = 0; i < SHARED_WORK; i++) {
        const char *const cells[] = {w[i].what, arena_text(a, "%s%zu", w[i].at_most ? "at most " : "", w[i].once), count(a, w[i].alone),
                                     factor(a, w[i].at_most, (double)w[i].alone, (double)w[i].once), hours(a, w[i].hours),
                                     hours(a, w[i].hours_alone)};
        TRY(rows_add(&t, cells));
        once += w[i].hours;
        alone += w[i].hours_alone;
        bound = bound || w[i].at_most;
    }
    const char *const sum[] = {"together", "", "", r->tried ? factor(a, bound, alone, once) : "-", hours(a, once), hours(a, alone)};
    TRY(rows_add(&t, sum));
    rows_print(&t, to, "Shared work (cell by cell: each cell explains its own reference images and evaluates every rate):");
    return STATUS_OK;
}

static status add_memory(rows *t, const char *when, const char *what, double bytes)
{
    if (bytes < 1.0) {
        return STATUS_OK;
    }
    const char *const cells[] = {when, what, mib(t->a, bytes)};
    return rows_add(t, cells);
}

static const char *search_stage(arena *a, size_t stage)
{
    return arena_text(a, "search, %s", stage_table[stage]->name);
}

/* One copy for all ranks of a node; nothing where ranks share none. */
static status print_shared(arena *a, FILE *to, const dry_run_report *r)
{
    static const char *const heading[] = {"when", "what", "MiB"};
    const rank_memory *m = &r->memory;
    rows t;
    if (m->networks == 0.0) {
        return STATUS_OK;
    }
    TRY(rows_open(a, COUNT(heading), heading, 2, 1 + 2 * stage_count, &t));
    TRY(add_memory(&t, "always", "weights of the networks", m->networks));
    for (size_t i = 0; i < stage_count && r->search.n_parts > 0; i++) {
        TRY(add_memory(&t, search_stage(a, i), "weights in the order of the kernels", (double)r->search.stage[i].shared));
    }
    for (size_t i = 0; i < stage_count; i++) {
        const char *what = r->stage[i].shared_what;
        TRY(add_memory(&t, stage_table[i]->name, what == NULL ? "weights in the order of the kernels" : what, (double)r->stage[i].shared));
    }
    rows_print(&t, to, arena_text(a, "Memory that the %zu ranks of the node of rank 0 share:", m->ranks));
    (void)fprintf(to, "  %.1f MiB in %s.\n", m->shared / 1048576.0, m->when);
    return STATUS_OK;
}

static status print_memory(arena *a, FILE *to, const dry_run_report *r)
{
    static const char *const heading[] = {"when", "what", "MiB"};
    const study *s = &r->plan->study;
    const rank_memory *m = &r->memory;
    rows t;
    TRY(rows_open(a, COUNT(heading), heading, 2, 11 + 2 * stage_count * (FORECAST_PARTS + 2), &t));
    TRY(add_memory(&t, "always", "program and libraries", m->program));
    TRY(add_memory(&t, "always", "networks, lists of images", m->study));
    TRY(add_memory(&t, "always", "digests of images",
                   (double)((s->reference_data->n_samples + s->evaluation_data->n_samples) * sizeof(file_mark))));
    for (size_t i = 0; i < stage_count && r->search.n_parts > 0; i++) {
        const stage_forecast *f = &r->search.stage[i];
        for (size_t k = 0; k < f->n_parts; k++) {
            TRY(add_memory(&t, search_stage(a, i), f->part[k].name, (double)f->part[k].bytes));
        }
        TRY(add_memory(&t, search_stage(a, i), "image files, decoded", f->images > 0 ? m->image : 0.0));
        TRY(add_memory(&t, search_stage(a, i), "its output, of a round", (double)f->kept));
    }
    TRY(add_memory(&t, "search", "settings and samples of a round", (double)r->search.lists));
    TRY(add_memory(&t, "search", "a proposal", (double)r->search.proposals));
    TRY(add_memory(&t, "search", "masks and sums that are known", (double)r->search.known));
    TRY(add_memory(&t, "from search on", "settings", m->found));
    TRY(add_memory(&t, "from search on", "tasks and samples of the search", (double)r->search.drawn));
    for (size_t i = 0; i < stage_count; i++) {
        const stage_forecast *f = &r->stage[i];
        for (size_t k = 0; k < f->n_parts; k++) {
            TRY(add_memory(&t, stage_table[i]->name, f->part[k].name, (double)f->part[k].bytes));
        }
        TRY(add_memory(&t, stage_table[i]->name, "image files, decoded", f->images > 0 ? m->image : 0.0));
        TRY(add_memory(&t, arena_text(a, "from %s on", stage_table[i]->name), "its output", (double)f->kept));
    }
    TRY(add_memory(&t, "result", "tables", m->tables));
    TRY(add_memory(&t, "result", "HDF5, and the file in memory", m->file));
    rows_print(&t, to, "Memory of rank 0:");
    (void)fprintf(to, "  At most %.1f MiB at once, in %s.\n", m->most / 1048576.0, m->when);
    return STATUS_OK;
}

/* What keeping the scores of single images takes, or would take. */
static void print_rows(FILE *to, const study *s)
{
    const double memory = (double)gather_rows_kept_bytes(s) / 1048576.0, file = (double)gather_rows_file_bytes(s) / 1048576.0;
    if (gather_rows_kept_bytes(s) == 0) {
        return; /* no criterion looks at images */
    }
    const char *const choice = setting_choice(&study_section.settings[STUDY_ROWS], s->config->rows);
    if (gather_rows_stored(s)) {
        (void)fprintf(to, "  rows: %s%s takes %.1f MiB of it on rank 0, and at most %.1f MiB of the file, which is made in memory.\n", choice,
                      s->config->rows == ROWS_AUTO ? ", which keeps them here," : "", memory, file);
    } else if (s->config->rows == ROWS_AUTO) {
        (void)fprintf(to, "  rows: auto forgets them here, since they take %.1f MiB and so more than %.0f; rows: keep would take at most %.1f MiB more for "
                      "the file.\n", memory, (double)gather_rows_auto_bytes() / 1048576.0, file);
    } else {
        (void)fprintf(to, "  rows: keep would take %.1f MiB more on rank 0, and at most %.1f MiB more for the file, which is made in memory.\n",
                      s->config->spectrum ? 0.0 : memory, file);
    }
    if (s->config->spectrum && !gather_rows_stored(s)) {
        (void)fprintf(to, "  spectrum: true takes %.1f MiB of it on rank 0 for scores of single images.\n", memory);
    }
}

static void print_node(FILE *to, const dry_run_report *r)
{
    const node_memory *n = &r->node;
    (void)fprintf(to, "  %zu rank%s on %.60s%s: %.1f MiB together", n->ranks, n->ranks == 1 ? "" : "s", n->host,
                  n->n_nodes > 1 ? ", where memory is tightest" : "", n->needed / 1048576.0);
    if (n->available < 0.0) {
        (void)fputs("; how much is free is not known here.\n", to);
        return;
    }
    (void)fprintf(to, " of %.1f MiB (%s).\n", n->available / 1048576.0, n->from == NULL ? "unknown" : n->from);
    if (!n->fits) {
        if (n->lacks > 0.0) {
            (void)fprintf(to, "  IT WILL NOT FIT (shared memory lacks room for %.1f MiB). Make it larger, or set POLLARD_SHARED_MEMORY (docs/plan.md).\n",
                          n->lacks / 1048576.0);
            return;
        }
        (void)fprintf(to, "  IT WILL NOT FIT (%s). Use fewer ranks a node or a smaller micro_batch (now %zu).\n",
                      n->needed > n->available ? "free memory" : "ulimit -v", r->plan->study.config->micro_batch);
    }
}

static status print_time(arena *a, FILE *to, const dry_run_report *r)
{
    static const char *const heading[] = {"stage", "time"};
    double total = r->start_seconds;
    rows t;
    if (!r->tried) {
        (void)fputs("\nTime: not tried, for want of memory.\n", to);
        return STATUS_OK;
    }
    TRY(rows_open(a, COUNT(heading), heading, 1, 2 * stage_count + 3, &t));
    const char *const start[] = {"start", duration(a, r->start_seconds)};
    TRY(rows_add(&t, start));
    for (size_t i = 0; i < stage_count && r->search.n_parts > 0; i++) {
        /* In a race settings that say the same stay together, so that more of them may be explained than are counted. */
        const char *how = r->plan->study.config->search.method == SEARCH_BY_HALVING ? "about" : "at most";
        const char *const cells[] = {search_stage(a, i), arena_text(a, "%s %s", how, duration(a, r->search.seconds[i]))};
        TRY(r->search.seconds[i] == 0.0 ? STATUS_OK : rows_add(&t, cells));
        total += r->search.seconds[i];
    }
    if (r->search.proposal_seconds > 0.0) {
        const char *const cells[] = {"search, proposals", arena_text(a, "about %s", duration(a, r->search.proposal_seconds))};
        TRY(rows_add(&t, cells));
        total += r->search.proposal_seconds;
    }
    for (size_t i = 0; i < stage_count; i++) {
        const char *const cells[] = {stage_table[i]->name, duration(a, r->seconds[i])};
        TRY(r->stage[i].idle ? STATUS_OK : rows_add(&t, cells));
        total += r->seconds[i];
    }
    const char *const sum[] = {"total", duration(a, total)};
    TRY(rows_add(&t, sum));
    rows_print(&t, to,
               arena_text(a, "Time on %d rank%s, estimated from a trial of %.1f s on %s:", r->ranks,
                          r->ranks == 1 ? "" : "s", r->trial_seconds, r->ranks == 1 ? "it" : "them"));
    (void)fprintf(to, "  %.3g core-hours. Tables and the result file at the end are not in it.\n",
                  total * r->ranks / 3600.0);
    return STATUS_OK;
}

status dry_run_print(arena *a, FILE *to, const dry_run_report *r)
{
    const study *s = &r->plan->study;
    const char *path;
    TRY(text_printable(a, s->config->path, 512, &path));
    (void)fprintf(to, "Study %s (%s), %d rank%s on %zu node%s, backend %s. Nothing is written.\n", s->config->name,
                  path, r->ranks, r->ranks == 1 ? "" : "s", r->node.n_nodes, r->node.n_nodes == 1 ? "" : "s",
                  s->backend->name);
    TRY(print_models(a, to, s));
    TRY(print_winograd(a, to, s));
    TRY(print_criteria(a, to, r));
    TRY(print_tasks(a, to, s));
    TRY(dry_run_print_search(a, to, r));
    TRY(print_work(a, to, r));
    TRY(print_memory(a, to, r));
    print_rows(to, s);
    TRY(print_shared(a, to, r));
    print_node(to, r);
    TRY(print_time(a, to, r));
    TRY(print_sharing(a, to, r));
    if (fflush(to) != 0) {
        return FAIL(ST_CANT_WRITE, "standard output cannot be written");
    }
    return STATUS_OK;
}
