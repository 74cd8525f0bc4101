#ifndef IO_DATASET_LIST_H
#define IO_DATASET_LIST_H
/* Sample lists: which class each image of a folder without class folders has. The form is told by the content:
 *   one label a line                  the images of the folder, sorted by name, have these labels (ImageNet's validation set with
 *                                     imagenet_2012_validation_synset_labels.txt)
 *   path and label a line             between them a comma (CSV, a header and quotes are allowed), a tab or spaces
 *   ImageId,PredictionString          Kaggle's LOC_val_solution.csv: the first word of the prediction is the label
 * Labels are names, which make classes in bytewise order, or class numbers from 0. Lines that begin with # are comments. */
#include "io/files.h"

typedef struct image_names { /* of a folder, sorted */
    size_t n;
    const char *const *name;
} image_names;

/* A listing for dataset_parse(). Images that a folder has: folder->n (0 where not needed: sample_list_needs_folder). `class_name`
 * [n_classes]: of the other data set, so that numbers get its names; n_classes 0: none, numbers stay numbers. `source` is the list, for
 * messages. Errors: ST_DATA with the line. */
MUST_CHECK status sample_list_parse(arena *a, const char *source, file_bytes text, const image_names *folder,
                                    size_t n_classes, const char *const class_name[], char **listing, size_t *size);
bool sample_list_needs_folder(file_bytes text);
/* The same of paths and labels [n] that are apart already. `numbers`: labels that are all numbers are class numbers, as above; else names. */
MUST_CHECK status sample_list_join(arena *a, const char *source, size_t n, const char *const path[], const char *const label[], bool numbers,
                                   size_t n_classes, const char *const class_name[], char **listing, size_t *size);

#endif
