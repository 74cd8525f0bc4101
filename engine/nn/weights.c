#include "nn/weights.h"

#include <string.h>

enum { LINE = 16 }; /* floats in 64 bytes */

size_t weights_rounded(size_t floats)
{
    return (floats + LINE - 1) / LINE * LINE;
}

/* FNV-1a over the bytes of a size (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t mix(uint64_t key, uint64_t size)
{
    static const uint64_t prime = UINT64_C(0x100000001b3);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        key = (key ^ (size >> shift & 0xff)) * prime;
    }
    return key;
}

static const uint64_t start_key = UINT64_C(0xcbf29ce484222325);

weight_list weights_open(arena *a)
{
    return (weight_list){.a = a};
}

static status append(weight_list *l, const weight_order *o)
{
    if (l->n == l->room) {
        const size_t room = l->room == 0 ? 64 : 2 * l->room;
        weight_order *more;
        TRY_ALLOC(more, l->a, room);
        if (l->n > 0) {
            memcpy(more, l->order, l->n * sizeof *more);
        }
        l->order = more;
        l->room = room;
    }
    l->order[l->n++] = *o;
    weights_count(l, o->n);
    return STATUS_OK;
}

static status make_now(arena *a, const weight_order *o)
{
    float *own;
    TRY_ALLOC(own, a, o->n);
    TRY(o->make(o->of, own));
    o->use(o->of, own);
    return STATUS_OK;
}

status weights_want(weight_list *l, arena *a, const weight_order *o)
{
    if (o->n == 0) {
        o->use(o->of, NULL);
        return STATUS_OK;
    }
    return l == NULL ? make_now(a, o) : append(l, o);
}

void weights_count(weight_list *l, size_t floats)
{
    l->floats += weights_rounded(floats);
}

uint64_t weights_key(const weight_list *l)
{
    uint64_t key = mix(start_key, l->n);
    for (size_t i = 0; i < l->n; i++) {
        key = mix(key, l->order[i].n);
    }
    return key;
}

/* Who makes what lies at `at`: the block is cut into as many stretches as there are parts, and an array belongs to the one that it begins in. */
static size_t part_of(const weight_list *l, size_t at, size_t parts)
{
    return (size_t)((double)at / (double)l->floats * (double)parts);
}

status weights_make(const weight_list *l, float *block, size_t part, size_t parts)
{
    size_t at = 0;
    for (size_t i = 0; i < l->n; i++) {
        const weight_order *o = &l->order[i];
        if (part_of(l, at, parts) == part) {
            TRY(o->make(o->of, block + at));
        }
        at += weights_rounded(o->n);
    }
    return STATUS_OK;
}

void weights_use(const weight_list *l, const float *block)
{
    size_t at = 0;
    for (size_t i = 0; i < l->n; i++) {
        l->order[i].use(l->order[i].of, block + at);
        at += weights_rounded(l->order[i].n);
    }
}

status weight_block_take(weight_block *b, size_t floats, float **out)
{
    const size_t takes = weights_rounded(floats);
    if (b->a != NULL) {
        TRY_ALLOC(*out, b->a, floats);
    } else if (takes > b->n - b->used) {
        return FAIL(ST_BUG, "the weights of a network were to take %zu floats, and %zu more are asked for behind %zu", b->n, takes, b->used);
    } else {
        *out = b->data + b->used;
    }
    b->used += takes;
    b->key = mix(b->key == 0 ? start_key : b->key, floats);
    return STATUS_OK;
}
