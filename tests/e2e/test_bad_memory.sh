#!/usr/bin/env bash
# Bad surroundings: memory that ranks of a node share. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"
program=$POLLARD
blocks() { find /dev/shm -name 'pollard-*' 2>/dev/null | sort; }
named=$(blocks)

# on3 CODE MESSAGE NAME: 3 ranks leave with the code and one message; CODE 0: with the result of one rank. The environment is the caller's.
fresh ''
ranks 1 run study.yaml -o "$work/right.h5" >/dev/null 2>&1 || fail "the good study"
on3() {
    local code=$1 message=$2 name=$3
    ranks 3 run study.yaml -o r.h5 >"$work/stdout.3" 2>"$work/stderr.3"
    codes=([3]=$?)
    if [ "$code" != 0 ]; then
        told 3 "$code" "$message" "$name" && nothing_left "$name"
    elif [ "${codes[3]}" != 0 ]; then
        fail "exit code ${codes[3]}: $name"
        cat "$work/stderr.3"
    elif type -P h5diff >/dev/null; then
        h5diff --exclude-path /provenance "$work/right.h5" r.h5 >"$work/diff" 2>&1 && pass || { fail "another file: $name"; cat "$work/diff"; }
    fi
    rm -f r.h5
}

# ---- what the environment says ----
POLLARD_SHARED_MEMORY=off on3 0 '' "memory is not shared"
POLLARD_SHARED_MEMORY=$here/data on3 0 '' "another folder"
POLLARD_SHARED_MEMORY=$here/nowhere on3 69 "$here/nowhere: memory for the ranks of this node to share cannot be made there: No such file or directory; set POLLARD_SHARED_MEMORY" "no folder"
POLLARD_SHARED_MEMORY=$here/study.yaml on3 69 "study.yaml: memory for the ranks of this node to share cannot be made there: Not a directory" "a file"
POLLARD_RANKS_PER_NODE=2 on3 0 '' "nodes of two ranks and of one"
POLLARD_RANKS_PER_NODE=0 on3 69 "POLLARD_RANKS_PER_NODE: expected a number of 1 or more, or nothing, found '0'" "no ranks"
POLLARD_RANKS_PER_NODE=two on3 69 "found 'two'" "no number"

# ---- too little room: a file system of half the size of the weights, on which nothing may be left ----
mkdir -p "$work/shm"
export work
inside() { # inside SIZE COMMAND...: with a file system in memory of this size at $work/shm
    # shellcheck disable=SC2016
    unshare --mount --map-root-user sh -c 'size=$1; shift; mount -t tmpfs -o "size=$size" tmpfs "$work/shm" && "$@"' sh "$@"
}
if inside 1m true 2>/dev/null; then
    export -f ranks on3 told fail pass nothing_left
    tiny() { # tiny SIZE CODE MESSAGE
        fresh ''
        POLLARD_SHARED_MEMORY=$work/shm inside "$1" "$launch" 3 "$program" run study.yaml -o r.h5 >"$work/stdout.3" 2>"$work/stderr.3"
        codes=([3]=$?)
        if [ "$2" = 0 ]; then
            [ "${codes[3]}" = 0 ] && pass || { fail "$1 of shared memory: exit code ${codes[3]}"; cat "$work/stderr.3"; }
        else
            told 3 "$2" "$3" "$1 of shared memory" && nothing_left "$1 of shared memory"
        fi
    }
    tiny 256k 69 "the weights of model 'net' take 0.5 MiB that the ranks of this node share; expected as much room, found 0.2 MiB"
    tiny 640k 69 "the weights in the order of the kernels take" # enough for the network, not for what attribute wants
    tiny 8m 0 ''
    fresh ''
    POLLARD_SHARED_MEMORY=$work/shm inside 640k "$launch" 3 "$program" plan study.yaml >"$work/stdout.3" 2>"$work/stderr.3"
    grep -q 'IT WILL NOT FIT (shared memory lacks room for' "$work/stdout.3" && grep -q '^Time: not tried' "$work/stdout.3" && pass ||
        { fail "a plan does not see that shared memory is too small"; cat "$work/stdout.3" "$work/stderr.3"; }
    POLLARD_SHARED_MEMORY=$work/shm inside 8m "$launch" 3 "$program" plan study.yaml >"$work/stdout.3" 2>"$work/stderr.3"
    grep -q 'Memory that the 3 ranks of the node of rank 0 share:' "$work/stdout.3" && ! grep -q 'IT WILL NOT FIT' "$work/stdout.3" && pass ||
        { fail "a plan with enough shared memory"; cat "$work/stdout.3" "$work/stderr.3"; }
    # Ranks that see folders of their own, as in containers.
    printf '#!/bin/sh\nmount -t tmpfs tmpfs "$work/shm" && exec "$@"\n' >"$work/contained"
    chmod +x "$work/contained"
    fresh ''
    POLLARD_SHARED_MEMORY=$work/shm timeout -k 5 "$limit" "$launch" 3 unshare --mount --map-root-user "$work/contained" "$program" run study.yaml -o r.h5 \
        >"$work/stdout.3" 2>"$work/stderr.3"
    codes=([3]=$?)
    told 3 69 "do ranks run in containers of their own? Then set POLLARD_SHARED_MEMORY" "folders of their own" && nothing_left "folders of their own"
else
    skipped "too little room: no file system can be mounted here"
fi

# ---- nodes that see different files ----
# The ranks but the first look from a folder where the network is another one.
cat >"$work/elsewhere" <<'END'
#!/usr/bin/env bash
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}" = 0 ] || cd "$work/there" || exit 1
exec "$@"
END
chmod +x "$work/elsewhere"
fresh ''
rm -rf "$work/there"
cp -r "$good" "$work/there"
printf '\001' | dd of="$work/there/net/model.safetensors" bs=1 seek=400000 conv=notrunc status=none
POLLARD_RANKS_PER_NODE=2 timeout -k 5 "$limit" "$launch" 3 "$work/elsewhere" "$program" run study.yaml -o r.h5 >"$work/stdout.3" 2>"$work/stderr.3"
codes=([3]=$?)
told 3 65 "net/model.safetensors: expected the file that rank 0 reads (SHA-256 " "nodes with different files" && nothing_left "nodes with different files"
# A damaged file on every node: one message.
for together in 1 2; do
    fresh 'head -c 400000 "$good/net/model.safetensors" >net/model.safetensors'
    POLLARD_RANKS_PER_NODE=$together on3 65 "the file is truncated" "damage on every node of $together"
    fresh 'printf "\000\000\300\177" | dd of=net/model.safetensors bs=1 seek=400000 conv=notrunc status=none'
    POLLARD_RANKS_PER_NODE=$together on3 65 "expected finite numbers, found nan at [" "a number on every node of $together"
done
# Blocks have a name for a moment only; a new one that is there now may be of another program, and then it is not there for long.
left=$(comm -13 <(echo "$named") <(blocks))
if [ -n "$left" ]; then
    sleep 2
    left=$(comm -12 <(echo "$left") <(blocks))
fi
[ -z "$left" ] && pass || fail "blocks are left: $left"
finish
