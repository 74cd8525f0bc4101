#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Under AddressSanitizer every block is a chunk of its own, so that an overrun of one block is seen. */
#if defined(__SANITIZE_ADDRESS__)
static const size_t chunk_bytes = 0;
#else
static const size_t chunk_bytes = (size_t)1 << 20;
#endif

typedef struct chunk {
    struct chunk *next;
    unsigned char *data;
    size_t size, used;
} chunk;

typedef struct ending {
    struct ending *before;
    void (*finish)(void *thing);
    void *thing;
} ending;

struct arena {
    const char *name;
    ending *last; /* in blocks of the arena */
    chunk *first, *current; /* chunks before `current` are full, those after it are empty */
    size_t bytes;
};

status arena_open(const char *name, arena **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return FAIL(ST_ENVIRONMENT, "out of memory while opening the arena '%s'", name);
    }
    (*out)->name = name;
    return STATUS_OK;
}

status memory_headroom(const char *name, size_t bytes)
{
    void *volatile trial = malloc(bytes); /* volatile: or the compiler would see that nobody uses it */
    if (trial == NULL) {
        return FAIL(ST_ENVIRONMENT, "%s: out of memory: less than %zu MiB are left; use fewer ranks per node, a smaller micro_batch or a larger limit",
                    name, bytes >> 20);
    }
    free(trial);
    return STATUS_OK;
}

static void free_chunks(arena *a)
{
    for (chunk *c = a->first; c != NULL;) {
        chunk *next = c->next;
        free(c->data);
        free(c);
        c = next;
    }
    a->first = NULL;
    a->current = NULL;
}

static void run_endings(arena *a)
{
    for (ending *e = a->last; e != NULL; e = e->before) {
        e->finish(e->thing);
    }
    a->last = NULL;
}

void arena_close(arena **a)
{
    if (*a != NULL) {
        run_endings(*a);
        free_chunks(*a);
        free(*a);
        *a = NULL;
    }
}

void arena_reset(arena *a)
{
    run_endings(a);
    if (chunk_bytes == 0) {
        free_chunks(a); /* so that a use after reset is seen too */
    }
    for (chunk *c = a->first; c != NULL; c = c->next) {
        c->used = 0;
    }
    a->current = a->first;
    a->bytes = 0;
}

void arena_release(arena *a)
{
    arena_reset(a);
    free_chunks(a);
}

static chunk *chunk_new(size_t size)
{
    chunk *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->data = aligned_alloc(ALIGNMENT, size);
    c->size = size;
    if (c->data == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

/* The chunk that has room for `size` bytes; goes through the empty chunks behind the current one before making one. */
static chunk *chunk_for(arena *a, size_t size)
{
    chunk *last = a->current;
    for (chunk *c = a->current; c != NULL; c = c->next) {
        if (c->size - c->used >= size) {
            return c;
        }
        last = c;
    }
    chunk *c = chunk_new(size > chunk_bytes ? size : chunk_bytes);
    if (c == NULL) {
        return NULL;
    }
    if (last == NULL) {
        a->first = c;
    } else {
        last->next = c;
    }
    return c;
}

size_t arena_block_bytes(size_t count, size_t size)
{
    const size_t wanted = count * size == 0 ? 1 : count * size;
    return (wanted + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *arena_alloc(arena *a, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - 2 * ALIGNMENT) / size) {
        (void)FAIL(ST_ENVIRONMENT, "%s: a block of %zu x %zu bytes is larger than the address space", a->name, count,
                   size);
        return NULL;
    }
    const size_t rounded = arena_block_bytes(count, size);
    chunk *c = chunk_for(a, rounded);
    if (c == NULL) {
        (void)FAIL(ST_ENVIRONMENT,
                   "%s: out of memory: %zu bytes more on top of %zu; use fewer ranks per node or a smaller micro_batch",
                   a->name, rounded, a->bytes);
        return NULL;
    }
    unsigned char *p = c->data + c->used;
    c->used += rounded;
    a->current = c;
    a->bytes += rounded;
    memset(p, 0, rounded);
    return p;
}

status arena_at_end(arena *a, void (*finish)(void *thing), void *thing)
{
    ending *e = arena_alloc(a, 1, sizeof *e);
    if (e == NULL) {
        finish(thing);
        return (status){ST_ENVIRONMENT};
    }
    *e = (ending){.before = a->last, .finish = finish, .thing = thing};
    a->last = e;
    return STATUS_OK;
}

char *arena_text(arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *s = length < 0 ? NULL : arena_alloc(a, (size_t)length + 1, 1);
    if (s != NULL) {
        (void)vsnprintf(s, (size_t)length + 1, fmt, again);
    }
    va_end(again);
    return s;
}

size_t arena_bytes(const arena *a)
{
    return a->bytes;
}
