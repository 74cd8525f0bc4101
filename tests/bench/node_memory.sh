#!/usr/bin/env bash
# node_memory.sh POLLARD N ARGUMENT...: runs `POLLARD ARGUMENT...` on N ranks of this host and looks every fifth of a second at what they have
# (/proc/PID/smaps_rollup, Linux 5.9 or later). Prints, of the moment when it is most, in MiB: all ranks together with everything that they
# share counted once, a rank alone (mean), and memory that ranks share (one copy, with the MPI library's own). MPIEXEC: the launcher (mpirun).
set -u
[ $# -ge 3 ] || { echo "usage: ${0##*/} POLLARD N ARGUMENT..." >&2; exit 2; }
program=$1 n=$2
shift 2
export MPIEXEC=${MPIEXEC:-mpirun}
work=$(mktemp -d) && mkdir "$work/pids" || exit 2
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2016
"$(dirname "$0")/../support/launch.sh" "$n" sh -c 'touch "$0/$$" && exec "$@"' "$work/pids" "$program" "$@" >"$work/out" 2>"$work/err" &
run=$!
while kill -0 "$run" 2>/dev/null; do
    rollups=()
    for pid in "$work/pids"/*; do rollups+=("/proc/${pid##*/}/smaps_rollup"); done
    # Proportional parts add up to what there is, whoever shares it.
    cat "${rollups[@]}" 2>/dev/null | awk '$1 == "Pss:" { all += $2 } $1 == "Pss_Shmem:" { shared += $2 } END { print all + 0, shared + 0 }' >>"$work/seen"
    sleep 0.2
done
wait "$run" || { cat "$work/err" >&2; exit 1; }
sort -n "$work/seen" | tail -n 1 |
    awk -v n="$n" '{ printf "ranks %d  together %.0f  a rank alone %.0f  shared %.0f\n", n, $1 / 1024, ($1 - $2) / n / 1024, $2 / 1024 }'
