#!/usr/bin/env bash
# Bad input: one clear message, the documented exit code, no result file and no hang, on 1 and on 3 ranks.
. "$(dirname "$0")/lib.sh"
limit=60
config=$SOURCE/configs/digits.yaml
cp -r "$SOURCE/examples/digits" "$work/digits"
digits=$work/digits
output=$work/out/result.h5

# expect CODE MESSAGE ARGUMENT...: `pollard ARGUMENT...` must leave with CODE and one message that contains MESSAGE.
expect() {
    local code=$1 message=$2 n got
    shift 2
    for n in 1 3; do
        ranks "$n" "$@" >"$work/stdout" 2>"$work/stderr"
        got=$?
        if [ "$got" -ne "$code" ]; then
            fail "exit code $got instead of $code on $n ranks: $*"
            sed 's/^/    /' "$work/stderr"
        elif ! grep -F "pollard: error" "$work/stderr" | grep -qF -- "$message"; then
            fail "the message lacks '$message' on $n ranks: $*"
            sed 's/^/    /' "$work/stderr"
        elif [ "$(grep -c 'pollard: error' "$work/stderr")" -ne 1 ]; then
            fail "not exactly one message on $n ranks: $*"
            sed 's/^/    /' "$work/stderr"
        elif find "$work" -path "$digits" -prune -o -name '*.h5*' -print | grep -q .; then
            fail "a result file was left on $n ranks: $*"
            find "$work" -name '*.h5*' -delete
        else
            pass
        fi
    done
}
study() { # CODE MESSAGE EXTRA...: a small run with extra arguments
    local code=$1 message=$2
    shift 2
    expect "$code" "$message" run "$config" -o "$output" "${small[@]}" "$@"
}
model0=models[0].checkpoint

# Command line.
expect 2 "did you mean 'run'" rum "$config"
expect 2 "expected the name of a file" run
expect 2 "did you mean '--output'" run "$config" --outptu x
expect 2 "expected KEY=VALUE" run "$config" --set tasks

# Config.
expect 66 "no-such.yaml" run "$work/no-such.yaml"
expect 66 "expected a file, found a folder" run "$work"
study 78 "rates" --set rates.to=1.2
study 78 "did you mean 'seeds'" --set tasks.sedes=2
study 78 "expected at most 10" --set 'tasks.classes=[11]'
study 78 "the number of images of class" --set 'tasks.references=[500]'
study 78 "has no heads" --set 'models[0].components=[heads]'
study 78 "epsilon" --set 'criteria[0].epsilon=-1'
printf 'study: x\ndata: {reference: a, evaluation: b}\nmodle: []\n' >"$work/typo.yaml"
expect 78 "typo.yaml:3:1" run "$work/typo.yaml" -o "$output"

# Checkpoint.
study 66 "no-such.safetensors" --set "$model0=$work/no-such.safetensors"
mkdir "$work/broken"
cp "$digits/models/digits_vgg_bn/model.json" "$work/broken/"
head -c 200000 "$digits/models/digits_vgg_bn/model.safetensors" >"$work/broken/model.safetensors"
study 65 "$work/broken/model.safetensors" --set "$model0=$work/broken/model.safetensors"
: >"$work/broken/model.safetensors"
study 65 "$work/broken/model.safetensors" --set "$model0=$work/broken/model.safetensors"
cp "$digits/models/digits_vgg_bn/model.safetensors" "$work/broken/model.safetensors"
printf '\000\000\300\177' | dd of="$work/broken/model.safetensors" bs=1 seek=300000 conv=notrunc 2>/dev/null # one NaN weight
study 65 "found nan" --set "$model0=$work/broken/model.safetensors"
cp "$digits"/models/digits_vit/model.* "$work/broken/"
study 65 "num_heads" --set "$model0=$work/broken/model.safetensors" --set 'models[0].heads=5'
printf '{"architecture": ' >"$work/broken/model.json"
study 65 "model.json" --set "$model0=$work/broken/model.safetensors"

# Images.
study 66 "no-such-folder" --set "data.reference=$work/no-such-folder"
mkdir "$work/empty"
study 65 "$work/empty" --set "data.evaluation=$work/empty"
rm -r "$digits/data/val/4/"*
study 65 "val/4" --set "data.evaluation=$digits/data/val"
rmdir "$digits/data/val/4"
study 65 "class folders" --set "data.evaluation=$digits/data/val"
# A broken image is met by one rank only, in the middle of its share: the others must hear of it.
for image in "$digits"/data/train/*/*.png; do head -c 60 "$image" >"$work/part" && cp "$work/part" "$image"; done
study 65 ".png" --set "data.reference=$digits/data/train"
cp -r "$SOURCE/examples/digits/data/val/." "$digits/data/val/"
one=$(find "$digits/data/val/5" -name '*.png' | sort | tail -n 1)
printf 'not an image' >"$one"
study 65 "$one" --set "data.evaluation=$digits/data/val" --set 'tasks.classes=[10]'

# Output.
touch "$work/file"
expect 73 "$work/file" run "$config" -o "$work/file/result.h5" "${small[@]}"
mkdir "$work/folder"
expect 73 "found a folder" run "$config" -o "$work/folder" "${small[@]}"
if [ -d /proc/self ]; then expect 73 "/proc/self: the folder cannot be written to" run "$config" -o /proc/self/result.h5 "${small[@]}"; fi

# Inspect.
printf 'hello' >"$work/hello"
"$POLLARD" inspect "$work/hello" >/dev/null 2>"$work/stderr"
[ $? -eq 65 ] && pass || fail "inspect of a text file"
"$POLLARD" inspect "$work/nothing" >/dev/null 2>"$work/stderr"
[ $? -eq 66 ] && pass || fail "inspect of nothing"
finish
