# Writes pipeline/revision.h with the version and git revision of the sources at build time; touches it only when that changes.
# Run as a script:  cmake -DSOURCE=... -DOUTPUT=... -DVERSION=... -P PollardRevision.cmake
set(revision "unknown")
find_program(GIT git)
if(GIT)
    # A copy without git inside another project's tree must not take that tree's revision.
    execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --show-toplevel OUTPUT_VARIABLE top ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    file(REAL_PATH "${top}" top)
    file(REAL_PATH "${SOURCE}" source)
endif()
if(GIT AND top STREQUAL source)
    execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE found
                    ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
    if(NOT failed)
        set(revision ${found})
    endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#define POLLARD_VERSION "@VERSION@"
#define POLLARD_REVISION "@revision@"
]])
