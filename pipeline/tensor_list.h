#ifndef PIPELINE_TENSOR_LIST_H
#define PIPELINE_TENSOR_LIST_H
/* What a checkpoint has, without the numbers: names, types and shapes of its tensors and the facts, as bytes that one rank of a node sends to
 * the others. Both ends are the same program on the same machine, so that sizes are in its own order; nothing of it is stored. */
#include "nn/tensors.h"

MUST_CHECK status tensor_list_write(arena *a, const tensors *t, const void **data, size_t *size);
/* Everything is copied into `a`; the tensors' data is NULL. Errors: ST_BUG where the bytes are not of such a list. */
MUST_CHECK status tensor_list_read(arena *a, const void *data, size_t size, tensors **out);

#endif
