/* Memory: what a rank will take, added up from what the stages say, and what its node has. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pipeline/doctor/machine.h"
#include "pipeline/dry_run_parts.h"
#include "pipeline/gather.h"
#include "pipeline/gather_rows.h"

static double most_resident(void)
{
    struct rusage used;
    return getrusage(RUSAGE_SELF, &used) == 0 ? 1024.0 * (double)used.ru_maxrss : 0.0;
}

/* Pages of this process: its address space, and what of it is in memory. */
static bool read_pages(double *address, double *resident)
{
    char line[128] = "", *end;
    FILE *f = fopen("/proc/self/statm", "r"); /* "size resident shared ..." */
    const bool read = f != NULL && fgets(line, sizeof line, f) != NULL;
    if (f != NULL) {
        (void)fclose(f);
    }
    *address = (double)strtoul(line, &end, 10) * (double)sysconf(_SC_PAGESIZE);
    *resident = (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
    return read;
}

double dry_run_resident(void)
{
    double address, resident;
    return read_pages(&address, &resident) ? resident : most_resident();
}

/* Limits (ulimit -v) count addresses, of which a process has more than memory. */
static double most_addresses(const rank_memory *m)
{
    double address, resident;
    return read_pages(&address, &resident) && m->most > resident ? address + m->most - resident : m->most;
}

void dry_run_memory_start(const arena *planned, rank_memory *out)
{
    *out = (rank_memory){.study = (double)arena_bytes(planned), .start = most_resident(), .now = dry_run_resident()};
    out->program = out->now > out->study ? out->now - out->study : 0.0;
}

static void keep_most(double bytes, const char *when, rank_memory *out)
{
    if (bytes > out->most) {
        out->most = bytes;
        out->when = when;
    }
}

static const double hdf5_bytes =
    8.0 * 1048576.0; /* its code and caches, and the 4 MiB by which a file in memory grows: measured */

/* Every input's path and digest. */
static double inputs_bytes(const stage_forecast stage[])
{
    enum { EACH = 512 };
    double n = 0.0;
    for (size_t i = 0; i < stage_count; i++) {
        n += (double)stage[i].images;
    }
    return EACH * n;
}

void dry_run_memory_sum(const stage_forecast stage[], const study *s, bool writes, rank_memory *out)
{
    const size_t samples = s->reference_data->n_samples + s->evaluation_data->n_samples;
    double kept = out->program + out->study + (double)(samples * sizeof(file_mark));
    out->most = 0.0;
    keep_most(out->start, "start", out);
    for (size_t i = 0; i < stage_count; i++) {
        kept += (double)stage[i].kept;
        keep_most(kept + (double)forecast_bytes(&stage[i]) + out->image, stage_table[i]->name, out);
    }
    out->tables = (double)gather_bytes(s) + inputs_bytes(stage);
    out->rows = s->config->rows == ROWS_KEEP ? (double)gather_rows_file_bytes(s) : 0.0;
    out->file = writes ? out->tables + out->rows + hdf5_bytes : 0.0; /* made in memory, of the same contents */
    keep_most(kept + out->tables + out->file, "result", out);
}

typedef struct all_ranks {
    const char *const *host;
    const double *most, *now, *addresses, *available, *limit;
} all_ranks;

static status gather_ranks(comm *c, arena *a, const rank_memory *mine, const machine *m, all_ranks *out)
{
    char host[256] = "unknown";
    (void)gethostname(host, sizeof host - 1);
    TRY(comm_gather_text(c, a, host, &out->host));
    TRY(comm_gather_f64(c, a, mine->most, &out->most));
    TRY(comm_gather_f64(c, a, mine->now, &out->now));
    TRY(comm_gather_f64(c, a, most_addresses(mine), &out->addresses));
    TRY(comm_gather_f64(c, a, m->memory_from == NULL ? -1.0 : m->memory, &out->available));
    return comm_gather_f64(c, a, m->own_memory, &out->limit);
}

/* The node of rank `first`, which is the lowest of it. What these processes have taken already is theirs. */
static node_memory add_up(const all_ranks *all, size_t n, size_t first)
{
    node_memory sum = {.host = all->host[first], .available = all->available[first], .fits = true};
    for (size_t i = first; i < n; i++) {
        if (strcmp(all->host[i], sum.host) == 0) {
            sum.ranks++;
            sum.needed += all->most[i];
            sum.available += sum.available < 0.0 ? 0.0 : all->now[i];
            sum.fits = sum.fits && (all->limit[i] == 0.0 || all->addresses[i] <= all->limit[i]);
        }
    }
    sum.fits = sum.fits && (sum.available < 0.0 || sum.needed <= sum.available);
    return sum;
}

static bool is_first(const all_ranks *all, size_t rank)
{
    size_t i = 0;
    while (strcmp(all->host[i], all->host[rank]) != 0) {
        i++;
    }
    return i == rank;
}

static bool is_tighter(const node_memory *a, const node_memory *b)
{
    return a->fits != b->fits ? !a->fits : a->available - a->needed < b->available - b->needed;
}

status dry_run_memory_of_nodes(comm *c, arena *a, const rank_memory *mine, node_memory *out)
{
    all_ranks all;
    machine m;
    size_t n_nodes = 0;
    machine_read("", &m);
    TRY(gather_ranks(c, a, mine, &m, &all));
    for (size_t i = 0; i < (size_t)c->size; i++) {
        if (is_first(&all, i)) {
            const node_memory one = add_up(&all, (size_t)c->size, i);
            *out = n_nodes == 0 || is_tighter(&one, out) ? one : *out;
            n_nodes++;
        }
    }
    out->n_nodes = n_nodes;
    out->from = m.memory_from;
    return STATUS_OK;
}
