#!/usr/bin/env bash
# `pollard export` as from a shell: what it prints, its files, and the exit code of each mistake.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
sed "s|\.\./examples|$SOURCE/examples|" "$SOURCE/configs/digits.yaml" >study.yaml
ranks 2 run study.yaml -o r.h5 "${small[@]}" --set 'criteria=[{name: magnitude, method: magnitude}]' >out 2>err || { cat err; fail "run"; finish; }

# expect CODE PATTERN ARGUMENT...: the exit code, and the message on stderr, in one line.
expect() {
    local code=$1 pattern=$2
    shift 2
    "$POLLARD" export "$@" >out 2>err
    local found=$?
    [ "$found" -eq "$code" ] && grep -q -- "$pattern" err && [ "$(grep -c 'pollard: error' err)" = 1 ] && [ ! -s out ] && pass ||
        { fail "export $*: exit code $found, expected $code with '$pattern'"; cat out err; }
}
cell=(--model digits_resnet --rate 0.38 --seed 1)

expect 2 'expected the name of a file'
expect 2 '--model: digits_vgg_bn, digits_resnet or digits_vit; --kind: filters, neurons or heads; --seed: 0 or 1' r.h5
expect 2 '--kind: neurons or heads' r.h5 --model digits_vit --seed 0
expect 2 "did you mean 'digits_vit'" r.h5 --model digits_vitt
expect 2 '--rate: expected one of the study, 0, 0.19, 0.38' r.h5 --model digits_resnet --seed 1 --rate 0.2
expect 2 'belongs to' r.h5 --dry-run
expect 2 'expected a value' r.h5 --rate=
expect 66 'cannot be opened' absent.h5 "${cell[@]}"
expect 65 'found no HDF5 file' study.yaml "${cell[@]}"
expect 66 '--checkpoint' r.h5 "${cell[@]}" --checkpoint absent.safetensors
expect 65 'SHA-256' r.h5 "${cell[@]}" --checkpoint "$SOURCE/examples/digits/models/digits_vit/model.safetensors"
head -c 100000 r.h5 >half.h5
expect 65 'half.h5' half.h5 "${cell[@]}"
expect 73 '-o' r.h5 "${cell[@]}" -o study.yaml
expect 73 '-o' r.h5 "${cell[@]}" -o study.yaml/deeper
[ "$(ls)" = "$(printf '%s\n' err half.h5 out r.h5 study.yaml)" ] && pass || fail "something was left: $(ls)"

"$POLLARD" export r.h5 "${cell[@]}" >out 2>err && pass || { cat err; fail "export"; }
folder=digits-digits_resnet-filters-magnitude-task3-references0-seed1-rate0.38
[ "$(ls "$folder")" = "$(printf '%s\n' masked.safetensors masks.safetensors shrunk.json shrunk.safetensors)" ] && pass || fail "files: $(ls "$folder")"
grep -q '182 of 480 filters removed' out && grep -q 'same prediction on 64 of 64 images' out && pass || { cat out; fail "what it says"; }
expect 73 '--force' r.h5 "${cell[@]}"
sha256sum "$folder"/* >sums
"$POLLARD" export r.h5 "${cell[@]}" --force >out 2>err && sha256sum --quiet -c sums && pass || fail "the same export has other bytes"

# The masked network is a checkpoint: it can be looked at, and a study of it begins with the accuracy that the result ends with.
"$POLLARD" inspect "$folder/masked.safetensors" | grep -q 'layer4.0.conv2 ' && pass || fail "inspect of the masked network"
cat >again.yaml <<END
study: again
data: {reference: $SOURCE/examples/digits/data/train, evaluation: $SOURCE/examples/digits/data/val}
models: [{name: net, checkpoint: $folder/masked.safetensors}]
criteria: [{name: magnitude, method: magnitude}]
tasks: {classes: [3], seeds: [1], references: [3]}
rates: [0, 0.38]
END
ranks 1 run again.yaml -o again.h5 >out 2>err && pass || { cat err; fail "a study of the masked network"; }
found=$("$POLLARD" inspect again.h5 | sed -n '/^Summary/,/^$/p' | awk '$1 == "net" { print $7 }')
stated=$(grep -o '"accuracy": [0-9.e-]*' "$folder/shrunk.json" | cut -d' ' -f2)
[ -n "$found" ] && [ "$found" = "$(printf '%.4f' "$stated")" ] && pass || fail "accuracy $found of the masked network, $stated of the result"
chmod 000 r.h5 2>/dev/null
[ "$(id -u)" = 0 ] || expect 66 'cannot be opened' r.h5 "${cell[@]}"
finish
