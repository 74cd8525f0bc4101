#ifndef IO_TAR_INDEX_H
#define IO_TAR_INDEX_H
/* Tar shards as a data set. The image KEY.png (.jpg, .jpeg) is of the class that KEY.cls says, a name or a number, or KEY.json in "cls" or
 * "label"; where no image has such a file, of the class of the folder in which it is, as in a tree. A sample's id is its path in the tar, for
 * classes by folders the folder and the name; each must be there once in all shards together.
 *
 * The headers of all shards are read once; what they say is kept in ROOT/.pollard-tar-index (FILE.pollard-tar-index beside a single tar), or
 * where that cannot be written below $XDG_CACHE_HOME or ~/.cache, and read again until size or time of a shard changes. */
#include "io/files.h"

bool tar_is_file(const char *path);                                   /* a file *.tar? */
MUST_CHECK status tar_shards_there(const char *folder, bool *out); /* any *.tar in it? */
/* The listing for dataset_parse(); class_name [n_classes]: of the other data set, for numbers as labels. Errors: ST_NO_INPUT, ST_DATA. */
MUST_CHECK status tar_list(arena *a, const char *root, size_t n_classes, const char *const class_name[], char **text, size_t *size);

#endif
