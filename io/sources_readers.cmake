# Checkpoints, images, data sets, digests.
target_sources(pollard_io PRIVATE sha256.c file_kind.c checkpoint.c number_type.c pickle.c pickle_objects.c torch_state.c zip_archive.c model_json.c facts.c image_decode.c image_png.c image_jpeg.c image_resize.c
               image_interpolate.c preprocess.c preprocess_facts.c dataset.c dataset_list.c dataset_read.c dataset_shards.c index_text.c
               pack_format.c pack_verify.c pack_write.c tar.c tar_index.c tar_samples.c)
add_family(pollard_io checkpoints/readers.def)
