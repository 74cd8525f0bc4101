#!/usr/bin/env bash
# Arrays of jobs on unlike numbers of ranks, one after the other, at once, killed; then merged. And two runs of the same command at once.
. "$(dirname "$0")/faults.sh"
straight
refuses "nothing to merge" 66 "the journals do not hold all of the work" 2 merge

for jobs in 1 2 5; do
    for ((i = jobs; i >= 1; i--)); do # the last one first
        if [ $((i % 2)) = 0 ]; then # killed, then again
            before=$(noted)
            begin 2 run --array "$i/$jobs"
            if grown "$before"; then kill -KILL "$(ranks_of "$mpi" | tail -1)" 2>/dev/null; fi
            end
        fi
        does "job $i of $jobs" $((1 + i % 4)) run --array "$i/$jobs"
        [ ! -e "$out" ] && pass || fail "job $i of $jobs wrote the result"
        if [ "$i" -gt 1 ]; then
            refuses "merging before job $((i - 1)) of $jobs" 66 "pruned networks x runs; run the jobs" 1 merge
        fi
    done
    grep -q "Everything is there" "$log" && pass || { fail "the last of $jobs jobs does not know that it is the last"; tell; }
    does "merging $jobs jobs" $((1 + jobs % 3)) merge
    same "an array of $jobs"
done

# All at once, each on a rank or two; a run without --array takes what they have done.
pids=()
for i in 1 2 3; do
    begin $((1 + i % 2)) run --array $i/3
    pids+=("$mpi")
    mv "$log" "$log.$i" 2>/dev/null || touch "$log.$i"
done
for i in 1 2 3; do
    mpi=${pids[i - 1]}
    end
    [ "$code" = 0 ] && pass || { fail "job $i of 3 at once: exit code $code"; tell "$log.$i"; }
done
does "merging three jobs" 2 merge
same "three jobs at once"

does "a job of three" 2 run --array 2/3
does "a run takes it over" 3 run
grep -q "goes on where an earlier run was" "$log" && pass || fail "a run does not take over what a job has done"
same "a job, then a run"

refuses "a job that there is not" 2 "--array" 1 run --array 3/2

# The same command twice: each does all of it, or goes on with what it finds; neither harms the other.
for turn in 1 2; do
    begin 2 run
    first=$mpi
    mv "$log" "$log.first" 2>/dev/null || touch "$log.first"
    [ $turn = 1 ] || grown 0
    begin 1 run
    end
    [ "$code" = 0 ] && pass || { fail "the second of two runs: exit code $code"; tell; }
    mpi=$first
    end
    [ "$code" = 0 ] && pass || { fail "the first of two runs: exit code $code"; tell "$log.first"; }
    same "two runs at once"
done
finish
