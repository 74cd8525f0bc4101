#include "pipeline/scale.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

scale_machine scale_common(size_t ranks, size_t per_node)
{
    return (scale_machine){.ranks = ranks,
                           .per_node = per_node,
                           .read_threads = 1,
                           .journal = true,
                           .latency = 2e-6,
                           .bandwidth = 1e9,
                           .claim = 1e-6,
                           .poll = 1e-4, /* claims.c sleeps half of it */
                           .answer = 2e-6,
                           .creates = 5000.0,
                           .sync = 5e-3,
                           .sync_every = 3.0,
                           .writes = 5e9};
}

/* Evenly distributed, of the number of the item alone: who computes it must not matter. The mixing is that of Steele, Lea and Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014. */
static double even(size_t seed, size_t item)
{
    uint64_t z = ((uint64_t)seed << 40 ^ (uint64_t)item) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

double scale_seconds(const scale_machine *m, const work_part *p, size_t seed, size_t item, size_t within)
{
    const double half_width = sqrt(3.0) * m->spread; /* of an even distribution with this standard deviation */
    return p->seconds[within % p->n_kinds] * (1.0 + half_width * (2.0 * even(seed, item) - 1.0));
}

double scale_work(const scale_machine *m, size_t n, const work_list lists[])
{
    double sum = 0.0;
    for (size_t l = 0; l < n; l++) {
        size_t item = 0;
        for (size_t i = 0; i < lists[l].n_parts; i++) {
            for (size_t k = 0; k < lists[l].part[i].n; k++) {
                sum += scale_seconds(m, &lists[l].part[i], l, item++, k);
            }
        }
    }
    return sum;
}

/* Levels of a tree of ranks. */
static double levels(size_t ranks)
{
    double n = 0.0;
    for (size_t reach = 1; reach < ranks; reach *= 2) {
        n++;
    }
    return n;
}

/* What ranks do together around a list: items_run() and the stage agree AGREEMENTS times (8 bytes), meet once, and add up. A sum scatters and
 * gathers by halves: 2 log2(p) messages and twice the bytes (Thakur, Rabenseifner and Gropp, Int. J. High Perform. Comput. Appl. 19, 2005). */
static double join(const scale_machine *m, const work_list *list, scale_result *out)
{
    enum { AGREEMENTS = 6, VERDICT = 8 };
    const double ranks = (double)m->ranks, deep = levels(m->ranks);
    const double messages = deep * (1.0 + AGREEMENTS + (list->summed > 0 ? 2.0 : 0.0));
    const double bytes = 2.0 * (double)list->summed * (ranks - 1.0) / ranks;
    out->messages += messages;
    out->bytes += bytes + deep * AGREEMENTS * VERDICT;
    return messages * m->latency + bytes / m->bandwidth;
}

static status open_ranks(arena *a, size_t n, scale_ranks *out)
{
    TRY_ALLOC(out->synced, a, n);
    TRY_ALLOC(out->unsynced, a, n);
    for (size_t i = 0; i < n; i++) {
        out->synced[i] = -1.0;
    }
    return STATUS_OK;
}

static status run(arena *a, arena *work, const scale_machine *m, size_t n, const work_list lists[], scale_result *out)
{
    enum { WORDS = 32 }; /* bytes of a question and of its answer together */
    scale_ranks ranks = {.makes_at = 0.0};
    double now = 0.0, *seconds;
    TRY_ALLOC(seconds, a, n);
    TRY(open_ranks(a, m->ranks, &ranks));
    for (size_t i = 0; i < n; i++) {
        const double begun = now;
        arena_reset(work);
        TRY(scale_list(work, m, &lists[i], i, &ranks, begun, &now, out));
        const double together = join(m, &lists[i], out);
        now += together + lists[i].every_rank;
        out->joined += (double)m->ranks * together;
        out->busy += (double)m->ranks * lists[i].every_rank;
        seconds[i] = now - begun;
    }
    out->seconds = now;
    out->list_seconds = seconds;
    out->messages += 2.0 * (double)out->answers / (double)m->ranks;
    out->bytes += (double)WORDS * (double)out->answers / (double)m->ranks;
    return STATUS_OK;
}

status scale_run(arena *a, const scale_machine *m, size_t n, const work_list lists[], scale_result *out)
{
    arena *work = NULL;
    assert(m->ranks > 0 && m->per_node > 0);
    *out = (scale_result){.seconds = 0.0};
    status st = arena_open("scale", &work);
    if (status_ok(st)) {
        st = run(a, work, m, n, lists, out);
    }
    arena_close(&work);
    return st;
}

double scale_idle_share(const scale_machine *m, const scale_result *r)
{
    const double all = (double)m->ranks * r->seconds;
    return all > 0.0 ? 1.0 - r->busy / all : 0.0;
}
