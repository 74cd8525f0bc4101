/* A file's life: made in memory and handed over as bytes, or opened for reading. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io/h5.h"

enum { MEMORY_STEP = 4 << 20 }; /* bytes by which a file in memory grows */

/* The library would read a file of the name it is given, if there were one. */
static const char no_file[] = "/dev/null/in memory";

/* The library must neither print errors by itself nor depend on locks, which many cluster file systems do not have. */
static status access_properties(const h5_file *f, hid_t *out)
{
    status st = STATUS_OK;
    hid_t p = H5I_INVALID_HID;
    H5_OR(cleanup, st, f, "HDF5", H5Eset_auto2(H5E_DEFAULT, NULL, NULL));
    H5_OR(cleanup, st, f, "HDF5", p = H5Pcreate(H5P_FILE_ACCESS));
#if (H5_VERSION_GE(1, 10, 7) && H5_VERSION_LE(1, 11, 0)) || H5_VERSION_GE(1, 12, 1)
    H5_OR(cleanup, st, f, "HDF5", H5Pset_file_locking(p, 0, 1));
#endif
    /* 1.8's format: its metadata carries checksums, unlike the oldest one, and every tool of today reads it. */
#if H5_VERSION_GE(1, 10, 2)
    H5_OR(cleanup, st, f, "HDF5", H5Pset_libver_bounds(p, H5F_LIBVER_V18, H5F_LIBVER_V110));
#else
    H5_OR(cleanup, st, f, "HDF5", H5Pset_libver_bounds(p, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST));
#endif
    *out = p;
    return st;
cleanup:
    return h5_close(st, f, &p);
}

/* ---- a new file fills memory, never a disk: after a failed write (disk full) HDF5 1.10 can neither close its file nor end its process
 * cleanly. The library's memory is kept when it closes the file, because only then the bytes are final (H5Fget_file_image breaks the checksum of
 * the superblock in 1.10). ---- */

static void *image_malloc(size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)op;
    (void)image;
    return H5allocate_memory(size, 0);
}

static void *image_memcpy(void *to, const void *from, size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)op;
    (void)image;
    return memcpy(to, from, size);
}

static void *image_realloc(void *p, size_t size, H5FD_file_image_op_t op, void *image)
{
    (void)op;
    (void)image;
    return H5resize_memory(p, size);
}

static herr_t image_keep(void *p, H5FD_file_image_op_t op, void *image)
{
    if (op != H5FD_FILE_IMAGE_OP_FILE_CLOSE) {
        return H5free_memory(p);
    }
    h5_image *kept = image;
    const herr_t r = H5free_memory(kept->data);
    kept->data = p;
    return r;
}

static void *same_image(void *image)
{
    return image;
}

static herr_t forget_image(void *image)
{
    (void)image;
    return 0;
}

status h5_image_create(const char *path, arena *scratch, h5_image *image, h5_file *out)
{
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = image_malloc,
                                             .image_memcpy = image_memcpy,
                                             .image_realloc = image_realloc,
                                             .image_free = image_keep,
                                             .udata_copy = same_image,
                                             .udata_free = forget_image,
                                             .udata = image};
    *out = (h5_file){.id = H5I_INVALID_HID, .path = path, .failure = ST_CANT_WRITE, .scratch = scratch};
    *image = (h5_image){NULL, 0};
    status st = STATUS_OK;
    hid_t properties = H5I_INVALID_HID, create = H5I_INVALID_HID;
    TRY(access_properties(out, &properties));
    H5_OR(cleanup, st, out, "HDF5", H5Pset_fapl_core(properties, MEMORY_STEP, 0));
    H5_OR(cleanup, st, out, "HDF5", H5Pset_file_image_callbacks(properties, &callbacks));
    H5_OR(cleanup, st, out, "HDF5", create = H5Pcreate(H5P_FILE_CREATE));
    H5_OR(cleanup, st, out, "HDF5", H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED));
    H5_OR(cleanup, st, out, "HDF5", H5Pset_obj_track_times(create, 0));
    H5_OR(cleanup, st, out, "making the file", out->id = H5Fcreate(no_file, H5F_ACC_EXCL, create, properties));
cleanup:
    st = h5_close(st, out, &create);
    return h5_close(st, out, &properties);
}

status h5_image_finish(status st, h5_file *f, h5_image *image)
{
    ssize_t size = 0;
    if (status_ok(st)) {
        H5_OR(cleanup, st, f, "flushing", H5Fflush(f->id, H5F_SCOPE_GLOBAL));
        H5_OR(cleanup, st, f, "flushing", size = H5Fget_file_image(f->id, NULL, 0)); /* the size alone */
    }
cleanup:
    st = h5_close(st, f, &f->id);
    image->size = (size_t)size;
    return st;
}

void h5_image_free(h5_image *image)
{
    (void)H5free_memory(image->data);
    *image = (h5_image){NULL, 0};
}

/* ---- reading ---- */

status h5_file_close(status st, h5_file *f)
{
    return h5_close(st, f, &f->id);
}

static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

bool h5_signature(const char *path)
{
    unsigned char start[sizeof signature] = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool same = fd >= 0 && read(fd, start, sizeof start) == (ssize_t)sizeof start &&
                      memcmp(start, signature, sizeof start) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return same;
}

status h5_file_open(const char *path, arena *scratch, h5_file *out)
{
    *out = (h5_file){.id = H5I_INVALID_HID, .path = path, .failure = ST_DATA, .scratch = scratch};
    status st = STATUS_OK;
    hid_t properties = H5I_INVALID_HID;
    if (!h5_signature(path)) {
        return access(path, R_OK) == 0
                   ? FAIL(ST_DATA, "%s: expected a result of 'pollard run', found no HDF5 file", path)
                   : FAIL(ST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    }
    TRY(access_properties(out, &properties));
    H5_OR(cleanup, st, out, "damaged or truncated", out->id = H5Fopen(path, H5F_ACC_RDONLY, properties));
cleanup:
    return h5_close(st, out, &properties);
}
