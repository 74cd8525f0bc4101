#ifndef PIPELINE_PACK_H
#define PIPELINE_PACK_H
/* `pollard pack`: a data set into the shards of a pack, by as many ranks as there are, and whether such shards are what they were. */
#include "io/image.h"
#include "parallel/comm.h"
#include "pipeline/cli.h"

/* Collective. Shards that are there and undamaged stay; the index comes last. Errors: those of images, ST_CANT_WRITE, ST_STOPPED. */
MUST_CHECK status pack_make(comm *c, const cli *cl);
/* Collective. Prints a line for each shard or image that is damaged; then ST_DATA. */
MUST_CHECK status pack_check_all(comm *c, const char *folder);

/* Local (pipeline/pack_recipe.c). What a study does with its images before they are normalised; `model` NULL: all models have to agree;
 * `evaluated`: with the images on which accuracy is measured, else with those that are explained.
 * Errors: those of the study and its checkpoints; ST_USAGE where models differ. */
MUST_CHECK status pack_recipe(arena *a, const char *path, size_t n_sets, const char *const sets[], const char *model, bool evaluated,
                              preprocess *out);

#endif
