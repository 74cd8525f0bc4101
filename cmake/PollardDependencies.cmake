# Libraries, each named with its packages where it is missing: all that are missing at once, so that one more try is enough.
set(missing "")

# need(FOUND "what and which version" DEBIAN FEDORA SPACK)
macro(need found what debian fedora spack)
    if(NOT ${found})
        string(APPEND missing "\n  ${what}\n      apt-get install ${debian}  |  dnf install ${fedora}  |  spack install ${spack}")
    endif()
endmacro()

macro(need_pkg target module version debian fedora spack)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module}>=${version})
    endif()
    need(${target}_FOUND "${module} >= ${version}" ${debian} ${fedora} ${spack})
endmacro()

find_package(PkgConfig QUIET)
need(PKG_CONFIG_FOUND "pkg-config, without which the libraries below are not found either" pkg-config pkgconf-pkg-config pkgconf)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED) # POSIX threads come with every C library that we know

find_package(MPI 3.1 COMPONENTS C QUIET)
need(MPI_C_FOUND "MPI >= 3.1; where it is installed as a module: module load mpi" "openmpi-bin libopenmpi-dev" openmpi-devel openmpi)

# Serial HDF5 is enough, one rank writes; where there is only a parallel one, that works too: its header then wants mpi.h.
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 1.10 COMPONENTS C QUIET)
if(NOT HDF5_FOUND)
    set(HDF5_PREFER_PARALLEL ON)
    unset(HDF5_C_COMPILER_EXECUTABLE CACHE) # these two would lead the second search to where the first one ended
    unset(HDF5_IS_PARALLEL CACHE)
    unset(HDF5_IS_PARALLEL)
    find_package(HDF5 1.10 COMPONENTS C QUIET)
endif()
need(HDF5_FOUND "HDF5 >= 1.10" libhdf5-dev hdf5-devel hdf5~mpi)

need_pkg(OPENBLAS openblas 0.3.10 libopenblas-pthread-dev openblas-devel openblas)
# oneDNN is optional. Found by header and library: the CMake package of some distributions wants OpenCL, which the processor does not
# need. Another place than the system's: -DCMAKE_PREFIX_PATH=... (a module or a package manager often sets it).
set(POLLARD_HAVE_ONEDNN OFF)
if(NOT POLLARD_ONEDNN STREQUAL "OFF")
    find_library(ONEDNN_LIBRARY dnnl)
    find_path(ONEDNN_INCLUDE oneapi/dnnl/dnnl.h)
    mark_as_advanced(ONEDNN_LIBRARY ONEDNN_INCLUDE)
    find_package(OpenMP QUIET COMPONENTS C)
    if(ONEDNN_LIBRARY AND ONEDNN_INCLUDE AND OpenMP_C_FOUND)
        file(STRINGS ${ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_version.h lines REGEX "define DNNL_VERSION_(MAJOR|MINOR|PATCH) ")
        string(REGEX REPLACE "[^0-9;]" "" ONEDNN_VERSION "${lines}")
        string(REPLACE ";" "." ONEDNN_VERSION "${ONEDNN_VERSION}")
        if(ONEDNN_VERSION VERSION_GREATER_EQUAL 2.6)
            set(POLLARD_HAVE_ONEDNN ON)
        endif()
    endif()
    if(POLLARD_ONEDNN STREQUAL "ON")
        need(POLLARD_HAVE_ONEDNN "oneDNN >= 2.6, with OpenMP for C; or build without it: -DPOLLARD_ONEDNN=OFF"
            libdnnl-dev onednn-devel onednn)
    endif()
endif()

need_pkg(FYAML libfyaml 0.7.12 libfyaml-dev libfyaml-devel libfyaml)
need_pkg(JANSSON jansson 2.12 libjansson-dev jansson-devel jansson)
need_pkg(JPEG libjpeg 1.5 libjpeg-dev libjpeg-turbo-devel libjpeg-turbo)
need_pkg(ZLIB zlib 1.2.9 zlib1g-dev zlib-devel zlib-api)
need_pkg(PNG libpng 1.6 libpng-dev libpng-devel libpng)

find_path(RANDOM123_INCLUDE Random123/philox.h)
mark_as_advanced(RANDOM123_INCLUDE)
need(RANDOM123_INCLUDE "Random123 (headers)" librandom123-dev Random123-devel random123)

if(POLLARD_TESTS)
    need_pkg(CMOCKA cmocka 1.1.5 libcmocka-dev libcmocka-devel cmocka)
endif()

if(missing)
    message(FATAL_ERROR "Pollard needs libraries that were not found (docs/install.md tells more):${missing}\n")
endif()

if(POLLARD_HAVE_ONEDNN)
    message(STATUS "oneDNN ${ONEDNN_VERSION}: the default backend")
    add_library(onednn INTERFACE)
    target_include_directories(onednn SYSTEM INTERFACE ${ONEDNN_INCLUDE})
    target_link_libraries(onednn INTERFACE ${ONEDNN_LIBRARY} OpenMP::OpenMP_C)
else()
    message(STATUS "oneDNN: not used (POLLARD_ONEDNN=${POLLARD_ONEDNN}); OpenBLAS does the convolutions, several times slower")
endif()

add_library(random123 INTERFACE)
target_include_directories(random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE})

add_library(hdf5_c INTERFACE)
target_include_directories(hdf5_c SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_compile_definitions(hdf5_c INTERFACE ${HDF5_C_DEFINITIONS})
target_link_libraries(hdf5_c INTERFACE ${HDF5_C_LIBRARIES})
if(HDF5_IS_PARALLEL)
    target_link_libraries(hdf5_c INTERFACE MPI::MPI_C)
endif()
