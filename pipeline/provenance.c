#include "pipeline/provenance.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/dense.h"
#include "io/sha256.h"
#include "io/versions.h"
#include "parallel/eigen.h"
#include "pipeline/winograd.h"
#include "revision.h"
#include "search/box.h"

const char *provenance_mpi(arena *a)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    (void)MPI_Get_library_version(text, &length); /* may be called before MPI_Init */
    text[strcspn(text, "\n")] = '\0';
    return arena_text(a, "%s", text);
}

const char *provenance_program(void)
{
    return "pollard " POLLARD_VERSION " (" POLLARD_REVISION ")";
}

const char *provenance_solvers(arena *a)
{
    const char *lapack = dense_version(a), *nlopt = box_library(a);
    return lapack == NULL || nlopt == NULL ? NULL : arena_text(a, "LAPACK %s\nScaLAPACK %s\n%s", lapack, eigen_version(), nlopt);
}

const char *provenance_version(arena *a, const backend_def *b)
{
    const char *mpi = provenance_mpi(a), *io = io_versions(a), *solvers = provenance_solvers(a);
    if (mpi == NULL || io == NULL || solvers == NULL) {
        return NULL;
    }
    return arena_text(a, "%s\ncompiler %s\nMPI %s\n%s %s\n%s\n%s", provenance_program(), __VERSION__, mpi, b->name, b->version(), solvers, io);
}

const char *provenance_word(arena *a, const char *word)
{
    const size_t plain = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=,:+@%");
    if (word[0] != '\0' && word[plain] == '\0') {
        return word;
    }
    const char *text = "";
    while (*word != '\0' && text != NULL) { /* it's: 'it'\''s' */
        const size_t n = strcspn(word, "'");
        text = arena_text(a, "%s%.*s%s", text, (int)n, word, word[n] == '\0' ? "" : "'\\''");
        word += n + (word[n] != '\0');
    }
    return text == NULL ? NULL : arena_text(a, "'%s'", text);
}

const char *provenance_command(arena *a, int argc, char *const argv[])
{
    const char *text = arena_text(a, "%s", "");
    for (int i = 0; i < argc && text != NULL; i++) {
        const char *word = provenance_word(a, argv[i]);
        text = word == NULL ? NULL : arena_text(a, "%s%s%s", text, i == 0 ? "" : " ", word);
    }
    return text;
}

static const char *time_text(arena *a, double seconds)
{
    const time_t t = (time_t)seconds;
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&t, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    return arena_text(a, "%s", text);
}

static const char *stages_text(arena *a, const provenance_run *run)
{
    const char *text = arena_text(a, "%s", "");
    for (size_t i = 0; i < stage_count && text != NULL; i++) {
        text = arena_text(a, "%s%s%s=%.3f", text, i == 0 ? "" : " ", stage_table[i]->name, run->stage[i].seconds);
    }
    return text;
}

static double now_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* items: of all ranks, computed by this run and by earlier ones. */
static status texts(comm *c, arena *a, const plan *p, const stage_ctx *s, const provenance_run *run, const int64_t items[2], results *out)
{
    result_text *list;
    const double now = now_seconds();
    const result_text all[] = {
        {"command", provenance_command(a, run->argc, run->argv)},
        {"config_path", p->study.config->path},
        {"config", p->study.config->text},
        {"config_resolved", p->study.config->resolved},
        {"versions", provenance_version(a, p->study.backend)},
        {"git_revision", POLLARD_REVISION},
        {"backend", p->study.backend->name},
        {"winograd_layers", winograd_text(a, &p->study)},
        {"ranks", arena_text(a, "%d", c->size)},
        {"started", time_text(a, run->started)},
        {"finished", time_text(a, now)},
        {"seconds", arena_text(a, "%.3f", now - run->started)},
        {"stage_seconds", stages_text(a, run)},
        {"items_computed", arena_text(a, "%jd", (intmax_t)items[0])},
        {"items_restored", arena_text(a, "%jd", (intmax_t)items[1])},
        {"masks", arena_text(a, "%zu", s->evaluate.n_masks)},
        {"masks_evaluated", arena_text(a, "%zu", s->evaluate.n_evaluated)},
    };
    TRY_ALLOC(list, a, COUNT(all));
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i].value == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        list[i] = all[i];
    }
    out->texts = list;
    out->n_texts = COUNT(all);
    return STATUS_OK;
}

static status add_file(arena *a, const char *path, const char *digest, size_t bytes, result_input *out)
{
    const char *name = arena_text(a, "%s", path), *sha = arena_text(a, "%s", digest);
    *out = (result_input){name, sha, bytes};
    return name == NULL || sha == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
}

static bool was_read(const file_mark *mark)
{
    static const file_mark none = {{0}, 0};
    return memcmp(mark, &none, sizeof none) != 0;
}

/* The images that any rank has read. */
static status add_images(arena *a, const dataset *d, const file_mark *mark, result_input *list, size_t *n)
{
    for (size_t i = 0; i < d->n_samples; i++) {
        if (was_read(&mark[i])) {
            char text[65];
            const char *path = path_join(a, d->root, d->path[i]);
            if (path == NULL) {
                return (status){ST_ENVIRONMENT};
            }
            sha256_text(mark[i].sha256, text);
            TRY(add_file(a, path, text, mark[i].bytes, &list[(*n)++]));
        }
    }
    return STATUS_OK;
}

static status inputs(arena *a, const plan *p, const stage_ctx *c, results *out)
{
    const study *s = &p->study;
    result_input *list;
    size_t n = 0;
    TRY_ALLOC(list, a, 1 + 2 * s->n_models + s->reference_data->n_samples + s->evaluation_data->n_samples);
    TRY(add_file(a, s->config->path, p->config_sha256, p->config_bytes, &list[n++]));
    for (size_t i = 0; i < s->n_models; i++) {
        const model_inputs *in = &p->inputs[i];
        TRY(add_file(a, in->checkpoint_path, in->checkpoint_sha256, in->checkpoint_bytes, &list[n++]));
        if (in->json_sha256[0] != '\0') {
            TRY(add_file(a, in->json_path, in->json_sha256, in->json_bytes, &list[n++]));
        }
    }
    TRY(add_images(a, s->reference_data, c->reference_mark, list, &n));
    TRY(add_images(a, s->evaluation_data, c->evaluation_mark, list, &n));
    out->inputs = list;
    out->n_inputs = n;
    return STATUS_OK;
}

/* Of every rank and stage; collective. */
static status gather_waits(comm *c, arena *a, const stage_time time[], results *out)
{
    const size_t n = (size_t)c->size * stage_count;
    const char **name = arena_alloc(a, stage_count, sizeof *name);
    double *wait = arena_alloc(a, n, sizeof *wait), *share = arena_alloc(a, n, sizeof *share);
    TRY(comm_agree(c, name == NULL || wait == NULL || share == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK));
    for (size_t i = 0; i < stage_count; i++) {
        const double *waits, *shares;
        TRY(comm_gather_f64(c, a, time[i].image_wait, &waits));
        TRY(comm_gather_f64(c, a, stage_share(time[i].image_wait, time[i].seconds), &shares));
        for (size_t r = 0; r < (size_t)c->size; r++) {
            wait[r * stage_count + i] = waits[r];
            share[r * stage_count + i] = shares[r];
        }
        name[i] = stage_table[i]->name;
    }
    out->n_stages = stage_count;
    out->stage_name = name;
    out->image_wait = wait;
    out->image_wait_share = share;
    return STATUS_OK;
}

status provenance_gather(comm *c, arena *a, const plan *p, const stage_ctx *s, const provenance_run *run, results *out)
{
    char host[256] = "unknown";
    (void)gethostname(host, sizeof host - 1);
    /* Ranks read different files, or the same bytes: or-ing what they know loses nothing. */
    comm_or_bytes(c, sizeof(file_mark) * p->study.reference_data->n_samples, s->reference_mark);
    comm_or_bytes(c, sizeof(file_mark) * p->study.evaluation_data->n_samples, s->evaluation_mark);
    TRY(comm_gather_text(c, a, host, &out->rank_host));
    double busy = 0.0, idle = 0.0, seconds = 0.0;
    for (size_t i = 0; i < stage_count; i++) {
        seconds += run->stage[i].seconds;
        idle += run->stage[i].idle;
        busy += run->stage[i].seconds - run->stage[i].image_wait - run->stage[i].idle;
    }
    TRY(comm_gather_f64(c, a, busy, &out->rank_busy));
    TRY(comm_gather_f64(c, a, idle, &out->rank_idle));
    TRY(comm_gather_f64(c, a, stage_share(idle, seconds), &out->rank_idle_share));
    TRY(gather_waits(c, a, run->stage, out));
    out->n_ranks = (size_t)c->size;
    int64_t items[2] = {(int64_t)s->items->n_computed, (int64_t)s->items->n_restored};
    comm_sum_i64(c, 2, items);
    status st = texts(c, a, p, s, run, items, out);
    if (status_ok(st)) {
        st = inputs(a, p, s, out);
    }
    return comm_agree(c, st);
}
