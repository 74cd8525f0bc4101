#ifndef IO_VERSIONS_H
#define IO_VERSIONS_H
/* Versions of the libraries that read and write files, as the running program finds them: for /provenance and --version. */
#include "core/arena.h"

/* "HDF5 1.10.8, libfyaml 0.7.12, ..."; NULL when memory is gone. */
char *io_versions(arena *a);

#endif
