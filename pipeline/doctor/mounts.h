#ifndef PIPELINE_DOCTOR_MOUNTS_H
#define PIPELINE_DOCTOR_MOUNTS_H
/* What kind of file system a folder lies on: "ext4", "nfs4", "lustre". */
#include <stddef.h>

/* `folder` absolute, without links; `root` stands before /proc: "" but in tests. "unknown" where Linux does not tell. */
void mounts_kind(const char *root, const char *folder, size_t size, char kind[]);

#endif
