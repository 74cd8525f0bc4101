#!/usr/bin/env bash
# The command line as a person meets it: what TAB completes in each shell, and that help and man pages are about what there is.
# That each text is complete is tested against the tables themselves (tests/unit/pipeline/test_commands.c).
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
unset POSIXLY_CORRECT
mapfile -t commands < <("$POLLARD" --help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "${#commands[@]}" -ge 6 ] && pass || fail "the commands are not listed: ${commands[*]}"

options_of() { # of a command, as its help names them, one a line
    "$POLLARD" --help "$1" | sed -n '/^Options:/,/^$/p' | grep -oE '^  (-[a-z], |    )--[a-z-]+' | grep -oE -- '-[a-z-]+'
}
for command in "${commands[@]}"; do
    [ "$("$POLLARD" "$command" --help | head -n 1 | cut -d' ' -f2)" = "$command" ] && pass || fail "pollard $command --help"
    "$POLLARD" man "$command" | grep -q "^\.TH \"POLLARD" && pass || fail "pollard man $command"
    grep -qx "## pollard $command" "$SOURCE/docs/commands.md" && pass || fail "docs/commands.md has no section on $command"
    while read -r option; do
        grep -qF -- "\`$option" "$SOURCE/docs/commands.md" && pass || fail "docs/commands.md does not name $option of $command"
    done < <(options_of "$command")
done

# complete WORD...: what TAB offers behind the last word, in $reply.
"$POLLARD" completion bash >bash
. ./bash || fail "the completion of bash cannot be read"
complete_bash() {
    COMP_WORDS=("$@")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _pollard
    reply=" ${COMPREPLY[*]} "
}
# offers WANTED SHELL WORD...: TAB offers WANTED.
offers() {
    local wanted=$1 shell=$2
    shift 2
    "complete_$shell" "$@"
    [[ $reply == *" $wanted "* ]] && pass || fail "$shell: '$*' TAB offers '$reply', expected $wanted"
}
only() {
    local wanted=$1 shell=$2
    shift 2
    "complete_$shell" "$@"
    [ "$reply" = " $wanted " ] && pass || fail "$shell: '$*' TAB offers '$reply', expected only $wanted"
}
touch study.yaml result.h5
complete -p pollard 2>/dev/null | grep -q -- '-F _pollard' && pass || fail "bash is not told about pollard"
only run bash pollard ru
only criteria bash pollard help crit
only study.yaml bash pollard run stu
only result.h5 bash pollard run study.yaml -o res
only result.h5 bash pollard doctor --output = res
offers study.yaml bash pollard doctor --output =
only fish bash pollard completion fi
only "" bash pollard run study.yaml --set res
for command in "${commands[@]}"; do
    offers "$command" bash pollard ""
    offers "$command" bash pollard help "${command:0:2}"
    options_of "$command" >options
    [ -s options ] || fail "no options of $command"
    while read -r option; do
        offers "$option" bash pollard "$command" "${option:0:2}"
    done <options
done

if command -v fish >/dev/null; then
    "$POLLARD" completion fish >fish
    export HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work # of fish, which keeps files there
    fish --no-execute fish && pass || fail "fish: syntax"
    complete_fish() {
        reply=" $(fish -c 'source fish; complete -C "$argv"' -- "$*" | cut -f1 | tr '\n' ' ')"
    }
    only run fish pollard ru
    offers criteria fish pollard help crit
    offers study.yaml fish pollard run stu
    offers result.h5 fish pollard run study.yaml -o res
    for command in "${commands[@]}"; do
        options_of "$command" | grep -e '^--' >options
        complete_fish pollard "$command" --
        while read -r option; do
            [[ $reply == *" $option"[\ =]* ]] && pass || fail "fish: 'pollard $command --' TAB offers '$reply', expected $option"
        done <options
    done
else
    echo "skipped: fish is not installed"
fi

if command -v zsh >/dev/null; then
    "$POLLARD" completion zsh >zsh
    zsh -n zsh && pass || fail "zsh: syntax"
    # Its own functions only work while somebody types; these say what they were asked.
    cat >ask <<'END'
compdef() { }
_describe() { print -l -- ${commands%%:*} }
_arguments() { print -l -- $@ }
. ./zsh
words=("$@") CURRENT=$#
_pollard
END
    complete_zsh() {
        reply=" $(zsh -f ask "$@" | sed 's/^\*//; s/=\{0,1\}\[.*//' | tr '\n' ' ')"
    }
    for command in "${commands[@]}"; do
        offers "$command" zsh pollard ""
        options_of "$command" >options
        while read -r option; do
            offers "$option" zsh pollard "$command" -
        done <options
    done
else
    echo "skipped: zsh is not installed"
fi
finish
