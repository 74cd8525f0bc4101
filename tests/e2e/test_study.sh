#!/usr/bin/env bash
# The digits study in small: table, plot, result file, command-line variants.
. "$(dirname "$0")/lib.sh"
config=$SOURCE/configs/digits.yaml
out=$work/sub/folder/result.h5
ranks 2 run "$config" -o "$out" --set tasks.seeds=3 --set 'tasks.classes=[10]' --set rates.step=0.15 >"$work/out" 2>"$work/err" ||
    { fail "run"; cat "$work/err"; }
[ -s "$out" ] && pass || fail "no result file"
grep -q "^Result: $out\$" "$work/out" && pass || fail "the path of the result is not printed"
grep -q "level=info" "$work/err" && pass || fail "no log line"
for stage in attribute evaluate; do
    grep -Eq "level=info .*stage=$stage seconds=[0-9.]+ busy=[0-9.]+ image_wait=[0-9.]+ image_wait_share=[0-9.]+% idle=[0-9.]+$" "$work/err" && pass ||
        fail "$stage does not say how long it waited for images"
done
ls "$work"/sub/folder | grep -q tmp && fail "a temporary file stays behind" || pass

# A_PR of LRP must be above random for every network and kind of component, by more than both standard errors together.
check() {
    awk -v model="$1" -v kind="$2" '
        $1 == model && $2 == kind && $4 == "lrp-epsilon" { lrp = $7; le = $9 }
        $1 == model && $2 == kind && $4 == "random" { random = $7; re = $9 }
        END { printf "%s %s: lrp-epsilon %.4f +- %.4f, random %.4f +- %.4f\n", model, kind, lrp, le, random, re
              exit !(lrp > 0 && random > 0 && lrp - random > 2 * (le + re)) }' "$work/out"
}
for row in "digits_vgg_bn filters" "digits_resnet filters" "digits_vit neurons" "digits_vit heads"; do
    # shellcheck disable=SC2086
    if check $row; then pass; else fail "LRP is not clearly above random: $row"; fi
done

# Accuracy before pruning is the one of the models' own description: 719, 715 and 710 of 719.
grep -q '^digits_vgg_bn .* 1\.0000 ' "$work/out" && pass || fail "digits_vgg_bn: expected accuracy 1.0000"
grep -q '^digits_resnet .* 0\.9944 ' "$work/out" && pass || fail "digits_resnet: expected accuracy 0.9944"
grep -q '^digits_vit .* 0\.9875 ' "$work/out" && pass || fail "digits_vit: expected accuracy 0.9875"

# A second run replaces the first file and gives the same bytes outside /provenance.
if command -v h5diff >/dev/null; then
    cp "$out" "$work/first.h5"
    ranks 1 run "$config" -o "$out" --set tasks.seeds=3 --set 'tasks.classes=[10]' --set rates.step=0.15 >/dev/null 2>&1 || fail "second run"
    h5diff --exclude-path /provenance "$work/first.h5" "$out" >/dev/null && pass || fail "the second run differs"
fi
# On a terminal one line redraws, also where mpirun stands between it and the program; elsewhere lines follow each other.
if ! command -v script >/dev/null || ! script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    echo "skipped: a run on a terminal; no terminal can be made here (script, /dev/pts)"
else
    command="'$launch' 2 '$POLLARD' run '$config' -o '$work/t.h5' ${small[*]@Q}"
    script -qec "$command" /dev/null </dev/null >"$work/terminal" 2>&1 || fail "run on a terminal"
    grep -q $'\r.*images/s' "$work/terminal" && pass || fail "no redrawn line on a terminal"
    grep -q "level=info.*stage=" "$work/terminal" && fail "log lines of progress on a terminal" || pass
fi
grep -q $'\r' "$work/err" && fail "a redrawn line in a log" || pass

"$POLLARD" inspect "$out" >"$work/inspect" 2>&1 && grep -q digits_resnet "$work/inspect" && pass || fail "inspect of the result"
"$POLLARD" inspect "$SOURCE/examples/digits/data/val" >"$work/inspect" 2>&1 && grep -q "719 images" "$work/inspect" && pass || fail "inspect of a folder"
"$POLLARD" inspect "$SOURCE/examples/digits/models/digits_vit/model.safetensors" >"$work/inspect" 2>&1 &&
    grep -q "encoder.layers.encoder_layer_3.mlp.3" "$work/inspect" && pass || fail "inspect of a checkpoint"
finish
