# The result file: HDF5 in the netCDF-4 layout.
target_sources(pollard_io PRIVATE guard.c h5.c h5_file.c h5_group.c h5_read.c h5_table.c h5_trial.c h5_write.c
               results_audit.c results_catalogue.c results_curves.c results_heatmaps.c results_inspect.c results_inspect_audit.c results_inspect_curves.c results_inspect_heatmaps.c results_inspect_search.c results_inspect_spectrum.c results_inspect_waits.c results_provenance.c results_rows.c results_same.c results_search.c results_spectrum.c results_statistics.c results_tracks.c
               results_write.c text_table.c)
set_source_files_properties(results_write.c PROPERTIES COMPILE_DEFINITIONS POLLARD_VERSION="${PROJECT_VERSION}")
