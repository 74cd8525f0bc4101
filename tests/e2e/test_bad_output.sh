#!/usr/bin/env bash
# Bad input: where the result goes, and results that are read. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"
run=(run study.yaml -o)

# ---- places that cannot hold a result ----
call 73 "folder: expected a file or nothing, found a folder" 'mkdir folder' "${run[@]}" folder
call 73 "pipe: expected a file or nothing"              'mkfifo pipe' "${run[@]}" pipe
call 73 "file: the folder cannot be written to: Not a directory" ': >file' "${run[@]}" file/r.h5
call 73 "file/deeper: the folder cannot be made"        ': >file' "${run[@]}" file/deeper/r.h5
call 73 "File name too long"                            '' "${run[@]}" "$(printf 'x%.0s' {1..300}).h5"
call 73 "the path is longer than"                       '' "${run[@]}" "$(printf 'x/%.0s' {1..2100})r.h5"
call 73 "study.yaml: expected a result of an earlier run or nothing" '' "${run[@]}" study.yaml
call 73 "net/model.safetensors: expected a result of an earlier run or nothing" '' "${run[@]}" net/model.safetensors
call 73 "mine.h5: expected a result of an earlier run or nothing" 'cp "$SOURCE/tests/golden/vgg_tiny.h5" mine.h5' "${run[@]}" mine.h5
accepted                                                ': >r.h5.1; : >r.h5.3' # as mktemp leaves them
refused 73 "marker: expected a file or nothing, found a folder" 'mkdir marker' --done marker # before the work, not after it
refused 73 "file/deeper: the folder cannot be made"     ': >file' --done file/deeper/marker
refused 73 "--done study.yaml: expected what an earlier run has written there" '' --done study.yaml
refused 73 "--done net/model.safetensors: expected what an earlier run has written there" '' --done net/model.safetensors
refused 2  "found the result's name"                    '' --done RESULT
may_stay='^\./r\.h5\.[13]\(\.journal\(/\|$\)\|$\)' refused 73 "expected what an earlier run has written there" '' --done ./RESULT
"$POLLARD" inspect r.h5.1 >/dev/null && "$POLLARD" inspect r.h5.3 >/dev/null && pass || fail "the marker has taken the place of the result"
accepted                                                'echo "r.h5: done" >r.h5.1.done; : >r.h5.3.done' --done RESULT.done
if [ -d /proc/self ]; then
    call 73 "/proc/self: the folder cannot be written to" '' "${run[@]}" /proc/self/r.h5
fi
if [ "$(id -u)" = 0 ]; then skipped "a folder without permission: root writes everywhere"; else
    call 73 "sub: the folder cannot be written to: Permission denied" 'mkdir sub; chmod 555 sub' "${run[@]}" sub/r.h5
fi
if mkdir "$work/disk" && mount -t tmpfs -o size=64k none "$work/disk" 2>/dev/null; then
    trap 'umount "$work/disk"; rm -rf "$work"' EXIT
    call 73 "No space left on device"                   '' "${run[@]}" "$work/disk/r.h5"
    [ "$(ls -A "$work/disk")" = r.h5.journal ] && pass || fail "left on the full disk: $(ls -A "$work/disk")"
    rm -rf "$work/disk/r.h5.journal"
    mount -o remount,ro "$work/disk"
    call 73 "the folder cannot be written to: Read-only file system" '' "${run[@]}" "$work/disk/r.h5"
else
    skipped "full and read-only disks: no file system can be mounted here"
fi
# The table is lost, the result is not: it is complete and said to be.
if [ -c /dev/full ]; then
    fresh ''
    "$POLLARD" run study.yaml -o r.h5 >/dev/full 2>"$work/stderr.1"
    codes=([1]=$?)
    told 1 73 "the result itself is complete: r.h5" "standard output is full" && "$POLLARD" inspect r.h5 >/dev/null && [ ! -e r.h5.journal ] ||
        fail "the result is not complete"
    # ... and whatever else is asked for what it prints
    for command in doctor 'plan study.yaml' 'pack data/val -o packed' 'pack --verify packed' 'verify study.yaml'; do
        for n in 1 2; do
            if [ $n = 1 ]; then "$POLLARD" $command >/dev/full 2>"$work/stderr.1"; else
                timeout -k 5 "$limit" "$launch" $n bash -c 'exec "$@" >/dev/full' - "$POLLARD" $command 2>"$work/stderr.$n"
            fi
            codes=([$n]=$?)
            told $n 73 "standard output" "$command, standard output is full"
        done
    done
fi

# ---- results, and what is taken for one, that are read ----
fresh ''
"$POLLARD" run study.yaml -o "$work/good.h5" >/dev/null 2>&1 || fail "the good study"
result='cp "$work/good.h5" r'
unread 66 "none.h5: cannot be opened: No such file"      '' none.h5
unread 66 "expected a file, found something else"        'mkfifo pipe' pipe
unread 65 "hello.h5: expected a"                         'printf hello >hello.h5' hello.h5
unread 65 "truncated"                                    "$result; truncate -s 3000 r" r
unread 65 "truncated"                                    "$result; truncate -s -4000 r" r
unread 65 "without the attribute 'schema_version'"       '' "$SOURCE/tests/golden/vgg_tiny.h5"
unread 65 "checksum"                                     "$result; printf XXXX | dd of=r bs=1 seek=1000 conv=notrunc status=none" r
unread 65 "found no folder in it"                        'mkdir folder' folder
unread 65 "the file is truncated"                        'truncate -s 400000 net/model.safetensors' net/model.safetensors
fresh 'mkfifo pipe'
for other in study.yaml data net/model.safetensors pipe; do
    timeout -k 5 "$limit" "$POLLARD" status "$other" >/dev/null 2>"$work/stderr.1" </dev/null
    codes=([1]=$?)
    told 1 65 "$other: expected the result of a study" "status $other"
done
for other in study.yaml net/model.safetensors pipe; do
    timeout -k 5 "$limit" "$POLLARD" submit study.yaml --time 1h --script "$other" >/dev/null 2>"$work/stderr.1" </dev/null
    codes=([1]=$?)
    told 1 73 "$other: expected a job script or nothing" "submit --script $other"
done
finish
