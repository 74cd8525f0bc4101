# add_family(TARGET LIST.def): adds one source per line `MACRO(name)` of the list, from the list's folder: <name>.c.
# The same list gives C its table, so a new member is one file and one line.
function(add_family target list)
    cmake_path(ABSOLUTE_PATH list OUTPUT_VARIABLE path)
    cmake_path(GET path PARENT_PATH folder)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(STRINGS ${path} lines REGEX "^[A-Z]+\\([a-z0-9_]+\\)")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[A-Z]+\\(([a-z0-9_]+)\\).*" "\\1" name "${line}")
        target_sources(${target} PRIVATE ${folder}/${name}.c)
    endforeach()
endfunction()
