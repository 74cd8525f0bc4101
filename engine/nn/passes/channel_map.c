#include "nn/passes/channel_map.h"

#include <string.h>

status channel_map_whole(arena *a, size_t n, channel_map *out)
{
    uint32_t *channel;
    TRY_ALLOC(channel, a, n);
    for (size_t i = 0; i < n; i++) {
        channel[i] = (uint32_t)i;
    }
    *out = (channel_map){.n = n, .channel = channel, .whole = true};
    return STATUS_OK;
}

status channel_map_kept(arena *a, size_t n, const uint8_t kept[], size_t unit, channel_map *out)
{
    uint32_t *channel;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += kept[i] != 0;
    }
    const size_t most = count == 0 ? 1 : count, places = (most + unit - 1) / unit * unit;
    if (count == n) {
        return channel_map_whole(a, n, out);
    }
    TRY_ALLOC(channel, a, places);
    size_t place = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept[i]) {
            channel[place++] = (uint32_t)i;
        }
    }
    for (; place < places; place++) {
        channel[place] = NO_CHANNEL;
    }
    *out = (channel_map){.n = places, .channel = channel};
    return STATUS_OK;
}

bool channel_map_equal(const channel_map *a, const channel_map *b)
{
    return a->n == b->n && memcmp(a->channel, b->channel, a->n * sizeof *a->channel) == 0;
}

/* How many places from `i` on are neighbours in the whole layer too. */
static size_t run_of(const channel_map *m, size_t i)
{
    size_t n = 1;
    while (i + n < m->n && m->channel[i] != NO_CHANNEL && m->channel[i + n] == m->channel[i] + n) {
        n++;
    }
    return n;
}

static void cut_row(const weight_cut *c, const float *from, float *to)
{
    for (size_t i = 0, n; i < c->column.n; i += n) {
        n = run_of(&c->column, i);
        if (c->column.channel[i] == NO_CHANNEL) {
            memset(to + i * c->taps, 0, n * c->taps * sizeof *to);
        } else {
            memcpy(to + i * c->taps, from + c->column.channel[i] * c->taps, n * c->taps * sizeof *to);
        }
    }
}

void weight_cut_matrix(const weight_cut *c, const float *all, float *to)
{
    const size_t each = c->column.n * c->taps;
    for (size_t i = 0; i < c->row.n; i++, to += each) {
        if (c->row.channel[i] == NO_CHANNEL) {
            memset(to, 0, each * sizeof *to);
        } else if (c->column.whole) {
            memcpy(to, all + c->row.channel[i] * each, each * sizeof *to);
        } else {
            cut_row(c, all + c->row.channel[i] * c->all_columns * c->taps, to);
        }
    }
}

void weight_cut_vector(const weight_cut *c, const float *all, float *to)
{
    for (size_t i = 0; i < c->row.n; i++) {
        to[i] = c->row.channel[i] == NO_CHANNEL ? 0.0f : all[c->row.channel[i]];
    }
}
