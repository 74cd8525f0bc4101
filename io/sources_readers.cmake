# Checkpoints, images, data sets, digests.
target_sources(pollard_io PRIVATE sha256.c file_kind.c safetensors.c model_json.c facts.c image_decode.c image_png.c image_jpeg.c image_resize.c
               preprocess.c dataset.c)
