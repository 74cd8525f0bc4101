#include "io/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "io/dataset_list.h"
#include "io/dataset_shards.h"
#include "io/pack.h"
#include "io/tar_index.h"

/* A growing list of names. */
typedef struct names {
    const char **list;
    size_t n, room;
} names;

static status names_add(arena *a, names *to, const char *name)
{
    if (to->n == to->room) {
        const char **list;
        const size_t room = to->room == 0 ? 64 : 2 * to->room;
        TRY_ALLOC(list, a, room);
        for (size_t i = 0; i < to->n; i++) {
            list[i] = to->list[i];
        }
        to->list = list;
        to->room = room;
    }
    TRY_TEXT(to->list[to->n], a, "%s", name);
    to->n++;
    return STATUS_OK;
}

static int bytewise(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool dataset_is_image(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static bool is_utf8(const char *text)
{
    size_t n = 1;
    for (; *text != '\0' && n != 0; text += n) {
        n = text_utf8_length(text, SIZE_MAX);
    }
    return n != 0;
}

/* Names become lines of the listing; those of classes become labels of the results. */
static status check_name(const char *folder, const char *name, bool class)
{
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return FAIL(
                ST_DATA,
                "%s: holds a file or folder with a control character (such as a newline) in its name; rename it",
                folder);
        }
    }
    if (class && !is_utf8(name)) {
        return FAIL(ST_DATA, "%s: the name of a class folder is not valid UTF-8: '%.100s'; rename it", folder, name);
    }
    return STATUS_OK;
}

/* What a folder is searched for. */
typedef enum wanted { CLASS_FOLDERS, IMAGE_FILES } wanted;

/* Follows symbolic links. A link to nowhere is no class folder, but where an image should be it is an error. */
static status consider(arena *a, int fd, const char *folder, const char *name, wanted what, names *found)
{
    struct stat info;
    if (name[0] == '.' || (what == IMAGE_FILES && !dataset_is_image(name))) {
        return STATUS_OK;
    }
    if (fstatat(fd, name, &info, 0) != 0) {
        return what == CLASS_FOLDERS && errno == ENOENT
                   ? STATUS_OK
                   : FAIL(ST_NO_INPUT, "%s/%s: cannot be read: %s", folder, name, strerror(errno));
    }
    if (what == CLASS_FOLDERS ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) {
        return STATUS_OK;
    }
    TRY(check_name(folder, name, what == CLASS_FOLDERS));
    return names_add(a, found, name);
}

static status search_open(arena *a, DIR *dir, const char *folder, wanted what, names *found)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0) {
            return FAIL(ST_NO_INPUT, "%s: the folder cannot be listed: %s", folder, strerror(errno));
        }
        if (entry == NULL) {
            return STATUS_OK;
        }
        TRY(consider(a, dirfd(dir), folder, entry->d_name, what, found));
    }
}

/* The wanted names of a folder, sorted. */
static status search(arena *a, const char *folder, wanted what, names *found)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return FAIL(ST_NO_INPUT, "%s: cannot be opened as a folder of images: %s", folder, strerror(errno));
    }
    const status st = search_open(a, dir, folder, what, found);
    (void)closedir(dir);
    if (status_ok(st) && found->n > 0) {
        qsort(found->list, found->n, sizeof found->list[0], bytewise);
    }
    return st;
}

static status list_classes(arena *a, const char *root, names *classes, names **files)
{
    TRY(search(a, root, CLASS_FOLDERS, classes));
    if (classes->n == 0) {
        return FAIL(ST_DATA,
                    "%s: expected a folder per class with images (root/class/image.png), found no folder in it", root);
    }
    TRY_ALLOC(*files, a, classes->n);
    for (size_t c = 0; c < classes->n; c++) {
        char *folder = path_join(a, root, classes->list[c]);
        if (folder == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        TRY(search(a, folder, IMAGE_FILES, &(*files)[c]));
        if ((*files)[c].n == 0) {
            return FAIL(ST_DATA,
                        "%s: the class folder is empty: expected at least one .png, .jpg or .jpeg file, found none; "
                        "add images or remove the folder",
                        folder);
        }
    }
    return STATUS_OK;
}

static char *put_line(char *to, char kind, const char *name)
{
    const size_t n = strlen(name);
    *to++ = kind;
    *to++ = ' ';
    memcpy(to, name, n);
    to[n] = '\n';
    return to + n + 1;
}

static status write_listing(arena *a, const names *classes, const names files[], char **text, size_t *size)
{
    size_t total = 0;
    for (size_t c = 0; c < classes->n; c++) {
        total += strlen(classes->list[c]) + 3;
        for (size_t i = 0; i < files[c].n; i++) {
            total += strlen(files[c].list[i]) + 3;
        }
    }
    TRY_ALLOC(*text, a, total);
    char *to = *text;
    for (size_t c = 0; c < classes->n; c++) {
        to = put_line(to, 'C', classes->list[c]);
        for (size_t i = 0; i < files[c].n; i++) {
            to = put_line(to, 'F', files[c].list[i]);
        }
    }
    *size = total;
    return STATUS_OK;
}

status dataset_list(arena *a, const char *root, char **text, size_t *size)
{
    status st = STATUS_OK;
    arena *scratch = NULL;
    names classes = {0}, *files = NULL;
    TRY(arena_open("listing of images", &scratch));
    TRY_OR(cleanup, st, list_classes(scratch, root, &classes, &files));
    TRY_OR(cleanup, st, write_listing(a, &classes, files, text, size));
cleanup:
    arena_close(&scratch);
    return st;
}

enum { LARGEST_LIST = 1 << 28 };

status dataset_list_samples(arena *a, const char *root, const char *list, const dataset *other, char **text,
                            size_t *size)
{
    status st = STATUS_OK;
    arena *scratch = NULL;
    file_bytes bytes = {NULL, 0};
    names files = {0};
    char *made = NULL;
    TRY(arena_open("list of samples", &scratch));
    TRY_OR(cleanup, st, file_read(scratch, list, LARGEST_LIST, &bytes));
    if (sample_list_needs_folder(bytes)) {
        TRY_OR(cleanup, st, search(scratch, root, IMAGE_FILES, &files));
    }
    const image_names folder = {files.n, files.list};
    TRY_OR(cleanup, st,
           sample_list_parse(scratch, list, bytes, &folder, other == NULL ? 0 : other->n_classes,
                             other == NULL ? NULL : other->class_name, &made, size));
    *text = arena_alloc(a, *size, 1);
    st = *text == NULL ? (status){ST_ENVIRONMENT} : STATUS_OK;
    if (status_ok(st)) {
        memcpy(*text, made, *size);
    }
cleanup:
    arena_close(&scratch);
    return st;
}

/* A listing taken apart: every line ends in a zero and starts with its kind. */
typedef struct lines {
    const char *root;
    char *text;
    size_t size, n_classes, n_files;
    shard_head head; /* where images are that are no files of their own */
} lines;

static status bad_line(const lines *l, size_t line, const char *what)
{
    return FAIL(ST_DATA, "%s: line %zu of the listing of images %s", l->root, line, what);
}

/* Checks one line against the last class and the last file of that class (NULL: none yet) and moves them on. */
static status check_line(lines *l, size_t line, const char *at, const char **class, const char **file)
{
    const bool is_class = at[0] == 'C';
    const char *name = at + 2, **last = is_class ? class : file;
    const bool placed = at[0] == 'A', listed = placed || at[0] == 'P'; /* by a tar or a sample list: any path */
    dataset_place place;
    if ((at[0] != 'C' && at[0] != 'F' && !listed) || at[1] != ' ' || name[0] == '\0' ||
        (!listed && (name[0] == '.' || strchr(name, '/') != NULL))) {
        return bad_line(l, line, "is neither 'C class' nor 'F file' nor 'P path'");
    }
    if (placed != (l->head.kind == DATASET_TAR && !is_class)) {
        return bad_line(l, line, "has a place in a tar, or has none");
    }
    if (placed && !shard_place_read(&l->head, name, &place, &name)) {
        return bad_line(l, line, "is not 'A shard offset bytes path' of a shard that is there");
    }
    TRY(check_name(l->root, name, is_class));
    if (*last != NULL && strcmp(*last, name) >= 0) {
        return bad_line(l, line, "is out of order");
    }
    if (is_class ? *class != NULL && *file == NULL : *class == NULL || (!listed && !dataset_is_image(name))) {
        return bad_line(l, line, is_class ? "follows a class without images" : "is not an image of a class");
    }
    *last = name;
    if (is_class) {
        *file = NULL;
        l->n_classes++;
    } else {
        l->n_files++;
    }
    return STATUS_OK;
}

/* Copies the text, ends each line with a zero, and checks and counts the lines. */
static status take_apart(arena *a, const char *text, size_t size, lines *l)
{
    const char *class = NULL, *file = NULL;
    size_t line = 1, head = 0;
    if (size == 0 || text[size - 1] != '\n' || memchr(text, '\0', size) != NULL) {
        return FAIL(ST_DATA, "%s: the listing of images is empty or cut off", l->root);
    }
    TRY(shard_head_read(a, l->root, text, size, &head, &l->head));
    text += head;
    size -= head;
    line += l->head.n_lines;
    TRY_ALLOC(l->text, a, size);
    memcpy(l->text, text, size);
    l->size = size;
    for (char *at = l->text; at < l->text + size; line++) {
        char *end = memchr(at, '\n', (size_t)(l->text + size - at));
        *end = '\0';
        TRY(check_line(l, line, at, &class, &file));
        at = end + 1;
    }
    if (file == NULL) {
        return bad_line(l, line - 1, "is a class without images");
    }
    if (l->head.kind == DATASET_PACK && l->head.n_samples != l->n_files) {
        return FAIL(ST_DATA, "%s: expected as many images as the shards have, %zu, found %zu", l->root, l->head.n_samples, l->n_files);
    }
    if (l->n_files >= UINT32_MAX) {
        return FAIL(ST_DATA, "%s: %zu images are more than the 2^32 that labels and indices can count", l->root,
                    l->n_files);
    }
    return STATUS_OK;
}

status dataset_parse(arena *a, const char *root, const char *text, size_t size, dataset **out)
{
    lines l = {.root = root};
    dataset *d;
    const char **class_name, **path;
    size_t *class_first, c = 0, s = 0;
    uint32_t *label;
    dataset_place *place = NULL;
    TRY(take_apart(a, text, size, &l));
    TRY_ALLOC(d, a, 1);
    TRY_ALLOC(class_name, a, l.n_classes);
    TRY_ALLOC(class_first, a, l.n_classes + 1);
    TRY_ALLOC(path, a, l.n_files);
    TRY_ALLOC(label, a, l.n_files);
    if (l.head.kind == DATASET_TAR) {
        TRY_ALLOC(place, a, l.n_files);
    }
    for (const char *at = l.text; at < l.text + l.size; at += strlen(at) + 1) {
        if (at[0] == 'C') {
            class_name[c] = at + 2;
            class_first[c++] = s;
        } else {
            label[s] = (uint32_t)(c - 1);
            if (at[0] == 'P') {
                path[s] = at + 2;
            } else if (at[0] == 'A') {
                (void)shard_place_read(&l.head, at + 2, &place[s], &path[s]);
            } else {
                TRY_TEXT(path[s], a, "%s/%s", class_name[c - 1], at + 2);
            }
            s++;
        }
    }
    class_first[c] = s;
    *d = (dataset){.n_classes = c,
                   .n_samples = s,
                   .class_name = class_name,
                   .class_first = class_first,
                   .path = path,
                   .label = label,
                   .kind = l.head.kind,
                   .n_shards = l.head.n_shards,
                   .shard = l.head.shard,
                   .place = place,
                   .steps = l.head.steps,
                   .stored = {l.head.stored[0], l.head.stored[1]}};
    memcpy(d->identity, l.head.identity, sizeof d->identity);
    TRY_TEXT(d->root, a, "%s", root);
    TRY(shard_handles_open(a, d));
    *out = d;
    return STATUS_OK;
}

/* Some tars and no folder that could be a class. */
static status holds_tars(arena *a, const char *root, bool *out)
{
    names classes = {0};
    struct stat info;
    *out = false;
    if (stat(root, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return STATUS_OK; /* dataset_list() says what is wrong */
    }
    TRY(tar_shards_there(root, out));
    if (*out) {
        TRY(search(a, root, CLASS_FOLDERS, &classes));
        *out = classes.n == 0;
    }
    return STATUS_OK;
}

status dataset_list_any(arena *a, const char *root, const char *list, const dataset *other, char **text, size_t *size)
{
    bool tars = tar_is_file(root);
    const bool pack = !tars && pack_there(root);
    if (!tars && !pack && list == NULL) { /* a list says what is meant, whatever else lies in the folder */
        TRY(holds_tars(a, root, &tars));
    }
    if (list != NULL && (tars || pack)) {
        return FAIL(ST_DATA, "%s: the list %s goes with a folder of images, found %s, which names the classes itself; leave the list out", root,
                    list, pack ? "a pack" : "tar shards");
    }
    if (pack) {
        return pack_list(a, root, text, size);
    }
    if (tars) {
        return tar_list(a, root, other == NULL ? 0 : other->n_classes, other == NULL ? NULL : other->class_name, text, size);
    }
    return list != NULL ? dataset_list_samples(a, root, list, other, text, size) : dataset_list(a, root, text, size);
}

status dataset_open(arena *a, const char *root, dataset **out)
{
    char *text;
    size_t size;
    TRY(dataset_list_any(a, root, NULL, NULL, &text, &size));
    return dataset_parse(a, root, text, size, out);
}

/* Decimal digits alone, without the leading zeros that would make the order right. */
static bool is_number(const char *name)
{
    return name[0] != '\0' && strspn(name, "0123456789") == strlen(name);
}

const char *dataset_misplaced_number(const dataset *d)
{
    for (size_t i = 0; i < d->n_classes; i++) {
        if (!is_number(d->class_name[i])) {
            return NULL; /* names */
        }
    }
    for (size_t i = 1; i < d->n_classes; i++) {
        const size_t before = strlen(d->class_name[i - 1]), here = strlen(d->class_name[i]);
        if (here < before) { /* bytewise larger and shorter: "10" before "2" */
            return d->class_name[i - 1];
        }
    }
    return NULL;
}
