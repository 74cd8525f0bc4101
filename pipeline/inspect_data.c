#include "pipeline/inspect_data.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "io/dataset_read.h"
#include "io/file_kind.h"
#include "io/image.h"
#include "io/text_table.h"

enum { MOST_ODD = 20, EXAMPLES = 5, START = 16 };

typedef enum format { PNG, JPEG, PIXELS, OTHER, FORMATS } format;
static const char *const format_name[FORMATS] = {"PNG", "JPEG", "decoded pixels", "neither PNG nor JPEG"};

/* What was seen of all images. */
typedef struct survey {
    arena *a, *scratch;
    const dataset *d;
    FILE *to;
    uint64_t *class_bytes; /* [n_classes] */
    uint64_t bytes, smallest, largest;
    size_t smallest_at, largest_at;
    size_t count[FORMATS];
    size_t n_odd;
    const char *odd[MOST_ODD];
} survey;

static status printable(arena *a, const char *text, const char **out)
{
    return text_printable(a, text, SIZE_MAX, out);
}

static status note_odd(survey *s, size_t sample, const char *what)
{
    if (s->n_odd < MOST_ODD) {
        const char *line;
        TRY_TEXT(line, s->a, "%s: %s", s->d->path[sample], what);
        TRY(printable(s->a, line, &s->odd[s->n_odd]));
    }
    s->n_odd++;
    return STATUS_OK;
}

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && strcasecmp(path + n - m, end) == 0;
}

static status look_at(survey *s, size_t i)
{
    const dataset *d = s->d;
    unsigned char start[START];
    size_t n = 0;
    uint64_t size = 0;
    arena_reset(s->scratch);
    const status st = dataset_peek(s->scratch, d, i, sizeof start, start, &n, &size);
    if (st.code == ST_ENVIRONMENT) {
        return st;
    }
    if (!status_ok(st)) {
        TRY(note_odd(s, i, status_message()));
        status_clear();
        return STATUS_OK;
    }
    const file_bytes bytes = {start, n};
    const format f = d->steps != NULL                                      ? PIXELS
                     : file_starts_with(bytes, "\x89PNG\r\n\x1a\n", 8)     ? PNG
                     : file_starts_with(bytes, "\xff\xd8\xff", 3)          ? JPEG
                                                                           : OTHER;
    s->count[f]++;
    s->bytes += size;
    s->class_bytes[d->label[i]] += size;
    if (size < s->smallest) {
        s->smallest = size;
        s->smallest_at = i;
    }
    if (size >= s->largest) {
        s->largest = size;
        s->largest_at = i;
    }
    if (size == 0) {
        return note_odd(s, i, "empty");
    }
    if (f == OTHER) {
        return note_odd(s, i, "neither PNG nor JPEG");
    }
    if (f == PNG && !ends_in(d->path[i], ".png")) {
        return note_odd(s, i, "a PNG image that is called otherwise; it is read all the same");
    }
    return f == JPEG && ends_in(d->path[i], ".png") ? note_odd(s, i, "a JPEG image that is called .png; it is read all the same") : STATUS_OK;
}

/* Files in class folders that are not listed. */
static status count_others(arena *scratch, const dataset *d, size_t *out)
{
    *out = 0;
    for (size_t c = 0; c < d->n_classes && d->kind == DATASET_FILES; c++) {
        arena_reset(scratch);
        const char *folder = path_join(scratch, d->root, d->class_name[c]);
        if (folder == NULL) {
            return (status){ST_ENVIRONMENT};
        }
        DIR *dir = opendir(folder);
        for (const struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir)) {
            *out += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && (e->d_name[0] == '.' || !dataset_is_image(e->d_name));
        }
        if (dir != NULL) {
            (void)closedir(dir);
        }
    }
    return STATUS_OK;
}

static status print_head(survey *s, const char *path)
{
    static const char *const kind[] = {"image folder", "tar shards", "pack"};
    const dataset *d = s->d;
    const char *shown, *name, *first;
    TRY(printable(s->a, path, &shown));
    (void)fprintf(s->to, "%s: %s, %zu classes, %zu images", shown, kind[d->kind], d->n_classes, d->n_samples);
    if (d->kind != DATASET_FILES) {
        (void)fprintf(s->to, ", %zu shard%s", d->n_shards, d->n_shards == 1 ? "" : "s");
    }
    if (d->kind == DATASET_PACK) {
        TRY(printable(s->a, d->steps == NULL ? "original files" : d->steps, &name));
        (void)fprintf(s->to, ", %s", name);
    }
    (void)fprintf(s->to, "\n\n%7s  %8s  %14s  %-32s %s\n", "class", "images", "bytes", "name", "first image");
    for (size_t i = 0; i < d->n_classes; i++) {
        arena_reset(s->scratch);
        TRY(printable(s->scratch, d->class_name[i], &name));
        TRY(printable(s->scratch, d->path[d->class_first[i]], &first));
        (void)fprintf(s->to, "%7zu  %8zu  %14" PRIu64 "  %-32s %s\n", i, d->class_first[i + 1] - d->class_first[i], s->class_bytes[i], name, first);
    }
    return STATUS_OK;
}

static status print_sizes(survey *s)
{
    const dataset *d = s->d;
    const char *smallest, *largest, *between = "";
    size_t others;
    TRY(printable(s->a, d->path[s->smallest_at], &smallest));
    TRY(printable(s->a, d->path[s->largest_at], &largest));
    (void)fprintf(s->to, "\nformats: ");
    for (size_t f = 0; f < FORMATS; f++) {
        if (s->count[f] > 0) {
            (void)fprintf(s->to, "%s%zu %s", between, s->count[f], format_name[f]);
            between = ", ";
        }
    }
    (void)fprintf(s->to, "\nbytes:   %" PRIu64 " together; smallest %" PRIu64 " (%s), largest %" PRIu64 " (%s)\n", s->bytes, s->smallest, smallest,
                  s->largest, largest);
    TRY(count_others(s->scratch, d, &others));
    (void)fprintf(s->to, "odd:     %zu image%s, %zu other files in class folders, which are passed over\n", s->n_odd, s->n_odd == 1 ? "" : "s", others);
    for (size_t i = 0; i < s->n_odd && i < MOST_ODD; i++) {
        (void)fprintf(s->to, "  %s\n", s->odd[i]);
    }
    if (s->n_odd > MOST_ODD) {
        (void)fprintf(s->to, "  and %zu more\n", s->n_odd - MOST_ODD);
    }
    return STATUS_OK;
}

/* One image as it is when a study reads it. */
static status print_example(survey *s, size_t i)
{
    const dataset *d = s->d;
    dataset_image from;
    image picture = {d->stored[0], d->stored[1], NULL};
    const char *name;
    arena_reset(s->scratch);
    TRY(printable(s->scratch, d->path[i], &name));
    status st = dataset_read(s->scratch, d, i, &from);
    if (status_ok(st) && !from.decoded) {
        st = image_decode(s->scratch, from.name, from.bytes, &picture);
    }
    if (st.code == ST_ENVIRONMENT) {
        return st;
    }
    if (status_ok(st)) {
        (void)fprintf(s->to, "  %-40s class %" PRIu32 ", %zux%zu (height x width), %zu bytes\n", name, d->label[i], picture.height, picture.width,
                      from.bytes.size);
    } else {
        (void)fprintf(s->to, "  %-40s %s\n", name, status_message());
        status_clear();
    }
    return STATUS_OK;
}

static status inspect(survey *s, const char *path)
{
    dataset *d;
    TRY(dataset_open(s->a, path, &d));
    s->d = d;
    TRY_ALLOC(s->class_bytes, s->a, d->n_classes);
    for (size_t i = 0; i < d->n_samples; i++) {
        TRY(look_at(s, i));
    }
    s->smallest = s->smallest == UINT64_MAX ? 0 : s->smallest; /* none could be read */
    TRY(print_head(s, path));
    TRY(print_sizes(s));
    (void)fprintf(s->to, "\nexamples:\n");
    const size_t n = d->n_samples < EXAMPLES ? d->n_samples : EXAMPLES;
    for (size_t i = 0; i < n; i++) {
        TRY(print_example(s, i * d->n_samples / n));
    }
    return STATUS_OK;
}

status inspect_data(const char *path, FILE *to)
{
    survey s = {.to = to, .smallest = UINT64_MAX};
    status st = arena_open("inspect", &s.a);
    if (status_ok(st)) {
        st = arena_open("image", &s.scratch);
    }
    if (status_ok(st)) {
        st = inspect(&s, path);
    }
    arena_close(&s.scratch);
    arena_close(&s.a);
    return st;
}
