#!/usr/bin/env bash
# A search writes the same result and the same study of its best settings on any number of ranks; a setting is worth in it what it is worth as a criterion
# of a study; what is reported of the best ones is what their curves say.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null || ! command -v h5dump >/dev/null; then
    echo "skipped: h5diff or h5dump is missing (Debian: hdf5-tools)"
    exit 77
fi
digits=$SOURCE/examples/digits

# study FILE MODEL...: with the criteria, tasks and search of standard input
study() {
    local to=$1
    shift
    {
        echo "study: search"
        echo "data: {reference: $digits/data/train, evaluation: $digits/data/val}"
        echo "rates: {from: 0, to: 0.95, step: 0.19}"
        echo "models:"
        for model in "$@"; do echo "  - {name: $model, checkpoint: $digits/models/$model/model.safetensors}"; done
        cat
    } >"$to"
}

# run NAME N STUDY ARGUMENT...: the result is $work/NAME.h5
run() {
    local name=$1 n=$2 config=$3
    shift 3
    ranks "$n" run "$config" -o "$work/$name.h5" "$@" >"$work/log" 2>&1 && pass || { fail "$name: exit code $?"; tail -5 "$work/log"; }
}

# same A B: results but for /provenance, and the studies that they propose
same() {
    h5diff --exclude-path /provenance "$work/$1.h5" "$work/$2.h5" >"$work/diff" 2>&1 && pass || { fail "$1 and $2 differ:"; head "$work/diff"; }
    cmp "$work/$1.h5.tuned.yaml" "$work/$2.h5.tuned.yaml" && pass || fail "$1 and $2 propose different studies"
}

# values RESULT DATASET [FORMAT]: its numbers or texts, one a line
values() {
    h5dump -A 0 -y -w 1 -m "${3:-%.17g}" -d "$2" "$work/$1.h5" | sed -n '/^ *DATA {/,/^ *}/p' | sed -e '1d;$d' -e 's/^ *//' -e 's/,$//' -e 's/^"\(.*\)"$/\1/' | grep .
}

agree() { # NAME FILE FILE: the same lines, and some
    if [ -s "$2" ] && cmp -s "$2" "$3"; then pass; else
        fail "$1:"
        diff "$2" "$3" | head -6
    fi
}

study "$work/s.yaml" digits_vgg_bn digits_vit <<'END'
criteria:
  - {name: lrp-epsilon, method: lrp}
  - {name: random, method: random}
tasks: {classes: [3], seeds: 2, references: [3, 5]}
search: {low: [gamma], mid: [epsilon, alpha-beta], high: [epsilon], fc: [z-plus, epsilon], softmax: [epsilon, z-plus], seeds: [7, 5, 11], references: 3, report: 2,
         at: [0, 0.19, 0.38, 0.57, 0.76, 0.95]}
END
run 1 1 "$work/s.yaml"
for n in 2 4; do
    run $n $n "$work/s.yaml"
    same 1 $n
done

# ---- settings as criteria of a study of the tuning images and seeds ----
sed -e 's/classes: \[3\], seeds: 2/classes: [10], seeds: 1/' "$work/s.yaml" >"$work/all.yaml"
"$TUNING_IMAGES" "$work/all.yaml" >"$work/tuning.csv" 2>"$work/log" && pass || { fail "the tuning images"; cat "$work/log"; }
all=$(find "$digits/data/val" -type f | wc -l) tuning=$(wc -l <"$work/tuning.csv")
[ "$tuning" -gt $((all / 2 - 10)) ] && [ "$tuning" -lt $((all / 2 + 10)) ] && pass || fail "$tuning of $all images are for tuning"
for model in digits_vgg_bn digits_vit; do
    {
        echo "criteria:"
        values 1 "/search/$model/$(h5ls "$work/1.h5/search/$model" | head -1 | cut -d' ' -f1)/setting" | awk '{sub(/name: setting,/, "name: s" NR ","); print "  - " $0}'
        echo "tasks: {classes: [3], seeds: [7, 5, 11], references: [3]}"
    } >"$work/criteria"
    study "$work/own.yaml" "$model" <"$work/criteria"
    sed -i "s|evaluation: [^}]*|&, evaluation_list: $work/tuning.csv|" "$work/own.yaml"
    run own 2 "$work/own.yaml"
    kinds=$(values own /summary/kind | uniq) # in the order of the summary
    for measure in a_pr_mean a_pr_trapezoid area_parameters area_macs; do
        format=%.17g
        case $measure in area_*) format=%.14g ;; esac # means over the seeds: a sum of quotients in the one, a quotient of sums in the other
        for kind in $kinds; do values 1 "/search/$model/$kind/$measure" $format; done >"$work/found"
        values own "/summary/$measure" $format >"$work/expected"
        agree "$model: $measure of a setting and of the same criterion" "$work/found" "$work/expected"
    done
    for kind in $kinds; do values 1 "/search/$model/$kind/accuracy_at" %.14g; done >"$work/found" # at all rates: the same sum in another order
    values own /summary/a_pr_mean %.14g >"$work/expected"
    agree "$model: accuracy at all rates" "$work/found" "$work/expected"
    for kind in $kinds; do values 1 "/search/$model/$kind/objective"; done >"$work/found"
    values own /summary/a_pr_mean >"$work/expected"
    agree "$model: objective" "$work/found" "$work/expected"
    for kind in $kinds; do values 1 "/search/$model/$kind/error"; done >"$work/found"
    values own /summary/a_pr_mean_error >"$work/expected"
    agree "$model: error" "$work/found" "$work/expected"
done

# ---- the best settings: reported, and as a study of their own ----
# /summary has a line for each model, kind, criterion and number of references.
for of in model kind criterion references a_pr_mean a_pr_mean_error; do values 1 /summary/$of >"$work/$of"; done
(cd "$work" && paste -d' ' model kind criterion references a_pr_mean a_pr_mean_error >summary)
reported=0
for model in digits_vgg_bn digits_vit; do
    for kind in $(h5ls "$work/1.h5/search/$model" | cut -d' ' -f1); do
        at=/search/$model/$kind
        paste -d' ' <(values 1 $at/rank) <(values 1 $at/held_out) <(values 1 $at/held_out_error) | sort -n | awk '$2 != "nan" {print $2, $3}' >"$work/found"
        grep "^$model $kind tuned-$model-$kind-[0-9]* 3 " "$work/summary" | cut -d' ' -f5,6 >"$work/expected"
        agree "$at: held-out values" "$work/found" "$work/expected"
        reported=$((reported + $(wc -l <"$work/found")))
        values 1 $at/objective >"$work/objective"
        best=$(sort -g "$work/objective" | tail -1)
        [ "$(paste -d' ' <(values 1 $at/rank) "$work/objective" | sort -n | head -1)" = "0 $best" ] && pass || fail "$at: the best setting is not in the first place"
    done
done
[ $reported = 6 ] && pass || fail "expected 2 settings for each of 3 kinds, found $reported"

[ "$(grep -c "name: tuned-" "$work/1.h5.tuned.yaml")" = 6 ] && pass || fail "the study of the best settings has others"
grep -q "^search:" "$work/1.h5.tuned.yaml" && fail "the study of the best settings searches again"
mkdir "$work/elsewhere"
cp "$work/1.h5.tuned.yaml" "$work/elsewhere/t.yaml" # its paths begin at the root
(cd "$work/elsewhere" && run tuned 2 t.yaml && echo "$failed" >"$work/failed.tuned")
[ "$(cat "$work/failed.tuned" 2>/dev/null)" = "$failed" ] && pass || fail "the study of the best settings does not run"
rankings=$(h5ls -r "$work/1.h5" | grep -o '^/tracks/[^ ]*/ranking') # of 3 kinds of components: 2 criteria and 2 settings for each kind of the network
[ "$(echo "$rankings" | grep -c .)" = 16 ] && pass || fail "expected 16 rankings, found: $rankings"
for at in $rankings; do
    h5diff "$work/1.h5" "$work/tuned.h5" "$at" "$at" >"$work/diff" 2>&1 && pass || { fail "$at differs in the study of the best settings"; head -3 "$work/diff"; }
done

# ---- methods that propose ----
study "$work/p.yaml" digits_vgg_bn <<'END'
criteria:
  - {name: random, method: random}
tasks: {classes: [3], seeds: 1, references: [3]}
search: {trials: 17, batch: 4, seeds: 2, report: 1, continuous: true}
END
for method in bayes sobol random; do
    run $method-1 1 "$work/p.yaml" --set search.method=$method
    run $method-3 3 "$work/p.yaml" --set search.method=$method
    same $method-1 $method-3
    [ "$(values $method-1 /search/digits_vgg_bn/filters/round | sort -n | uniq -c | awk '{print $1}' | tr '\n' ' ')" = "4 4 4 4 1 " ] && pass || fail "$method: rounds of other sizes"
done
# ---- nothing is evaluated twice ----
# A rule in the layer nearest to the input moves nothing that is pruned, so there are half as many rankings as settings. All in one round, or three at a
# time: the same networks are run.
study "$work/e.yaml" digits_vgg_bn <<'END'
criteria:
  - {name: random, method: random}
tasks: {classes: [10], seeds: 1, references: [2]}
search: {low: [epsilon, gamma], mid: [epsilon, alpha-beta], high: [epsilon], fc: [z-plus, epsilon], seeds: 2, report: 1}
END
run together 2 "$work/e.yaml"
run rounds 2 "$work/e.yaml" --set search.method=sobol --set search.batch=3 --set search.trials=100
counted() { h5dump -a "/search/digits_vgg_bn/filters/$2" "$work/$1.h5" | sed -n 's/^ *([0-9]*): *\([0-9]*\)$/\1/p'; }
for name in together rounds; do
    paste -d' ' <(values $name /search/digits_vgg_bn/filters/setting | tr -d ' ') <(values $name /search/digits_vgg_bn/filters/objective) | sort >"$work/$name"
done
agree "settings tried together and one after the other" "$work/together" "$work/rounds"
[ "$(wc -l <"$work/together")" = 16 ] && pass || fail "expected 16 settings, found $(wc -l <"$work/together")"
[ "$(counted together n_masks)" = $((16 * 2 * 6)) ] && [ "$(counted rounds n_masks)" = $((16 * 2 * 6)) ] && pass || fail "n_masks: $(counted together n_masks), $(counted rounds n_masks)"
[ "$(counted together n_evaluated)" -le $((8 * 2 * 5 + 1)) ] && pass || fail "$(counted together n_evaluated) networks were run for 8 rankings"
for of in n_evaluated n_images; do
    [ "$(counted rounds $of)" = "$(counted together $of)" ] && pass || fail "6 rounds: $of $(counted rounds $of), one round: $(counted together $of)"
done

# ---- races ----
study "$work/r.yaml" digits_vgg_bn digits_vit <<'END'
criteria:
  - {name: random, method: random}
tasks: {classes: [3], seeds: 1, references: [3]}
search: {low: [epsilon], high: [epsilon, z-plus], fc: [epsilon, gamma], seeds: 4, report: 2, eta: 2, first_images: 0.3, first_rates: 2, first_seeds: 2}
END
run race 1 "$work/r.yaml" --set search.method=halving
run race-3 3 "$work/r.yaml" --set search.method=halving
same race race-3
run whole 2 "$work/r.yaml"
# At once on everything a race is the exhaustive search.
run once 2 "$work/r.yaml" --set search.method=halving --set search.first_images=1 --set search.first_rates=100 --set search.first_seeds=100
number() { h5dump -a "$2" "$work/$1.h5" | sed -n 's/^ *([0-9]*): *\([0-9]*\)$/\1/p'; }
for at in digits_vgg_bn/filters digits_vit/neurons digits_vit/heads; do
    for of in rank objective error a_pr_mean area_parameters area_macs front importance_main importance_total cost state; do
        values once "/search/$at/$of" >"$work/found"
        values whole "/search/$at/$of" >"$work/expected"
        agree "$at: $of of a race of one rung" "$work/found" "$work/expected"
    done
    # What is left in the end has been measured on everything: as in the exhaustive search, whatever was added up from parts and rungs.
    for name in race whole; do
        for of in state setting rank objective error a_pr_trapezoid area_macs cost; do values $name "/search/$at/$of" | tr -d ' ' >"$work/$of"; done
        (cd "$work" && paste -d' ' state setting objective error a_pr_trapezoid area_macs cost >"measures.$name")
        (cd "$work" && paste -d' ' rank state >"places.$name")
        cp "$work/cost" "$work/cost.$name"
    done
    grep '^complete' "$work/measures.race" >"$work/found"
    grep -F -f "$work/found" "$work/measures.whole" >"$work/expected"
    agree "$at: settings of the last rung" "$work/found" "$work/expected"
    left=$(wc -l <"$work/found") all=$(wc -l <"$work/measures.race")
    different=$(cut -d' ' -f3- "$work/found" | sort -u | wc -l) # settings that say the same in everything count as one
    [ "$all" = 32 ] && [ "$left" -ge 2 ] && [ "$left" -lt 16 ] && [ "$different" -le 4 ] && pass || fail "$at: $left of $all settings are complete, $different of them differ"
    [ "$(sort -n "$work/places.race" | head -"$left" | grep -c ' complete$')" = "$left" ] && pass || fail "$at: a dropped setting is before a complete one"
    [ "$(sort -un "$work/cost.race" | wc -l)" -ge 3 ] && [ "$(sort -n "$work/cost.race" | tail -1)" = "$(sort -un "$work/cost.whole")" ] && pass || fail "$at: costs $(sort -un "$work/cost.race" | tr '\n' ' ')"
    [ $((2 * $(number race "/search/$at/n_images"))) -lt "$(number whole "/search/$at/n_images")" ] && pass || fail "$at: a race over $(number race "/search/$at/n_images") images, all: $(number whole "/search/$at/n_images")"
done
# Nothing twice: of two settings one is left, whose masks then see the other half of the images alone.
study "$work/two.yaml" digits_vgg_bn <<'END'
criteria:
  - {name: random, method: random}
tasks: {classes: [10], seeds: 1, references: [2]}
search: {low: [epsilon], mid: [epsilon], high: [epsilon], fc: [epsilon, z-plus], absolute: [token], seeds: 2, report: 1, eta: 2, first_images: 0.5, first_rates: 100, first_seeds: 100}
END
run two 2 "$work/two.yaml" --set search.method=halving
run both 2 "$work/two.yaml"
best=$(paste -d' ' <(values two /search/digits_vgg_bn/filters/rank) <(echo epsilon; echo z-plus) | sort -n | head -1 | cut -d' ' -f2)
run alone 2 "$work/two.yaml" --set "search.fc=[$best]"
at=/search/digits_vgg_bn/filters
images=$(($(number both $at/n_images) / $(number both $at/n_evaluated))) # of the search
half=$(($(values two $at/cost | sort -n | head -1) / (2 * 6)))           # 2 seeds, 6 rates
[ "$half" -gt $((images * 2 / 5)) ] && [ "$half" -lt $((images * 3 / 5)) ] && pass || fail "the first rung has $half of $images images"
expected=$(($(number both $at/n_evaluated) * half + $(number alone $at/n_evaluated) * (images - half)))
[ "$(number two $at/n_images)" = "$expected" ] && pass || fail "a race of two settings sent $(number two $at/n_images) images through networks, expected $expected"

[ "$(number two $at/n_evaluated)" = "$(number both $at/n_evaluated)" ] && [ "$(number two $at/n_evaluated)" -le "$(number two $at/n_masks)" ] && pass ||
    fail "a race of two settings ran $(number two $at/n_evaluated) networks, both at once $(number both $at/n_evaluated)"
# Explained are the reference images of the first seeds under both, of the others under the one that is left.
[ "$(number two $at/n_explained)" = "$(number both $at/n_explained)" ] && [ "$(number two $at/n_explained)" = $((2 * $(number alone $at/n_explained))) ] && pass ||
    fail "with all seeds on the first rung $(number two $at/n_explained) images were explained, in one round $(number both $at/n_explained)"
run seeds 2 "$work/two.yaml" --set search.method=halving --set search.first_images=1 --set search.first_seeds=1
[ "$(number seeds $at/n_explained)" = $((2 * 20 + 20)) ] && pass || fail "two seeds of 20 reference images, two settings and one that is left: $(number seeds $at/n_explained) were explained"
for of in objective error; do # of the one that is left, as if both had seen everything
    paste -d' ' <(values seeds $at/state) <(values seeds $at/$of) | sed -n 's/^complete //p' >"$work/found"
    paste -d' ' <(values seeds $at/state) <(values both $at/$of) | sed -n 's/^complete //p' >"$work/expected"
    agree "$of of a race by seeds" "$work/found" "$work/expected"
done
# What the loader says a race has missed.
if "${PYTHON:-python3}" -c 'import xarray, pandas' 2>/dev/null; then
    (cd "$work" && PYTHONPATH=$SOURCE/analysis "${PYTHON:-python3}" - >"$work/log" 2>&1) <<'END' && pass || { fail "regret:"; tail -3 "$work/log"; }
from pollard_results import open_results

r = {name: open_results(name + ".h5") for name in ("race", "whole", "both", "alone", "together")}
for model, kind in r["race"].searches():
    f, best = r["race"].search_frame(model, kind, against=r["whole"]), r["whole"].search_frame(model, kind).objective.max()
    complete = f[f.state == "complete"]
    assert len(complete) and (complete.regret == best - complete.objective).all() and (f.regret >= 0).all() and not f.regret.isna().any()
one = ("digits_vgg_bn", "filters")
for name, against in (("race", "together"), ("both", "alone"), ("whole", "race")):  # other tasks; not all settings; no exhaustive search
    try:
        r[name].search_frame(*one, against=r[against])
        raise SystemExit(f"{name} against {against} is taken")
    except ValueError:
        pass
assert r["alone"].search_frame(*one, against=r["both"]).regret.notna().all()
END
fi

# The methods that propose, on the table of the exhaustive search: with all of its settings they have its best one.
"$BENCH_PROPOSALS" "$work/whole.h5" 1 8 2 >"$work/log" 2>&1 && pass || { fail "proposals on a table: exit code $?"; tail -3 "$work/log"; }
[ "$(grep -c '"settings": 32, "trials": 32, "repeats": 2, "within_0.005": 2, .*"largest_regret": 0.0' "$work/log")" = 9 ] && pass || { fail "proposals on a table:"; cat "$work/log"; }

# The comparison itself must be able to see a difference.
run other 1 "$work/p.yaml" --set search.method=bayes --set search.seed=1
h5diff --exclude-path /provenance "$work/bayes-1.h5" "$work/other.h5" >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "another seed proposes the same"
finish
