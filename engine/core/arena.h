#ifndef CORE_ARENA_H
#define CORE_ARENA_H
/* Memory with a common lifetime: allocate freely, release all at once. The only module that calls malloc and free.
 *
 * One arena a run (weights, graph, plan), one a stage, one a micro-batch loop. Blocks are zeroed, aligned to 64 bytes
 * and never move. Sizes are checked for overflow. An arena belongs to one thread at a time. */
#include <stddef.h>

#include "core/status.h"

typedef struct arena arena;

/* `name` appears in messages; borrowed. Errors: ST_ENVIRONMENT (no memory). */
MUST_CHECK status arena_open(const char *name, arena **out);
void arena_close(arena **a); /* releases everything; *a becomes NULL; NULL is fine */
void arena_reset(arena *a);  /* all blocks become invalid; the memory is kept for reuse */
void arena_release(arena *a); /* the same, but the memory goes back: before blocks of quite other sizes */

/* count x size bytes, zeroed; NULL with a recorded failure (status_message) when memory is gone.
 * Zero bytes give a valid pointer that must not be read. */
void *arena_alloc(arena *a, size_t count, size_t size);
char *arena_text(arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3); /* NULL as above */

/* finish(thing) runs when the arena is reset or closed, the last one asked for first: for what a library has allocated on behalf of a
 * block. Errors: ST_ENVIRONMENT (no memory), and then it has run. */
MUST_CHECK status arena_at_end(arena *a, void (*finish)(void *thing), void *thing);

/* Could so much be allocated now? For libraries that do not look at what their own allocations give. `name` as above. Errors:
 * ST_ENVIRONMENT. */
MUST_CHECK status memory_headroom(const char *name, size_t bytes);

size_t arena_bytes(const arena *a); /* handed out since the last reset */
size_t arena_block_bytes(size_t count, size_t size); /* what a block takes of it, for plans: whole lines of 64 bytes, and at least one */

/* Allocates or leaves the function:  TRY_ALLOC(p, a, n) for an array,  TRY_TEXT(s, a, "...", ...) for a string. */
#define TRY_ALLOC(pointer, a, count)                                                                                   \
    do {                                                                                                               \
        (pointer) = arena_alloc((a), (count), sizeof *(pointer));                                                      \
        if ((pointer) == NULL) {                                                                                       \
            return status_frame((status){ST_ENVIRONMENT}, __FILE__, __LINE__, __func__);                               \
        }                                                                                                              \
    } while (0)

#define TRY_TEXT(pointer, a, ...)                                                                                      \
    do {                                                                                                               \
        (pointer) = arena_text((a), __VA_ARGS__);                                                                      \
        if ((pointer) == NULL) {                                                                                       \
            return status_frame((status){ST_ENVIRONMENT}, __FILE__, __LINE__, __func__);                               \
        }                                                                                                              \
    } while (0)

#endif
