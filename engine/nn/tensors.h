#ifndef NN_TENSORS_H
#define NN_TENSORS_H
/* Named tensors of a checkpoint and the facts that come with them, however they were read. */
#include "core/status.h"
#include "nn/graph.h"

typedef enum tensor_type { TENSOR_F32, TENSOR_OTHER } tensor_type;

typedef struct tensor {
    const char *name;
    tensor_type type;
    const char *type_name; /* as the file calls it: "F32", "I64" */
    size_t rank, dim[MAX_TENSOR_DIMS];
    const float *data; /* TENSOR_F32 only, which is what can be read as float32 whatever the file calls it; row-major; aligned to 4 bytes */
    const unsigned char *stored; /* [stored_bytes] TENSOR_OTHER: as the file has it, row-major; NULL where it does not lie so */
    size_t stored_bytes;
} tensor;

typedef struct fact {
    const char *name, *value; /* "num_heads" = "4" */
    const char *source;       /* where it comes from: "config", "model.json", "metadata" */
} fact;

typedef struct tensors {
    const char *source; /* file name for messages */
    size_t n;
    const tensor *list;
    size_t n_facts;
    const fact *facts; /* the first of a name wins: config before model.json before the file's own metadata */
} tensors;

const tensor *tensors_find(const tensors *t, const char *name); /* NULL if absent */
const char *tensors_fact(const tensors *t, const char *name);   /* NULL if absent */
/* Finds the integer fact `name`; ST_DATA where it is not a positive integer. *out stays when the fact is absent. */
MUST_CHECK status tensors_fact_count(const tensors *t, const char *name, size_t *out, bool *found);
/* The same for "HxW" (or one number for both) and for a positive real number. */
MUST_CHECK status tensors_fact_size(const tensors *t, const char *name, size_t out[2], bool *found);
MUST_CHECK status tensors_fact_real(const tensors *t, const char *name, double *out, bool *found);

#endif
