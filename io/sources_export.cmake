# What `pollard export` reads and writes beside checkpoints.
target_sources(pollard_io PRIVATE results_carry.c results_read.c results_read_mask.c safetensors_write.c shrunk_json.c)
