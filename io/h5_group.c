/* Groups and dimensions as netCDF-4 lays them out. Dimension scales are written as the HDF5 Dimension Scale Specification defines them, here and
 * not by the "high-level" library, which some clusters do not have and which rewrites a scale's whole list of users for each new one. */
#include <string.h>

#include "io/h5_scale.h"

static status make_one(const h5_file *f, const char *path)
{
    status st = STATUS_OK;
    hid_t properties = H5I_INVALID_HID, group = H5I_INVALID_HID;
    htri_t there = 0;
    H5_OR(cleanup, st, f, path, there = H5Lexists(f->id, path, H5P_DEFAULT));
    if (there > 0) {
        return STATUS_OK;
    }
    H5_OR(cleanup, st, f, path, properties = H5Pcreate(H5P_GROUP_CREATE));
    H5_OR(cleanup, st, f, path, H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_OR(cleanup, st, f, path, H5Pset_obj_track_times(properties, 0));
    H5_OR(cleanup, st, f, path, group = H5Gcreate2(f->id, path, H5P_DEFAULT, properties, H5P_DEFAULT));
cleanup:
    st = h5_close(st, f, &group);
    return h5_close(st, f, &properties);
}

status h5_group_create(const h5_file *f, const char *path, h5_group *out)
{
    *out = (h5_group){.file = f, .path = path, .id = H5I_INVALID_HID};
    status st = STATUS_OK;
    char *prefix;
    TRY_TEXT(prefix, f->scratch, "%s", path);
    for (char *p = strchr(prefix + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        TRY(make_one(f, prefix));
        *p = '/';
    }
    if (path[1] != '\0') {
        TRY(make_one(f, path));
    }
    H5_OR(cleanup, st, f, path, out->id = H5Gopen2(f->id, path, H5P_DEFAULT));
cleanup:
    return st;
}

status h5_group_link(const h5_file *f, const char *target, const char *path)
{
    status st = STATUS_OK;
    H5_OR(done, st, f, path, H5Lcreate_hard(f->id, target, f->id, path, H5P_DEFAULT, H5P_DEFAULT));
done:
    return st;
}

static status put_fixed_text(const h5_group *g, hid_t object, const char *name, const char *value)
{
    status st = STATUS_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, attr = H5I_INVALID_HID;
    H5_OR(cleanup, st, g->file, name, type = H5Tcopy(H5T_C_S1));
    H5_OR(cleanup, st, g->file, name, H5Tset_size(type, strlen(value) + 1));
    H5_OR(cleanup, st, g->file, name, space = H5Screate(H5S_SCALAR));
    H5_OR(cleanup, st, g->file, name, attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OR(cleanup, st, g->file, name, H5Awrite(attr, type, value));
cleanup:
    st = h5_close(st, g->file, &attr);
    st = h5_close(st, g->file, &space);
    return h5_close(st, g->file, &type);
}

status h5_scale_mark(const h5_group *g, hid_t dataset, const char *name)
{
    TRY(put_fixed_text(g, dataset, "CLASS", "DIMENSION_SCALE"));
    return put_fixed_text(g, dataset, "NAME", name);
}

status h5_dim_add(h5_group *g, const h5_variable *v, size_t size, const void *data)
{
    if (g->n_dims == H5_MAX_DIMS) {
        return FAIL(ST_BUG, "%s: more than %d dimensions", g->path, (int)H5_MAX_DIMS);
    }
    g->dims[g->n_dims++] = (h5_dim){.name = v->name, .size = size};
    return h5_put(g, v, data);
}

h5_dim *h5_dim_find(h5_group *g, const char *name, size_t length)
{
    for (size_t i = 0; i < g->n_dims; i++) {
        if (strlen(g->dims[i].name) == length && memcmp(g->dims[i].name, name, length) == 0) {
            return &g->dims[i];
        }
    }
    return NULL;
}

/* DIMENSION_LIST of a variable: for each axis a list of one reference, to the scale. */
status h5_scale_attach(h5_group *g, hid_t dataset, const char *name, size_t rank, h5_dim *const dims[])
{
    status st = STATUS_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, attr = H5I_INVALID_HID;
    hobj_ref_t self, scale[H5_MAX_RANK];
    hvl_t list[H5_MAX_RANK];
    const hsize_t n = rank;
    H5_OR(cleanup, st, g->file, name, H5Rcreate(&self, g->id, name, H5R_OBJECT, H5I_INVALID_HID));
    for (size_t i = 0; i < rank; i++) {
        h5_dim *d = dims[i];
        if (d->n_uses == H5_MAX_USES) {
            return FAIL(ST_BUG, "%s: more than %d variables over '%s'", g->path, (int)H5_MAX_USES, d->name);
        }
        d->uses[d->n_uses++] = (h5_use){self, (unsigned int)i};
        H5_OR(cleanup, st, g->file, d->name, H5Rcreate(&scale[i], g->id, d->name, H5R_OBJECT, H5I_INVALID_HID));
        list[i] = (hvl_t){.len = 1, .p = &scale[i]};
    }
    H5_OR(cleanup, st, g->file, name, type = H5Tvlen_create(H5T_STD_REF_OBJ));
    H5_OR(cleanup, st, g->file, name, space = H5Screate_simple(1, &n, NULL));
    H5_OR(cleanup, st, g->file, name,
          attr = H5Acreate2(dataset, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OR(cleanup, st, g->file, name, H5Awrite(attr, type, list));
cleanup:
    st = h5_close(st, g->file, &attr);
    st = h5_close(st, g->file, &space);
    return h5_close(st, g->file, &type);
}

/* REFERENCE_LIST of a scale: which variable uses it for which axis. */
static status put_uses(const h5_group *g, const h5_dim *d)
{
    status st = STATUS_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, scale = H5I_INVALID_HID, attr = H5I_INVALID_HID;
    const hsize_t n = d->n_uses;
    if (n == 0) {
        return STATUS_OK;
    }
    H5_OR(cleanup, st, g->file, d->name, type = H5Tcreate(H5T_COMPOUND, sizeof(h5_use)));
    H5_OR(cleanup, st, g->file, d->name, H5Tinsert(type, "dataset", HOFFSET(h5_use, variable), H5T_STD_REF_OBJ));
    H5_OR(cleanup, st, g->file, d->name, H5Tinsert(type, "dimension", HOFFSET(h5_use, axis), H5T_NATIVE_UINT));
    H5_OR(cleanup, st, g->file, d->name, space = H5Screate_simple(1, &n, NULL));
    H5_OR(cleanup, st, g->file, d->name, scale = H5Dopen2(g->id, d->name, H5P_DEFAULT));
    H5_OR(cleanup, st, g->file, d->name,
          attr = H5Acreate2(scale, "REFERENCE_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT));
    H5_OR(cleanup, st, g->file, d->name, H5Awrite(attr, type, d->uses));
cleanup:
    st = h5_close(st, g->file, &attr);
    st = h5_close(st, g->file, &scale);
    st = h5_close(st, g->file, &space);
    return h5_close(st, g->file, &type);
}

status h5_group_close(status st, h5_group *g)
{
    for (size_t i = 0; i < g->n_dims && status_ok(st); i++) {
        st = put_uses(g, &g->dims[i]);
    }
    return h5_close(st, g->file, &g->id);
}
