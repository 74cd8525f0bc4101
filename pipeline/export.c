#include "pipeline/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "io/guard.h"
#include "io/safetensors_write.h"
#include "io/sha256.h"
#include "io/shrunk_json.h"
#include "pipeline/export_choose.h"
#include "pipeline/export_compare.h"
#include "pipeline/provenance.h"

/* In the order in which they are written: the description is last, so that where it is the others are. */
enum { MASKS, MASKED, SHRUNK, LAYOUT, FILES };
static const char *const file_name[FILES] = {"masks.safetensors", "masked.safetensors", "shrunk.safetensors", "shrunk.json"};

typedef struct exporter {
    arena *a, *scratch;
    const cli *cl;
    const config *config;
    const config_model *model;
    results_cells cells;
    size_t cell, rate;
    results_mask mask;
    export_network network;
    export_origin origin;
    const char *folder, *path[FILES];
} exporter;

/* ---- what is exported ---- */

static status read_study(exporter *e)
{
    const results_mask *m = &e->mask;
    const file_bytes text = {(const unsigned char *)m->config, strlen(m->config)};
    config *cfg = NULL;
    const status st = config_parse(e->a, m->config_path, text, 0, NULL, &cfg);
    if (!status_ok(st)) {
        return status_about((status){st.code == ST_CONFIG ? ST_DATA : st.code}, "%s: the study in /provenance/config_resolved cannot be read",
                            e->cl->file);
    }
    e->config = cfg;
    for (size_t i = 0; i < cfg->n_models; i++) {
        if (strcmp(cfg->models[i].name, e->cells.list[e->cell].model) == 0) {
            e->model = &cfg->models[i];
            return STATUS_OK;
        }
    }
    return FAIL(ST_DATA, "%s: the study in /provenance/config_resolved has no model '%s'; " FILE_DAMAGED, e->cl->file,
                e->cells.list[e->cell].model);
}

static status choose(exporter *e)
{
    TRY(results_read_cells(e->a, e->cl->file, &e->cells));
    TRY(export_choose(e->a, e->cl, &e->cells, &e->cell, &e->rate));
    TRY(results_read_mask(e->a, e->cl->file, &e->cells, e->cell, e->rate, &e->mask));
    return read_study(e);
}

/* ---- where it goes ---- */

static status place_files(exporter *e)
{
    const results_cell *c = &e->cells.list[e->cell];
    struct stat info;
    e->folder = e->cl->output;
    if (e->folder == NULL) {
        char *folder;
        TRY_TEXT(folder, e->a, "%s-%s-%s-%s-task%s-references%zu-seed%" PRIu64 "-rate%g", e->mask.study, c->model, c->kind, c->criterion,
                 c->task, c->references, c->seed, e->cells.rates[e->rate]);
        for (char *p = folder; *p != '\0'; p++) {
            *p = *p == '/' ? '_' : *p; /* the name of a study is any text */
        }
        e->folder = folder;
    }
    for (size_t i = 0; i < FILES; i++) {
        TRY_TEXT(e->path[i], e->a, "%s/%s", e->folder, file_name[i]);
        if (!e->cl->force && lstat(e->path[i], &info) == 0) {
            return FAIL(ST_CANT_WRITE, "%s: expected nothing there, found a file; --force replaces it, -o takes another folder", e->path[i]);
        }
    }
    for (size_t i = 0; i < FILES; i++) {
        TRY(file_foresee_writable(e->path[i])); /* nothing is made yet: there may be nothing to write */
    }
    return STATUS_OK;
}

/* ---- writing ---- */

static status digest_result(exporter *e)
{
    file_bytes bytes;
    uint8_t raw[32];
    char text[65];
    arena_release(e->scratch);
    TRY(file_read(e->scratch, e->cl->file, SIZE_MAX, &bytes));
    sha256(bytes.data, bytes.size, raw);
    sha256_text(raw, text);
    arena_release(e->scratch);
    TRY_TEXT(e->origin.result_sha256, e->a, "%s", text);
    return STATUS_OK;
}

/* As the description says it, whose texts are UTF-8. */
static status name_of(arena *a, const char *path, const char **out)
{
    char *name;
    TRY_TEXT(name, a, "%s", path);
    text_make_utf8(name);
    *out = name;
    return STATUS_OK;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static status describe(exporter *e)
{
    const results_cell *c = &e->cells.list[e->cell];
    const results_mask *m = &e->mask;
    export_comparison seen;
    TRY(export_compare(e->a, e->config, &e->network, &seen));
    e->origin = (export_origin){.program = provenance_program(),
                                .result = last_part(e->cl->file),
                                .source = m->source,
                                .study = m->study,
                                .checkpoint = last_part(e->network.checkpoint),
                                .checkpoint_sha256 = e->network.sha256,
                                .model = c->model,
                                .kind = c->kind,
                                .criterion = c->criterion,
                                .rate = e->cells.rates[e->rate],
                                .accuracy = m->accuracy,
                                .seed = c->seed,
                                .references = c->references,
                                .n_classes = m->n_classes,
                                .classes = m->classes,
                                .n_ranked = m->n_ranked,
                                .n_removed = m->n_removed,
                                .images = seen.images,
                                .images_from = seen.from,
                                .backend = seen.backend,
                                .n_images = seen.n_images,
                                .n_agree = seen.n_agree,
                                .difference = seen.difference};
    TRY(name_of(e->a, e->origin.result, &e->origin.result));
    TRY(name_of(e->a, e->origin.checkpoint, &e->origin.checkpoint));
    TRY(name_of(e->a, e->origin.images_from == NULL ? "" : e->origin.images_from, &e->origin.images_from));
    return digest_result(e);
}

/* A mask exists only while it is written. */
typedef struct mask_source {
    arena *scratch;
    const tensor_cut **cut; /* of each tensor of the file */
} mask_source;

static status fill_mask(void *context, size_t index, const void **data)
{
    const mask_source *s = context;
    const tensor_cut *c = s->cut[index];
    float *mask;
    arena_reset(s->scratch);
    TRY_ALLOC(mask, s->scratch, c->rows * c->columns * c->taps);
    tensor_cut_mask(c, mask);
    *data = mask;
    return STATUS_OK;
}

static status write_masks(exporter *e, size_t n_facts, const fact facts[])
{
    const tensor_cuts *cuts = &e->network.cuts;
    mask_source source = {.scratch = e->scratch};
    written_tensor *list;
    size_t n = 0;
    TRY_ALLOC(list, e->a, cuts->n);
    TRY_ALLOC(source.cut, e->a, cuts->n);
    for (size_t i = 0; i < cuts->n; i++) {
        const tensor_cut *c = &cuts->list[i];
        if (c->prunable) {
            list[n] = (written_tensor){.type = "F32", .rank = c->rank};
            TRY_TEXT(list[n].name, e->a, "%s_mask", c->name);
            memcpy(list[n].dim, c->dim, sizeof c->dim);
            source.cut[n++] = c;
        }
    }
    return safetensors_write(e->path[MASKS], n_facts, facts, n, list, fill_mask, &source);
}

/* Weights as float32, whatever the checkpoint has; what is no weight as it was stored. */
static status write_tensors(exporter *e, const char *path, const tensors *t, size_t n_facts, const fact facts[])
{
    written_tensor *list;
    size_t n = 0;
    TRY_ALLOC(list, e->a, t->n);
    for (size_t i = 0; i < t->n; i++) {
        const tensor *from = &t->list[i];
        const void *data = from->type == TENSOR_F32 ? (const void *)from->data : from->stored;
        if (data != NULL) {
            list[n] = (written_tensor){from->name, from->type == TENSOR_F32 ? "F32" : from->type_name, from->rank, {0}, data};
            memcpy(list[n++].dim, from->dim, sizeof from->dim);
        }
    }
    return safetensors_write(path, n_facts, facts, n, list, NULL, NULL);
}

/* The masked network is a checkpoint like the one it is made of, and says of itself what that one and the study said. */
static status join_facts(arena *a, const tensors *t, size_t n, const fact facts[], size_t *n_all, const fact **out)
{
    fact *all;
    TRY_ALLOC(all, a, t->n_facts + n);
    if (t->n_facts > 0) {
        memcpy(all, t->facts, t->n_facts * sizeof *all);
    }
    memcpy(all + t->n_facts, facts, n * sizeof *all);
    *n_all = t->n_facts + n;
    *out = all;
    return STATUS_OK;
}

static status write_files(exporter *e)
{
    const export_network *net = &e->network;
    const fact *facts = NULL, *all = NULL;
    size_t n = 0, n_all = 0;
    TRY(export_origin_facts(e->a, &e->origin, &n, &facts));
    TRY(join_facts(e->a, net->whole, n, facts, &n_all, &all));
    if (unlink(e->path[LAYOUT]) != 0 && errno != ENOENT) { /* it is written last: where it is, the others belong to it */
        return FAIL(ST_CANT_WRITE, "%s: cannot be replaced: %s", e->path[LAYOUT], strerror(errno));
    }
    TRY(write_masks(e, n, facts));
    TRY(write_tensors(e, e->path[MASKED], net->masked, n_all, all));
    TRY(write_tensors(e, e->path[SHRUNK], net->small, n, facts));
    return shrunk_json_write(e->path[LAYOUT], net->graph, &net->cuts, net->whole->n_facts, net->whole->facts, &e->origin);
}

/* ---- what is said ---- */

/* As PyTorch counts them: without the statistics of batch norms. */
static size_t parameters(const tensors *t, const tensor_cut *const cut[])
{
    size_t sum = 0;
    for (size_t i = 0; i < t->n; i++) {
        size_t n = 1;
        for (size_t d = 0; d < t->list[i].rank; d++) {
            n *= t->list[i].dim[d];
        }
        sum += cut[i] == NULL || cut[i]->statistic ? 0 : n;
    }
    return sum;
}

static status report(const exporter *e, FILE *to)
{
    static const char *const what[FILES] = {"masks, as torch.nn.utils.prune names them", "the masked network, in its old shapes",
                                            "the shrunk network", "which rows and columns it has"};
    const export_origin *o = &e->origin;
    const export_network *net = &e->network;
    (void)fprintf(to, "Network '%s' pruned by '%s' at rate %g: %zu of %zu %s removed; task of %zu classes, seed %" PRIu64 "\n", o->model,
                  o->criterion, o->rate, o->n_removed, o->n_ranked, o->kind, o->n_classes, o->seed);
    int column = 44;
    for (size_t i = 0; i < FILES; i++) {
        const size_t length = strlen(e->path[i]);
        column = length > (size_t)column ? (int)length : column;
    }
    for (size_t i = 0; i < FILES; i++) {
        (void)fprintf(to, "  %-*s %s\n", column, e->path[i], what[i]);
    }
    (void)fprintf(to, "Parameters: %zu of %zu\n", parameters(net->small, net->cut), parameters(net->whole, net->cut));
    if (net->cuts.n_emptied > 0) {
        (void)fprintf(to, "Layers that lost everything and keep one row of zeros: %zu\n", net->cuts.n_emptied);
    }
    (void)fprintf(to, "Masked and shrunk logits differ by at most %.2g of an image's largest; same prediction on %zu of %zu images (%s)\n",
                  o->difference, o->n_agree, o->n_images, strcmp(o->images, "study") == 0 ? o->images_from : "random ones");
    return fflush(to) == 0 && ferror(to) == 0 ? STATUS_OK
                                              : FAIL(ST_CANT_WRITE, "standard output cannot be written to; the files are complete: %s", e->folder);
}

static status run(exporter *e, FILE *to)
{
    TRY(choose(e));
    TRY(place_files(e)); /* before the work, not after */
    TRY(export_network_read(e->a, e->cl->file, &e->mask, e->model, e->cl->checkpoint, &e->network));
    TRY(describe(e));
    TRY(write_files(e));
    return report(e, to);
}

status export_run(const cli *cl, FILE *to)
{
    exporter e = {.cl = cl};
    status st = arena_open("export", &e.a);
    if (status_ok(st)) {
        st = arena_open("scratch", &e.scratch);
    }
    if (status_ok(st)) {
        st = run(&e, to);
    }
    arena_close(&e.scratch);
    arena_close(&e.a);
    return st;
}
