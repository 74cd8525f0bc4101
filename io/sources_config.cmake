# Study files: the tables (schema), the tree (yaml, node, set) and what becomes of it.
target_sources(pollard_io PRIVATE config.c config_composite.c config_heatmaps.c config_help.c config_node.c config_rates.c config_read.c config_resolve.c
               config_schema.c config_search.c config_set.c config_tasks.c config_yaml.c)
