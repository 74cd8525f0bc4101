#ifndef STAGES_CURVE_NOTES_H
#define STAGES_CURVE_NOTES_H
/* Which items make which points of curves, noted in the journal for who looks on while a study runs: a list of these, one frame a model
 * (ITEM_CURVES). */
#include <stddef.h>
#include <stdint.h>

typedef struct curve_note {
    uint8_t digest[16];   /* content of the keys of its items */
    uint32_t evaluation;  /* part of the keys */
    uint32_t items;       /* index 0 .. items - 1 */
    uint32_t cell, rate;  /* the point */
    uint32_t n_classes;   /* of the evaluation set */
    uint32_t whole;       /* 1: the items are ITEM_WHOLE, whose counters begin at counters_at; 0: ITEM_PRUNED */
    uint64_t counters_at; /* bytes into a payload */
    uint64_t payload;     /* bytes of a payload */
    uint64_t samples;     /* images of the set */
} curve_note;

#endif
