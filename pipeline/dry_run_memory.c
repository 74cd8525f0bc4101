/* Memory: what a rank will take, added up from what the stages say, and what its node has. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "parallel/node.h"
#include "pipeline/doctor/machine.h"
#include "pipeline/dry_run_parts.h"
#include "pipeline/gather.h"
#include "pipeline/gather_rows.h"
#include "pipeline/gather_spectrum.h"
#include "stages/rows.h"

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

/* "NAME:   1234 kB" of a file in /proc/self, in bytes; false where it is not there. */
static bool read_line(const char *path, const char *name, double *out)
{
    char line[256];
    const size_t length = strlen(name);
    bool found = false;
    FILE *f = fopen(path, "r");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        found = strncmp(line, name, length) == 0 && line[length] == ':';
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    *out = found ? 1024.0 * (double)strtoul(line + length + 1, NULL, 10) : 0.0;
    return found;
}

/* Of memory that is shared with other processes, what this one has touched: not libraries, which are files. */
static double shared_resident(void)
{
    double bytes;
    (void)read_line("/proc/self/status", "RssShmem", &bytes);
    return bytes;
}

double dry_run_resident(void)
{
    double address, resident;
    return (read_pages(&address, &resident) ? resident : most_resident()) - shared_resident();
}

double dry_run_taken(void)
{
    double bytes;
    return read_line("/proc/self/smaps_rollup", "Pss", &bytes) ? bytes : dry_run_resident();
}

/* Limits (ulimit -v) count addresses, of which a process has more than memory. */
static double most_addresses(const rank_memory *m)
{
    double address, resident;
    const double all = m->most + m->shared;
    if (!read_pages(&address, &resident)) {
        return all;
    }
    const double has = resident - shared_resident() + m->networks;
    return all > has ? address + all - has : address;
}

void dry_run_memory_start(const comm *c, const arena *planned, const plan *p, rank_memory *out)
{
    const double resident = dry_run_resident();
    *out = (rank_memory){.ranks = (size_t)c->node_size,
                         .study = (double)arena_bytes(planned),
                         .start = most_resident() - shared_resident(),
                         .now = dry_run_taken()};
    out->program = resident > out->study ? resident - out->study : 0.0;
    for (size_t i = 0; i < p->study.n_models; i++) {
        out->networks += (double)p->inputs[i].shared_bytes;
    }
}

static void keep_most(double bytes, double shared, const char *when, rank_memory *out)
{
    if (bytes + shared / (double)out->ranks > out->most + out->shared / (double)out->ranks) {
        out->most = bytes;
        out->shared = shared;
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

/* Rounds come one after the other, and nothing of a round is left but what was found. */
static void add_search(const search_forecast *search, double kept, rank_memory *out)
{
    if (search->n_parts == 0) {
        return;
    }
    kept += (double)(search->trials + search->drawn + search->known);
    keep_most(kept + (double)search->proposals, out->networks, "search", out);
    kept += (double)search->lists;
    for (size_t i = 0; i < stage_count; i++) {
        kept += (double)search->stage[i].kept;
        keep_most(kept + (double)forecast_bytes(&search->stage[i]) + out->image, out->networks + (double)search->stage[i].shared, "search", out);
    }
}

void dry_run_memory_sum(const stage_forecast stage[], const search_forecast *search, const study *s, bool writes, rank_memory *out)
{
    const size_t samples = s->reference_data->n_samples + s->evaluation_data->n_samples;
    double kept = out->program + out->study + (double)(samples * sizeof(file_mark));
    out->most = out->shared = 0.0;
    keep_most(out->start, out->networks, "start", out);
    add_search(search, kept, out);
    out->found = (double)search->trials;
    kept += out->found + (double)search->drawn;
    for (size_t i = 0; i < stage_count; i++) {
        kept += (double)(stage[i].kept - (writes ? 0 : stage[i].gathered));
        keep_most(kept + (double)forecast_bytes(&stage[i]) + out->image, out->networks + (double)stage[i].shared, stage_table[i]->name, out);
    }
    out->tables = (double)gather_bytes(s) + inputs_bytes(stage); /* what a search has found is counted already */
    out->rows = rows_are_stored(s) ? (double)gather_rows_file_bytes(s) : 0.0;
    out->file = writes ? out->tables + out->found + out->rows + (double)gather_spectra_file_bytes(s) + hdf5_bytes : 0.0; /* made in memory, of the same contents */
    for (size_t i = 0; i < stage_count && writes; i++) {
        out->file += (double)stage[i].file;
    }
    keep_most(kept + out->tables + out->file, out->networks, "result", out);
}

double dry_run_memory_lacks(const comm *c, const stage_forecast stage[], const search_forecast *search)
{
    double most = 0.0;
    for (size_t i = 0; i < stage_count; i++) {
        const size_t shared = search->n_parts > 0 && search->stage[i].shared > stage[i].shared ? search->stage[i].shared : stage[i].shared;
        most = (double)shared > most ? (double)shared : most;
    }
    const double room = node_shared_room(c);
    return c->node_rank == 0 && room >= 0.0 && room < most ? most - room : 0.0;
}

typedef struct all_ranks {
    const char *const *host;
    const double *most, *now, *addresses, *available, *limit, *lacks;
} all_ranks;

static status gather_ranks(comm *c, arena *a, const rank_memory *mine, const machine *m, all_ranks *out)
{
    char host[256] = "unknown";
    (void)gethostname(host, sizeof host - 1);
    TRY(comm_gather_text(c, a, host, &out->host));
    /* What ranks share, their first rank brings. */
    TRY(comm_gather_f64(c, a, mine->most + (c->node_rank == 0 ? mine->shared : 0.0), &out->most));
    TRY(comm_gather_f64(c, a, mine->lacks, &out->lacks));
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
            sum.lacks += all->lacks[i];
            sum.available += sum.available < 0.0 ? 0.0 : all->now[i];
            sum.fits = sum.fits && (all->limit[i] == 0.0 || all->addresses[i] <= all->limit[i]);
        }
    }
    sum.fits = sum.fits && sum.lacks == 0.0 && (sum.available < 0.0 || sum.needed <= sum.available);
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
