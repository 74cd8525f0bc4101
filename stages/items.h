#ifndef STAGES_ITEMS_H
#define STAGES_ITEMS_H
/* How the work of a stage is dealt out, noted and found again.
 *
 * A stage is a list of items, numbered in an order that depends on the study alone. An item is computed into a payload, and a payload is taken
 * into the stage's sums: one way for what was computed just now and for what a journal holds of an earlier run. So a stage cannot tell
 * a resumed run from a straight one, as long as payloads may be taken in any order by any rank; sums are exact for that reason.
 *
 * items_run() has every item taken once by one rank: those in the journal are read back, the others are claimed dynamically
 * (parallel/claims.h), computed, noted and taken. */
#include "io/journal.h"
#include "parallel/claims.h"
#include "stages/item_keys.h"
#include "stages/stop.h"

/* Items of a kind that this run has met, and those of them that neither it nor an earlier one has done. The same on all ranks. */
typedef struct item_shortfall {
    size_t of, missing;
    size_t damaged; /* noted, but cannot be read back; only where nothing is computed */
} item_shortfall;

/* What a run has for that; lasts over all stages. */
typedef struct item_service {
    comm *comm;
    claims *claims;
    stop *stop;
    journal_index index;     /* what earlier runs have finished */
    journal_writer *writer;  /* NULL: nothing is noted */
    size_t task, n_tasks;    /* of an array of jobs: this one takes every n_tasks-th stretch of items; 0, 1: all of them */
    bool only_join;          /* nothing is computed: what is missing is counted, and an error where a search goes on from it */
    status (*rescan)(struct item_service *s); /* collective: looks what other jobs have finished meanwhile; NULL: there are none */
    void *context;           /* of rescan */
    void (*skip)(void *progress, double images); /* told of work that is none; < 0: there is more than was counted; NULL: nobody is */
    void *progress;
    uint32_t study;          /* items of several studies share the journal (a search, and what it reports): which this is; 0: the only one, or the last */
    size_t n_restored, n_computed; /* of this rank */
    item_shortfall shortfall[ITEM_KINDS]; /* what other jobs of the array have to compute yet; of the study itself, without its searches */
    double item_seconds;     /* of this rank: computing items */
    double idle_seconds;     /* of this rank: waiting for other ranks to finish a list */
} item_service;

typedef struct item_list {
    size_t n;
    size_t stretch;      /* so many items that follow each other are of one job of an array, and are claimed together where there are
                            enough of them, since they share inputs; at least 1 */
    size_t most_payload; /* bytes, of the largest payload */
    bool needed_by_all;  /* the stage cannot go on without all of them, whatever job computes them */
    void *context;
    void (*key)(const void *context, size_t item, journal_key *out);
    size_t (*payload)(const void *context, size_t item); /* bytes */
    double (*images)(const void *context, size_t item);  /* that it sends through a network, for who counts them */
    /* Claimed by this rank, to be computed after those that were before: reading can begin. NULL: nothing to do. */
    void (*expect)(void *context, size_t item);
    MUST_CHECK status (*compute)(void *context, size_t item, void *payload);
    MUST_CHECK status (*take)(void *context, size_t item, const void *payload);
    /* Is what was noted still about the inputs that are there? NULL: nothing to look at. Errors: the inputs have changed. */
    status (*check)(void *context, size_t item, const void *payload);
} item_list;

/* Collective: neither journal nor array, no reason to stop. */
MUST_CHECK status items_open(comm *c, arena *a, item_service *out);

/* Collective. All ranks leave with OK or none does. With a journal, ST_STOPPED means that what was finished is kept. `a`: for as long as it
 * runs. */
MUST_CHECK status items_run(item_service *s, arena *a, const item_list *list);

size_t items_missing(const item_service *s); /* of all kinds, the damaged ones too */
/* All kinds of which some are missing, with their numbers: "3 of 40 explained micro-batches, 12 of 95 pruned networks x runs". */
MUST_CHECK status items_missing_text(arena *a, const item_service *s, const char **out);

/* What items_run() takes of its arena. */
size_t items_bytes(size_t n, size_t most_payload);

#endif
