#!/usr/bin/env bash
# The module file, as Environment Modules and Lmod read it (each where it is installed): what `module load pollard` sets, what it leaves as it was, and that nothing
# stays behind it. POLLARD_PREFIX: where the program is installed already.
. "$(dirname "$0")/lib.sh"
build=$(dirname "$(dirname "$POLLARD")") # of the program that is tested
[ -n "${POLLARD_PREFIX:-}" ] || { [ -f "$build/cmake_install.cmake" ] && command -v cmake >/dev/null; } || { echo "skipped: $POLLARD is in no build folder"; exit 77; }

# What the shells of users read at their start, of each kind of `module`.
kinds=()
for init in "${MODULESHOME:-/usr/share/modules}/init/bash" /usr/share/modules/init/bash "${LMOD_PKG:-/usr/share/lmod/lmod}/init/bash" /usr/share/lmod/lmod/init/bash; do
    [ -r "$init" ] && [[ " ${kinds[*]} " != *" $init "* ]] && kinds+=("$init")
done
[ "${#kinds[@]}" -gt 0 ] || { echo "skipped: no \`module\` is installed (Debian: environment-modules, or lmod, which excludes it)"; exit 77; }

prefix=${POLLARD_PREFIX:-$work/prefix}
[ -n "${POLLARD_PREFIX:-}" ] || cmake --install "$build" --prefix "$prefix" >"$work/log" 2>&1 || { fail "cmake --install"; cat "$work/log"; finish; }
modulefiles=$prefix/share/pollard/modulefiles
version=$("$POLLARD" --version | awk '{print $2; exit}')

# user INIT COMMANDS [VARIABLE=VALUE]...: a new shell of somebody who has used the folder of the module.
user() {
    local init=$1 commands=$2
    shift 2
    (cd "$work" && env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$work" LC_ALL=C.UTF-8 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$@" \
        bash --noprofile --norc -c ". '$init' && module use '$modulefiles' && $commands" 2>&1)
}
# is WHAT EXPECTED FOUND
is() {
    [ "$2" = "$3" ] && pass || fail "$kind: $1: expected '$2', found '$3'"
}

for init in "${kinds[@]}"; do
    kind=$(user "$init" 'module --version' | grep -v '^$' | head -n 1 | tr -s ' ')
    echo "$kind ($init)"
    is "what there is" "pollard/$version" "$(user "$init" 'module -t avail pollard' | grep -o 'pollard/[0-9][0-9.]*' | head -n 1)"
    user "$init" 'module whatis pollard' | grep -q 'prune what the explanation' && pass || fail "$kind: whatis"
    user "$init" 'module help pollard' | grep -q 'Start with: pollard --help' && pass || fail "$kind: help"

    # The program, and that it runs a study of its own.
    is "the program" "$prefix/bin/pollard" "$(user "$init" 'module load pollard && command -v pollard')"
    is "threads" "1 1" "$(user "$init" 'module load pollard && echo $OPENBLAS_NUM_THREADS $OMP_NUM_THREADS')"
    user "$init" "module load pollard && pollard run '$prefix/share/pollard/configs/digits.yaml' -o $work/module.h5 $(printf "'%s' " "${small[@]}")" >"$work/log" &&
        [ -s "$work/module.h5" ] && pass || { fail "$kind: a study"; tail -n 5 "$work/log"; }
    rm -f "$work/module.h5"

    # What others find things by: ours comes before what was there, and what means "the system's own" while it is unset goes on to be found.
    is "the loader" "$prefix/share/pollard/analysis:/theirs" "$(user "$init" 'module load pollard && echo $PYTHONPATH' PYTHONPATH=/theirs)"
    for data in "" XDG_DATA_DIRS=/theirs:/usr/local/share:/usr/share; do
        found=$(user "$init" 'module load pollard && echo $XDG_DATA_DIRS' ${data:+"$data"})
        [[ $found: = "$prefix/share:"* && $found: = *:/usr/local/share:* && $found: = *:/usr/share:* ]] && pass || fail "$kind: XDG_DATA_DIRS is $found, where it was '$data'"
    done
    if command -v manpath >/dev/null; then
        for pages in "" MANPATH=/usr/share/man; do
            found=$(user "$init" 'module load pollard && manpath -q' ${pages:+"$pages"})
            case $found: in "$prefix/share/man:"*/usr/share/man:*) pass ;; *) fail "$kind: man looks in $found, where MANPATH was '$pages'" ;; esac
        done
    else
        echo "skipped: man is not installed"
    fi

    # Loaded twice is loaded once; unloaded, all is as it was.
    is "PATH, loaded twice" 1 "$(user "$init" 'module load pollard && module load pollard && echo $PATH' | tr : '\n' | grep -cx "$prefix/bin")"
    settings='env | grep -Ev "^(_|SHLVL|LOADEDMODULES|_LMFILES_|_ModuleTable.*|__LMOD.*|__MODULES.*|LMOD.*|MODULES.*)=" | sort'
    for data in "" XDG_DATA_DIRS=/theirs:/usr/local/share:/usr/share; do
        is "settings, unloaded, where there was '$data'" "$(user "$init" "$settings" ${data:+"$data"})" \
            "$(user "$init" "module load pollard && module unload pollard && $settings" ${data:+"$data"})"
    done

    # Two versions at once are none: the second is refused, or takes the place of the first.
    cp "$modulefiles/pollard/$version" "$modulefiles/pollard/99"
    is "two versions" 1 "$(user "$init" "module load pollard/$version; module load pollard/99 >/dev/null 2>&1; module -t list" | grep -c '^pollard/')"
    rm "$modulefiles/pollard/99"
done
finish
