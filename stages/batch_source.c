#include "stages/batch_source.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "stages/forecast.h"

static const size_t stack_bytes = (size_t)1 << 20; /* decoders keep their pictures elsewhere */

/* A micro-batch that is wanted. */
typedef struct wish {
    const sample_list *list;
    const preprocess *recipe;
    size_t index;
} wish;

/* A place of the ring. Its images are dealt out in order, so that all before a failed one have been tried when the last one is done. */
typedef struct slot {
    float *images; /* [micro_batch, image_size] */
    file_mark *mark; /* [micro_batch] */
    batch content; /* n and sample */
    const preprocess *recipe;
    size_t dealt, done; /* images */
    size_t failed_at;   /* the first image that cannot be read; SIZE_MAX: none */
    status failure;
    status_trace trace;
} slot;

typedef struct worker {
    batch_source *source;
    arena *scratch; /* of one picture; its thread's alone */
    pthread_t thread;
} worker;

struct batch_source {
    batch_setup setup;
    arena *arena;
    arena *scratch; /* of the caller's thread */
    wish *wishes;      /* [setup.most_asked] a ring */
    size_t n_slots, n_workers;
    slot *slots;
    worker *workers; /* [n_workers] those that run */

    pthread_mutex_t lock; /* of all that follows, and of dealt, done, failed_at, failure and trace of the slots */
    pthread_cond_t room;  /* something can be dealt out, or it is over */
    pthread_cond_t ready; /* a micro-batch is complete */
    size_t asked, opened, taken; /* micro-batches that are wanted, whose images are dealt out, that were taken */
    bool failed, over;    /* no further micro-batch is begun; no further image is */
};

/* ---- the threads: all with the lock held, except while an image is decoded ---- */

static wish *wish_at(const batch_source *s, size_t number)
{
    return &s->wishes[number % s->setup.most_asked];
}

/* Begins the next micro-batch where there is one and a place for it. */
static bool open_slot(batch_source *s)
{
    if (s->failed || s->opened == s->asked || s->opened == s->taken + s->n_slots) {
        return false;
    }
    slot *to = &s->slots[s->opened % s->n_slots];
    const wish *w = wish_at(s, s->opened);
    batch_describe(w->list, w->index, s->setup.micro_batch, &to->content);
    to->recipe = w->recipe;
    to->dealt = 0;
    to->done = 0;
    to->failed_at = SIZE_MAX;
    s->opened++;
    return true;
}

/* The next image, or NULL: nothing can be begun now. A slot that is not dealt out yet is the last one that was opened. */
static slot *deal_image(batch_source *s, size_t *number)
{
    slot *last = s->opened == 0 ? NULL : &s->slots[(s->opened - 1) % s->n_slots];
    if (last == NULL || last->dealt == last->content.n) {
        if (!open_slot(s)) {
            return NULL;
        }
        last = &s->slots[(s->opened - 1) % s->n_slots];
    }
    *number = last->dealt++;
    return last;
}

static void note_failure(batch_source *s, slot *to, size_t number, status st)
{
    s->failed = true;
    if (number < to->failed_at) {
        to->failed_at = number;
        to->failure = st;
        status_leave(&to->trace);
    }
    status_clear();
}

static void decode_image(worker *w, slot *to, size_t number)
{
    batch_source *s = w->source;
    const size_t sample = to->content.sample[number];
    (void)pthread_mutex_unlock(&s->lock);
    const status st = batch_read_image(w->scratch, s->setup.data, sample, to->recipe, &to->mark[number],
                                       to->images + number * batch_image_size(to->recipe));
    (void)pthread_mutex_lock(&s->lock);
    if (!status_ok(st)) {
        note_failure(s, to, number, st);
    }
    if (++to->done == to->content.n) {
        (void)pthread_cond_signal(&s->ready);
    }
}

static void *work(void *worker_)
{
    worker *w = worker_;
    batch_source *s = w->source;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->over) {
        size_t number = 0;
        slot *to = deal_image(s, &number);
        if (to != NULL) {
            decode_image(w, to, number);
        } else {
            (void)pthread_cond_wait(&s->room, &s->lock);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the caller's side ---- */

static status start_thread(worker *w)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) {
        return FAIL(ST_ENVIRONMENT, "a thread that decodes images cannot be prepared: %s", strerror(failure));
    }
    (void)pthread_attr_setstacksize(&attributes, stack_bytes); /* refused: the usual size does as well */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are the main thread's */
    failure = pthread_create(&w->thread, &attributes, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return failure == 0 ? STATUS_OK
                        : FAIL(ST_ENVIRONMENT,
                               "a thread that decodes images cannot be started: %s; raise the limit of threads (ulimit -u) or set "
                               "decode_threads: 0",
                               strerror(failure));
}

static status open_ring(batch_source *s)
{
    s->n_slots = s->setup.ahead;
    TRY_ALLOC(s->slots, s->arena, s->n_slots);
    for (size_t i = 0; i < s->n_slots; i++) {
        TRY_ALLOC(s->slots[i].images, s->arena, s->setup.micro_batch * s->setup.image_size);
        TRY_ALLOC(s->slots[i].mark, s->arena, s->setup.micro_batch);
    }
    return STATUS_OK;
}

static status start_workers(batch_source *s)
{
    TRY_ALLOC(s->workers, s->arena, s->setup.threads);
    for (size_t i = 0; i < s->setup.threads; i++) {
        worker *w = &s->workers[i];
        w->source = s;
        TRY(arena_open("image of a decoding thread", &w->scratch));
        const status st = start_thread(w);
        if (!status_ok(st)) {
            arena_close(&w->scratch);
            return st;
        }
        s->n_workers++;
    }
    return STATUS_OK;
}

static status open_in(arena *a, const batch_setup *setup, batch_source **out)
{
    batch_source *s;
    TRY_ALLOC(s, a, 1);
    *s = (batch_source){.setup = *setup, .arena = a};
    TRY_ALLOC(s->wishes, a, setup->most_asked);
    (void)pthread_mutex_init(&s->lock, NULL); /* without attributes these cannot fail on our systems: no resources are needed */
    (void)pthread_cond_init(&s->room, NULL);
    (void)pthread_cond_init(&s->ready, NULL);
    *out = s;
    if (setup->threads == 0) {
        return arena_open("image", &s->scratch);
    }
    TRY(open_ring(s));
    return start_workers(s);
}

status batch_source_open(const batch_setup *setup, batch_source **out)
{
    arena *a;
    assert(setup->most_asked > 0 && (setup->threads == 0 || setup->ahead > 0));
    *out = NULL;
    TRY(arena_open("images read ahead", &a));
    const status st = open_in(a, setup, out);
    if (!status_ok(st) && *out == NULL) {
        arena_close(&a);
    } else if (!status_ok(st)) {
        batch_source_close(out);
    }
    return st;
}

void batch_source_close(batch_source **s_)
{
    batch_source *s = *s_;
    *s_ = NULL;
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->over = true;
    (void)pthread_cond_broadcast(&s->room);
    (void)pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->n_workers; i++) {
        (void)pthread_join(s->workers[i].thread, NULL);
        arena_close(&s->workers[i].scratch);
    }
    (void)pthread_cond_destroy(&s->ready);
    (void)pthread_cond_destroy(&s->room);
    (void)pthread_mutex_destroy(&s->lock);
    arena_close(&s->scratch);
    arena *a = s->arena; /* in which *s is */
    arena_close(&a);
}

static bool is_complete(const batch_source *s, size_t number)
{
    const slot *at = &s->slots[number % s->n_slots];
    return number < s->opened && at->done == at->content.n;
}

/* From the ring. A failed micro-batch stays where it is. */
static status collect(batch_source *s, batch *out)
{
    slot *from = &s->slots[s->taken % s->n_slots]; /* only this thread changes `taken` */
    (void)pthread_mutex_lock(&s->lock);
    while (!is_complete(s, s->taken)) {
        (void)pthread_cond_wait(&s->ready, &s->lock);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (from->failed_at != SIZE_MAX) {
        status_take_over(&from->trace);
        return from->failure;
    }
    memcpy(out->images, from->images, out->n * batch_image_size(from->recipe) * sizeof out->images[0]);
    for (size_t i = 0; i < out->n; i++) {
        s->setup.mark[out->sample[i]] = from->mark[i];
    }
    batch_pad(out, s->setup.micro_batch, batch_image_size(from->recipe));
    (void)pthread_mutex_lock(&s->lock);
    s->taken++;
    (void)pthread_cond_broadcast(&s->room);
    (void)pthread_mutex_unlock(&s->lock);
    return STATUS_OK;
}

void batch_source_ask(batch_source *s, const sample_list *list, const preprocess *recipe, size_t index)
{
    (void)pthread_mutex_lock(&s->lock);
    assert(s->asked - s->taken < s->setup.most_asked);
    assert(s->setup.threads == 0 || batch_image_size(recipe) <= s->setup.image_size);
    *wish_at(s, s->asked++) = (wish){list, recipe, index};
    (void)pthread_cond_broadcast(&s->room);
    (void)pthread_mutex_unlock(&s->lock);
}

status batch_source_take(batch_source *s, batch *out)
{
    const batch_setup *p = &s->setup;
    const double started = log_seconds();
    assert(s->taken < s->asked);
    const wish w = *wish_at(s, s->taken); /* only this thread changes `asked`, `taken` and the wishes between them */
    status st;
    batch_describe(w.list, w.index, p->micro_batch, out);
    if (p->threads > 0) {
        st = collect(s, out);
    } else {
        st = batch_read(s->scratch, p->data, w.list, w.index, p->micro_batch, w.recipe, p->mark, out);
        s->taken += status_ok(st);
    }
    *p->waited += log_seconds() - started;
    return st;
}

size_t batch_source_ready(batch_source *s)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&s->lock);
    while (n < s->n_slots && is_complete(s, s->taken + n)) {
        n++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

size_t batch_source_bytes(size_t micro_batch, size_t image_size, size_t threads, size_t ahead)
{
    static const size_t of_a_thread = (size_t)2 << 20; /* the first block of its arena, and a stack, of which little is used */
    const size_t place = forecast_block(micro_batch * image_size, sizeof(float)) + forecast_block(micro_batch, sizeof(file_mark));
    return threads == 0 ? 0 : ahead * (place + sizeof(slot)) + threads * of_a_thread;
}
