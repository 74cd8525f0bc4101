# Compiler settings that every target of ours gets by linking pollard_options.
add_library(pollard_options INTERFACE)
target_compile_features(pollard_options INTERFACE c_std_17)
target_compile_definitions(pollard_options INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(pollard_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
    -Wcast-qual -Wpointer-arith -Wvla -Wformat=2 -Wundef
    # Messages name files from the root of the sources; results must not depend on how a compiler fuses operations.
    -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= -ffp-contract=off
    # Nobody looks at the flags of floating-point exceptions; without this a loop that selects is not vectorised.
    -fno-trapping-math)
target_include_directories(pollard_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/engine)
set(CMAKE_C_EXTENSIONS OFF)
if(POLLARD_WERROR)
    target_compile_options(pollard_options INTERFACE -Werror)
endif()
if(POLLARD_MARCH)
    target_compile_options(pollard_options INTERFACE -march=${POLLARD_MARCH})
endif()
if(POLLARD_LIBFUZZER)
    target_compile_options(pollard_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(POLLARD_SANITIZE)
    target_compile_options(pollard_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer
                           -fno-sanitize-recover=undefined)
    target_link_options(pollard_options INTERFACE -fsanitize=address,undefined)
    if(CMAKE_C_COMPILER_ID MATCHES "Clang")
        target_compile_definitions(pollard_options INTERFACE __SANITIZE_ADDRESS__=1) # GCC says so itself
    endif()
endif()
