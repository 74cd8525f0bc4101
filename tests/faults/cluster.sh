# Shared by the tests on several hosts of one machine; sourced, after which the rest of the caller runs with a /dev/shm of its own that goes
# with it. Needs what tests/e2e/lib.sh needs. Makes names and addresses that no other run on this machine has.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$here/tools

skip() {
    echo "skipped: $*"
    exit 77
}

# need PROGRAM...
need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is missing"
    done
}

if [ -z "${POLLARD_OWN_MOUNTS:-}" ]; then
    [ "$(id -u)" = 0 ] || skip "only root may make network and host name namespaces"
    need unshare nsenter ip h5diff setsid
    "$MPIEXEC" --version 2>&1 | grep -Eq 'Open MPI|OpenRTE' || skip "the tests on several hosts know the options of Open MPI alone"
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --net --uts -- sh -c 'mount -t tmpfs tmpfs /dev/shm && ip link add pollardtry type bridge' 2>/dev/null ||
        skip "this container may not make mount and network namespaces"
    # shellcheck disable=SC2016
    POLLARD_OWN_MOUNTS=1 exec unshare --mount -- sh -c 'mount -t tmpfs tmpfs /dev/shm && exec "$@"' sh "$0" "$@"
fi

. "$SOURCE/tests/e2e/lib.sh"
export PREFIX="pt$(($$ % 10000))" SUBNET="10.$((100 + $$ % 100)).$(($$ / 100 % 250))" PORT=$((20000 + $$ * 4 % 20000))
export TMPDIR=$work/tmp # for what MPI leaves on hosts that die
mkdir -p "$TMPDIR"

clear_up() { # clear_up COMMAND...: it, then what lib.sh does
    trap - EXIT
    [ -z "${KEEP:-}" ] || cp -r "$work/c/log" "$KEEP"
    "$@"
    chmod -R u+w "$work" 2>/dev/null
    rm -rf "$work"
}

study=$SOURCE/configs/digits.yaml
# Long enough to be interrupted: ten seconds on two cores.
long=(--set tasks.seeds=5 --set 'tasks.classes=[10]' --set 'tasks.references=[5]' --set rates.step=0.1)

# same NAME RESULT STRAIGHT: equal but for /provenance.
same() {
    if [ -s "$2" ] && h5diff --exclude-path /provenance "$2" "$3" >"$work/h5diff" 2>&1; then
        pass
    else
        fail "$1: $2 differs from an undisturbed result"
        head -n 20 "$work/h5diff"
    fi
}

# Pruned networks x runs that the journal of RESULT has.
progress() {
    "$POLLARD" status "$1" 2>/dev/null | awk '/^pruned networks/ {print $5 + 0; found = 1} END {if (!found) print 0}'
}

nudge() { :; } # whatever a job waits for that is no part of the test

# until_at RESULT N SECONDS: waits until N of them are there.
until_at() {
    local end=$((SECONDS + $3))
    while [ "$(progress "$1")" -lt "$2" ]; do
        [ $SECONDS -lt $end ] && [ ! -e "$1" ] || return 1
        nudge
        sleep 0.2
    done
}

# restored RESULT: how many items the last start found.
restored() {
    local n
    n=$("$POLLARD" inspect "$1" 2>/dev/null | awk '$1 == "items_restored" {print $2}')
    echo "${n:-0}"
}

ranks_of() { # ranks_of HOST: processes of the program there
    local p
    for p in $("$tools/netns-cluster.sh" pids "$work/c" "$1"); do
        [ "$(readlink "/proc/$p/exe" 2>/dev/null)" = "$(readlink -f "$POLLARD")" ] && echo "$p"
    done
}
