#!/usr/bin/env bash
# Runs that are asked to stop, or stop in time by themselves, end with 75 and go on when the same command is given again.
. "$(dirname "$0")/faults.sh"
study=("${longer[@]}")
straight

# asked NAME CODE N SIGNAL WHOM: a run of N ranks that has computed something gets the signal; CODE 0: any but 0.
asked() {
    local name=$1 expected=$2 n=$3 signal=$4 whom=$5 before try looked
    for try in 1 2 3; do
        before=$(noted)
        begin "$n" run
        grown "$before"
        [ -z "$looks" ] || { "$POLLARD" status "$out" >"$work/status" 2>&1; looked=$?; } # while it runs
        case $whom in
        launcher) kill "-$signal" "$mpi" ;;
        first) kill "-$signal" "$(ranks_of "$mpi" | head -1)" ;;
        last) kill "-$signal" "$(ranks_of "$mpi" | tail -1)" ;;
        esac 2>/dev/null
        end
        too_late || break
    done
    if [ "$code" != 0 ] && { [ "$expected" = 0 ] || [ "$code" = "$expected" ]; }; then pass; else fail "$name: exit code $code" && tell; fi
    [ "$expected" = 0 ] || grep -q "run the same command again to go on" "$log" && pass || { fail "$name: without a word of what to do"; tell; }
    [ "$(noted)" -gt "$before" ] && [ ! -e "$out" ] && pass || fail "$name: what was finished is not kept"
    [ -z "$looks" ] || { [ "$looked" = 75 ] && grep -q 'r.h5: study digits, running' "$work/status" && grep -Eq '^[0-9]+ % done; (about|at most) [0-9:]+ left with [0-9]+ ranks?,|^Nothing is finished yet' "$work/status" &&
        pass; } || { fail "$name: status of a run that runs: exit code $looked"; cat "$work/status"; }
}
# One study, stopped again and again on other numbers of ranks.
looks=yes
asked "USR1 to the first rank" 75 2 USR1 first
looks=
asked "USR1 to the last rank" 75 3 USR1 last
asked "USR1 to the launcher" 75 2 USR1 launcher
asked "USR2 to the launcher" 75 1 USR2 launcher
asked "TERM to a rank" 75 4 TERM last
asked "HUP to a rank" 75 2 HUP first
asked "TERM to the launcher" 0 2 TERM launcher # it kills its ranks
does "the rest" 3 run
grep -q "goes on where an earlier run was" "$log" && pass || fail "the rest was not computed from the journal"
same "stopped by signals"

# The slowest item takes less than half a second everywhere: a second is always enough for some, and for all only where all of it took hardly more.
items=$("$POLLARD" inspect "$work/straight.h5" | awk '$1 == "items_computed" { print $2 }')
starts=0 code=75
while [ "$code" = 75 ] && [ "$starts" -le "$items" ]; do
    before=$(noted)
    begin $((1 + starts % 2)) run --time-limit 1
    end
    starts=$((starts + 1))
    [ "$code" != 75 ] || { grep -q "are left of the job's time" "$log" && [ "$(noted)" -gt "$before" ]; } || fail "start $starts: no progress, or for another reason"
done
[ "$code" = 0 ] && { [ "$starts" -ge 2 ] || [ "$span" -lt 1500 ]; } && pass || { fail "with --time-limit: exit code $code after $starts starts"; tell; }
same "--time-limit, $starts starts"

asked "before --fresh" 75 2 USR1 first
does "--fresh" 2 run --fresh
grep -q "goes on where" "$log" && fail "--fresh goes on" || pass
same "--fresh"
finish
