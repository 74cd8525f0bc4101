#ifndef IO_PACK_PARTS_H
#define IO_PACK_PARTS_H
/* What the files about packs share. */
#include "io/pack.h"
#include "io/sha256.h"

#define PACK_SHARD_NAME "shard-%05zu.h5"
#define PACK_INDEX_NAME "pack.index"

extern const char pack_magic[8];
uint32_t pack_trailer_sum(const pack_trailer *t, const uint8_t identity[32]);

static inline size_t pack_shard_images(const pack_plan *p, size_t shard)
{
    const size_t left = p->from->n_samples - shard * p->per_shard;
    return left < p->per_shard ? left : p->per_shard;
}

#endif
