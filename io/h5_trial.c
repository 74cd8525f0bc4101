#include "io/h5_trial.h"

#include <stdlib.h>
#include <string.h>

#include "io/h5.h"

enum { VALUES = 1000 };

void h5_trial_versions(h5_versions *out)
{
    *out = (h5_versions){.built = {H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE}};
    (void)H5get_libversion(&out->found[0], &out->found[1], &out->found[2]);
}

bool h5_trial_usable(const h5_versions *v)
{
    return memcmp(v->built, v->found, sizeof v->built) == 0 || getenv("HDF5_DISABLE_VERSION_CHECK") != NULL;
}

static double value(size_t i)
{
    return 1.0 / (1.0 + (double)i);
}

static status put_values(arena *a, const h5_file *f)
{
    static const h5_variable v = {"trial", "trial", H5_REAL, "1", "values that are read back", NULL, NULL};
    h5_group g;
    double *x;
    TRY_ALLOC(x, a, VALUES);
    for (size_t i = 0; i < VALUES; i++) {
        x[i] = value(i);
    }
    TRY(h5_group_create(f, "/", &g));
    return h5_group_close(h5_dim_add(&g, &v, VALUES, x), &g);
}

status h5_trial_make(arena *a, file_bytes *out)
{
    h5_image image;
    h5_file f;
    status st = h5_image_create("a trial file", a, &image, &f);
    if (status_ok(st)) {
        st = put_values(a, &f);
    }
    st = h5_image_finish(st, &f, &image);
    unsigned char *copy = status_ok(st) ? arena_alloc(a, image.size, 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, image.data, image.size);
        *out = (file_bytes){copy, image.size};
    } else if (status_ok(st)) {
        st = (status){ST_ENVIRONMENT};
    }
    h5_image_free(&image);
    return st;
}

static status compare(arena *a, const h5_file *f)
{
    const double *x;
    size_t n = VALUES;
    TRY(h5_get_reals(a, f, "/trial", 1, &n, &x));
    for (size_t i = 0; i < VALUES; i++) {
        if (x[i] != value(i)) {
            return FAIL(ST_DATA, "%s: value %zu was written as %g and read as %g", f->path, i, value(i), x[i]);
        }
    }
    return STATUS_OK;
}

status h5_trial_read(const char *path)
{
    arena *a = NULL;
    h5_file f;
    TRY(arena_open("HDF5 trial", &a));
    status st = h5_file_open(path, a, &f);
    if (status_ok(st)) {
        st = h5_file_close(compare(a, &f), &f);
    }
    arena_close(&a);
    return st;
}

bool h5_trial_locks(const char *path)
{
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t id = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    (void)H5Eclear2(H5E_DEFAULT);
    return id >= 0 && H5Fclose(id) >= 0;
}
