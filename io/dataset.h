#ifndef IO_DATASET_H
#define IO_DATASET_H
/* Image folders: root/<class>/<image>; class index by sorted folder name, samples by class, then file name (bytewise order). Or a folder
 * with a list of its images and their classes (io/dataset_list.h). Or the same images in tar shards (io/tar_index.h) or in a pack
 * (io/pack.h): then names, classes and their order are those of the folder, and so is everything that is computed. */
#include "io/files.h"

typedef enum dataset_kind { DATASET_FILES, DATASET_TAR, DATASET_PACK } dataset_kind;

/* A file that holds many images. */
typedef struct dataset_shard {
    const char *name; /* in the folder `root`; "": root itself */
    uint64_t bytes;   /* of a tar, when it was indexed */
    size_t first;     /* of a pack: its first sample */
} dataset_shard;

typedef struct dataset_place { /* in a tar */
    uint64_t offset;
    uint32_t shard, size;
} dataset_place;

typedef struct dataset {
    const char *root;
    dataset_kind kind;
    size_t n_classes, n_samples;
    const char *const *class_name; /* [n_classes] */
    const size_t *class_first;     /* [n_classes + 1] samples of class c: class_first[c] .. class_first[c+1]-1 */
    const char *const *path;       /* [n_samples] relative to root: "7/0012.png" */
    const uint32_t *label;         /* [n_samples] */
    size_t n_shards;
    const dataset_shard *shard;    /* [n_shards] */
    const dataset_place *place;    /* [n_samples] of tar shards */
    const char *steps;             /* of a pack of decoded images: what has been done with them (preprocess_steps); else NULL */
    size_t stored[2];              /* ... and their height and width */
    uint8_t identity[32];          /* of a pack: in its index and in each of its shards */
    struct dataset_handles *handles; /* of shards that are open (io/dataset_read.c); NULL for files */
} dataset;

/* Lists the folder as text (one line a class or file) that rank 0 can broadcast. Only image file names count (.png .jpg .jpeg, any
 * case); hidden files are passed over; folders beyond the second level too; symbolic links are followed. Errors: ST_NO_INPUT (no such
 * folder, a link to nowhere), ST_DATA (no class folder, a class folder without images: named; a name with a control character). */
MUST_CHECK status dataset_list(arena *a, const char *root, char **text, size_t *size);
/* The same from a sample list; paths in it are relative to root. Numbers as labels get the names of `other` (NULL: none). Errors:
 * ST_NO_INPUT, ST_DATA. */
MUST_CHECK status dataset_list_samples(arena *a, const char *root, const char *list, const struct dataset *other, char **text,
                                       size_t *size);
/* What `root` is, whatever it is: a folder with classes or, with `list`, without; a tar or a folder of tars; a pack. Errors: as above. */
MUST_CHECK status dataset_list_any(arena *a, const char *root, const char *list, const struct dataset *other, char **text, size_t *size);
/* Takes such a text apart; it is not trusted: lines, names and order are checked again (ST_DATA). */
MUST_CHECK status dataset_parse(arena *a, const char *root, const char *text, size_t size, dataset **out);
MUST_CHECK status dataset_open(arena *a, const char *root, dataset **out); /* both, for one process */
bool dataset_is_image(const char *name); /* .png .jpg .jpeg, any case */
/* The first class whose name is a number out of order: folders 0, 1, 10, 2 are sorted as texts, as torchvision does, and class 2 is folder
 * 10. NULL: no such trap. */
const char *dataset_misplaced_number(const dataset *d);

#endif
