/* Making packs. */
#include <inttypes.h>
#include <string.h>

#include <zlib.h>

#include "io/dataset_read.h"
#include "io/dataset_shards.h"
#include "io/h5.h"
#include "io/pack_parts.h"

static const uint64_t most_bytes = (uint64_t)2 << 30; /* of a shard's images: they are in memory twice while it is written */

/* ---- what is to be made ---- */

/* The data set as it is listed, and what is done with it: what decides the content of shards, as long as the files are the same. */
static status identify(arena *a, pack_plan *p)
{
    const dataset *d = p->from;
    char *text;
    size_t size = strlen(p->steps) + 64;
    for (size_t i = 0; i < d->n_classes; i++) {
        size += strlen(d->class_name[i]) + 1;
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        size += strlen(d->path[i]) + 1 + sizeof d->label[0];
    }
    TRY_ALLOC(text, a, size);
    char *to = text + snprintf(text, size, "pollard pack 1\n%s\n%zu\n", p->steps, p->per_shard);
    for (size_t i = 0; i < d->n_classes; i++) {
        to = stpcpy(to, d->class_name[i]) + 1;
    }
    for (size_t i = 0; i < d->n_samples; i++) {
        to = stpcpy(to, d->path[i]) + 1;
        memcpy(to, &d->label[i], sizeof d->label[0]);
        to += sizeof d->label[0];
    }
    sha256(text, (size_t)(to - text), p->identity);
    return STATUS_OK;
}

status pack_plan_build(arena *a, const dataset *from, const preprocess *recipe, size_t per_shard, pack_plan *out)
{
    *out = (pack_plan){.from = from, .recipe = recipe, .steps = "-", .per_shard = per_shard,
                       .n_shards = (from->n_samples + per_shard - 1) / per_shard};
    if (from->steps != NULL) {
        return FAIL(ST_DATA, "%s: a pack of decoded images, which has not kept the original files; pack those", from->root);
    }
    if (out->n_shards > SHARDS_MOST) {
        return FAIL(ST_DATA, "%s: %zu images make more than %d shards; put more images into each (--shard-images)", from->root, from->n_samples,
                    (int)SHARDS_MOST);
    }
    if (recipe != NULL && recipe->resampling == RESAMPLE_PLAIN) {
        return FAIL(ST_DATA, "%s: the recipe '%s' resizes in float32, which 8 bits cannot keep: only the original files can be packed for it; "
                             "leave --decoded out", from->root, recipe->name);
    }
    if (recipe != NULL) {
        out->steps = preprocess_steps(a, recipe);
        if (out->steps == NULL) {
            return (status){ST_ENVIRONMENT};
        }
    }
    arena *scratch = NULL;
    TRY(arena_open("identity of a pack", &scratch));
    const status st = identify(scratch, out);
    arena_close(&scratch);
    return st;
}

/* ---- one shard ---- */

typedef struct shard {
    const pack_plan *plan;
    size_t first, n;
    pack_record *record;
    const void **data; /* [n] */
    uint64_t size;     /* of all */
} shard;

static status decode(arena *scratch, arena *images, const preprocess *p, const dataset_image *from, const void **data, uint64_t *size)
{
    image picture;
    uint8_t *pixels;
    TRY(image_decode(images, from->name, from->bytes, &picture));
    *size = 3 * p->output[0] * p->output[1];
    TRY_ALLOC(pixels, scratch, (size_t)*size);
    *data = pixels;
    return preprocess_pixels(images, p, from->name, &picture, pixels);
}

static status keep(arena *scratch, const dataset_image *from, const void **data, uint64_t *size)
{
    uint8_t *copy;
    *size = from->bytes.size;
    TRY_ALLOC(copy, scratch, from->bytes.size);
    memcpy(copy, from->bytes.data, from->bytes.size);
    *data = copy;
    return STATUS_OK;
}

static status read_image(arena *scratch, arena *images, shard *s, size_t i)
{
    const pack_plan *p = s->plan;
    pack_record *r = &s->record[i];
    dataset_image from;
    arena_reset(images);
    TRY(dataset_read(images, p->from, s->first + i, &from));
    *r = (pack_record){.offset = s->size, .original = from.original, .label = p->from->label[s->first + i]};
    memcpy(r->sha256, from.sha256, sizeof r->sha256);
    TRY(p->recipe == NULL ? keep(scratch, &from, &s->data[i], &r->size) : decode(scratch, images, p->recipe, &from, &s->data[i], &r->size));
    r->check = pack_check(p->identity, r, s->data[i]);
    s->size += r->size;
    return s->size <= most_bytes ? STATUS_OK
                                 : FAIL(ST_DATA, "%s: %zu images from '%s' on are more than 2 GiB, the most of a shard; put fewer images into each "
                                                 "(--shard-images)", p->from->root, i + 1, p->from->path[s->first]);
}

/* ---- its file ---- */

static status record_type(const h5_file *f, hid_t *out)
{
    static const struct {
        const char *name;
        size_t offset;
        size_t bytes;
    } members[] = {{"offset", offsetof(pack_record, offset), 8},     {"size", offsetof(pack_record, size), 8},
                   {"original_bytes", offsetof(pack_record, original), 8}, {"label", offsetof(pack_record, label), 4},
                   {"crc32", offsetof(pack_record, check), 4}};
    const hsize_t digest = 32;
    status st = STATUS_OK;
    hid_t type = H5I_INVALID_HID, bytes = H5I_INVALID_HID;
    H5_OR(cleanup, st, f, "record", type = H5Tcreate(H5T_COMPOUND, sizeof(pack_record)));
    for (size_t i = 0; i < COUNT(members); i++) {
        H5_OR(cleanup, st, f, "record", H5Tinsert(type, members[i].name, members[i].offset, members[i].bytes == 8 ? H5T_STD_U64LE : H5T_STD_U32LE));
    }
    H5_OR(cleanup, st, f, "record", bytes = H5Tarray_create2(H5T_STD_U8LE, 1, &digest));
    H5_OR(cleanup, st, f, "record", H5Tinsert(type, "sha256", offsetof(pack_record, sha256), bytes));
    *out = type;
    type = H5I_INVALID_HID;
cleanup:
    st = h5_close(st, f, &bytes);
    return h5_close(st, f, &type);
}

/* In one piece of the file, without holes or filters; *at: where. */
static status make_array(const h5_group *g, const char *name, hid_t type, uint64_t n, hid_t *out)
{
    const h5_file *f = g->file;
    const hsize_t size = n;
    status st = STATUS_OK;
    hid_t space = H5I_INVALID_HID, p = H5I_INVALID_HID;
    H5_OR(cleanup, st, f, name, p = H5Pcreate(H5P_DATASET_CREATE));
    H5_OR(cleanup, st, f, name, H5Pset_obj_track_times(p, 0));
    H5_OR(cleanup, st, f, name, H5Pset_layout(p, H5D_CONTIGUOUS));
    H5_OR(cleanup, st, f, name, H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY));
    H5_OR(cleanup, st, f, name, H5Pset_fill_time(p, H5D_FILL_TIME_NEVER));
    H5_OR(cleanup, st, f, name, space = H5Screate_simple(1, &size, NULL));
    H5_OR(cleanup, st, f, name, *out = H5Dcreate2(g->id, name, type, space, H5P_DEFAULT, p, H5P_DEFAULT));
cleanup:
    st = h5_close(st, f, &space);
    return h5_close(st, f, &p);
}

/* Where an array lies in the file; an empty one lies nowhere. */
static status place_of(const h5_file *f, const char *name, hid_t array, uint64_t bytes, uint64_t *at)
{
    const haddr_t found = H5Dget_offset(array);
    *at = found == HADDR_UNDEF ? 0 : found;
    return found == HADDR_UNDEF && bytes > 0 ? h5_fail(f, name, __FILE__, __LINE__, __func__) : STATUS_OK;
}

static status put_records(const h5_group *g, const shard *s, uint64_t *at)
{
    const h5_file *f = g->file;
    status st = STATUS_OK;
    hid_t type = H5I_INVALID_HID, array = H5I_INVALID_HID;
    TRY_OR(cleanup, st, record_type(f, &type));
    TRY_OR(cleanup, st, make_array(g, "record", type, s->n, &array));
    H5_OR(cleanup, st, f, "record", H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, s->record));
    TRY_OR(cleanup, st, place_of(f, "record", array, s->n, at));
cleanup:
    st = h5_close(st, f, &array);
    return h5_close(st, f, &type);
}

static status put_piece(const h5_file *f, hid_t array, hid_t space, uint64_t offset, uint64_t size, const void *data)
{
    const hsize_t first = offset, n = size;
    status st = STATUS_OK;
    hid_t from = H5I_INVALID_HID;
    if (size == 0) {
        return STATUS_OK;
    }
    H5_OR(cleanup, st, f, "data", from = H5Screate_simple(1, &n, NULL));
    H5_OR(cleanup, st, f, "data", H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &n, NULL));
    H5_OR(cleanup, st, f, "data", H5Dwrite(array, H5T_NATIVE_UINT8, from, space, H5P_DEFAULT, data));
cleanup:
    return h5_close(st, f, &from);
}

static status put_data(const h5_group *g, const shard *s, uint64_t *at)
{
    const h5_file *f = g->file;
    status st = STATUS_OK;
    hid_t array = H5I_INVALID_HID, space = H5I_INVALID_HID;
    TRY_OR(cleanup, st, make_array(g, "data", H5T_STD_U8LE, s->size, &array));
    H5_OR(cleanup, st, f, "data", space = H5Dget_space(array));
    for (size_t i = 0; i < s->n; i++) {
        TRY_OR(cleanup, st, put_piece(f, array, space, s->record[i].offset, s->record[i].size, s->data[i]));
    }
    TRY_OR(cleanup, st, place_of(f, "data", array, s->size, at));
cleanup:
    st = h5_close(st, f, &space);
    return h5_close(st, f, &array);
}

/* Names for who reads the file with other programs. */
static status put_names(h5_group *g, const shard *s)
{
    static const h5_variable number_of = {.name = "image", .dims = "image", .kind = H5_COUNT, .long_name = "place of the image in the whole data set"};
    static const h5_variable class = {.name = "class", .dims = "class", .kind = H5_STRING, .long_name = "name of the class that a label stands for"};
    static const h5_variable name = {.name = "name", .dims = "image", .kind = H5_STRING, .long_name = "path of the original file in its data set"};
    const pack_plan *p = s->plan;
    uint64_t *number;
    char identity[65];
    TRY_ALLOC(number, g->file->scratch, s->n);
    for (size_t i = 0; i < s->n; i++) {
        number[i] = s->first + i;
    }
    TRY(h5_dim_add(g, &number_of, s->n, number));
    TRY(h5_dim_add(g, &class, p->from->n_classes, p->from->class_name));
    TRY(h5_put(g, &name, p->from->path + s->first));
    sha256_text(p->identity, identity);
    TRY(h5_attr_text(g, "pollard_pack", "1"));
    TRY(h5_attr_text(g, "identity", identity));
    TRY(h5_attr_text(g, "content", p->recipe == NULL ? "original files" : "decoded images, u8 [height, width, 3]"));
    if (p->recipe != NULL) {
        TRY(h5_attr_text(g, "preprocess", p->steps));
        TRY(h5_attr_count(g, "height", p->recipe->output[0]));
        TRY(h5_attr_count(g, "width", p->recipe->output[1]));
    }
    return STATUS_OK;
}

static status fill_file(const h5_file *f, const shard *s, pack_trailer *t)
{
    h5_group g;
    TRY(h5_group_create(f, "/", &g));
    status st = put_names(&g, s);
    if (status_ok(st)) {
        st = put_records(&g, s, &t->record);
    }
    if (status_ok(st)) {
        st = put_data(&g, s, &t->data);
    }
    return h5_group_close(st, &g);
}

/* The HDF5 file and what follows it. */
typedef struct parts {
    const h5_image *file;
    const pack_trailer *trailer;
    size_t given;
} parts;

static status next_part(void *context, const void **data, size_t *size)
{
    parts *p = context;
    *data = p->given == 0 ? p->file->data : (const void *)p->trailer;
    *size = p->given++ == 0 ? p->file->size : sizeof *p->trailer;
    return STATUS_OK;
}

static uint32_t sum_of(const void *data, size_t size)
{
    uLong crc = crc32(0L, NULL, 0);
    for (size_t done = 0; done < size;) { /* zlib counts in 32 bits */
        const size_t step = size - done < (1U << 30) ? size - done : 1U << 30;
        crc = crc32(crc, (const Bytef *)data + done, (uInt)step);
        done += step;
    }
    return (uint32_t)crc;
}

static status write_file(arena *scratch, const shard *s, const char *path)
{
    h5_image made;
    h5_file f;
    pack_trailer t = {.first = s->first, .images = s->n, .size = s->size};
    status st = h5_image_create(path, scratch, &made, &f);
    if (status_ok(st)) {
        st = fill_file(&f, s, &t);
    }
    st = h5_image_finish(st, &f, &made);
    if (status_ok(st)) {
        memcpy(t.magic, pack_magic, sizeof t.magic);
        memcpy(t.identity, s->plan->identity, sizeof t.identity);
        t.before = made.size;
        t.check = sum_of(made.data, made.size);
        t.own = pack_trailer_sum(&t, t.identity);
        parts p = {&made, &t, 0};
        st = file_write_parts(path, made.size + sizeof t, next_part, &p);
    }
    h5_image_free(&made);
    return st;
}

status pack_write_shard(arena *scratch, arena *images, const pack_plan *p, const char *folder, size_t number)
{
    arena_reset(scratch);
    shard s = {.plan = p, .first = number * p->per_shard, .n = pack_shard_images(p, number)};
    const char *path = pack_shard_path(scratch, folder, number);
    TRY_ALLOC(s.record, scratch, s.n);
    TRY_ALLOC(s.data, scratch, s.n);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    for (size_t i = 0; i < s.n; i++) {
        TRY(read_image(scratch, images, &s, i));
    }
    return write_file(scratch, &s, path);
}
