#!/usr/bin/env bash
# check_tree.sh ROOT: rules of the house that no compiler checks. Prints each breach as file:line and fails.
set -u
cd -- "${1:?usage: check_tree.sh ROOT}" || exit 2

most_lines=600
found=0
findings=$(mktemp) && code=$(mktemp) || exit 2
trap 'rm -f "$findings" "$code"' EXIT

# Files of the repository; in a copy without git all but the builds.
mapfile -d '' -t all < <(git ls-files -z --cached --others --exclude-standard 2>/dev/null)
if [ "${#all[@]}" = 0 ]; then
    mapfile -d '' -t all < <(find . -path ./build -prune -o -path ./.git -prune -o -type f -printf '%P\0')
fi
present=()
for file in "${all[@]}"; do
    [ -f "$file" ] && present+=("$file") # a file may be deleted and not yet committed
done
if [ "${#present[@]}" = 0 ]; then
    echo "no files in $PWD" >&2
    exit 2
fi

report() { # report TITLE: what is in $findings, if anything, breaks the rule TITLE
    if [ -s "$findings" ]; then
        printf '%s\n' "$1"
        sed 's/^/    /' "$findings"
        found=1
    fi
}

matching() { # matching ERE: the present files, one a line
    printf '%s\n' "${present[@]}" | grep -E -- "$1"
}

# Comments and the insides of strings are blanked, line numbers stay.
without_comments() {
    awk '{
        out = ""; n = length($0)
        for (i = 1; i <= n; i++) {
            two = substr($0, i, 2); one = substr($0, i, 1)
            if (comment) { if (two == "*/") { comment = 0; i++ } continue }
            if (quote != "") { if (one == "\\") i++; else if (one == quote) { quote = ""; out = out one } continue }
            if (two == "/*") { comment = 1; i++; continue }
            if (two == "//") break
            if (one == "\"" || one == "\047") quote = one
            out = out one
        }
        quote = ""
        print out
    }' "$1"
}

in_code() { # in_code FILES_ERE EXCEPT_ERE ERE: code lines that match, as file:line: text
    matching "$1" | grep -Ev -- "$2" | while IFS= read -r file; do
        without_comments "$file" >"$code"
        grep -nE -- "$3" "$code" | sed "s|^|$file:|"
    done
}

printf '%s\0' "${present[@]}" | xargs -0 grep -naoE '(^|[^[:alnum:]_./-])/(work|home|root|Users)/[[:print:]]{0,40}' -- >"$findings"
report "Paths of somebody's machine:"

matching '\.(c|h|py|sh|md|cmake|def|yaml)$|^quickstart$|CMakeLists\.txt$' | while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -gt "$most_lines" ] && echo "$file: $lines lines"
done >"$findings"
report "Files of more than $most_lines lines (two ideas are two files):"

include='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]'
sources='\.[ch]$'
includes_of() { # includes_of HEADER_ERE EXCEPT_ERE; the code filter would blank "header.h", so this reads the files as they are
    matching "$sources" | grep -Ev -- "$2" | tr '\n' '\0' | xargs -0 -r grep -nE -- "$include$1" /dev/null
}
includes_of 'hdf5(_hl)?\.h' '^(io|tests)/' >"$findings"
report "hdf5.h is for io/ only:"
includes_of 'mpi\.h' '^(parallel|stages|pipeline|tests)/' >"$findings"
report "mpi.h is for parallel/, stages/ and pipeline/ only:"
includes_of '(cblas|lapacke?|dnnl)\.h' '^engine/backend/' >"$findings"
report "BLAS is for engine/backend/ only:"
includes_of 'nlopt\.h' '^engine/search/' >"$findings"
report "NLopt is for engine/search/ only:"

in_code "$sources" '^(engine/core/arena\.c$|tests/)' '(^|[^[:alnum:]_])(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|free)[[:space:]]*\(' >"$findings"
report "Memory comes from arenas (engine/core/arena.c):"

# Written apart, so that this file passes.
printf '%s\0' "${present[@]}" | xargs -0 grep -nIE '(^|[^[:alnum:]_])(TO''DO|FIX''ME)([^[:alnum:]_]|$)' -- >"$findings"
report "Unfinished work:"

# Whoever follows one of these lists gets all that CMake asks for. zlib comes with libpng, cmocka is for the tests alone.
lacks() { # lacks PACKAGE FILE...
    local package=$1 file
    shift
    for file in "$@"; do
        grep -qwF -- "$package" "$file" || echo "$file: $package"
    done
}
sed -nE 's/^ *need_pkg\(([A-Z0-9]+) [^ ]+ [^ ]+ ([^ ]+) ([^ ]+) ([^ )]+)\)$/\1 \2 \3 \4/p' cmake/PollardDependencies.cmake | grep -Ev '^(ZLIB|CMOCKA) ' |
    while read -r _ debian fedora spack; do
        lacks "$debian" docs/install.md quickstart packaging/apptainer/pollard.def
        lacks "$fedora" docs/install.md quickstart
        lacks "$spack" docs/install.md quickstart packaging/spack/package.py
    done >"$findings"
report "Lists of packages without one that cmake/PollardDependencies.cmake needs:"

[ "$found" = 0 ] && echo "${#present[@]} files, nothing found"
exit "$found"
