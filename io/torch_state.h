#ifndef IO_TORCH_STATE_H
#define IO_TORCH_STATE_H
/* From what torch.save wrote to named tensors: both of torch's formats end here. */
#include "io/pickle.h"
#include "nn/tensors.h"

/* Where the bytes of a storage lie: *data [*bytes]. Errors: ST_DATA. */
typedef struct torch_source {
    const char *source; /* file name for messages */
    size_t file_bytes;
    status (*find)(const struct torch_source *from, const torch_storage *s, const unsigned char **data,
                   uint64_t *bytes);
    const void *context;
} torch_source;

/* The tensors of `root`: a dictionary of them, or one below the keys by which training programs wrap it (docs/checkpoints.md). Tensors are
 * made row-major float32 where they are not; contiguous float32 is borrowed from the file. The tensors of one file may not have more elements
 * than the file has bytes, which bounds memory whatever strides say. Errors: ST_DATA. */
MUST_CHECK status torch_state_tensors(arena *a, const torch_source *from, const pickle_value *root, tensors **out);

#endif
