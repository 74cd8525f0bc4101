/* One list, event by event. Every rank goes through the loop of compute_left() in stages/items.c: it always claims one block ahead, and between
 * two items it hears an answer that it waits for, as claims_tick() does. Rank 0 answers at the same places. */
#include <math.h>
#include <string.h>

#include "parallel/claims_rule.h"
#include "pipeline/scale.h"
#include "stages/items_block.h"

typedef enum event_kind {
    GO,     /* a rank claims what it lacks, and computes */
    ENDED,  /* a rank has computed an item */
    ASKED,  /* the question of a node has come to rank 0 */
    ANSWER, /* rank 0 looks whether somebody has asked */
    GIVEN,  /* the answer has come to the node */
    HEARD   /* ... and the rank that asked looks at it */
} event_kind;

typedef struct event {
    double at;
    size_t turn; /* of equal times the one that was made first comes first */
    event_kind kind;
    size_t who; /* a rank, or a node */
} event;

typedef struct range {
    size_t first, n;
} range;

/* Blocks are numbered as claims are: units. */
typedef struct sim_rank {
    range now, next;      /* items: the rest of the block that is computed, and the block behind it */
    bool first, lacks;    /* has no block yet; has not claimed the next one */
    bool computes, waits; /* an item; for an answer, since `since` */
    bool gone;            /* has nothing to do any more, since `left` */
    double begun, ends, since, asks_at; /* of the item; when the images of the block at hand were asked for */
    double next_asks_at;
    size_t ticks, inputs; /* of the item; of the block: sets of images so far */
    size_t asked, loaded; /* set of images that was asked for last, that is there; NONE */
    double reads_at;      /* when its threads have read what was asked for */
    double left;
} sim_rank;

typedef struct sim_node {
    size_t ranks, waiting;    /* head of the list of ranks that wait; NONE */
    range stock[2], held;     /* units */
    bool asking, over, holds; /* as in parallel/claims.c */
    size_t asker;
} sim_node;

enum { HOME = 0 };
#define NONE ((size_t)-1)

typedef struct sim {
    const scale_machine *m;
    const work_list *list;
    size_t seed, n, block, units, n_nodes;
    size_t *item_end, *input_end; /* [n_parts] items, sets of images up to here */
    sim_rank *rank;
    sim_node *node;
    size_t *behind; /* [ranks] who waits behind a rank */
    size_t left;    /* first unit that nobody has: rank 0's counter */
    size_t *pending, n_pending; /* nodes whose question is there */
    bool looks;     /* rank 0 will look at messages at its next tick */
    double late;    /* by which answers have held up rank 0 since it last went on */
    double told_at; /* when it has answered last */
    event *heap;
    size_t n_events, room, turn;
    scale_ranks *kept;
    scale_result *out;
} sim;

/* ---- events ---- */

static bool comes_before(const event *a, const event *b)
{
    return a->at < b->at || (a->at == b->at && a->turn < b->turn); // NOLINT: equal times are meant
}

/* Room: a rank has at most one event on its way, and so has a node; and there is one ANSWER. */
static void push(sim *s, double at, event_kind kind, size_t who)
{
    const event e = {at, s->turn++, kind, who};
    size_t i = s->n_events++;
    for (; i > 0 && comes_before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        s->heap[i] = s->heap[(i - 1) / 2];
    }
    s->heap[i] = e;
}

static event pop(sim *s)
{
    const event top = s->heap[0], last = s->heap[--s->n_events];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->n_events; i = child) {
        child += child + 1 < s->n_events && comes_before(&s->heap[child + 1], &s->heap[child]);
        if (!comes_before(&s->heap[child], &last)) {
            break;
        }
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

static size_t node_of(const sim *s, size_t rank)
{
    return rank / s->m->per_node;
}

/* ---- items ---- */

static const work_part *part_of(const sim *s, size_t item, size_t *within, size_t *input)
{
    size_t low = 0, high = s->list->n_parts - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (item < s->item_end[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    const work_part *p = &s->list->part[low];
    *within = item - (s->item_end[low] - p->n);
    *input = (low == 0 ? 0 : s->input_end[low - 1]) + *within / p->n_kinds;
    return p;
}

/* Of a claimed block: its images are asked for. */
static void expect(sim *s, sim_rank *r, range items, double at, double *asks_at)
{
    double seconds = 0.0;
    for (size_t i = items.first; i < items.first + items.n; i++) {
        size_t within, input;
        const work_part *p = part_of(s, i, &within, &input);
        seconds += input != r->asked ? p->read_seconds : 0.0;
        r->asked = input;
    }
    *asks_at = fmax(at, r->reads_at);
    r->reads_at = *asks_at + (s->m->read_threads > 0 ? seconds / (double)s->m->read_threads : 0.0);
}

static void begin_item(sim *s, size_t rank, double at)
{
    sim_rank *r = &s->rank[rank];
    size_t within, input;
    const work_part *p = part_of(s, r->now.first, &within, &input);
    double ready = at;
    if (input != r->loaded) {
        r->loaded = input;
        r->inputs++;
        ready = s->m->read_threads == 0 ? at + p->read_seconds
                                        : fmax(at, r->asks_at + (double)r->inputs * p->read_seconds / (double)s->m->read_threads);
    }
    const double seconds = scale_seconds(s->m, p, s->seed, r->now.first, within);
    s->out->reading += ready - at;
    s->out->busy += seconds;
    r->computes = true;
    r->begun = ready;
    r->ends = ready + seconds;
    r->ticks = p->ticks;
    push(s, r->ends, ENDED, rank);
}

/* io/journal.c: a file with the first frame, forced to the disk; then again every few seconds. The file system serves one after the other. */
static double note(sim *s, size_t rank, double at)
{
    const scale_machine *m = s->m;
    scale_ranks *k = s->kept;
    double done = at;
    if (!m->journal) {
        return at;
    }
    if (k->synced[rank] < 0.0) {
        k->makes_at = fmax(k->makes_at, at) + 1.0 / m->creates;
        done = k->makes_at + 2.0 * m->sync; /* the file, and the folder */
        k->synced[rank] = done;
        s->out->journal_files++;
    }
    enum { FRAME = 64 }; /* bytes of a head; payloads are filled up to them */
    const double bytes = (double)(FRAME + (s->list->payload + FRAME - 1) / FRAME * FRAME);
    s->out->journal_bytes += bytes;
    k->unsynced[rank] += bytes;
    if (done - k->synced[rank] >= m->sync_every) {
        k->writes_at = fmax(k->writes_at, done) + k->unsynced[rank] / m->writes;
        k->unsynced[rank] = 0.0;
        done = k->writes_at + m->sync;
        k->synced[rank] = done;
    }
    s->out->noting += done - at;
    return done;
}

/* ---- claims.c ---- */

/* When a rank next looks at messages, at `at` or later. */
static double next_tick(const sim *s, size_t rank, double at)
{
    const sim_rank *r = &s->rank[rank];
    if (!r->computes) {
        return at + s->m->poll;
    }
    if (at <= r->begun) { /* it waits for its images */
        return r->begun + (r->ends - r->begun) / (double)r->ticks;
    }
    const double piece = (r->ends - r->begun) / (double)r->ticks;
    return piece > 0.0 ? fmax(at, fmin(r->ends, r->begun + piece * ceil((at - r->begun) / piece))) : at;
}

static range take(sim *s, size_t most)
{
    const size_t there = s->units - s->left;
    const range taken = {s->left, there < most ? there : most};
    s->left += taken.n;
    return taken;
}

/* Returns when rank 0 has answered all. */
static double answer_asks(sim *s, double at)
{
    for (size_t i = 0; i < s->n_pending; i++) {
        sim_node *node = &s->node[s->pending[i]];
        node->held = take(s, (size_t)claims_portion(s->units - s->left, node->ranks, s->m->ranks));
        at += s->m->answer;
        s->out->answers++;
        push(s, at + s->m->latency, GIVEN, s->pending[i]);
    }
    s->told_at = s->n_pending > 0 ? at : s->told_at;
    s->n_pending = 0;
    return at;
}

static void restock(sim *s, size_t rank, double at)
{
    sim_node *node = &s->node[node_of(s, rank)];
    if (!node->over && !node->asking && claims_is_low(node->stock[0].n + node->stock[1].n, node->ranks)) {
        node->asking = true;
        node->asker = rank;
        push(s, at + s->m->latency, ASKED, node_of(s, rank));
    }
}

static bool take_here(sim_node *node, range *unit)
{
    const range *seen = node->stock;
    const size_t older = seen[0].n == 0 || (seen[1].n > 0 && seen[1].first < seen[0].first);
    if (seen[older].n == 0) {
        return false;
    }
    *unit = (range){seen[older].first, 1};
    node->stock[older].first++;
    node->stock[older].n--;
    return true;
}

static range items_of(const sim *s, range unit)
{
    const size_t first = unit.first * s->block, rest = unit.n == 0 ? 0 : s->n - first;
    return (range){first, rest < s->block ? rest : s->block};
}

/* One block; n = 0: nothing is left. False: has to wait. */
static bool claim(sim *s, size_t rank, double at, range *items)
{
    range unit = {0, 0};
    sim_node *node = &s->node[node_of(s, rank)];
    bool mine;
    if (node == &s->node[HOME]) {
        unit = take(s, 1);
        mine = true;
    } else {
        mine = take_here(node, &unit);
        restock(s, rank, at);
    }
    *items = items_of(s, unit);
    return mine || node->over;
}

/* ---- ranks ---- */

static void leave(sim *s, size_t rank, double at)
{
    s->rank[rank].left = at;
    s->rank[rank].gone = true;
}

static void wait_for_answer(sim *s, size_t rank, double at)
{
    sim_node *node = &s->node[node_of(s, rank)];
    sim_rank *r = &s->rank[rank];
    if (!r->waits) {
        r->waits = true;
        r->since = at;
    }
    s->behind[rank] = node->waiting;
    node->waiting = rank;
}

static void go(sim *s, size_t rank, double at)
{
    sim_rank *r = &s->rank[rank];
    if (rank == 0) {
        const double answered = answer_asks(s, at + s->late);
        s->out->starved += answered - at;
        s->late = 0.0;
        at = answered;
    }
    if (r->lacks) {
        range items;
        if (!claim(s, rank, at, &items)) {
            wait_for_answer(s, rank, at);
            return;
        }
        s->out->starved += r->waits ? at - r->since : 0.0;
        r->waits = false;
        expect(s, r, items, at, r->first ? &r->asks_at : &r->next_asks_at);
        if (r->first) {
            r->first = false;
            r->now = items;
            if (items.n > 0) {
                s->out->starved += s->m->claim;
                push(s, at + s->m->claim, GO, rank);
            } else {
                leave(s, rank, at);
            }
            return;
        }
        r->next = items;
        r->lacks = false;
    }
    begin_item(s, rank, at);
}

static void ended(sim *s, size_t rank, double at)
{
    sim_rank *r = &s->rank[rank];
    if (rank == 0 && s->late > 0.0) {
        s->out->starved += s->late;
        push(s, at + s->late, ENDED, rank);
        s->late = 0.0;
        return;
    }
    r->computes = false;
    at = note(s, rank, at);
    r->now.first++;
    if (--r->now.n == 0) {
        r->now = r->next;
        r->asks_at = r->next_asks_at;
        r->inputs = 0;
        r->next.n = 0;
        r->lacks = true;
    }
    if (r->now.n == 0) {
        leave(s, rank, at);
    } else {
        push(s, at, GO, rank);
    }
}

/* ---- messages ---- */

static void asked(sim *s, size_t node, double at)
{
    s->pending[s->n_pending++] = node;
    if (!s->looks) {
        s->looks = true;
        push(s, next_tick(s, 0, at), ANSWER, 0);
    }
}

static void answer(sim *s, double at)
{
    s->looks = false;
    const double done = answer_asks(s, at);
    s->late += s->rank[0].gone ? 0.0 : done - at;
}

static void heard(sim *s, size_t which, double at)
{
    sim_node *node = &s->node[which];
    if (node->held.n == 0) {
        node->over = true;
    } else {
        const size_t to = node->stock[0].n == 0 ? 0 : 1;
        if (node->stock[to].n > 0) { /* no place for it yet */
            push(s, fmax(at + s->m->poll, next_tick(s, node->asker, at + s->m->poll)), HEARD, which);
            return;
        }
        node->stock[to] = node->held;
        node->asking = false;
    }
    for (size_t i = node->waiting; i != NONE; i = s->behind[i]) {
        push(s, at + s->m->poll, GO, i);
    }
    node->waiting = NONE;
}

static void happen(sim *s, const event *e)
{
    switch (e->kind) {
    case GO: go(s, e->who, e->at); break;
    case ENDED: ended(s, e->who, e->at); break;
    case ASKED: asked(s, e->who, e->at); break;
    case ANSWER: answer(s, e->at); break;
    case GIVEN: push(s, next_tick(s, s->node[e->who].asker, e->at), HEARD, e->who); break;
    case HEARD: heard(s, e->who, e->at); break;
    }
}

static status open(arena *a, sim *s)
{
    const size_t ranks = s->m->ranks;
    s->n_nodes = (ranks + s->m->per_node - 1) / s->m->per_node;
    TRY_ALLOC(s->item_end, a, s->list->n_parts);
    TRY_ALLOC(s->input_end, a, s->list->n_parts);
    TRY_ALLOC(s->rank, a, ranks);
    TRY_ALLOC(s->node, a, s->n_nodes);
    TRY_ALLOC(s->behind, a, ranks);
    TRY_ALLOC(s->pending, a, s->n_nodes);
    TRY_ALLOC(s->heap, a, ranks + s->n_nodes + 1);
    for (size_t i = 0, inputs = 0; i < s->list->n_parts; i++) {
        const work_part *p = &s->list->part[i];
        s->n += p->n;
        inputs += (p->n + p->n_kinds - 1) / p->n_kinds;
        s->item_end[i] = s->n;
        s->input_end[i] = inputs;
    }
    s->block = items_block(s->n, ranks, s->list->stretch);
    s->units = (s->n + s->block - 1) / s->block;
    return STATUS_OK;
}

static void begin(sim *s, double at)
{
    const size_t ranks = s->m->ranks, each = s->m->per_node;
    for (size_t i = 0; i < s->n_nodes; i++) {
        s->node[i] = (sim_node){.ranks = ranks - i * each < each ? ranks - i * each : each, .waiting = NONE};
    }
    for (size_t i = 0; i < ranks; i++) {
        s->rank[i] = (sim_rank){.first = true, .lacks = true, .asked = NONE, .loaded = NONE};
        push(s, at, GO, i);
    }
}

status scale_list(arena *a, const scale_machine *m, const work_list *list, size_t seed, scale_ranks *ranks, double at, double *end, scale_result *out)
{
    sim s = {.m = m, .list = list, .seed = seed, .kept = ranks, .out = out};
    TRY(open(a, &s));
    begin(&s, at);
    while (s.n_events > 0) {
        const event e = pop(&s);
        happen(&s, &e);
    }
    *end = fmax(at, s.told_at); /* rank 0 stays until all nodes know that nothing is left */
    for (size_t i = 0; i < m->ranks; i++) {
        *end = fmax(*end, s.rank[i].left);
    }
    for (size_t i = 0; i < m->ranks; i++) {
        out->ended += *end - s.rank[i].left;
    }
    return STATUS_OK;
}
