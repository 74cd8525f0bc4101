# target_sources(pollard_io PRIVATE ...)
