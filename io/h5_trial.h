#ifndef IO_H5_TRIAL_H
#define IO_H5_TRIAL_H
/* Does HDF5 work here? For `pollard doctor`. Rank-local. */
#include "io/files.h"

typedef struct h5_versions {
    unsigned int built[3], found[3]; /* of the header, of the library that was loaded */
} h5_versions;

void h5_trial_versions(h5_versions *out);
/* Where header and library differ the library ends the process at its first use. */
bool h5_trial_usable(const h5_versions *v);

/* A small file, made as results are. */
MUST_CHECK status h5_trial_make(arena *a, file_bytes *out);
/* Reads such a file back. Errors: ST_DATA. */
MUST_CHECK status h5_trial_read(const char *path);
/* Opens it for writing as other programs do, with the library's own idea of locks. */
bool h5_trial_locks(const char *path);

#endif
