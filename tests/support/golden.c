#include "support/golden.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct golden {
    const char *name;
    hid_t file;
    arena *a;
};

static void *take(golden *g, size_t count, size_t size)
{
    void *p = arena_alloc(g->a, count, size);
    assert_non_null(p);
    return p;
}

static golden *open_file(const char *name, const char *path)
{
    arena *a = NULL;
    assert_ok(arena_open("golden", &a));
    golden *g = arena_alloc(a, 1, sizeof *g);
    assert_non_null(g);
    *g = (golden){.name = arena_text(a, "%s", name), .a = a, .file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)};
    if (g->file < 0) {
        arena_close(&a);
        fail_msg("cannot open %s", path);
    }
    return g;
}

golden *golden_open(const char *name)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "tests/golden/%s", name);
    return open_file(name, name[0] == '/' ? name : source_path(relative));
}

golden *golden_open_full(const char *name)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "golden/%s", name);
    const char *path = shared_path(relative);
    return path == NULL ? NULL : open_file(name, path);
}

void golden_close(golden **g)
{
    if (*g != NULL) {
        (void)H5Fclose((*g)->file);
        arena *a = (*g)->a;
        arena_close(&a);
        *g = NULL;
    }
}

#define FORMAT_PATH(path, fmt)                                                                                         \
    char path[512];                                                                                                    \
    do {                                                                                                               \
        va_list args_;                                                                                                 \
        va_start(args_, fmt);                                                                                          \
        (void)vsnprintf(path, sizeof path, fmt, args_);                                                                \
        va_end(args_);                                                                                                 \
    } while (0)

bool golden_has(const golden *g, const char *path_fmt, ...)
{
    FORMAT_PATH(path, path_fmt);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool there = H5Lexists(g->file, path, H5P_DEFAULT) > 0;
        *slash = '/';
        if (!there) {
            return false;
        }
    }
    return H5Lexists(g->file, path, H5P_DEFAULT) > 0;
}

static const void *read_as(golden *g, hid_t set, hid_t type, size_t count, const char *path)
{
    void *p = take(g, count, H5Tget_size(type));
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, p) < 0) {
        fail_msg("%s: cannot read %s", g->name, path);
    }
    return p;
}

/* Whether the text is new; remembers it. */
static bool is_new(const char *text)
{
    enum { MOST = 1 << 15 }; /* several times as many as all files have data sets */
    static uint64_t seen[MOST];
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211U;
    }
    size_t at = hash % MOST;
    for (size_t tries = 0; seen[at] != 0 && seen[at] != hash; tries++) {
        assert_true(tries < MOST);
        at = (at + 1) % MOST;
    }
    const bool new_one = seen[at] == 0;
    seen[at] = hash;
    return new_one;
}

static void note_read(const golden *g, const char *path)
{
    static FILE *notes;
    const char *name = getenv("POLLARD_GOLDEN_READS");
    char line[1024];
    (void)snprintf(line, sizeof line, "%s %s\n", g->name, path[0] == '/' ? path + 1 : path);
    if (name == NULL || !is_new(line)) {
        return;
    }
    if (notes == NULL) {
        notes = fopen(name, "w");
        assert_non_null(notes);
    }
    assert_true(fputs(line, notes) >= 0 && fflush(notes) == 0);
}

golden_array golden_read(golden *g, const char *path_fmt, ...)
{
    FORMAT_PATH(path, path_fmt);
    note_read(g, path);
    const hid_t set = H5Dopen2(g->file, path, H5P_DEFAULT);
    if (set < 0) {
        fail_msg("%s: no data set %s", g->name, path);
    }
    const hid_t space = H5Dget_space(set);
    hsize_t dim[8] = {0};
    const int rank = H5Sget_simple_extent_ndims(space);
    assert_in_range(rank, 0, 8);
    (void)H5Sget_simple_extent_dims(space, dim, NULL);
    golden_array out = {.rank = (size_t)rank, .count = (size_t)H5Sget_simple_extent_npoints(space)};
    for (size_t i = 0; i < out.rank; i++) {
        out.dim[i] = (size_t)dim[i];
    }
    out.real = read_as(g, set, H5T_NATIVE_DOUBLE, out.count, path);
    out.f32 = read_as(g, set, H5T_NATIVE_FLOAT, out.count, path);
    out.integer = read_as(g, set, H5T_NATIVE_INT64, out.count, path);
    (void)H5Sclose(space);
    (void)H5Dclose(set);
    return out;
}

static hid_t open_attribute(const golden *g, const char *path, const char *attribute)
{
    const hid_t id = H5Aopen_by_name(g->file, path, attribute, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0) {
        fail_msg("%s: no attribute '%s' on %s", g->name, attribute, path);
    }
    return id;
}

size_t golden_numbers(golden *g, const char *path, const char *attribute, size_t most, double out[])
{
    const hid_t id = open_attribute(g, path, attribute), space = H5Aget_space(id);
    const size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    (void)H5Sclose(space);
    assert_in_range(count, 1, most);
    const herr_t err = H5Aread(id, H5T_NATIVE_DOUBLE, out);
    (void)H5Aclose(id);
    assert_true(err >= 0);
    return count;
}

double golden_number(golden *g, const char *path, const char *attribute)
{
    double value = 0.0;
    (void)golden_numbers(g, path, attribute, 1, &value);
    return value;
}

const char *golden_text(golden *g, const char *path, const char *attribute)
{
    const hid_t id = open_attribute(g, path, attribute), type = H5Aget_type(id);
    assert_true(H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0);
    char *text = take(g, H5Tget_size(type) + 1, 1);
    const herr_t err = H5Aread(id, type, text);
    (void)H5Tclose(type);
    (void)H5Aclose(id);
    assert_true(err >= 0);
    return text;
}

size_t golden_lines(golden *g, const char *path, const char *attribute, const char *const **out)
{
    const char *text = golden_text(g, path, attribute);
    size_t n = 1;
    for (const char *p = text; *p != '\0'; p++) {
        n += *p == '\n';
    }
    char *copy = take(g, strlen(text) + 1, 1);
    memcpy(copy, text, strlen(text));
    const char **lines = take(g, n, sizeof *lines);
    for (size_t i = 0; i < n; i++) {
        lines[i] = copy;
        copy += strcspn(copy, "\n");
        *copy++ = '\0';
    }
    *out = lines;
    return n;
}

size_t golden_members(golden *g, const char *path, const char *const **out)
{
    H5G_info_t info;
    if (H5Gget_info_by_name(g->file, path, &info, H5P_DEFAULT) < 0) {
        fail_msg("%s: no group %s", g->name, path);
    }
    const size_t n = (size_t)info.nlinks;
    const char **names = take(g, n, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        char name[256];
        assert_true(H5Lget_name_by_idx(g->file, path, H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, name, sizeof name,
                                       H5P_DEFAULT) > 0);
        char *kept = take(g, strlen(name) + 1, 1);
        memcpy(kept, name, strlen(name));
        names[i] = kept;
    }
    *out = names;
    return n;
}

/* Calls see() for every data set below `path`, "" = the file. */
static void visit(golden *g, const char *path, void (*see)(golden *g, const char *path, void *to), void *to)
{
    const char *const *names;
    const size_t n = golden_members(g, path[0] == '\0' ? "/" : path, &names);
    for (size_t i = 0; i < n; i++) {
        const char *member = arena_text(g->a, "%s%s%s", path, path[0] == '\0' ? "" : "/", names[i]);
        assert_non_null(member);
        const hid_t object = H5Oopen(g->file, member, H5P_DEFAULT);
        const H5I_type_t type = H5Iget_type(object);
        (void)H5Oclose(object);
        if (type == H5I_GROUP) {
            visit(g, member, see, to);
        } else {
            see(g, member, to);
        }
    }
}

static void count_one(golden *g, const char *path, void *to)
{
    (void)g;
    (void)path;
    ++*(size_t *)to;
}

static void keep_one(golden *g, const char *path, void *to)
{
    (void)g;
    const char ***next = to;
    *(*next)++ = path;
}

size_t golden_data_sets(golden *g, const char *const **out)
{
    size_t n = 0;
    visit(g, "", count_one, &n);
    const char **paths = take(g, n, sizeof *paths), **next = paths;
    visit(g, "", keep_one, &next);
    *out = paths;
    return n;
}

static bool is_float(const golden *g, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "weights/%s", name);
    const hid_t set = H5Dopen2(g->file, path, H5P_DEFAULT), type = H5Dget_type(set);
    const bool yes = H5Tget_class(type) == H5T_FLOAT;
    (void)H5Tclose(type);
    (void)H5Dclose(set);
    return yes;
}

/* The configuration of the ViT is a JSON text {"name": number, ...}. */
static size_t config_number(golden *g, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(golden_text(g, "/", "config"), key);
    assert_non_null(at);
    return (size_t)strtoul(at + strlen(key), NULL, 10);
}

static size_t collect_facts(golden *g, fact *facts)
{
    const golden_array inputs = golden_read(g, "inputs"), logits = golden_read(g, "logits");
    size_t n = 0;
    facts[n++] = (fact){"image_size", arena_text(g->a, "%zux%zu", inputs.dim[2], inputs.dim[3]), "metadata"};
    facts[n++] = (fact){"num_classes", arena_text(g->a, "%zu", logits.dim[1]), "metadata"};
    if (H5Aexists(g->file, "config") > 0) {
        facts[n++] = (fact){"num_heads", arena_text(g->a, "%zu", config_number(g, "num_heads")), "metadata"};
    }
    return n;
}

const tensors *golden_tensors(golden *g)
{
    const char *const *names = NULL;
    tensors *t = take(g, 1, sizeof *t);
    t->source = g->name;
    t->n = golden_members(g, "weights", &names);
    tensor *list = take(g, t->n, sizeof *list);
    for (size_t i = 0; i < t->n; i++) {
        const golden_array data = golden_read(g, "weights/%s", names[i]);
        const bool f32 = is_float(g, names[i]);
        list[i] = (tensor){.name = names[i],
                           .rank = data.rank,
                           .type = f32 ? TENSOR_F32 : TENSOR_OTHER,
                           .type_name = f32 ? "F32" : "I64",
                           .data = f32 ? data.f32 : NULL};
        memcpy(list[i].dim, data.dim, sizeof data.dim);
    }
    t->list = list;
    fact *facts = take(g, 3, sizeof *facts);
    t->n_facts = collect_facts(g, facts);
    t->facts = facts;
    return t;
}
