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
need_pkg(FYAML libfyaml 0.7.12 libfyaml-dev libfyaml-devel libfyaml)
need_pkg(JANSSON jansson 2.12 libjansson-dev jansson-devel jansson)
need_pkg(JPEG libjpeg 1.5 libjpeg-dev libjpeg-turbo-devel libjpeg-turbo)
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

add_library(random123 INTERFACE)
target_include_directories(random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE})

add_library(hdf5_c INTERFACE)
target_include_directories(hdf5_c SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_compile_definitions(hdf5_c INTERFACE ${HDF5_C_DEFINITIONS})
target_link_libraries(hdf5_c INTERFACE ${HDF5_C_LIBRARIES})
if(HDF5_IS_PARALLEL)
    target_link_libraries(hdf5_c INTERFACE MPI::MPI_C)
endif()
