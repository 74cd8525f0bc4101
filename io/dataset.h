#ifndef IO_DATASET_H
#define IO_DATASET_H
/* Image folders: root/<class>/<image>; class index by sorted folder name, samples by class, then file name (bytewise order). Or a folder
 * with a list of its images and their classes (io/dataset_list.h). */
#include "io/files.h"

typedef struct dataset {
    const char *root;
    size_t n_classes, n_samples;
    const char *const *class_name; /* [n_classes] */
    const size_t *class_first;     /* [n_classes + 1] samples of class c: class_first[c] .. class_first[c+1]-1 */
    const char *const *path;       /* [n_samples] relative to root: "7/0012.png" */
    const uint32_t *label;         /* [n_samples] */
} dataset;

/* Lists the folder as text (one line a class or file) that rank 0 can broadcast. Only image file names count (.png .jpg .jpeg, any
 * case); hidden files are passed over; folders beyond the second level too; symbolic links are followed. Errors: ST_NO_INPUT (no such
 * folder, a link to nowhere), ST_DATA (no class folder, a class folder without images: named; a name with a control character). */
MUST_CHECK status dataset_list(arena *a, const char *root, char **text, size_t *size);
/* The same from a sample list; paths in it are relative to root. Numbers as labels get the names of `other` (NULL: none). Errors:
 * ST_NO_INPUT, ST_DATA. */
MUST_CHECK status dataset_list_samples(arena *a, const char *root, const char *list, const struct dataset *other, char **text,
                                       size_t *size);
/* Takes such a text apart; it is not trusted: lines, names and order are checked again (ST_DATA). */
MUST_CHECK status dataset_parse(arena *a, const char *root, const char *text, size_t size, dataset **out);
MUST_CHECK status dataset_open(arena *a, const char *root, dataset **out); /* both, for one process */
/* The first class whose name is a number out of order: folders 0, 1, 10, 2 are sorted as texts, as torchvision does, and class 2 is folder
 * 10. NULL: no such trap. */
const char *dataset_misplaced_number(const dataset *d);

#endif
