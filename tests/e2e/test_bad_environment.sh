#!/usr/bin/env bash
# Bad surroundings: too little memory, more ranks than work, no home, ranks that are killed. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"
program=$POLLARD

# instead CODE: the program is started by the shell code, on every rank, as "$program" "$@". $rank is the rank's number.
instead() {
    printf '#!/usr/bin/env bash\nrank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}\nprogram=%q\n%s\nexec "$program" "$@"\n' "$program" "$1" >"$work/instead"
    chmod +x "$work/instead"
    POLLARD=$work/instead
}
as_it_is() { POLLARD=$program; }

# ---- surroundings that do not matter ----
fresh ''
for n in 1 2 5 9; do # 4 reference images are 2 micro-batches, 6 evaluation images are 3: most of 9 ranks have nothing to do
    ranks "$n" run study.yaml -o "$n.h5" >"$work/out" 2>&1 || { fail "$n ranks"; cat "$work/out"; }
    if type -P h5diff >/dev/null; then
        h5diff --exclude-path /provenance 1.h5 "$n.h5" >"$work/diff" 2>&1 && pass || { fail "$n ranks give another file"; cat "$work/diff"; }
    fi
done
instead 'unset HOME';                       accepted ''
instead 'export TMPDIR=/no/such/folder';    accepted ''
# UCX, through which MPICH goes, takes nearly 30 descriptors beside those that ctest leaves open.
descriptors=32
"$MPIEXEC" --version 2>&1 | grep -q 'Open MPI\|OpenRTE' || descriptors=40
instead "ulimit -n $descriptors";           accepted ''
instead 'exec </dev/null 0<&-';             accepted ''
as_it_is

# What a closed stream was for must not go into a file that is opened in its place, such as a result.
if [ -e /proc/self/fd/0 ]; then
    fresh ''
    bash -c 'exec "$@" 0<&- 1>&- 2>&-' - "$POLLARD" run study.yaml -o r.h5 --set tasks.seeds=500 --set 'rates={step: 0.01}' &
    pid=$!
    for ((i = 0; i < 300; i++)); do # its journal is open
        [[ $(readlink "/proc/$pid/fd"/*) = *.journal* ]] && break
        sleep 0.1
    done
    streams=$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | tr '\n' ' ')
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    [ "$streams" = "/dev/null /dev/null /dev/null " ] && pass || fail "the standard streams were closed, and now are: $streams"
else
    skipped "streams that are closed: /proc does not tell"
fi

# ---- too little memory: the smallest limit that the small study lives with, and a study that needs far more ----
enough=
for megabytes in {300..1500..100}; do
    instead "ulimit -v $((megabytes * 1024))"
    fresh ''
    run_both r.h5 run study.yaml -o RESULT
    case "${codes[*]}" in
        "0 0") enough=$((megabytes + 100)); break ;; # a margin: libraries do not always take the same
        *124* | *137*) fail "no end with $megabytes MiB for a rank: exit codes ${codes[*]}" ;;
        *) pass ;; # refused by us with 69, or by the MPI library with a code of its own
    esac
done
large=(--set decode_threads=0 --set micro_batch=1024 --set 'models[0].image_size=64' --set 'models[0].resize=64x64')
if [ -z "$enough" ]; then skipped "too little memory: the program does not start under a limit (a sanitizer?)"; else
    instead "ulimit -v $((enough * 1024))"
    refused 69 "out of memory"                          '' "${large[@]}"
    instead "if [ \$rank = 1 ] || [ -z \"\${OMPI_COMM_WORLD_SIZE:-\${PMI_SIZE:-}}\" ]; then ulimit -v $((enough * 1024)); fi"
    refused 69 "out of memory"                          '' "${large[@]}" # on rank 1 alone
fi
as_it_is

# ---- killed from outside: all ranks end, nothing is left ----
# killed SIGNAL WHOM RANKS: a long study on RANKS ranks; once it computes, one rank (its number) or the launcher gets the signal.
killed() {
    local signal=$1 whom=$2 n=$3 pid victim code i
    instead "echo \$\$ >\"$work/pid.\$rank\""
    rm -f "$work"/pid.*
    fresh ''
    timeout -k 5 "$limit" "$launch" "$n" "$POLLARD" run study.yaml -o r.h5 --set tasks.seeds=500 --set 'tasks.classes=[2, 5, 9]' \
        --set 'rates={step: 0.01}' >"$work/stdout.3" 2>"$work/stderr.3" &
    pid=$!
    for ((i = 0; i < 300; i++)); do
        grep -q 'study=small' "$work/stderr.3" && break
        sleep 0.1
    done
    sleep 0.5
    victim=$pid # timeout passes the signal on
    [ "$whom" = launcher ] || victim=$(cat "$work/pid.$whom")
    kill -s "$signal" "$victim" || fail "SIG$signal to $whom of $n: it was over before"
    wait "$pid"
    code=$?
    for ((i = 0; i < 50; i++)); do # a launcher may leave before the last of its ranks
        ranks_alive || break
        sleep 0.1
    done
    # A launcher that is stopped leaves with what it likes (MPICH's sometimes with 0), but it leaves: 137 is timeout's patience.
    if [[ $whom:$code = launcher:137 || $whom:$code = [0-9]:0 || $whom:$code = [0-9]:124 ]]; then
        fail "SIG$signal to $whom of $n: exit code $code"
        cat "$work/stderr.3"
    elif ranks_alive; then
        fail "SIG$signal to $whom of $n: a rank still runs"
    else
        may_stay='^\./r\.h5\.journal\(/\|$\)' nothing_left "SIG$signal to $whom of $n" && pass # what was finished is kept
    fi
    as_it_is
}
ranks_alive() {
    local file
    for file in "$work"/pid.*; do
        kill -0 "$(cat "$file")" 2>/dev/null && return
    done
    return 1
}
killed KILL 1 3
killed KILL 0 3
killed TERM 0 1
killed TERM launcher 3
killed INT launcher 3
finish
