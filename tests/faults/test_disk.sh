#!/usr/bin/env bash
# No room, at different points of a run: exit code 73, what was noted is kept, and the same command goes on when there is room.
. "$(dirname "$0")/faults.sh"
straight

# A limit on the size of files, set when the journal has begun, works wherever tests run.
if command -v prlimit >/dev/null; then
    export POLLARD_SHARED_MEMORY=off # its blocks are files too
    for n in 1 3; do
        for try in 1 2 3; do
            before=$(noted)
            begin $n run
            grown "$before"
            for p in $(ranks_of "$mpi"); do prlimit --pid "$p" --fsize=1000:unlimited 2>/dev/null; done
            end
            too_late || break
        done
        [ "$code" = 73 ] && grep -q "File too large" "$log" && grep -q "run the same command again" "$log" && pass || { fail "$n ranks, limited files: exit code $code"; tell; }
        [ "$(noted)" -gt "$before" ] && pass || fail "$n ranks, limited files: nothing is kept"
    done
    export POLLARD_SHARED_MEMORY=$shared
    does "without the limit" 2 run
    same "limited files"
else
    echo "skipped: limited files: prlimit is missing"
fi

if mkdir "$work/disk" && mount -t tmpfs -o size=16k none "$work/disk" 2>/dev/null; then
    out=$work/disk/r.h5
    for size in 16k 64k 200k 500k; do # the journal needs more than that
        mount -o "remount,size=$size" "$work/disk"
        refuses "$size of room" 73 "No space left on device" $((1 + ${#size} % 3)) run
        grep -q "run the same command again" "$log" && [ ! -e "$out" ] && pass || { fail "$size of room: without a word of what to do"; tell; }
    done
    before=$(noted)
    mount -o remount,ro "$work/disk"
    refuses "a read-only disk" 73 "Read-only file system" 2 run
    [ "$(noted)" = "$before" ] && [ "$before" -gt 100000 ] && pass || fail "a read-only disk: the journal is not what it was"
    mount -o remount,rw,size=64m "$work/disk"
    does "room at last" 3 run
    grep -q "goes on where an earlier run was" "$log" && pass || fail "room at last: nothing of before was used"
    same "a full disk"
else
    echo "skipped: full and read-only disks: no file system can be mounted here"
fi
if [ "$(id -u)" != 0 ]; then
    chmod 555 "$work/run"
    out=$work/run/r.h5
    refuses "a read-only folder" 73 "Permission denied" 2 run
    chmod 755 "$work/run"
fi
[ $((passed + failed)) != 0 ] || exit 77
finish
