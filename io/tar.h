#ifndef IO_TAR_H
#define IO_TAR_H
/* Members of a tar archive (POSIX.1-1988 ustar, POSIX.1-2001 pax, GNU long names and large sizes) without unpacking it. */
#include "io/files.h"

/* Where its bytes come from. `read` gives n bytes from offset on, which lie within `size`. */
typedef struct tar_source {
    const char *path; /* as messages name it */
    uint64_t size;
    status (*read)(void *context, uint64_t offset, size_t n, void *data);
    void *context;
} tar_source;

typedef enum tar_kind { TAR_FILE, TAR_LINK, TAR_OTHER /* folders, devices */ } tar_kind;

typedef struct tar_member {
    const char *name; /* until the next one; without "./" before it; relative, no component is ".." */
    tar_kind kind;
    uint64_t offset, size; /* of the content */
} tar_member;

typedef status tar_visit(void *context, const tar_member *m);

/* Calls visit() for one member after the other. Errors: ST_DATA (no tar, cut off, damaged header, a sparse file, a name that leads out of the folder,
 * bytes behind the end) with the place in the file; those of visit() and of the source. */
MUST_CHECK status tar_read(const tar_source *source, tar_visit *visit, void *context);

enum { TAR_LONGEST_NAME = 4096 };

#endif
