#ifndef IO_SAFETENSORS_WRITE_H
#define IO_SAFETENSORS_WRITE_H
/* Tensors as a safetensors file: u64 little-endian length of the header, JSON header, data. As the format asks, wider types come first and
 * the header is filled with spaces, so that every number is aligned. */
#include "nn/tensors.h"

typedef struct written_tensor {
    const char *name, *type; /* "F32", as the format calls it */
    size_t rank, dim[MAX_TENSOR_DIMS];
    const void *data; /* NULL: `fill` makes it when it is written */
} written_tensor;

/* Gives the numbers of tensor `index`, valid until it is called again; for files that would not fit into memory twice. */
typedef status written_fill(void *context, size_t index, const void **data);

/* Whole or not at all (file_write_parts). `facts` become __metadata__ (their source is left out). Errors: ST_CANT_WRITE; ST_BUG for two
 * tensors of one name, or a type that the format has not. */
MUST_CHECK status safetensors_write(const char *path, size_t n_facts, const fact facts[], size_t n, const written_tensor list[],
                                    written_fill *fill, void *context);

#endif
