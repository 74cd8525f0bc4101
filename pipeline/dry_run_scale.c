/* `plan --ranks N,...`: the study on ranks that are not there, from what the trial says of its items. */
#include <inttypes.h>
#include <string.h>

#include "io/text_table.h"
#include "pipeline/count.h"
#include "pipeline/dry_run_parts.h"
#include "pipeline/duration.h"
#include "pipeline/scale.h"

enum { MOST_RANKS = 1000000, RANKS_A_NODE = 64 };

status scale_parse(const cli *cl, scale_wanted *out)
{
    const char *at = cl->ranks, *behind = NULL;
    *out = (scale_wanted){.per_node = RANKS_A_NODE};
    if (cl->ranks_per_node != NULL && cl->ranks == NULL) {
        return FAIL(ST_USAGE, "--ranks-per-node %s: expected --ranks N[,N]... beside it, which it is about", cl->ranks_per_node);
    }
    if (cl->ranks_per_node != NULL) {
        TRY(count_read("--ranks-per-node", cl->ranks_per_node, MOST_RANKS, &out->per_node));
    }
    while (at != NULL) {
        if (out->n == SCALE_MOST) {
            return FAIL(ST_USAGE, "--ranks %s: expected at most %d numbers", cl->ranks, (int)SCALE_MOST);
        }
        if (!count_at(at, MOST_RANKS, &out->ranks[out->n++], &behind) || (*behind != ',' && *behind != '\0')) {
            return FAIL(ST_USAGE, "--ranks %s: expected numbers from 1 to %d with commas between them, such as 64,256; found '%s'", cl->ranks,
                        (int)MOST_RANKS, at);
        }
        at = *behind == ',' ? behind + 1 : NULL;
    }
    return STATUS_OK;
}

static const char *duration(arena *a, double seconds)
{
    char text[32];
    if (seconds < 100.0) {
        return arena_text(a, "%.1f s", seconds);
    }
    duration_text(text, sizeof text, seconds);
    return arena_text(a, "%s", text);
}

/* Seconds of a stage's lists. */
static double of_stage(const dry_run_report *r, const scale_result *found, const char *stage)
{
    double sum = 0.0;
    for (size_t i = 0; i < r->lists->n; i++) {
        sum += strcmp(r->lists->list[i].stage, stage) == 0 ? found->list_seconds[i] : 0.0;
    }
    return sum;
}

static const char *share(arena *a, const scale_result *found, size_t ranks, double seconds)
{
    return arena_text(a, "%.1f %%", found->seconds > 0.0 ? 100.0 * seconds / ((double)ranks * found->seconds) : 0.0);
}

/* Whoever needs most, times the ranks of a node, and once what they share. */
static double node_bytes(const dry_run_report *r, size_t ranks)
{
    return (double)ranks * r->memory.most + r->memory.shared;
}

enum { RANKS, NODES, TOTAL, ATTRIBUTE, EVALUATE, EFFICIENCY, IDLE, ASKING, END, JOINING, MESSAGES, SENT, FILES, NOTED, MEMORY, COLUMNS };
static const char *const heading[COLUMNS] = {"ranks", "nodes", "time", "attribute", "evaluate", "efficiency", "idle", "asking", "end", "sums", "messages a rank",
                                             "MiB a rank", "journal files", "MiB", "GiB a node"};

static status fill(arena *a, const dry_run_report *r, const scale_machine *m, const char **cell)
{
    scale_result found;
    double once = 0.0; /* what every rank does again */
    for (size_t i = 0; i < r->lists->n; i++) {
        once += r->lists->list[i].every_rank;
    }
    const size_t on_node = m->ranks < m->per_node ? m->ranks : m->per_node;
    TRY(scale_run(a, m, r->lists->n, r->lists->list, &found));
    cell[RANKS] = arena_text(a, "%zu", m->ranks);
    cell[NODES] = arena_text(a, "%zu", (m->ranks + m->per_node - 1) / m->per_node);
    cell[TOTAL] = duration(a, found.seconds);
    cell[ATTRIBUTE] = duration(a, of_stage(r, &found, "attribute"));
    cell[EVALUATE] = duration(a, of_stage(r, &found, "evaluate"));
    cell[EFFICIENCY] = share(a, &found, m->ranks, found.busy - ((double)m->ranks - 1.0) * once);
    cell[IDLE] = arena_text(a, "%.1f %%", 100.0 * scale_idle_share(m, &found));
    cell[ASKING] = share(a, &found, m->ranks, found.starved);
    cell[END] = share(a, &found, m->ranks, found.ended);
    cell[JOINING] = share(a, &found, m->ranks, found.joined);
    cell[MESSAGES] = arena_text(a, "%.0f", found.messages);
    cell[SENT] = arena_text(a, "%.1f", found.bytes / 1048576.0);
    cell[FILES] = arena_text(a, "%zu", found.journal_files);
    cell[NOTED] = arena_text(a, "%.1f", found.journal_bytes / 1048576.0);
    cell[MEMORY] = arena_text(a, "%.1f", node_bytes(r, on_node) / 1073741824.0);
    for (size_t i = 0; i < COLUMNS; i++) {
        if (cell[i] == NULL) {
            return (status){ST_ENVIRONMENT};
        }
    }
    return STATUS_OK;
}

status dry_run_print_scale(arena *a, FILE *to, const dry_run_report *r, const scale_wanted *w)
{
    text_table t;
    if (w->n == 0 || !r->tried) {
        return STATUS_OK;
    }
    TRY(text_table_open(a, COLUMNS, w->n, &t));
    for (size_t i = 0; i < COLUMNS; i++) {
        t.cell[i] = heading[i];
        t.right[i] = true;
    }
    for (size_t i = 0; i < w->n; i++) {
        scale_machine m = scale_common(w->ranks[i], w->per_node);
        m.read_threads = r->plan->study.config->decode_threads;
        TRY(fill(a, r, &m, t.cell + (i + 1) * COLUMNS));
    }
    (void)fprintf(to, "\nOn other ranks, %zu a node, simulated from what items took of the processor in the trial (docs/scaling.md):\n", w->per_node);
    text_table_print(&t, to);
    (void)fputs("  efficiency: what one rank would compute, of the time of all; idle: what ranks do not compute; of it, asking: for an answer of rank 0; end: for the last items of a list; sums: over all ranks.\n"
                "  Start, search, heatmaps, spectrum and the result file are not in it.\n",
                to);
    return fflush(to) == 0 ? STATUS_OK : FAIL(ST_CANT_WRITE, "standard output cannot be written");
}
