#include "io/results_same.h"

#include <stdlib.h>
#include <string.h>

#include "io/h5.h"

/* Two files, and what was found of them. */
typedef struct pair {
    h5_file file[2];
    arena *a;
    bool same;
    char *what;
} pair;

static void differ(pair *p, const char *object, const char *how)
{
    if (p->same) {
        p->same = false;
        (void)snprintf(p->what, RESULTS_SAME_BYTES, "%s: %s", object, how);
    }
}

/* What is compared: numbers and texts. References are addresses, which follow from what they point at. */
static bool is_compared(hid_t type)
{
    const H5T_class_t c = H5Tget_class(type);
    return c == H5T_INTEGER || c == H5T_FLOAT || c == H5T_STRING;
}

/* A variable or an attribute of either file. */
typedef struct thing {
    hid_t id, type, space;
    bool attribute;
    hssize_t n;
    void *data;
} thing;

static bool same_texts(size_t n, char *const a[], char *const b[])
{
    for (size_t i = 0; i < n; i++) {
        if ((a[i] == NULL) != (b[i] == NULL) || (a[i] != NULL && strcmp(a[i], b[i]) != 0)) {
            return false;
        }
    }
    return true;
}

static herr_t read_thing(thing *t)
{
    return t->attribute ? H5Aread(t->id, t->type, t->data) : H5Dread(t->id, t->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, t->data);
}

static void free_texts(const thing *t)
{
    if (t->data != NULL && H5Tis_variable_str(t->type) > 0) {
#if H5_VERSION_GE(1, 12, 0)
        (void)H5Treclaim(t->type, t->space, H5P_DEFAULT, t->data);
#else
        (void)H5Dvlen_reclaim(t->type, t->space, H5P_DEFAULT, t->data);
#endif
    }
}

/* Values of two things of the same type and shape. */
static status compare_values(pair *p, const char *object, thing t[2])
{
    const size_t n = (size_t)t[0].n, size = H5Tget_size(t[0].type);
    status st = STATUS_OK;
    for (int i = 0; i < 2; i++) {
        t[i].data = arena_alloc(p->a, n, size);
        if (t[i].data == NULL) {
            return (status){ST_ENVIRONMENT};
        }
    }
    for (int i = 0; i < 2; i++) {
        H5_OR(out, st, &p->file[i], object, read_thing(&t[i]));
    }
    const bool texts = H5Tis_variable_str(t[0].type) > 0;
    if (texts ? !same_texts(n, t[0].data, t[1].data) : memcmp(t[0].data, t[1].data, n * size) != 0) {
        differ(p, object, "other values");
    }
out:
    free_texts(&t[0]);
    free_texts(&t[1]);
    return st;
}

static bool same_shape(const thing t[2])
{
    return H5Sget_simple_extent_type(t[0].space) == H5Sget_simple_extent_type(t[1].space) && H5Sextent_equal(t[0].space, t[1].space) > 0;
}

/* Two variables, or two attributes. */
static status compare_things(pair *p, const char *object, thing t[2])
{
    status st = STATUS_OK;
    for (int i = 0; i < 2; i++) {
        t[i].type = t[i].space = -1;
    }
    for (int i = 0; i < 2; i++) {
        H5_OR(out, st, &p->file[i], object, t[i].type = t[i].attribute ? H5Aget_type(t[i].id) : H5Dget_type(t[i].id));
        H5_OR(out, st, &p->file[i], object, t[i].space = t[i].attribute ? H5Aget_space(t[i].id) : H5Dget_space(t[i].id));
        H5_OR(out, st, &p->file[i], object, t[i].n = H5Sget_simple_extent_npoints(t[i].space));
    }
    if (H5Tget_class(t[0].type) != H5Tget_class(t[1].type) || (is_compared(t[0].type) && H5Tequal(t[0].type, t[1].type) <= 0)) {
        differ(p, object, "another type");
    } else if (!same_shape(t)) {
        differ(p, object, "another shape");
    } else if (is_compared(t[0].type)) {
        st = compare_values(p, object, t);
    }
out:
    for (int i = 0; i < 2; i++) {
        st = h5_close(st, &p->file[i], &t[i].type);
        st = h5_close(st, &p->file[i], &t[i].space);
    }
    return st;
}

static status compare_attribute(pair *p, const char *object, const char *name, const hid_t id[2])
{
    thing t[2] = {{.id = -1, .attribute = true}, {.id = -1, .attribute = true}};
    status st = STATUS_OK;
    const char *path = arena_text(p->a, "%s@%s", object, name);
    if (path == NULL) {
        return (status){ST_ENVIRONMENT};
    }
    if (H5Aexists(id[1], name) <= 0) {
        differ(p, path, "only in one of them");
        return STATUS_OK;
    }
    for (int i = 0; i < 2; i++) {
        H5_OR(out, st, &p->file[i], path, t[i].id = H5Aopen(id[i], name, H5P_DEFAULT));
    }
    st = compare_things(p, path, t);
out:
    for (int i = 0; i < 2; i++) {
        st = h5_close(st, &p->file[i], &t[i].id);
    }
    return st;
}

static status compare_attributes(pair *p, const char *object, const hid_t id[2])
{
    const int n = (int)H5Aget_num_attrs(id[0]);
    if (n != (int)H5Aget_num_attrs(id[1])) {
        differ(p, object, "other attributes");
    }
    for (int i = 0; i < n && p->same; i++) {
        char name[256] = "";
        status st = STATUS_OK;
        H5_OR(out, st, &p->file[0], object,
              H5Aget_name_by_idx(id[0], ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, name, sizeof name, H5P_DEFAULT));
        st = compare_attribute(p, object, name, id);
out:
        TRY(st);
    }
    return STATUS_OK;
}

static status compare_objects(pair *p, const char *path);

static status compare_groups(pair *p, const char *path)
{
    size_t n[2];
    const char *const *name[2];
    for (int i = 0; i < 2; i++) {
        TRY(h5_list(p->a, &p->file[i], path, &n[i], &name[i]));
    }
    for (size_t i = 0; i < n[0] || i < n[1]; i++) {
        if (i >= n[0] || i >= n[1] || strcmp(name[0][i], name[1][i]) != 0) {
            differ(p, path, "other members");
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < n[0] && p->same; i++) {
        const bool root = strcmp(path, "/") == 0;
        if (root && strcmp(name[0][i], "provenance") == 0) {
            continue;
        }
        const char *member = arena_text(p->a, "%s/%s", root ? "" : path, name[0][i]);
        TRY(member == NULL ? (status){ST_ENVIRONMENT} : compare_objects(p, member));
    }
    return STATUS_OK;
}

static status compare_objects(pair *p, const char *path)
{
    hid_t id[2] = {-1, -1};
    status st = STATUS_OK;
    for (int i = 0; i < 2; i++) {
        H5_OR(out, st, &p->file[i], path, id[i] = H5Oopen(p->file[i].id, path, H5P_DEFAULT));
    }
    if (H5Iget_type(id[0]) != H5Iget_type(id[1])) {
        differ(p, path, "a group in one, a variable in the other");
    } else {
        st = compare_attributes(p, path, id);
        if (status_ok(st) && p->same && H5Iget_type(id[0]) == H5I_DATASET) {
            thing t[2] = {{.id = id[0]}, {.id = id[1]}};
            st = compare_things(p, path, t);
        } else if (status_ok(st) && p->same) {
            st = compare_groups(p, path);
        }
    }
out:
    for (int i = 0; i < 2; i++) {
        st = h5_close(st, &p->file[i], &id[i]);
    }
    return st;
}

static status compare_in(pair *p, const char *path, const char *other)
{
    TRY(h5_file_open(path, p->a, &p->file[0]));
    status st = h5_file_open(other, p->a, &p->file[1]);
    if (status_ok(st)) {
        st = compare_objects(p, "/");
        st = h5_file_close(st, &p->file[1]);
    }
    return h5_file_close(st, &p->file[0]);
}

status results_same(const char *path, const char *other, bool *same, char what[RESULTS_SAME_BYTES])
{
    pair p = {.same = true, .what = what};
    what[0] = '\0';
    *same = false;
    TRY(arena_open("two results", &p.a));
    const status st = compare_in(&p, path, other);
    arena_close(&p.a);
    *same = status_ok(st) && p.same;
    return st;
}
