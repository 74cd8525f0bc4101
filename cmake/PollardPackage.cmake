# `cpack -G DEB` in the build folder: a Debian package of what is installed. Libraries are found by dpkg-shlibdeps, of the package dpkg-dev.
set(CPACK_PACKAGE_NAME pollard)
set(CPACK_PACKAGE_VENDOR "The Pollard authors")
set(CPACK_PACKAGE_CONTACT "The Pollard authors <pollard@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "explain, prune and measure trained vision networks")
set(CPACK_PACKAGE_DESCRIPTION "Explains trained vision networks with layer-wise relevance propagation, prunes the components that the
explanation calls irrelevant, and measures the accuracy of what is left, on one computer or many (MPI).")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS openmpi-bin)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "slurm-client, python3-xarray, python3-h5netcdf, python3-pandas")
set(CPACK_INSTALLED_DIRECTORIES ${CMAKE_SOURCE_DIR}/packaging/debian usr/share/doc/pollard) # `copyright`, of packages alone
include(CPack)
