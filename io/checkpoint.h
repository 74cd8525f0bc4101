#ifndef IO_CHECKPOINT_H
#define IO_CHECKPOINT_H
/* Trained networks as files. Every byte is hostile: offsets, sizes and names are checked before use; nothing is ever executed. */
#include "io/files.h"
#include "nn/tensors.h"

/* Parses a checkpoint that lies in memory, of whichever format its bytes are: safetensors, or what torch.save writes (docs/checkpoints.md).
 * `bytes` stays borrowed. Weights of types F32, F16, BF16 and F64 come as float32; `module.` in front of every name is left out.
 * Errors: ST_DATA, naming `source`, what was expected and found, and the tensor. */
MUST_CHECK status checkpoint_parse(arena *a, const char *source, file_bytes bytes, tensors **out);
/* "safetensors": the format by a file's first bytes; NULL: no checkpoint. */
const char *checkpoint_format(file_bytes start);

/* Parses a safetensors file that lies in memory (bytes stay borrowed: tensors point into them where aligned, else are copied).
 * Layout: u64 little-endian header length, JSON header {name: {dtype, shape, data_offsets}}, data without gaps or overlaps.
 * F32, F16, BF16 and F64 data is usable; other types are listed with TENSOR_OTHER. `__metadata__` becomes facts (source "metadata").
 * Errors: ST_DATA, naming `source`, what was expected and found, and the tensor. */
MUST_CHECK status safetensors_parse(arena *a, const char *source, file_bytes bytes, tensors **out);

/* Facts of a `model.json` (source "model.json"), flattened: the leaf's name is the fact's, of equal names the outermost wins, then the
 * first in the file. Lists of scalars become "a,b,c", where a comma or backslash within an element has a backslash in front; null is
 * "none"; lists of lists or objects are passed over. Errors: ST_DATA with line and column. */
MUST_CHECK status model_json_parse(arena *a, const char *source, file_bytes bytes, size_t *n, fact **out);

/* Puts facts in canonical form and order: config first, then model.json, then metadata (the first of a name wins). Canonical names:
 *   arch, num_heads, num_classes, channels, image_size ("HxW"), resize ("HxW" | "S" | "none"), crop ("HxW" | "none"),
 *   mean ("a,b,c"), std ("a,b,c"), classes ("a,b,c"), preprocess, evaluation_preprocess, interpolation, crop_pct.
 * `architecture` and `heads` are read as arch and num_heads, `crop_fraction` as crop_pct, `input` or `input_size` "CxHxW" as channels and
 * image_size, `height` with `width` as
 * image_size, each only where the same source does not say it by the canonical name. A remark behind a size ("48x48 bilinear") is left
 * out; one number for three channels is repeated; a known fact other than resize and crop that is "none" is dropped. Unknown facts are
 * kept. Errors: ST_DATA where a winning value does not have its form. */
MUST_CHECK status facts_merge(arena *a, size_t n_config, const fact *config, size_t n_json, const fact *json,
                              tensors *t);

#endif
