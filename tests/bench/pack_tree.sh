#!/usr/bin/env bash
# pack_tree.sh POLLARD [IMAGES]: makes a tree of 100,000 small images (100 classes of PNG noise, 32x32), packs it on 1, 2 and 4 ranks, checks and
# inspects the packs, and prints seconds and the memory of all ranks together and of the largest rank (VmHWM, MiB). All packs must be the same.
# Needs python3 for the images, and 1 GiB of disk in TMPDIR. MPIEXEC: the launcher (mpirun).
set -u
program=${1:?usage: pack_tree.sh POLLARD [IMAGES]} images=${2:-100000}
export MPIEXEC=${MPIEXEC:-mpirun}
work=$(mktemp -d "${TMPDIR:-/tmp}/pollard-tree-XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
python3 - "$work/tree" "$images" <<'PYTHON' || exit 2
import os, struct, sys, zlib
root, n = sys.argv[1], int(sys.argv[2])
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0))
noise = os.urandom(1 << 20)
for i in range(n):
    folder = f"{root}/class{i % 100:02d}"
    if i < 100:
        os.makedirs(folder)
    rows = b"".join(b"\0" + noise[(i * 97 + r * 131) % 1000000:][:96] for r in range(32))
    with open(f"{folder}/{i:06d}.png", "wb") as to:
        to.write(head + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
PYTHON
launch=$(dirname "$0")/../support/launch.sh
measure() { # measure WHAT RANKS ARGUMENT...
    local what=$1 n=$2 started
    shift 2
    rm -f "$work"/peak.*
    started=$(date +%s.%N)
    # shellcheck disable=SC2016
    "$launch" "$n" sh -c '"$@" & p=$!; while kill -0 $p 2>/dev/null; do grep VmHWM /proc/$p/status >"$0.$$.new" 2>/dev/null && [ -s "$0.$$.new" ] && mv "$0.$$.new" "$0.$$"; sleep 0.1; done; wait $p' \
        "$work/peak" "$program" "$@" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err"; exit 1; }
    rm -f "$work"/peak.*.new
    cat "$work"/peak.* | awk -v what="$what" -v n="$n" -v started="$started" -v ended="$(date +%s.%N)" -v images="$images" \
        '{ sum += $2; most = $2 > most ? $2 : most } END { printf "%-8s ranks %d  seconds %.1f  images/s %.0f  MiB together %.0f  largest rank %.0f\n", what, n, ended - started, images / (ended - started), sum / 1024, most / 1024 }'
}
for n in 1 2 4; do
    measure pack "$n" pack "$work/tree" -o "$work/pack$n"
    measure verify "$n" pack --verify "$work/pack$n"
    diff -r "$work/pack1" "$work/pack$n" >/dev/null || { echo "packs of 1 and $n ranks differ"; exit 1; }
done
measure inspect 1 inspect "$work/pack1"
