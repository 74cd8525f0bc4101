# Shared by the tests of interruptions and damage; sourced. Needs what tests/e2e/lib.sh needs, h5diff, and /proc. Each test has one study, $study,
# whose undisturbed result is $work/straight.h5; what is disturbed is $out in a folder of its own, so that all that is left behind can be seen.
. "$(dirname "$0")/../e2e/lib.sh"
if ! command -v h5diff >/dev/null || [ ! -r /proc/self/stat ]; then
    echo "skipped: h5diff (Debian: hdf5-tools) or /proc is missing"
    exit 77
fi
memory=$(mktemp -d /dev/shm/pollard-faults-XXXXXX 2>/dev/null) || { memory=$work/memory && mkdir "$memory"; }
trap 'umount "$work/disk" 2>/dev/null; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$memory"' EXIT
shared=$memory/pollard
mkdir "$work/run" "$shared" "$memory/mpi" "$work/mpi"
export POLLARD_SHARED_MEMORY=$shared
# What Open MPI leaves when its launcher is killed goes with the test.
export OMPI_MCA_btl_vader_backing_directory=$memory/mpi OMPI_MCA_orte_tmpdir_base=$work/mpi
config=$SOURCE/configs/digits.yaml
out=$work/run/r.h5
study=("${small[@]}")               # a second on two ranks
longer=(--set tasks.seeds=2 --set 'tasks.classes=[3, 10]' --set 'tasks.references=[10]' --set rates.step=0.19) # three
log=$work/log

tell() { # what matters of a log
    grep -e 'level=' -e 'pollard: ' -e '^FAIL' "${1:-$log}" | tail -12
}

# straight: the result that all others are compared with; $span: milliseconds that it took on two ranks.
straight() {
    local before=$(date +%s%3N)
    ranks 2 run "$config" -o "$work/straight.h5" "${study[@]}" >"$log" 2>&1 || { tell; echo "FAILED: the undisturbed run"; exit 1; }
    span=$(($(date +%s%3N) - before))
}

# begin N COMMAND ARGUMENT...: pollard on N ranks, in the background; $mpi is the launcher.
begin() {
    local n=$1 command=$2
    shift 2
    "$launch" "$n" "$POLLARD" "$command" "$config" -o "$out" "${study[@]}" "$@" >"$log" 2>&1 &
    mpi=$!
}

# processes below $1 that are pollard, one a line
ranks_of() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\([0-9]*\) (\(.*\)) [A-Za-z] \([0-9]*\) .*/\1 \3 \2/p' | awk -v root="$1" '
        {parent[$1] = $2; name[$1] = $3}
        END {
            for (p in parent) {
                q = p
                while (q != root && q > 1 && q in parent) q = parent[q]
                if (q == root && name[p] == "pollard") print p
            }
        }' | sort -n
}

# end: waits for what begin has started; its exit code is in $code. What hangs is a failure.
end() {
    local i
    for ((i = 0; i < 3000; i++)); do
        kill -0 "$mpi" 2>/dev/null || break
        sleep 0.1
    done
    [ "$i" -lt 3000 ] || { fail "a run hangs"; kill -KILL $(ranks_of "$mpi") "$mpi"; }
    wait "$mpi"
    code=$?
}

# gone PID...: waits until none of them is there any more.
gone() {
    local p i
    for p in "$@"; do
        for ((i = 0; i < 1200; i++)); do
            kill -0 "$p" 2>/dev/null || break
            sleep 0.05
        done
        [ "$i" -lt 1200 ] || { fail "a rank goes on without its launcher"; kill -KILL "$p"; }
    done
}

noted() { # bytes in the journal
    local bytes
    bytes=$(cat "$out.journal"/*.journal 2>/dev/null | wc -c)
    echo "$bytes"
}

# grown BYTES: waits until the journal holds more than that, or the run is over (then 1).
grown() {
    local i
    for ((i = 0; i < 12000; i++)); do
        [ "$(noted)" -le "$1" ] || return 0
        kill -0 "$mpi" 2>/dev/null || return 1
        sleep 0.01
    done
    return 1
}

# too_late [TEXT]: the run that was to be disturbed has ended well before, or its log has the text (this shell has slept). What it leaves goes, so that
# it can be begun anew: `for try in 1 2 3; do ...; too_late || break; done`.
too_late() {
    [ "$code" = 0 ] || { [ -n "${1:-}" ] && grep -q -- "$1" "$log"; } || return 1
    rm -rf "$out" "$out.journal" "$out.tuned.yaml"
}

# does NAME N COMMAND ARGUMENT...: such a run ends well.
does() {
    local name=$1
    shift
    begin "$@"
    end
    [ "$code" = 0 ] && pass || { fail "$name: exit code $code"; tell; }
}

# refuses NAME CODE TEXT N COMMAND ARGUMENT...: such a run ends with this code and a message that has this text.
refuses() {
    local name=$1 expected=$2 text=$3
    shift 3
    begin "$@"
    end
    if [ "$code" = "$expected" ] && grep -qF -- "$text" "$log"; then pass; else
        fail "$name: expected exit code $expected and '$text', found $code:"
        tell
    fi
}

# same NAME: the result is that of the undisturbed run, and nothing else is left: no journal, no shared memory. Then it goes.
same() {
    if h5diff --exclude-path /provenance "$work/straight.h5" "$out" >"$work/diff" 2>&1; then pass; else
        fail "$1: another result:"
        head -20 "$work/diff"
    fi
    local left
    left=$(cd "$(dirname "$out")" && ls -A | grep -v -e '^r\.h5$' -e '^lost+found$')
    [ -z "$left" ] && pass || fail "$1: left beside the result: $left"
    # Names without contents: a rank that is killed between making a block of memory and handing it on (milliseconds) leaves one.
    left=$(find "$shared" -mindepth 1 -size +0)
    [ -z "$left" ] && pass || fail "$1: left in shared memory: $left"
    rm -rf "$out"
}
