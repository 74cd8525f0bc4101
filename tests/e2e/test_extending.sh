#!/usr/bin/env bash
# The examples of docs/extending.md as they stand there: in a copy of the sources they build, keep the laws of their families and run.
. "$(dirname "$0")/lib.sh"
command -v cmake >/dev/null || { echo "skipped: cmake is not installed"; exit 77; }
copy=$work/pollard page=$SOURCE/docs/extending.md
mkdir "$copy"
(cd "$SOURCE" && find . -maxdepth 1 -mindepth 1 ! -name build ! -name .git -exec cp -R {} "$copy" \;)

# "File `path`:" before a block of code makes a file of it, "Line in `path`:" puts it at the end of one.
awk -v root="$copy" '
    /^File `[^`]*`:$/    { split($0, part, "`"); path = root "/" part[2]; print "file " part[2]; next }
    /^Line in `[^`]*`:$/ { split($0, part, "`"); path = root "/" part[2]; print "line " part[2]; next }
    /^```c$/ && path     { inside = 1; next }
    /^```$/              { if (inside) close(path); inside = 0; path = ""; next }
    inside               { print >>path }' "$page" >"$work/taken"
for taken in "file engine/attribution/rules/excitation.c" "line engine/attribution/rules/rules.def" \
    "file engine/pruning/criteria/geometric_median.c" "line engine/pruning/criteria/criteria.def" \
    "file engine/nn/archs/alexnet.c" "line engine/nn/archs/archs.def" "file tests/unit/test_alexnet.c"; do
    grep -qx "$taken" "$work/taken" && pass || fail "not on the page: $taken"
done

step() { # step WHAT COMMAND...
    local what=$1
    shift
    "$@" >"$work/log" 2>&1 && pass || { fail "$what"; tail -n 20 "$work/log"; finish; }
}
step "configure" cmake -S "$copy" -B "$copy/build" -DCMAKE_BUILD_TYPE=Release -DPOLLARD_TESTS=ON -DPOLLARD_WERROR=ON
step "build" cmake --build "$copy/build" --parallel 2 --target pollard test_rules test_rule_laws test_criteria test_criterion_laws test_alexnet
POLLARD=$copy/build/pipeline/pollard
for test in test_rules test_rule_laws test_criteria test_criterion_laws test_alexnet; do
    step "$test" "$copy/build/tests/$test"
done

# The program knows them without another word.
"$POLLARD" --help criteria >"$work/help"
grep -q geometric-median "$work/help" && pass || fail "--help criteria does not name the criterion"
grep -q excitation "$work/help" && pass || fail "--help criteria does not name the rule"
cat >"$copy/configs/extended.yaml" <<'END'
study: extended
data: {reference: ../examples/digits/data/train, evaluation: ../examples/digits/data/val}
models: [{name: vgg, checkpoint: ../examples/digits/models/digits_vgg_bn/model.safetensors}]
criteria:
  - {name: excitation, method: lrp, composite: [{place: last, rule: epsilon}, {rule: excitation}]}
  - {name: median, method: geometric-median}
tasks: {classes: [3], seeds: 1, references: [2]}
rates: [0, 0.25, 0.5]
END
step "inspect" "$POLLARD" inspect --composite "$copy/configs/extended.yaml"
grep -q 'features.0 .* excitation (epsilon=1e-06)' "$work/log" && pass || fail "no layer gets the rule"
step "run" ranks 2 run "$copy/configs/extended.yaml" -o "$work/extended.h5"
grep -q '^vgg .* excitation ' "$work/log" && grep -q '^vgg .* median ' "$work/log" && pass || fail "not in the table"
finish
