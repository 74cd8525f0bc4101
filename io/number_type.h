#ifndef IO_NUMBER_TYPE_H
#define IO_NUMBER_TYPE_H
/* Types of numbers in checkpoints: how files call them, how wide they are, how they become float32. Files are little-endian. */
#include <stddef.h>

typedef struct number_type {
    const char *name;    /* as safetensors calls it: "F16" */
    const char *storage; /* as torch calls an array of it: "HalfStorage"; NULL: it has none */
    size_t bytes;
    float (*read)(
        const unsigned char *from); /* NULL: no type for weights. F64 is rounded; beyond float32 it becomes infinite */
} number_type;

const number_type *number_type_called(const char *name); /* NULL: none */
const number_type *number_type_of_storage(const char *storage,
                                          size_t length); /* [length], e.g. "FloatStorage"; NULL: none */

#endif
