#!/usr/bin/env bash
# Searches that are killed (SIGKILL) in the middle and go on, on other ranks, and searches of arrays of jobs: they try the same settings, find the same
# of them and propose the same study.
. "$(dirname "$0")/faults.sh"
digits=$SOURCE/examples/digits
config=$work/s.yaml
cat >"$config" <<END
study: search
data: {reference: $digits/data/train, evaluation: $digits/data/val}
models: [{name: digits_vgg_bn, checkpoint: $digits/models/digits_vgg_bn/model.safetensors}]
criteria: [{name: random, method: random}]
tasks: {classes: [3], seeds: 1, references: [5]}
rates: {from: 0, to: 0.95, step: 0.19}
search: {high: [epsilon], trials: 11, batch: 2, seeds: 3, report: 2}
END

# found NAME: as undisturbed
found() {
    cmp "$work/straight.h5.tuned.yaml" "$out.tuned.yaml" >"$work/diff" 2>&1 && pass || { fail "$1: another study of the best settings: $(cat "$work/diff")"; }
    rm -f "$out.tuned.yaml"
    same "$1"
}

# killed NAME N BYTES: begins on N ranks, and is killed when the journal has more than that, before the search is over
killed() {
    local try pids
    for try in 1 2 3; do
        begin "$2" run
        grown "$3"
        pids=($(ranks_of "$mpi"))
        kill -KILL ${pids[@]} "$mpi" 2>/dev/null
        end
        gone ${pids[@]}
        too_late "search model=" || break
    done
    [ "$code" != 0 ] && [ "$(noted)" -gt "$3" ] && ! grep -q "search model=" "$log" && pass || { fail "$1: was not killed in the middle of a search"; tell; }
}

for how in "method=exhaustive" "method=bayes batch=1" "method=sobol" "method=bayes continuous=true" \
    "method=halving eta=2 first_images=0.3 first_rates=2 first_seeds=2"; do
    study=()
    for set in $how; do study+=(--set "search.$set"); done
    straight
    bytes=$(grep -o 'masks=[0-9]*' "$log" | cut -d= -f2)
    killed "$how" 2 $((bytes * 64))
    killed "$how, again" 1 $(($(noted) + bytes * 64))
    does "$how: the last run" 3 run
    grep -q "goes on where an earlier run was" "$log" && pass || { fail "$how: the last run begins anew"; tell; }
    found "$how"
done

study=(--set search.method=bayes)
straight
for i in 2 1; do
    does "job $i of 2" $i run --array $i/2
    [ ! -e "$out" ] && [ ! -e "$out.tuned.yaml" ] && pass || fail "job $i of 2 wrote a result"
done
does "merging two jobs" 1 merge
found "two jobs, one after the other"
begin 1 run --array 1/2
first=$mpi
mv "$log" "$log.first" 2>/dev/null || touch "$log.first"
does "the second of two jobs at once" 2 run --array 2/2
mpi=$first
end
[ "$code" = 0 ] && pass || { fail "the first of two jobs at once: exit code $code"; tell "$log.first"; }
does "merging two jobs at once" 2 merge
found "two jobs at once"

# A race of settings that share their explanations, whose rungs have the same tree of other images: what a job finds of another's must be of its own rung.
study=(--set search.method=halving --set search.eta=2 --set search.first_images=0.3 --set search.first_rates=2 --set search.first_seeds=2)
for group in low mid fc; do study+=(--set "search.$group=[epsilon]"); done
straight
for i in 1 2; do does "a race, job $i of 2" 1 run --array $i/2; done
does "merging a race" 1 merge
found "a race of two jobs"
finish
