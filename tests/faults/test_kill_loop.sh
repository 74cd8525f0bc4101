#!/usr/bin/env bash
# Ranks, the launcher or all of them are killed (SIGKILL) at random times, and the same command is given again on another number of ranks, until
# it has been killed POLLARD_FAULTS_KILLS times (5) and has ended: the result is that of the undisturbed run.
#
#     POLLARD_FAULTS_KILLS=50 ctest --preset release -R faults/test_kill_loop      # or: ctest -C long -L faults
#
# POLLARD_FAULTS_SEED=N gives the same kills again, as far as the machine's own pace allows; the seed is printed.
. "$(dirname "$0")/faults.sh"
study=("${longer[@]}")
kills=${POLLARD_FAULTS_KILLS:-5}
seed=${POLLARD_FAULTS_SEED:-$((RANDOM * 32768 + RANDOM))}
echo "POLLARD_FAULTS_SEED=$seed POLLARD_FAULTS_KILLS=$kills"
RANDOM=$seed
straight

# A failure of our own would be a message of another kind. Ranks that see the others die may say that they were stopped or that MPI gave up.
complains() {
    grep 'pollard: ' "$log" | grep -v -e 'stopped on request' -e 'the MPI library gave up' -e 'warning' -e 'its own message says why'
}

killed=0 starts=0 ended=0
while [ "$killed" -lt "$kills" ]; do
    rm -f "$out" # of a run that ended: compared already
    before=$(noted)
    n=$((1 + RANDOM % 4)) ms=$((RANDOM % span)) how=$((RANDOM % 3)) which=$RANDOM
    begin $n run
    starts=$((starts + 1))
    sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
    pids=($(ranks_of $mpi))
    case $how in
    0) victims=(${pids[@]:+${pids[which % ${#pids[@]}]}}) ;;
    1) victims=($mpi) ;;
    2) victims=(${pids[@]} $mpi) ;;
    esac
    [ ${#victims[@]} = 0 ] || kill -KILL ${victims[@]} 2>/dev/null
    end
    gone ${pids[@]}
    if [ "$code" = 0 ]; then
        ended=$((ended + 1))
        same "run $starts ($n ranks)"
    else
        killed=$((killed + 1))
        if [ -e "$out" ]; then # killed when the result was in place and the journal on its way out
            h5diff --exclude-path /provenance "$work/straight.h5" "$out" >"$work/diff" 2>&1 && pass || fail "run $starts, killed at its end: another result"
        else
            [ "$(noted)" -ge "$before" ] && pass || fail "run $starts: the journal has become smaller"
        fi
        [ "$before" = 0 ] || ! grep -q "stage=" "$log" || grep -q "goes on where an earlier run was" "$log" && pass || { fail "run $starts: begins anew"; tell; }
        [ -z "$(complains)" ] && pass || { fail "run $starts ($n ranks, killed after $ms ms: $how): $(complains)"; }
    fi
done
rm -f "$out" # of a last run that ended, or was killed when it was in place
# Once more when there surely is something to be lost.
if [ "$(noted)" -lt 100000 ]; then
    for try in 1 2 3; do
        begin 2 run
        grown 100000
        pids=($(ranks_of $mpi))
        kill -KILL ${pids[@]} $mpi 2>/dev/null
        end
        gone ${pids[@]}
        too_late || break
    done
    [ "$code" != 0 ] && [ "$(noted)" -gt 100000 ] && pass || fail "nothing is noted, or the run was not killed in the middle"
fi
does "the last run" 2 run
grep -q "goes on where an earlier run was" "$log" && pass || { fail "the last run begins anew"; tell; }
same "the last run"
echo "$starts starts, $killed kills, $ended of them too late; undisturbed: $span ms"
finish
