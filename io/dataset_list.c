#include "io/dataset_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/text.h"

typedef enum list_form { FORM_LABELS, FORM_PATHS, FORM_KAGGLE } list_form;

typedef struct entry {
    const char *path, *label;
    size_t class, line;
} entry;

typedef struct reader {
    arena *a;
    const char *source;
    const image_names *folder;
    list_form form;
    char *text; /* a copy, which is cut into words */
    entry *list;
    size_t n;
    size_t n_classes;
    const char **class_name;
} reader;

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Moves *at behind the line, ends it with a zero and returns it without spaces around; NULL at the end of the text. */
static char *take_line(char **at, const char *end)
{
    char *line = *at;
    if (line >= end) {
        return NULL;
    }
    char *stop = memchr(line, '\n', (size_t)(end - line));
    stop = stop == NULL ? *at + (end - line) : stop;
    *at = stop + 1;
    while (stop > line && (is_space(stop[-1]) || stop[-1] == '\r')) {
        stop--;
    }
    *stop = '\0';
    while (is_space(*line)) {
        line++;
    }
    return line;
}

static bool counts(const char *line)
{
    return line[0] != '\0' && line[0] != '#';
}

static const char kaggle_header[] = "ImageId,PredictionString";

static list_form form_of(const char *line)
{
    if (strcmp(line, kaggle_header) == 0) {
        return FORM_KAGGLE;
    }
    return strpbrk(line, ",\t ") == NULL ? FORM_LABELS : FORM_PATHS;
}

/* The first line that counts, of a text that is not yet cut. */
static list_form find_form(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t length = end == NULL ? size - at : (size_t)(end - text) - at;
        char line[4352]; /* a path and a label */
        const size_t kept = length < sizeof line - 1 ? length : sizeof line - 1;
        memcpy(line, text + at, kept);
        char *from = line;
        const char *first = take_line(&from, line + kept);
        if (first != NULL && counts(first)) {
            return form_of(first);
        }
        at += length + 1;
    }
    return FORM_LABELS;
}

/* Some programs put the mark U+FEFF before a text that is UTF-8, as spreadsheets do with CSV. It is no part of the first path. */
static file_bytes without_mark(file_bytes text)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    const bool marked = text.size >= sizeof mark && memcmp(text.data, mark, sizeof mark) == 0;
    return marked ? (file_bytes){text.data + sizeof mark, text.size - sizeof mark} : text;
}

bool sample_list_needs_folder(file_bytes text)
{
    text = without_mark(text);
    return find_form((const char *)text.data, text.size) != FORM_PATHS;
}

static status bad_line(const reader *r, size_t line, const char *expected)
{
    return FAIL(ST_DATA, "%s: line %zu: expected %s, found something else", r->source, line, expected);
}

/* The next field of a line of CSV, in place: "a ""quoted"" field" or anything up to a comma. *rest is NULL behind the last field. */
static char *take_field(char **rest)
{
    char *from = *rest, *to = from, *start = from;
    const bool quoted = *from == '"';
    from += quoted;
    while (*from != '\0' && (quoted || *from != ',')) {
        if (quoted && *from == '"') {
            if (from[1] != '"') {
                from++;
                break;
            }
            from++;
        }
        *to++ = *from++;
    }
    const bool more = *from == ',';
    *rest = more ? from + 1 : NULL;
    *to = '\0';
    return start;
}

/* Path and label: by comma, by tab, or the last word is the label, since paths may have spaces. */
static void split(char *line, char **path, char **label)
{
    char *rest = line;
    *label = NULL;
    if (strchr(line, ',') != NULL || line[0] == '"') {
        *path = take_field(&rest);
        if (rest != NULL) {
            rest += strspn(rest, " \t");
            *label = take_field(&rest);
        }
        return;
    }
    char *cut = strchr(line, '\t');
    if (cut == NULL) {
        cut = strrchr(line, ' ');
    }
    if (cut != NULL) {
        *label = cut + 1;
        do {
            *cut-- = '\0';
        } while (cut >= line && is_space(*cut));
        while (is_space(**label)) {
            ++*label;
        }
    }
    *path = line;
}

/* Kaggle names an image without its ending. NULL: none. */
static const char *find_image(const image_names *folder, const char *id)
{
    const size_t length = strlen(id);
    size_t low = 0, high = folder->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(folder->name[middle], id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < folder->n && strncmp(folder->name[low], id, length) == 0; low++) {
        if (folder->name[low][length] == '.' && strchr(folder->name[low] + length + 1, '.') == NULL) {
            return folder->name[low];
        }
    }
    return NULL;
}

static bool is_header(const char *path, const char *label)
{
    static const char *const paths[] = {"path", "file", "filename", "image", "name"}, *const labels[] = {
                                                                                          "label", "class", "target"};
    bool first = false, second = false;
    for (size_t i = 0; i < COUNT(paths); i++) {
        first = first || strcasecmp(path, paths[i]) == 0;
    }
    for (size_t i = 0; i < COUNT(labels); i++) {
        second = second || strcasecmp(label, labels[i]) == 0;
    }
    return first && second;
}

static status check_text(const reader *r, size_t line, const char *text)
{
    for (size_t n = 1; *text != '\0'; text += n) {
        n = text_utf8_length(text, SIZE_MAX);
        if (n == 0 || text_is_control(text)) {
            return bad_line(r, line, "UTF-8 without control characters");
        }
    }
    return STATUS_OK;
}

/* Labels are names of classes, which are folders elsewhere. */
static status check_label(const reader *r, const entry *e)
{
    if (e->label[0] == '.' || strchr(e->label, '/') != NULL) {
        return bad_line(r, e->line, "a label without / that does not begin with a point");
    }
    return check_text(r, e->line, e->label);
}

/* Fills an entry from a line; *used: it was one (no header). */
static status read_entry(const reader *r, char *line, entry *e, bool *used)
{
    char *path = NULL, *label = NULL;
    *used = true;
    if (r->form == FORM_LABELS) {
        if (strpbrk(line, ", \t") != NULL) {
            return bad_line(r, e->line, "one label, as in the first line");
        }
        if (r->n == r->folder->n) {
            return FAIL(ST_DATA, "%s: line %zu: expected as many labels as the folder has images, %zu, found more",
                        r->source, e->line, r->folder->n);
        }
        e->path = r->folder->name[r->n];
        e->label = line;
        return check_label(r, e);
    }
    split(line, &path, &label);
    if (label == NULL || label[0] == '\0' || path[0] == '\0') {
        return bad_line(r, e->line, "a path and a label");
    }
    if (r->n == 0 && (r->form == FORM_KAGGLE ? strcmp(label, "PredictionString") == 0 : is_header(path, label))) {
        *used = false;
        return STATUS_OK;
    }
    if (r->form == FORM_KAGGLE) {
        label[strcspn(label, " ")] = '\0';
        e->path = find_image(r->folder, path);
        if (e->path == NULL) {
            return FAIL(ST_DATA, "%s: line %zu: expected the folder to have an image '%.100s', found none", r->source,
                        e->line, path);
        }
    } else {
        e->path = path;
    }
    e->label = label;
    TRY(check_text(r, e->line, e->path));
    return check_label(r, e);
}

static status read_entries(reader *r, size_t size)
{
    size_t line = 0, lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += r->text[i] == '\n';
    }
    TRY_ALLOC(r->list, r->a, lines);
    for (char *at = r->text, *text = take_line(&at, r->text + size); text != NULL;
         text = take_line(&at, r->text + size)) {
        bool used;
        entry *e = &r->list[r->n];
        *e = (entry){.line = ++line};
        if (!counts(text)) {
            continue;
        }
        TRY(read_entry(r, text, e, &used));
        r->n += used;
    }
    if (r->n == 0 && r->form != FORM_LABELS) {
        return FAIL(ST_DATA, "%s: expected images and their classes, found none", r->source);
    }
    if (r->form == FORM_LABELS && (r->n == 0 || r->n != r->folder->n)) {
        return FAIL(ST_DATA, "%s: expected a label for each of the folder's %zu images, found %zu", r->source,
                    r->folder->n, r->n);
    }
    return STATUS_OK;
}

/* A class number; false where the text is another. */
static bool read_number(const char *text, size_t *out)
{
    size_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && value < 10000000; p++) {
        value = 10 * value + (size_t)(*p - '0');
    }
    *out = value;
    return p > text && *p == '\0' && value < 10000000;
}

static bool all_numbers(reader *r, size_t *least, size_t *most)
{
    *least = SIZE_MAX;
    *most = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!read_number(r->list[i].label, &r->list[i].class)) {
            return false;
        }
        *least = r->list[i].class < *least ? r->list[i].class : *least;
        *most = r->list[i].class > *most ? r->list[i].class : *most;
    }
    return true;
}

static status class_is_empty(const reader *r, size_t class, const char *name)
{
    return FAIL(ST_DATA, "%s: expected at least one image of class %zu ('%.100s'), found none", r->source, class, name);
}

/* n entries cannot fill more than n classes: a list with a larger number is refused before it gets a name for each class below. */
static status check_filled(reader *r, size_t most)
{
    uint8_t *seen;
    char name[32];
    size_t gap = 0;
    if (most < r->n) {
        return STATUS_OK; /* write_listing() looks */
    }
    TRY_ALLOC(seen, r->a, r->n);
    for (size_t i = 0; i < r->n; i++) {
        if (r->list[i].class < r->n) {
            seen[r->list[i].class] = 1;
        }
    }
    while (gap < r->n && seen[gap]) {
        gap++;
    }
    (void)snprintf(name, sizeof name, "%zu", gap);
    return class_is_empty(r, gap, name);
}

/* Numbers: the other data set's classes, else as many as there are numbers, called by numbers of one width, so that their order is theirs
 * as names too. */
static status name_numbers(reader *r, size_t least, size_t most, size_t n_classes, const char *const class_name[])
{
    if (n_classes > 0 && least == 1 && most == n_classes) {
        return FAIL(ST_DATA,
                    "%s: expected class numbers 0 to %zu, found 1 to %zu; the numbers of ImageNet's development kit "
                    "are no class indices: take "
                    "a list with the names of the class folders (imagenet_2012_validation_synset_labels.txt or "
                    "Kaggle's LOC_val_solution.csv)",
                    r->source, n_classes - 1, most);
    }
    if (n_classes > 0 && most >= n_classes) {
        return FAIL(ST_DATA, "%s: expected class numbers 0 to %zu, found %zu", r->source, n_classes - 1, most);
    }
    if (n_classes == 0) {
        TRY(check_filled(r, most));
    }
    r->n_classes = n_classes > 0 ? n_classes : most + 1;
    TRY_ALLOC(r->class_name, r->a, r->n_classes);
    int width = 1;
    for (size_t n = most; n >= 10; n /= 10) {
        width++;
    }
    for (size_t i = 0; i < r->n_classes; i++) {
        if (n_classes > 0) {
            r->class_name[i] = class_name[i];
        } else {
            TRY_TEXT(r->class_name[i], r->a, "%0*zu", width, i);
        }
    }
    return STATUS_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names: as many classes as there are different ones, in bytewise order, as with folders. */
static status sort_names(reader *r)
{
    TRY_ALLOC(r->class_name, r->a, r->n);
    for (size_t i = 0; i < r->n; i++) {
        r->class_name[i] = r->list[i].label;
    }
    qsort(r->class_name, r->n, sizeof r->class_name[0], by_text);
    for (size_t i = 0; i < r->n; i++) {
        if (r->n_classes == 0 || strcmp(r->class_name[r->n_classes - 1], r->class_name[i]) != 0) {
            r->class_name[r->n_classes++] = r->class_name[i];
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        const char **found = bsearch(&r->list[i].label, r->class_name, r->n_classes, sizeof r->class_name[0], by_text);
        r->list[i].class = (size_t)(found - r->class_name);
    }
    return STATUS_OK;
}

static int by_class_and_path(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->class != y->class ? (x->class > y->class) - (x->class < y->class) : strcmp(x->path, y->path);
}

static status write_listing(reader *r, char **listing, size_t *size)
{
    size_t total = 1, next = 0;
    for (size_t i = 0; i < r->n_classes; i++) {
        total += strlen(r->class_name[i]) + 3;
    }
    for (size_t i = 0; i < r->n; i++) {
        total += strlen(r->list[i].path) + 3;
    }
    TRY_ALLOC(*listing, r->a, total);
    *size = 0;
    for (size_t c = 0; c < r->n_classes; c++) {
        const size_t first = next;
        *size += (size_t)snprintf(*listing + *size, total - *size, "C %s\n", r->class_name[c]);
        for (; next < r->n && r->list[next].class == c; next++) {
            if (next > first && strcmp(r->list[next - 1].path, r->list[next].path) == 0) {
                return FAIL(ST_DATA, "%s: lines %zu and %zu have the same image '%.200s'", r->source,
                            r->list[next - 1].line, r->list[next].line, r->list[next].path);
            }
            *size += (size_t)snprintf(*listing + *size, total - *size, "P %s\n", r->list[next].path);
        }
        if (next == first) {
            return class_is_empty(r, c, r->class_name[c]);
        }
    }
    return STATUS_OK;
}

/* Labels become classes, entries a listing. */
static status finish(reader *r, bool numbers, size_t n_classes, const char *const class_name[], char **listing, size_t *size)
{
    size_t least, most;
    if (numbers && all_numbers(r, &least, &most)) {
        TRY(name_numbers(r, least, most, n_classes, class_name));
    } else {
        TRY(sort_names(r));
    }
    qsort(r->list, r->n, sizeof r->list[0], by_class_and_path);
    return write_listing(r, listing, size);
}

status sample_list_parse(arena *a, const char *source, file_bytes text, const image_names *folder, size_t n_classes,
                         const char *const class_name[], char **listing, size_t *size)
{
    text = without_mark(text);
    reader r = {.a = a, .source = source, .folder = folder, .form = find_form((const char *)text.data, text.size)};
    if (memchr(text.data, '\0', text.size) != NULL) {
        return FAIL(ST_DATA, "%s: expected a list of images and classes as text, found a file with zero bytes", source);
    }
    TRY_ALLOC(r.text, a, text.size + 1);
    memcpy(r.text, text.data, text.size);
    TRY(read_entries(&r, text.size));
    return finish(&r, true, n_classes, class_name, listing, size);
}

status sample_list_join(arena *a, const char *source, size_t n, const char *const path[], const char *const label[], bool numbers,
                        size_t n_classes, const char *const class_name[], char **listing, size_t *size)
{
    reader r = {.a = a, .source = source, .n = n};
    TRY_ALLOC(r.list, a, n);
    for (size_t i = 0; i < n; i++) {
        r.list[i] = (entry){.path = path[i], .label = label[i], .line = i + 1};
    }
    return finish(&r, numbers, n_classes, class_name, listing, size);
}
