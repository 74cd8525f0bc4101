#ifndef PIPELINE_MODEL_H
#define PIPELINE_MODEL_H
/* Trained networks of a study: read once on each node, their weights in memory that its ranks share, built on every rank. */
#include "parallel/comm.h"
#include "stages/study.h"

/* Collective. Reads a file on rank 0 and gives its bytes and SHA-256 to all; an `optional` file that is absent gives data NULL.
 * Errors: ST_NO_INPUT, ST_DATA. */
MUST_CHECK status share_file(comm *c, arena *a, const char *path, bool optional, size_t most, file_bytes *out, char digest[65]);

/* What a checkpoint says: its tensors and facts, `model.json` beside it and the config's facts merged in. Local; json may be empty. */
MUST_CHECK status model_tensors(arena *a, const char *path, file_bytes checkpoint, const char *json_path, file_bytes json,
                                const config_model *cm, tensors **out);

/* The same from files, for one process: `model.json` beside the checkpoint is taken where it is. *bytes: of the checkpoint. */
MUST_CHECK status model_read(arena *a, const char *path, const config_model *cm, tensors **out, size_t *bytes);

typedef struct model_inputs { /* for /provenance */
    const char *checkpoint_path, *json_path;
    char checkpoint_sha256[65], json_sha256[65]; /* json_sha256 "" where there is no model.json */
    size_t checkpoint_bytes, json_bytes;
    size_t shared_bytes; /* of weights that the ranks of a node share; 0: each rank has its own */
} model_inputs;

enum { MODEL_LARGEST_JSON = 1 << 24 };
extern const size_t model_largest_checkpoint; /* bytes */

/* Collective. The first rank of each node reads the file, into `scratch`, and folds its weights. Errors: ST_NO_INPUT, ST_DATA (also where nodes
 * see different files), ST_CONFIG, ST_ENVIRONMENT. */
MUST_CHECK status model_load(comm *c, arena *a, arena *scratch, const config_model *cm, study_model *out, model_inputs *inputs);

/* The model must tell as many classes apart as there are folders, and where it knows a folder's name, at that folder's place; other
 * names get a warning. Errors: ST_DATA. */
MUST_CHECK status model_check_classes(const study_model *m, const dataset *d);

#endif
