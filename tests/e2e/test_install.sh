#!/usr/bin/env bash
# cmake --install into a folder, without root: the program runs from there, man and the shells find what is theirs.
. "$(dirname "$0")/lib.sh"
build=$(dirname "$(dirname "$POLLARD")") # of the program that is tested
[ -f "$build/cmake_install.cmake" ] && command -v cmake >/dev/null || { echo "skipped: $POLLARD is in no build folder"; exit 77; }
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >"$work/log" 2>&1 && pass || { fail "cmake --install"; cat "$work/log"; }
outside=$(sed -n 's/^-- \(Installing\|Up-to-date\): //p' "$work/log" | grep -v "^$prefix/")
[ -z "$outside" ] && pass || fail "files outside the prefix: $outside"

# The program, away from its sources: the study beside it finds its data.
cd "$work" || exit 2
"$prefix/bin/pollard" --version | grep -q '^pollard [0-9]' && pass || fail "the program does not start"
"$prefix/bin/pollard" run "$prefix/share/pollard/configs/digits.yaml" -o "$work/digits.h5" "${small[@]}" >"$work/log" 2>&1 && [ -s "$work/digits.h5" ] &&
    pass || { fail "the study that is installed"; tail -n 5 "$work/log"; }
for file in share/pollard/analysis/pollard_results.py share/pollard/analysis/pollard_export.py share/doc/pollard/LICENSE share/doc/pollard/NOTICE share/doc/pollard/docs/commands.md \
    share/pollard/examples/digits/README.md; do
    [ -s "$prefix/$file" ] && pass || fail "$file is missing"
done
# Links from page to page.
for page in "$prefix"/share/doc/pollard/*.md "$prefix"/share/doc/pollard/*/*.md; do
    while read -r link; do
        [ -e "$(dirname "$page")/${link%%#*}" ] && pass || fail "${page#"$prefix"/}: its link $link leads nowhere"
    done < <(grep -oE '\]\([^)#: ]+(#[^)]*)?\)' "$page" | sed 's/^](//; s/)$//')
done
find "$prefix" -name __pycache__ | grep -q . && fail "what Python compiled is not for installing"

# A page for every command and topic, as the program of today prints it.
mapfile -t pages < <("$POLLARD" --help | sed -n '/^Commands/,/^Options/s/^  \([a-z]*\) .*/\1/p')
[ "${#pages[@]}" -ge 8 ] && pass || fail "pages: ${pages[*]}"
for page in "${pages[@]}"; do
    file=$(echo "$prefix"/share/man/man[15]/pollard-"$page".[15])
    "$POLLARD" man "$page" | cmp -s - "$file" && pass || fail "man page of $page: $file"
done
[ "$(find "$prefix/share/man" -type f | wc -l)" -eq $((${#pages[@]} + 1)) ] && pass || fail "as many pages as commands, topics and the program"

# Readers of man pages have nothing to complain about.
lint() { # lint PROGRAM ARGUMENT...: each page, quietly
    command -v "$1" >/dev/null || { echo "skipped: $1 is not installed"; return; }
    for file in "$prefix"/share/man/man?/*; do
        "$@" "$file" >"$work/log" 2>&1 && [ ! -s "$work/log" ] && pass || { fail "$*: $file"; head -n 5 "$work/log"; }
    done
}
lint groff -ww -man -Tutf8 -z
lint mandoc -T lint -W error
if command -v man >/dev/null; then
    MANPATH=$prefix/share/man MANPAGER=cat man pollard-run 2>/dev/null | grep -q "run a study" && pass || fail "man finds no pollard-run"
else
    echo "skipped: man is not installed"
fi

# Where the shells look.
for shell in bash:bash-completion/completions/pollard zsh:zsh/site-functions/_pollard fish:fish/vendor_completions.d/pollard.fish; do
    "$POLLARD" completion "${shell%%:*}" | cmp -s - "$prefix/share/${shell#*:}" && pass || fail "completion of ${shell%%:*}"
done
loader=/usr/share/bash-completion/bash_completion
if [ -r "$loader" ]; then # the package that loads completions when they are first needed
    reply=$(PATH=$prefix/bin:$PATH XDG_DATA_DIRS=$prefix/share HOME=$work bash -c '. '"$loader"'
        _completion_loader pollard
        COMP_WORDS=(pollard ru) COMP_CWORD=1
        _pollard && echo "${COMPREPLY[*]}"' 2>/dev/null)
    [ "$reply" = run ] && pass || fail "bash-completion does not load it: '$reply'"
else
    echo "skipped: bash-completion is not installed"
fi
if command -v fish >/dev/null; then
    reply=$(PATH=$prefix/bin:$PATH XDG_DATA_DIRS=$prefix/share:/usr/share HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work fish -c 'complete -C "pollard ru"' | cut -f1)
    [ "$reply" = run ] && pass || fail "fish does not load it: '$reply'"
else
    echo "skipped: fish is not installed"
fi
if command -v zsh >/dev/null; then
    reply=$(HOME=$work zsh -fc "fpath=('$prefix/share/zsh/site-functions' \$fpath); autoload -U compinit; compinit -u -d '$work/zcompdump'; echo \$_comps[pollard]")
    [ "$reply" = _pollard ] && pass || fail "zsh does not load it: '$reply'"
else
    echo "skipped: zsh is not installed"
fi

# A second time over the first, with DESTDIR as packagers do.
DESTDIR=$work/stage cmake --install "$build" --prefix /opt/pollard >"$work/log" 2>&1 && [ -x "$work/stage/opt/pollard/bin/pollard" ] && pass || fail "DESTDIR"
finish
