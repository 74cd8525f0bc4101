#include "io/versions.h"

#include <stdio.h>

#include <hdf5.h>
#include <jansson.h>
#include <jpeglib.h>
#include <libfyaml.h>
#include <png.h>

char *io_versions(arena *a)
{
    unsigned major = 0, minor = 0, release = 0;
    (void)H5get_libversion(&major, &minor, &release);
    return arena_text(a, "HDF5 %u.%u.%u, libfyaml %s, jansson %s, libpng %s, libjpeg API %d", major, minor, release,
                      fy_library_version(), JANSSON_VERSION, png_get_libpng_ver(NULL), JPEG_LIB_VERSION);
}
