#include "io/tar_samples.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "io/dataset_shards.h"

enum { MOST_LABEL = 1 << 10, MOST_JSON = 1 << 20 };

/* A label and the key that it is for; `json`: a .cls for the same key is preferred. */
typedef struct label {
    const char *key, *text;
    bool json;
    uint32_t shard;
} label;

struct tar_collector {
    arena *a;
    const char *const *shard_name;
    const tar_source *source;
    uint32_t shard;
    size_t n_images, image_room, n_labels, label_room;
    tar_sample *image;
    label *label;
};

status tar_collect_open(arena *a, const char *const shard_name[], tar_collector **out)
{
    tar_collector *c;
    TRY_ALLOC(c, a, 1);
    *c = (tar_collector){.a = a, .shard_name = shard_name};
    *out = c;
    return STATUS_OK;
}

/* ---- members ---- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Up to the first dot of the file's name, as webdataset divides names. */
static size_t key_length(const char *path)
{
    const char *base = base_of(path);
    return (size_t)(base - path) + strcspn(base, ".");
}

static status add_image(tar_collector *c, const tar_member *m)
{
    if (m->size > SHARD_IMAGE_MOST) {
        return FAIL(ST_DATA, "%s: %s: %ju bytes; images of more than %d bytes are not read", c->source->path, m->name, (uintmax_t)m->size,
                    (int)SHARD_IMAGE_MOST);
    }
    if (c->n_images == c->image_room) {
        tar_sample *list;
        c->image_room = c->image_room == 0 ? 256 : 2 * c->image_room;
        TRY_ALLOC(list, c->a, c->image_room);
        if (c->n_images > 0) {
            memcpy(list, c->image, c->n_images * sizeof *list);
        }
        c->image = list;
    }
    tar_sample *s = &c->image[c->n_images++];
    s->place = (dataset_place){.offset = m->offset, .shard = c->shard, .size = (uint32_t)m->size};
    TRY_TEXT(s->path, c->a, "%s", m->name);
    return STATUS_OK;
}

static status add_label(tar_collector *c, const tar_member *m, const char *text, bool json)
{
    if (c->n_labels == c->label_room) {
        label *list;
        c->label_room = c->label_room == 0 ? 256 : 2 * c->label_room;
        TRY_ALLOC(list, c->a, c->label_room);
        if (c->n_labels > 0) {
            memcpy(list, c->label, c->n_labels * sizeof *list);
        }
        c->label = list;
    }
    label *l = &c->label[c->n_labels++];
    *l = (label){.json = json, .shard = c->shard};
    TRY_TEXT(l->key, c->a, "%.*s", (int)key_length(m->name), m->name);
    TRY_TEXT(l->text, c->a, "%s", text);
    return STATUS_OK;
}

/* One word or line without spaces around it; nothing that could not be the name of a folder. */
static status check_label(const tar_collector *c, const tar_member *m, char *text, const char **out)
{
    char *end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1]) != NULL) {
        *--end = '\0';
    }
    text += strspn(text, " \t\r\n");
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            text[0] = '\0';
            break;
        }
    }
    *out = text;
    return text[0] != '\0' && text[0] != '.' && strchr(text, '/') == NULL
               ? STATUS_OK
               : FAIL(ST_DATA, "%s: %s: expected the class of its image, a name or a number in one line, without / and without a point before it",
                      c->source->path, m->name);
}

static status take_cls(tar_collector *c, const tar_member *m)
{
    char text[MOST_LABEL + 1] = "";
    const char *found;
    if (m->size > MOST_LABEL) {
        return FAIL(ST_DATA, "%s: %s: expected a class, found %ju bytes", c->source->path, m->name, (uintmax_t)m->size);
    }
    TRY(c->source->read(c->source->context, m->offset, (size_t)m->size, text));
    TRY(check_label(c, m, text, &found));
    return add_label(c, m, found, false);
}

/* A JSON file may be about other things. */
static status label_of_json(tar_collector *c, const tar_member *m, const char *bytes)
{
    char text[MOST_LABEL + 1];
    const char *found;
    json_t *all = json_loadb(bytes, (size_t)m->size, 0, NULL);
    json_t *value = json_object_get(all, "cls");
    value = value == NULL ? json_object_get(all, "label") : value;
    const bool is_number = json_is_integer(value), is_text = json_is_string(value) && json_string_length(value) <= MOST_LABEL;
    if (is_number) {
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    } else if (is_text) {
        (void)snprintf(text, sizeof text, "%s", json_string_value(value));
    }
    json_decref(all);
    if (!is_number && !is_text) {
        return STATUS_OK;
    }
    TRY(check_label(c, m, text, &found));
    return add_label(c, m, found, true);
}

static status take_json(tar_collector *c, const tar_member *m)
{
    arena *a = NULL;
    if (m->size > MOST_JSON) {
        return STATUS_OK;
    }
    TRY(arena_open("JSON of a sample", &a));
    char *bytes = arena_alloc(a, (size_t)m->size + 1, 1);
    status st = bytes == NULL ? (status){ST_ENVIRONMENT} : c->source->read(c->source->context, m->offset, (size_t)m->size, bytes);
    if (status_ok(st)) {
        st = label_of_json(c, m, bytes);
    }
    arena_close(&a);
    return st;
}

static status visit(void *context, const tar_member *m)
{
    tar_collector *c = context;
    const char *base = base_of(m->name), *dot = strrchr(base, '.');
    if (base[0] == '.' || dot == NULL || m->kind == TAR_OTHER) {
        return STATUS_OK; /* hidden, as in a folder; or no file */
    }
    if (m->kind == TAR_LINK) {
        return dataset_is_image(base) ? FAIL(ST_DATA, "%s: %s is a link: expected the image itself; make the archive with --dereference and "
                                                   "--hard-dereference", c->source->path, m->name)
                                   : STATUS_OK;
    }
    if (dataset_is_image(base)) {
        return add_image(c, m);
    }
    return strcmp(dot, ".cls") == 0 ? take_cls(c, m) : strcmp(dot, ".json") == 0 ? take_json(c, m) : STATUS_OK;
}

status tar_collect(tar_collector *c, size_t shard, const tar_source *source)
{
    c->shard = (uint32_t)shard;
    c->source = source;
    return tar_read(source, visit, c);
}

/* ---- samples ---- */

static int by_key(const void *a, const void *b)
{
    const label *x = a, *y = b;
    const int order = strcmp(x->key, y->key);
    return order != 0 ? order : x->json - y->json;
}

static int by_path(const void *a, const void *b)
{
    const tar_sample *x = a, *y = b;
    const int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->place.shard > y->place.shard) - (x->place.shard < y->place.shard);
}

/* Sorts the labels; of several for one key the first stays, a .cls where there is one. Two of a kind are a sample that is there twice. */
static status sort_labels(tar_collector *c)
{
    size_t n = 0;
    qsort(c->label, c->n_labels, sizeof c->label[0], by_key);
    for (size_t i = 0; i < c->n_labels; i++) {
        const label *l = &c->label[i];
        if (n > 0 && strcmp(c->label[n - 1].key, l->key) == 0) {
            if (c->label[n - 1].json == l->json) {
                return FAIL(ST_DATA, "%s and %s have the same sample '%.200s'; each must be there once: remove one of the shards or samples",
                            c->shard_name[c->label[n - 1].shard], c->shard_name[l->shard], l->key);
            }
            continue;
        }
        c->label[n++] = *l;
    }
    c->n_labels = n;
    return STATUS_OK;
}

/* Images whose key has a label. KEY.seg.png is something else about the sample than its image. */
static status join_labels(tar_collector *c)
{
    size_t n = 0;
    char key[TAR_LONGEST_NAME + 1];
    for (size_t i = 0; i < c->n_images; i++) {
        tar_sample s = c->image[i];
        const size_t length = key_length(s.path);
        if (strchr(s.path + length + 1, '.') != NULL) {
            continue;
        }
        (void)snprintf(key, sizeof key, "%.*s", (int)length, s.path);
        const label wanted = {.key = key}, *found = NULL;
        size_t low = 0, high = c->n_labels;
        while (low < high && found == NULL) {
            const size_t middle = low + (high - low) / 2;
            const int order = strcmp(wanted.key, c->label[middle].key);
            found = order == 0 ? &c->label[middle] : NULL;
            *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
        }
        if (found == NULL) {
            return FAIL(ST_DATA, "%s: %s: expected its class in %s.cls or in %s.json, as for other images, found neither", c->shard_name[s.place.shard],
                        s.path, key, key);
        }
        s.label = found->text;
        c->image[n++] = s;
    }
    c->n_images = n;
    return STATUS_OK;
}

/* As in a tree: the folder is the class, and nothing above it matters. */
static status class_from_folder(tar_collector *c)
{
    for (size_t i = 0; i < c->n_images; i++) {
        tar_sample *s = &c->image[i];
        const char *base = base_of(s->path), *folder = s->path;
        if (base == s->path) {
            return FAIL(ST_DATA, "%s: %s: expected it in a folder that names its class, or its class in a .cls file of the same name, found neither",
                        c->shard_name[s->place.shard], s->path);
        }
        for (const char *p = s->path; p < base - 1; p++) {
            folder = *p == '/' ? p + 1 : folder;
        }
        s->path = folder;
        TRY_TEXT(s->label, c->a, "%.*s", (int)(base - 1 - folder), folder);
        if (s->label[0] == '\0' || s->label[0] == '.') {
            return FAIL(ST_DATA, "%s: %s: expected the name of a class, found a folder without a name or a hidden one",
                        c->shard_name[s->place.shard], s->path);
        }
    }
    return STATUS_OK;
}

/* Two paths with one key are the same sample too, where labels are by key. */
static bool same_sample(const tar_samples *t, const tar_sample *x, const tar_sample *y)
{
    const size_t n = t->labelled ? key_length(x->path) : strlen(x->path);
    return n == (t->labelled ? key_length(y->path) : strlen(y->path)) && memcmp(x->path, y->path, n) == 0;
}

status tar_collect_end(tar_collector *c, const char *root, tar_samples *out)
{
    *out = (tar_samples){.labelled = c->n_labels > 0};
    if (out->labelled) {
        TRY(sort_labels(c));
        TRY(join_labels(c));
    } else {
        TRY(class_from_folder(c));
    }
    if (c->n_images == 0) {
        return FAIL(ST_DATA, "%s: expected .png, .jpg or .jpeg files in the archive, found none", root);
    }
    qsort(c->image, c->n_images, sizeof c->image[0], by_path);
    for (size_t i = 1; i < c->n_images; i++) {
        const tar_sample *x = &c->image[i - 1], *y = &c->image[i];
        if (same_sample(out, x, y)) {
            return FAIL(ST_DATA, "%s and %s have the same sample '%.200s'; each must be there once: remove one of the shards or samples",
                        c->shard_name[x->place.shard], c->shard_name[y->place.shard], y->path);
        }
    }
    out->n = c->n_images;
    out->list = c->image;
    return STATUS_OK;
}
