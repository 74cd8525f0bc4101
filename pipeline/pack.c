#include "pipeline/pack.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "io/pack.h"
#include "parallel/claims.h"
#include "pipeline/count.h"
#include "stages/stop.h"

static const double say_every = 10.0; /* seconds */

typedef struct packing {
    comm *comm;
    claims *claims;
    arena *arena;             /* as long as it runs */
    arena *scratch, *images;  /* of a shard, of an image */
    dataset *data;
    preprocess recipe;
    pack_plan plan;
    const char *folder;
    int64_t kept, made, bad;  /* shards of this rank; damaged things */
    double said;
    char first_bad[512];
} packing;

/* Collective. Rank 0 lists, everybody has the same. */
static status share_data(packing *k, const char *source, const char *list)
{
    char *text = NULL;
    size_t size = 0;
    TRY(comm_agree(k->comm, k->comm->rank != 0 ? STATUS_OK : dataset_list_any(k->scratch, source, list, NULL, &text, &size)));
    const void *data = text;
    TRY(comm_share_bytes(k->comm, k->arena, &data, &size));
    TRY(comm_agree(k->comm, dataset_parse(k->arena, source, data, size, &k->data)));
    arena_release(k->scratch);
    return STATUS_OK;
}

/* Collective. */
static status share_recipe(packing *k, const cli *cl)
{
    static const char unnamed[] = "stated";
    status st = STATUS_OK;
    preprocess p = {.name = unnamed};
    if (k->comm->rank == 0) {
        st = pack_recipe(k->scratch, cl->decoded, cl->n_sets, cl->sets, cl->model, cl->evaluated, &p);
    }
    TRY(comm_agree(k->comm, st));
    const void *bytes = &p;
    size_t size = sizeof p;
    TRY(comm_share_bytes(k->comm, k->arena, &bytes, &size));
    memcpy(&k->recipe, bytes, sizeof k->recipe);
    k->recipe.name = k->comm->rank == 0 ? p.name : unnamed; /* another rank's memory has it elsewhere */
    arena_release(k->scratch);
    return STATUS_OK;
}

/* ---- making ---- */

static status other_pack(const packing *k)
{
    return FAIL(ST_CANT_WRITE,
                "%s: there is another pack: of other images, with other preprocessing or another number of images per shard; choose another folder "
                "with -o, or remove it",
                k->folder);
}

/* Another data set's pack in this folder would lose its shards. */
static status check_folder(packing *k)
{
    char *text, *path;
    size_t size;
    dataset *there = NULL;
    TRY_TEXT(path, k->scratch, "%s/pack.index", k->folder);
    TRY(file_check_writable(path));
    if (!pack_there(k->folder)) {
        return STATUS_OK;
    }
    status st = pack_list(k->scratch, k->folder, &text, &size);
    if (status_ok(st)) {
        st = dataset_parse(k->scratch, k->folder, text, size, &there);
    }
    if (status_ok(st) && memcmp(there->identity, k->plan.identity, sizeof there->identity) == 0) {
        return STATUS_OK;
    }
    return status_ok(st) ? other_pack(k)
                         : status_about((status){ST_CANT_WRITE}, "%s: the pack that is there cannot be read; remove this file to have it made again", path);
}

static void say_progress(packing *k, size_t shard)
{
    if (log_seconds() - k->said >= say_every) {
        k->said = log_seconds();
        log_line(LOG_INFO, "pack=%s shard=%zu/%zu", k->folder, shard, k->plan.n_shards);
    }
}

static status one_shard(packing *k, size_t shard)
{
    say_progress(k, shard);
    if (stop_asked()) {
        return FAIL(ST_STOPPED, "stopped; the shards that are complete stay: run the same command again to go on");
    }
    if (pack_has_shard(k->scratch, &k->plan, k->folder, shard)) {
        k->kept++;
        return STATUS_OK;
    }
    if (pack_shard_is_others(k->scratch, &k->plan, k->folder, shard)) { /* which was interrupted, or there would be its index */
        return other_pack(k);
    }
    k->made++;
    return pack_write_shard(k->scratch, k->images, &k->plan, k->folder, shard);
}

/* Collective: each shard by one rank. */
static status all_shards(packing *k, size_t n, status (*one)(packing *k, size_t shard))
{
    status st = STATUS_OK;
    size_t shard;
    claims_begin(k->claims, n);
    while (!comm_alarm(k->comm, st) && claims_next(k->claims, &shard)) {
        st = one(k, shard);
        claims_tick(k->claims);
    }
    claims_end(k->claims);
    return comm_agree(k->comm, st);
}

/* What a killed packing has left. Nobody writes any more. */
static void remove_leftovers(const char *folder)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, "shard-", 6) == 0 && strstr(e->d_name, ".h5.tmp.") != NULL) {
            (void)unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static status finish_pack(packing *k)
{
    arena_release(k->scratch);
    TRY(pack_write_index(k->scratch, &k->plan, k->folder));
    remove_leftovers(k->folder);
    (void)printf("%s: %zu images of %zu classes in %zu shards (%" PRId64 " made, %" PRId64 " were there), %s\n", k->folder, k->data->n_samples,
                 k->data->n_classes, k->plan.n_shards, k->made, k->kept, k->plan.recipe == NULL ? "original files" : k->plan.steps);
    return STATUS_OK;
}

static status make(packing *k, const cli *cl, size_t per_shard)
{
    TRY(share_data(k, cl->file, cl->list));
    if (cl->decoded != NULL) {
        TRY(share_recipe(k, cl));
    }
    TRY(comm_agree(k->comm, pack_plan_build(k->arena, k->data, cl->decoded == NULL ? NULL : &k->recipe, per_shard, &k->plan)));
    TRY(comm_agree(k->comm, k->comm->rank == 0 ? check_folder(k) : STATUS_OK));
    TRY(all_shards(k, k->plan.n_shards, one_shard));
    int64_t count[] = {k->kept, k->made};
    comm_sum_i64(k->comm, COUNT(count), count);
    k->kept = count[0];
    k->made = count[1];
    return comm_agree(k->comm, k->comm->rank == 0 ? finish_pack(k) : STATUS_OK);
}

/* ---- verifying ---- */

static void note_bad(void *context, const char *what)
{
    packing *k = context;
    const char *text = what == NULL ? "(out of memory)" : what;
    (void)fprintf(stdout, "damaged: %s\n", text);
    (void)fflush(stdout);
    if (k->bad++ == 0) {
        (void)snprintf(k->first_bad, sizeof k->first_bad, "%s", text);
    }
}

static status verify_one(packing *k, size_t shard)
{
    say_progress(k, shard);
    if (stop_asked()) {
        return FAIL(ST_STOPPED, "stopped before all shards were looked at; nothing was changed");
    }
    const status st = pack_verify_shard(k->scratch, k->data, shard, note_bad, k);
    if (st.code == ST_DATA || st.code == ST_NO_INPUT) { /* of the shard as a whole: the others are looked at all the same */
        note_bad(k, status_message());
        status_clear();
        return STATUS_OK;
    }
    return st;
}

static status verify(packing *k, const char *folder)
{
    TRY(share_data(k, folder, NULL));
    k->folder = folder;
    if (k->data->kind != DATASET_PACK) {
        return comm_agree(k->comm, FAIL(ST_DATA, "%s: expected a pack (a folder with pack.index), found %s", folder,
                                        k->data->kind == DATASET_TAR ? "tar shards" : "a folder of images"));
    }
    TRY(all_shards(k, k->data->n_shards, verify_one));
    int64_t bad = k->bad;
    comm_sum_i64(k->comm, 1, &bad);
    if (bad > 0) {
        return comm_agree(k->comm, k->bad == 0 ? STATUS_OK
                                               : FAIL(ST_DATA, "%s: %" PRId64 " of its shards and images are damaged, such as %s; remove the shards named and "
                                                               "run the `pollard pack` that made them again", folder, bad, k->first_bad));
    }
    if (k->comm->rank == 0) {
        (void)printf("%s: %zu images in %zu shards, all as they were packed\n", folder, k->data->n_samples, k->data->n_shards);
    }
    return STATUS_OK;
}

/* ---- both ---- */

static status open_packing(packing *k)
{
    TRY(arena_open("pack", &k->arena));
    TRY(arena_open("shard of a pack", &k->scratch));
    return arena_open("image", &k->images);
}

static void close_packing(packing *k)
{
    arena_close(&k->images);
    arena_close(&k->scratch);
    arena_close(&k->arena);
}

status pack_make(comm *c, const cli *cl)
{
    packing k = {.comm = c, .folder = cl->output};
    size_t per_shard = PACK_SHARD_IMAGES;
    TRY(comm_agree(c, cl->shard_images == NULL ? STATUS_OK : count_read("--shard-images", cl->shard_images, PACK_SHARD_MOST, &per_shard)));
    status st = comm_agree(c, open_packing(&k));
    if (status_ok(st)) {
        st = claims_open(c, k.arena, &k.claims);
    }
    if (status_ok(st)) {
        st = make(&k, cl, per_shard);
    }
    close_packing(&k);
    return st;
}

status pack_check_all(comm *c, const char *folder)
{
    packing k = {.comm = c};
    status st = comm_agree(c, open_packing(&k));
    if (status_ok(st)) {
        st = claims_open(c, k.arena, &k.claims);
    }
    if (status_ok(st)) {
        st = verify(&k, folder);
    }
    close_packing(&k);
    return st;
}
