#ifndef STAGES_BATCH_SOURCE_H
#define STAGES_BATCH_SOURCE_H
/* Micro-batches in the order in which a rank will want them, decoded ahead of the computation by threads of their own.
 *
 * The threads share the images of a micro-batch among them, so that one is ready as early as it can be; a ring of `ahead` micro-batches
 * bounds the memory. What a micro-batch holds, and which failure is told where, does not depend on the number of threads: a picture that
 * cannot be read fails the take of its own micro-batch, and of several in one micro-batch the first counts. The threads know neither MPI nor the
 * log, take no signals, and write to nothing but the ring. */
#include "stages/batch.h"

enum { BATCHES_AHEAD = 2 }; /* one that is ready while the next is made: what a single consumer of single micro-batches can use */

typedef struct batch_setup {
    const dataset *data;
    size_t micro_batch, image_size; /* the most values that an image has */
    size_t most_asked;    /* micro-batches that are asked for and not yet taken, at least 1 */
    size_t threads;       /* 0: nothing is read ahead, batch_source_take() reads itself */
    size_t ahead;         /* micro-batches that are ready or in the making, at least 1 */
    file_mark *mark;      /* [n_samples] filled in for the images of what was taken */
    double *waited;       /* seconds spent in batch_source_take() are added here */
} batch_setup;

typedef struct batch_source batch_source;

/* Local. The threads start at once and wait to be asked. Errors: ST_ENVIRONMENT (memory, threads). */
MUST_CHECK status batch_source_open(const batch_setup *setup, batch_source **out);
/* At any time: does not wait for more than the images that are being decoded. *s becomes NULL; NULL is fine. */
void batch_source_close(batch_source **s);

/* Local. Micro-batch `index` of a list shall be read, behind what was asked for before. List and recipe must last until it is taken. */
void batch_source_ask(batch_source *s, const sample_list *list, const preprocess *recipe, size_t index);

/* Local. The next of those that were asked for into *out, whose `images` [micro_batch, 3, height, width] the caller has allocated; there must be one.
 * Errors: as batch_read(), and then of every further take. */
MUST_CHECK status batch_source_take(batch_source *s, batch *out);

/* How many micro-batches could be taken now without waiting. */
size_t batch_source_ready(batch_source *s);

/* What a source holds, beside pictures in the making, for images of at most `image_size` values. */
size_t batch_source_bytes(size_t micro_batch, size_t image_size, size_t threads, size_t ahead);

#endif
