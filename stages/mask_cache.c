#include "stages/mask_cache.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    return memcmp(left, right, offsetof(mask_cache_entry, counters));
}
_Static_assert(offsetof(mask_cache_entry, counters) == 24, "keys are compared as bytes, without holes");

const int64_t *mask_cache_find(const mask_cache *c, size_t model, size_t evaluation, const uint8_t digest[16])
{
    mask_cache_entry key = {.model = (uint32_t)model, .evaluation = (uint32_t)evaluation};
    memcpy(key.digest, digest, sizeof key.digest);
    const mask_cache_entry *e = c->n_sorted == 0 ? NULL : bsearch(&key, c->entry, c->n_sorted, sizeof key, compare);
    return e == NULL ? NULL : e->counters;
}

status mask_cache_add(mask_cache *c, size_t model, size_t evaluation, const uint8_t digest[16], size_t n_counters, const int64_t counters[])
{
    if (c->n == c->room) {
        mask_cache_entry *larger;
        const size_t room = c->room == 0 ? 1024 : 2 * c->room;
        TRY_ALLOC(larger, c->arena, room);
        if (c->n > 0) {
            memcpy(larger, c->entry, c->n * sizeof *larger);
        }
        c->entry = larger;
        c->room = room;
    }
    int64_t *copy;
    TRY_ALLOC(copy, c->arena, n_counters);
    memcpy(copy, counters, n_counters * sizeof *copy);
    mask_cache_entry *e = &c->entry[c->n++];
    *e = (mask_cache_entry){.model = (uint32_t)model, .evaluation = (uint32_t)evaluation, .counters = copy};
    memcpy(e->digest, digest, sizeof e->digest);
    return STATUS_OK;
}

void mask_cache_sort(mask_cache *c)
{
    if (c->n > c->n_sorted) {
        qsort(c->entry, c->n, sizeof *c->entry, compare);
        c->n_sorted = c->n;
    }
}
