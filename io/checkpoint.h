#ifndef IO_CHECKPOINT_H
#define IO_CHECKPOINT_H
/* Trained networks as files. Every byte is hostile: offsets, sizes and names are checked before use; nothing is ever executed. */
#include "io/files.h"
#include "nn/tensors.h"

/* Parses a safetensors file that lies in memory (bytes stay borrowed: tensors point into them where aligned, else are copied).
 * Layout: u64 little-endian header length, JSON header {name: {dtype, shape, data_offsets}}, data without gaps or overlaps.
 * F32 data is usable; other types are listed with TENSOR_OTHER. `__metadata__` becomes facts (source "metadata").
 * Errors: ST_DATA, naming `source`, what was expected and found, and the tensor. */
MUST_CHECK status safetensors_parse(arena *a, const char *source, file_bytes bytes, tensors **out);

/* Facts of a `model.json` (flattened: the leaf's name is the fact's; arrays become "a,b,c"; nested objects too; source "model.json").
 * Errors: ST_DATA with line and column. */
MUST_CHECK status model_json_parse(arena *a, const char *source, file_bytes bytes, size_t *n, fact **out);

/* Puts facts in canonical form and order: config first, then model.json, then metadata (the first of a name wins). Canonical names:
 *   arch, num_heads, num_classes, channels, image_size ("HxW"), resize ("HxW" | "S" | "none"), crop ("HxW" | "none"),
 *   mean ("a,b,c"), std ("a,b,c"), classes ("a,b,c").
 * From metadata `input`="3x16x16" and model.json input {channels,height,width} become channels and image_size. Unknown facts are kept. */
MUST_CHECK status facts_merge(arena *a, size_t n_config, const fact *config, size_t n_json, const fact *json, tensors *t);

#endif
