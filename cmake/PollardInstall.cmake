# `cmake --install build --prefix folder`, without root: the program, its man pages and completions where man and the shells look for them
# below a prefix, studies and data that run from where they lie, the Python loader, and the documents.
include(GNUInstallDirs)
set(texts ${CMAKE_BINARY_DIR}/texts)

# Libraries in folders of one's own (modules, Spack) are found by the installed program too.
set_target_properties(pollard PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS pollard RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

if(NOT CMAKE_CROSSCOMPILING)
    add_custom_command(OUTPUT ${texts}/made
        COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:pollard> -DOUTPUT=${texts} -P ${CMAKE_SOURCE_DIR}/cmake/PollardTexts.cmake
        COMMAND ${CMAKE_COMMAND} -E touch ${texts}/made
        DEPENDS pollard ${CMAKE_SOURCE_DIR}/cmake/PollardTexts.cmake
        COMMENT "Printing man pages and completions" VERBATIM)
    add_custom_target(pollard_texts ALL DEPENDS ${texts}/made)
    install(DIRECTORY ${texts}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
    install(FILES ${texts}/completions/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pollard)
    install(FILES ${texts}/completions/zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _pollard)
    install(FILES ${texts}/completions/fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME pollard.fish)
endif()

# Side by side as in the sources: configs/digits.yaml names ../examples/digits.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/pollard)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/digits DESTINATION ${CMAKE_INSTALL_DATADIR}/pollard/examples)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/analysis DESTINATION ${CMAKE_INSTALL_DATADIR}/pollard PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/pollard FILES_MATCHING PATTERN "*.sbatch")
install(FILES ${CMAKE_SOURCE_DIR}/packaging/modulefiles/pollard DESTINATION ${CMAKE_INSTALL_DATADIR}/pollard/modulefiles/pollard
        RENAME ${PROJECT_VERSION})
# The same folders as in the sources, so that links from page to page lead somewhere.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/analysis/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/analysis)
install(FILES ${CMAKE_SOURCE_DIR}/examples/digits/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/digits)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/NOTICE ${CMAKE_SOURCE_DIR}/CHANGELOG.md
        ${CMAKE_SOURCE_DIR}/CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
