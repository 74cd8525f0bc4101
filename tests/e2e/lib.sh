# Shared by the tests of the real binary; sourced. Needs POLLARD, MPIEXEC and SOURCE; makes $work, an empty folder that goes at the end.
set -u
export MPIEXEC
work=$(mktemp -d "${TMPDIR:-/tmp}/pollard-e2e-XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
failed=0
passed=0

fail() {
    echo "FAILED: $*"
    failed=$((failed + 1))
}
pass() {
    passed=$((passed + 1))
}

launch=$SOURCE/tests/support/launch.sh

# ranks N ARGUMENT...: pollard on N ranks, at most ten minutes a call, so that a slow machine is no failure but a hang is (exit code 124).
ranks() {
    local n=$1
    shift
    timeout -k 5 "${limit:-600}" "$launch" "$n" "$POLLARD" "$@"
}

# A study that takes a second: what each test changes it says itself.
small=(--set tasks.seeds=2 --set 'tasks.classes=[3]' --set 'tasks.references=[3]' --set rates.step=0.19)

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
