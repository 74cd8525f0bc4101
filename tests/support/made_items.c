#include "support/made_items.h"

#include <string.h>
#include <time.h>

#include "support/support.h"

static size_t numbers_of(const made_items *m, size_t i)
{
    return 1 + i % 4 + m->wide;
}

static int64_t number(size_t i, size_t k)
{
    return (int64_t)(1000003 * (i + 1) + 7919 * k);
}

static void key_of(const void *context, size_t i, journal_key *out)
{
    (void)context;
    *out = (journal_key){.stage = 9, .model = 1, .part = 2, .index = (uint32_t)i};
}

static size_t payload_of(const void *context, size_t i)
{
    return numbers_of(context, i) * sizeof(int64_t);
}

static double images_of(const void *context, size_t i)
{
    (void)context;
    (void)i;
    return 1.0;
}

static void expect(void *context, size_t i)
{
    made_items *m = context;
    assert_true(i < m->n);
    assert_true(m->end - m->first < 2 * m->stretch); /* two blocks at most: what a reader of inputs has room for */
    m->expected[m->end++ % MADE_MOST] = i;
}

static status compute(void *context, size_t i, void *payload)
{
    made_items *m = context;
    int64_t *to = payload;
    const struct timespec t = {.tv_nsec = m->slow_us * 1000};
    assert_true(m->first < m->end);
    assert_int_equal(m->expected[m->first++ % MADE_MOST], i);
    m->computed++;
    if ((long)i == m->fail_at) {
        return FAIL(ST_DATA, "item %zu was told to fail", i);
    }
    for (size_t k = 0; k < numbers_of(m, i); k++) {
        to[k] = number(i, k);
    }
    if (m->slow_us > 0) {
        (void)nanosleep(&t, NULL);
    }
    return STATUS_OK;
}

static status take(void *context, size_t i, const void *payload)
{
    made_items *m = context;
    const int64_t *from = payload;
    m->taken[i]++;
    for (size_t k = 0; k < numbers_of(m, i); k++) {
        if (from[k] != number(i, k)) {
            fail_msg("item %zu: number %zu is another: %jd", i, k, (intmax_t)from[k]);
        }
        m->sum += from[k];
    }
    return STATUS_OK;
}

static status check(void *context, size_t i, const void *payload)
{
    made_items *m = context;
    assert_int_equal(*(const int64_t *)payload, number(i, 0));
    m->checked++;
    return (long)i == m->changed_at ? FAIL(ST_DATA, "the input of item %zu was changed", i) : STATUS_OK;
}

static void skip_images(void *progress, double images)
{
    *(double *)progress += images;
}

const char *made_folder(comm *c, arena *a, const char *name)
{
    const void *data = "";
    size_t size = 0;
    if (c->rank == 0) {
        data = arena_text(a, "%s/%s.journal", scratch_folder(), name);
        size = strlen(data);
    }
    assert_ok(comm_share_bytes(c, a, &data, &size));
    return data;
}

made_run made_stage_run(const stage_def *stage, arena *a, stage_ctx *ctx, const char *folder, long after)
{
    item_service items, *before = ctx->items;
    made_service(ctx->comm, a, folder, &items);
    items.stop->after = after;
    ctx->items = &items;
    const status st = stage->run(ctx);
    assert_true(st.code == ST_OK || st.code == ST_STOPPED || st.code == ST_PEER);
    status_clear();
    int64_t sums[] = {st.code != ST_OK, (int64_t)items.n_computed, (int64_t)items.n_restored};
    comm_sum_i64(ctx->comm, COUNT(sums), sums);
    journal_close(&items.writer);
    ctx->items = before;
    return (made_run){sums[0], sums[1], sums[2]};
}

status made_items_run(item_service *s, arena *a, made_items *m)
{
    const item_list list = {.n = m->n,
                            .stretch = m->stretch,
                            .most_payload = (4 + m->wide) * sizeof(int64_t),
                            .needed_by_all = m->needed,
                            .context = m,
                            .key = key_of,
                            .payload = payload_of,
                            .images = images_of,
                            .expect = expect,
                            .compute = compute,
                            .take = take,
                            .check = check};
    assert_true(m->n <= MADE_MOST);
    memset(m->taken, 0, sizeof m->taken);
    m->computed = m->checked = m->sum = 0;
    m->first = m->end = 0;
    m->images_skipped = 0.0;
    s->skip = skip_images;
    s->progress = &m->images_skipped;
    return items_run(s, a, &list);
}

int64_t made_items_total(const comm *c, int64_t mine)
{
    comm_sum_i64(c, 1, &mine);
    return mine;
}

void made_items_assert_complete(const comm *c, made_items *m)
{
    int64_t expected = 0;
    comm_sum_i64(c, MADE_MOST, m->taken);
    for (size_t i = 0; i < MADE_MOST; i++) {
        if (m->taken[i] != (i < m->n)) {
            fail_msg("item %zu of %zu was taken %jd times", i, m->n, (intmax_t)m->taken[i]);
        }
        for (size_t k = 0; i < m->n && k < numbers_of(m, i); k++) {
            expected += number(i, k);
        }
    }
    assert_true(made_items_total(c, m->sum) == expected);
}

/* ---- ranks ---- */

bool made_comm_open(const comm *world, int size, comm *out)
{
    const bool in = world->rank < size;
    *out = *world;
    out->raised = false;
    assert_int_equal(MPI_Comm_split(world->mpi, in ? 0 : MPI_UNDEFINED, world->rank, &out->mpi), MPI_SUCCESS);
    assert_int_equal(MPI_Comm_split(world->node, in ? 0 : MPI_UNDEFINED, world->node_rank, &out->node), MPI_SUCCESS);
    if (in) {
        int largest;
        assert_int_equal(MPI_Comm_size(out->mpi, &out->size), MPI_SUCCESS);
        assert_int_equal(MPI_Comm_rank(out->mpi, &out->rank), MPI_SUCCESS);
        assert_int_equal(MPI_Comm_size(out->node, &out->node_size), MPI_SUCCESS);
        assert_int_equal(MPI_Comm_rank(out->node, &out->node_rank), MPI_SUCCESS);
        largest = out->node_size;
        assert_int_equal(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT, MPI_MAX, out->mpi), MPI_SUCCESS);
        out->shares = largest > 1;
    }
    return in;
}

void made_comm_close(comm *c)
{
    (void)MPI_Comm_free(&c->node);
    (void)MPI_Comm_free(&c->mpi);
}

/* Rank 0 looks, all know. */
static status rescan(item_service *s)
{
    arena *a = ((void **)s->context)[0];
    const char *folder = ((void **)s->context)[1];
    const void *data = NULL;
    size_t size = 0;
    if (s->comm->rank == 0) {
        journal_index index;
        assert_ok(journal_scan(a, folder, "made\n", &index));
        assert_ok(journal_index_write(a, &index, &data, &size));
    }
    TRY(comm_share_bytes(s->comm, a, &data, &size));
    return comm_agree(s->comm, journal_index_read(a, data, size, &s->index));
}

void made_service(comm *c, arena *a, const char *folder, item_service *out)
{
    static int made;
    int number = made++;
    assert_ok(items_open(c, a, out));
    if (folder == NULL) {
        return;
    }
    void **context = arena_alloc(a, 2, sizeof *context);
    assert_non_null(context);
    context[0] = a;
    context[1] = arena_text(a, "%s", folder);
    out->context = context;
    out->rescan = rescan;
    assert_ok(rescan(out));
    assert_int_equal(MPI_Allreduce(MPI_IN_PLACE, &number, 1, MPI_INT, MPI_MAX, c->mpi), MPI_SUCCESS); /* ranks have made unlike many */
    made = number + 1;
    assert_ok(journal_open(a, folder, arena_text(a, "run%04d-rank%d", number, c->rank), "made\n", &out->writer));
}
