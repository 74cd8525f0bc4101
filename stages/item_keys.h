#ifndef STAGES_ITEM_KEYS_H
#define STAGES_ITEM_KEYS_H
#include <stdint.h>

/* The kinds of items that stages note (journal_key.stage), and what the rest of a key says. A kind keeps its number for ever, and a
 * payload of another layout gets a kind of its own. */
enum {
    ITEM_ROWS = 1,    /* attribute: model, criterion, micro-batch of study_explained(); content: digest of that list, 0 for all of study.explained */
    ITEM_WHOLE = 2,   /* evaluate, the unpruned network: model, evaluation set, micro-batch */
    ITEM_PRUNED = 3,  /* evaluate: model, evaluation set, run of micro-batches; content: 128 bits of the mask's digest */
    ITEM_HEATMAPS = 4, /* heatmaps: model, item */
    ITEM_TREE = 5,     /* attribute in a search: model, criterion of the first, micro-batch; content: digest of what is explained together */
    ITEM_SPECTRUM = 6, /* spectrum: model, criterion, matrix; the payload is its eigenvalues */
    ITEM_KINDS = 7,    /* those above: of what a study has to compute */
    ITEM_RUN = 100,   /* a run: pipeline/watch.h; content: what its files' names begin with */
    ITEM_STUDY = 1000, /* is added for the studies of a search (item_service.study) */
    ITEM_CURVES = 101 /* which masks make which curves: stages/curve_notes.h; model */
};

/* What people call items of this kind, in the plural; also of a study of a search. Never NULL. */
const char *item_kind_name(uint32_t stage);

#endif
