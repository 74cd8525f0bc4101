#!/usr/bin/env bash
# Any number of ranks, and of threads that read images, writes the same file, apart from /provenance.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null; then
    echo "skipped: h5diff is missing (Debian: hdf5-tools)"
    exit 77
fi
config=$SOURCE/configs/digits.yaml
small+=(--set rows=keep --set spectrum=true)
for n in 1 2 3 4; do
    ranks "$n" run "$config" -o "$work/$n.h5" "${small[@]}" >"$work/$n.log" 2>&1 || { fail "run on $n ranks"; cat "$work/$n.log"; }
done
for n in 2 3 4; do
    if h5diff --exclude-path /provenance "$work/1.h5" "$work/$n.h5" >"$work/diff" 2>&1; then pass; else
        fail "1 rank and $n ranks differ:"
        cat "$work/diff"
    fi
done
# The weights shared by all ranks of the host, by two of them and a third alone, by none.
for together in 1 2; do
    POLLARD_RANKS_PER_NODE=$together ranks 3 run "$config" -o "$work/by$together.h5" "${small[@]}" >"$work/log" 2>&1 || { fail "nodes of $together ranks"; cat "$work/log"; }
    h5diff --exclude-path /provenance "$work/1.h5" "$work/by$together.h5" >"$work/diff" 2>&1 && pass || { fail "nodes of $together ranks differ:"; cat "$work/diff"; }
done
POLLARD_SHARED_MEMORY=off ranks 3 run "$config" -o "$work/off.h5" "${small[@]}" >"$work/log" 2>&1 || { fail "POLLARD_SHARED_MEMORY=off"; cat "$work/log"; }
h5diff --exclude-path /provenance "$work/1.h5" "$work/off.h5" >"$work/diff" 2>&1 && pass || { fail "shared weights and own ones differ:"; cat "$work/diff"; }
for threads in 0 3; do
    ranks 2 run "$config" -o "$work/threads.h5" "${small[@]}" --set decode_threads=$threads >"$work/threads.log" 2>&1 || fail "run with decode_threads: $threads"
    h5diff --exclude-path /provenance "$work/1.h5" "$work/threads.h5" >"$work/diff" 2>&1 && pass || { fail "decode_threads: $threads gives another file"; cat "$work/diff"; }
done
# The comparison itself must be able to see a difference: another seed, and another number of ranks within /provenance.
ranks 1 run "$config" -o "$work/other.h5" "${small[@]}" --set 'tasks.seeds=[0, 2]' >/dev/null 2>&1 || fail "run with other seeds"
h5diff --exclude-path /provenance "$work/1.h5" "$work/other.h5" >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "other seeds, same file" # 1: differences found, 2: error
h5diff "$work/1.h5" "$work/2.h5" >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "/provenance does not tell one rank from two"
finish
