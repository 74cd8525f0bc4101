#!/usr/bin/env bash
# A real result file opens in xarray, group by group, and says what docs/results.md says; what can be computed again is.
. "$(dirname "$0")/lib.sh"
python=$(command -v python3) || { echo "skipped: python3 is missing"; exit 77; }

# check STUDY ARGUMENT...: runs it on two ranks, reads the result.
check() {
    local command=(run "$1" -o "$work/r.h5" --set 'tasks.references=[3]' "${@:2}")
    ranks 2 "${command[@]}" >"$work/out" 2>"$work/err" || { fail "run $*"; cat "$work/err"; finish; }
    "${PYTHON:-$python}" "$SOURCE/tests/e2e/check_results.py" "$work/r.h5" 2 "$POLLARD" "${command[@]}"
    local code=$?
    [ "$code" -eq 77 ] && exit 77
    [ "$code" -eq 0 ] && pass || fail "check_results.py: exit $code"
}

# The digits study in small, but not too small for the checks: every kind of components, tasks of unlike size (fill values; more than
# five classes), and three seeds, because two make one pair, whose mean hides a missing division.
sed -e "s|\.\./examples|$SOURCE/examples|" -e '/name: digits_resnet/,/components:/d' -e '/name: magnitude/,/method:/d' \
    "$SOURCE/configs/digits.yaml" >"$work/study file.yaml"
check "$work/study file.yaml" --set tasks.seeds=3 --set 'tasks.classes=[2, 6]' --set 'rates=[0, 0.5, 0.9]' --set rows=keep \
    --set spectrum=true

# Every order, scope and floor; masked predictions.
criteria='{name: lrp-epsilon, method: lrp, floor: 0.3}, {name: layer, method: lrp, scope: layer}, {name: most, method: lrp, order: most-first}, '
criteria+='{name: most-layer, method: magnitude, scope: layer, order: most-first}, {name: random, method: random, floor: 0.6, order: most-first}'
check "$work/study file.yaml" --set tasks.seeds=2 --set 'tasks.classes=[2, 6]' --set 'rates=[0, 0.3, 0.5, 0.9]' --set prediction=masked \
    --set "criteria=[$criteria]" --set rows=keep --set spectrum=true
grep -q "those outside the task set to 0" "$work/out" && pass || fail "the table does not say how answers are counted"

# Rows and audits of other criteria: signed scores, another start, other rules; one that has no audit, some that have no walk, one without rows.
criteria='{name: lrp-epsilon, method: lrp}, {name: signed, method: lrp, absolute: never, initial: logit, composite: epsilon-plus}, '
criteria+='{name: mute, method: lrp, audit: false}, {name: gradient, method: gradient-activation}, {name: activation, method: activation}, '
criteria+='{name: wanda, method: wanda}, {name: random, method: random}'
check "$work/study file.yaml" --set tasks.seeds=2 --set 'tasks.classes=[2, 3]' --set 'rates=[0, 0.5]' --set "criteria=[$criteria]" \
    --set rows=auto --set spectrum=true

# Explanations under pruning, with their maps and without; some criteria and rates; tasks of unlike numbers of images.
check "$work/study file.yaml" --set tasks.seeds=2 --set 'tasks.classes=[2, 4]' --set 'rates=[0, 0.1, 0.3, 0.5]' --set heatmaps.images=2 --set heatmaps.keep=true
check "$work/study file.yaml" --set tasks.seeds=1 --set 'tasks.classes=[2, 4]' --set 'rates=[0, 0.3, 0.5]' --set heatmaps.images=1 \
    --set 'heatmaps.rates=[0.5]' --set 'heatmaps.criteria=[random]' --set heatmaps.composite=epsilon-plus-flat

# Searches: a grid, values by Bayesian optimisation, a race; two seeds on either side, one of them, several objectives.
check "$work/study file.yaml" --set tasks.seeds=2 --set 'tasks.classes=[2, 6]' --set 'rates=[0, 0.3, 0.5, 0.9]' --set search.seeds=2 \
    --set 'search.low=[epsilon, gamma]' --set 'search.mid=[epsilon, z-plus]' --set 'search.high=[alpha-beta]' --set 'search.fc=[epsilon]'
check "$work/study file.yaml" --set tasks.seeds=1 --set 'tasks.classes=[2, 3]' --set 'rates=[0, 0.5]' --set search.seeds=1 --set search.method=bayes \
    --set search.continuous=true --set search.trials=6 --set search.batch=3 --set search.objective=area_parameters --set search.report=2

check "$work/study file.yaml" --set tasks.seeds=1 --set 'tasks.classes=[2, 3]' --set 'rates=[0, 0.3, 0.5, 0.9]' --set search.seeds=4 --set search.method=halving \
    --set 'search.low=[epsilon]' --set 'search.fc=[epsilon, gamma]' --set search.first_seeds=3 --set search.first_rates=1 --set search.confidence=0.5 \
    --set search.objective=accuracy_at --set 'search.at=[0.3, 0.9]'

# One seed, one network: there is no error and no pair, and most images are read once, by one rank of the two.
sed '/name: digits_vit/,/components:/d' "$work/study file.yaml" >"$work/one.yaml"
check "$work/one.yaml" --set tasks.seeds=1 --set 'tasks.classes=[2, 10]' --set 'rates=[0, 0.5]'
grep -Eq '^digits_vgg_bn .* \+- - +[0-9]+ %  \([0-9]+ %, [0-9]+ %\)$' "$work/out" && pass || fail "one seed: the table prints an error"
finish
