#include "pipeline/resume.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "io/sha256.h"
#include "pipeline/count.h"
#include "pipeline/provenance.h"

/* ---- words of the command line ---- */

status resume_array(const char *text, size_t *task, size_t *n_tasks)
{
    enum { MOST = 1000000 };
    const char *slash = NULL, *end = NULL;
    size_t i = 0, n = 0;
    if (!count_at(text, MOST, &i, &slash) || *slash != '/' || !count_at(slash + 1, MOST, &n, &end) || *end != '\0' || i > n) {
        return FAIL(ST_USAGE, "--array: expected I/N with 1 <= I <= N <= %d, as in 2/5, found '%s'", MOST, text);
    }
    *task = i - 1;
    *n_tasks = n;
    return STATUS_OK;
}

/* ---- what has to be the same ---- */

/* A data set's listing: names of classes, paths and labels. */
static status digest_listing(arena *scratch, const dataset *d, char text[65])
{
    size_t size = 0;
    char *all, *to;
    uint8_t digest[32];
    for (size_t i = 0; i < d->n_classes; i++) {
        size += strlen(d->class_name[i]) + 1;
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        size += strlen(d->path[i]) + 1 + sizeof d->label[0];
    }
    TRY_ALLOC(all, scratch, size);
    to = all;
    for (size_t i = 0; i < d->n_classes; i++) {
        to = stpcpy(to, d->class_name[i]) + 1;
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        to = stpcpy(to, d->path[i]) + 1;
        memcpy(to, &d->label[i], sizeof d->label[0]);
        to += sizeof d->label[0];
    }
    sha256(all, size, digest);
    sha256_text(digest, text);
    return STATUS_OK;
}

/* Lines of the resolved study, but for those that change nothing that is computed. */
static status computed_lines(arena *a, const char *text, const char **out)
{
    static const char *const without[] = {"output:", "decode_threads:"};
    char *to;
    TRY_ALLOC(to, a, strlen(text) + 1);
    *out = to;
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n") + (strchr(text, '\n') != NULL);
        bool keep = true;
        for (size_t i = 0; i < COUNT(without); i++) {
            keep = keep && strncmp(text, without[i], strlen(without[i])) != 0;
        }
        if (keep) {
            memcpy(to, text, n);
            to += n;
        }
        text += n;
    }
    return STATUS_OK;
}

static status describe_inputs(arena *a, arena *scratch, const plan *p, const char **out)
{
    const dataset *const sets[] = {p->study.reference_data, p->study.evaluation_data};
    static const char *const names[] = {"reference", "evaluation"};
    char digest[65];
    *out = "";
    for (size_t i = 0; i < COUNT(sets); i++) {
        arena_reset(scratch);
        TRY(digest_listing(scratch, sets[i], digest));
        TRY_TEXT(*out, a, "%s%s images: %zu, their names and classes %s\n", *out, names[i], sets[i]->n_samples, digest);
    }
    for (size_t i = 0; i < p->study.n_models; i++) {
        const model_inputs *in = &p->inputs[i];
        TRY_TEXT(*out, a, "%scheckpoint of %s: %s %s\n", *out, p->study.models[i].config->name, in->checkpoint_sha256, in->json_sha256);
    }
    return STATUS_OK;
}

static status describe(arena *a, arena *scratch, const plan *p, const char **out)
{
    const char *versions = provenance_version(a, p->study.backend), *lines = NULL, *inputs = NULL;
    if (versions == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    TRY(computed_lines(a, p->study.config->resolved, &lines));
    TRY(describe_inputs(a, scratch, p, &inputs));
    TRY_TEXT(*out, a, "%s\n%s%s", versions, inputs, lines);
    return STATUS_OK;
}

/* Rank 0's, for all: another rank's node may have other libraries, and what counts is that one text is in all files. */
static status share_identity(resume *r, const plan *p)
{
    arena *scratch = NULL;
    const char *text = NULL;
    const void *data = NULL;
    size_t size = 0;
    status st = STATUS_OK;
    if (r->comm->rank == 0) {
        st = arena_open("identity", &scratch);
        if (status_ok(st)) {
            st = describe(r->arena, scratch, p, &text);
        }
        arena_close(&scratch);
        data = text;
        size = text == NULL ? 0 : strlen(text);
    }
    TRY(comm_agree(r->comm, st));
    TRY(comm_share_bytes(r->comm, r->arena, &data, &size));
    r->identity = data;
    return STATUS_OK;
}

/* ---- the journal ---- */

/* A name that no other run has, on this or another host: time, host and process of rank 0. */
static status share_name(resume *r, const char **file)
{
    char host[256] = "unknown";
    struct timespec now;
    const void *data = NULL;
    size_t size = 0;
    (void)gethostname(host, sizeof host - 1);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const char *text = arena_text(r->arena, "%jx%09lx-%.64s-%ld", (intmax_t)now.tv_sec, now.tv_nsec, host, (long)getpid());
    TRY(comm_agree(r->comm, text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    data = text;
    size = strlen(text);
    TRY(comm_share_bytes(r->comm, r->arena, &data, &size));
    r->name = data;
    *file = arena_text(r->arena, "%s-rank%06d", r->name, r->comm->rank);
    return comm_agree(r->comm, *file == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK);
}

static status look(resume *r, arena *scratch, arena *next)
{
    const void *data = NULL;
    size_t size = 0;
    journal_index index;
    status st = STATUS_OK;
    if (r->comm->rank == 0) {
        st = journal_scan(scratch, r->folder, r->identity, &index);
        if (status_ok(st)) {
            st = journal_index_write(scratch, &index, &data, &size);
        }
    }
    TRY(comm_agree(r->comm, st));
    TRY(comm_share_bytes(r->comm, scratch, &data, &size));
    return comm_agree(r->comm, journal_index_read(next, data, size, &r->items.index));
}

/* Collective: rank 0 looks, all know. A job of an array may look very often. */
static status share_index(resume *r)
{
    arena *scratch = NULL, *next = NULL;
    status st = arena_open("index of a journal", &next);
    if (status_ok(st)) {
        st = arena_open("journal", &scratch);
    }
    st = comm_agree(r->comm, st);
    if (status_ok(st)) {
        st = look(r, scratch, next);
    }
    arena_close(&scratch);
    if (!status_ok(st)) {
        arena_close(&next);
        return st;
    }
    arena_close(r->index);
    *r->index = next;
    return STATUS_OK;
}

static void close_index(void *thing)
{
    arena_close((arena **)thing);
}

static status rescan(item_service *s)
{
    return share_index(s->context);
}

static void tell(const resume *r)
{
    const journal_index *i = &r->items.index;
    if (i->n_files > 0) {
        log_line(LOG_INFO, "journal=%s files=%zu items=%zu MiB=%.1f: goes on where an earlier run was", r->folder, i->n_files, i->n,
                 (double)i->bytes / 1048576.0);
    }
    if (i->damaged > 0 && r->comm->rank == 0) {
        log_line(LOG_WARNING, "journal=%s damaged=%zu places are cut off or damaged, as after a crash; what they held is computed again", r->folder,
                 i->damaged);
    }
}

status resume_open(comm *c, arena *a, const plan *p, const resume_options *o, resume *out)
{
    const char *file = NULL;
    *out = (resume){.comm = c, .arena = a, .folder = journal_folder(a, o->output), .index = arena_alloc(a, 1, sizeof *out->index)};
    TRY(comm_agree(c, out->folder == NULL || out->index == NULL ? (status){ST_ENVIRONMENT} : arena_at_end(a, close_index, out->index)));
    TRY(items_open(c, a, &out->items));
    stop_open(o->limit_seconds, &out->stop);
    out->stop.after = o->stop_after;
    out->items.stop = &out->stop;
    out->items.task = o->task;
    out->items.n_tasks = o->n_tasks == 0 ? 1 : o->n_tasks;
    out->items.only_join = o->only_join;
    out->items.context = out;
    out->items.rescan = o->n_tasks > 1 ? rescan : NULL;
    TRY(share_identity(out, p));
    TRY(comm_agree(c, c->rank == 0 && o->fresh ? journal_remove(out->folder) : STATUS_OK));
    TRY(share_index(out));
    tell(out);
    TRY(share_name(out, &file));
    return comm_agree(c, o->only_join ? STATUS_OK : journal_open(a, out->folder, file, out->identity, &out->items.writer));
}

status resume_done(resume *r)
{
    journal_close(&r->items.writer);
    TRY(comm_agree(r->comm, STATUS_OK)); /* all have closed theirs */
    if (r->comm->rank == 0 && !status_ok(journal_remove(r->folder))) {
        log_line(LOG_WARNING, "journal=%s is of no more use and cannot be removed: %s", r->folder, status_message());
        status_clear();
    }
    return STATUS_OK;
}

status resume_failed(resume *r, status st)
{
    static const int64_t worth_milliseconds = 60000;
    const bool keep = st.code == ST_STOPPED || st.code == ST_CANT_WRITE || r->items.n_tasks > 1;
    int64_t sums[2] = {keep || r->items.index.n > 0, (int64_t)(1e3 * r->items.item_seconds)};
    comm_sum_i64(r->comm, 2, sums);
    if (sums[0] == 0 && sums[1] < worth_milliseconds) {
        journal_discard(&r->items.writer);
    }
    return st;
}

status resume_note(resume *r, uint32_t stage, const void *data, size_t size)
{
    journal_key key = {.stage = stage};
    if (r->items.writer == NULL) {
        return STATUS_OK;
    }
    memcpy(key.content, r->name, strlen(r->name) < sizeof key.content ? strlen(r->name) : sizeof key.content);
    return journal_append(r->items.writer, &key, 0.0, data, size);
}
