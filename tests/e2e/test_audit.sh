#!/usr/bin/env bash
# Where relevance explodes or is no longer finite, run says so once and names network, criterion and layer; else it is silent.
. "$(dirname "$0")/lib.sh"
python=$(command -v "${PYTHON:-python3}") || { echo "skipped: python3 is missing"; exit 77; }
models=$SOURCE/examples/digits/models

# change FROM TO STATEMENTS: a checkpoint with other numbers; t["name"] is an array of floats, shape["name"] its shape.
change() {
    mkdir -p "$2" && cp "$1/model.json" "$2/" && "$python" - "$1/model.safetensors" "$2/model.safetensors" "$3" <<'PYTHON'
import array, json, struct, sys

data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
names = [n for n in header if n != "__metadata__" and header[n]["dtype"] == "F32"]
t, shape = {}, {n: header[n]["shape"] for n in names}
for n in names:
    first, last = header[n]["data_offsets"]
    t[n] = array.array("f", bytes(body[first:last]))
exec(sys.argv[3])
for n in names:
    first, last = header[n]["data_offsets"]
    body[first:last] = t[n].tobytes()
open(sys.argv[2], "wb").write(data[: 8 + size] + body)
PYTHON
}

# Two neurons of classifier.0 give 1 for every image, and classifier.3 counts them with opposite weights: its output is the same but for
# rounding, and what it hands on is 2^20 times as large, with both signs.
change "$models/digits_vgg_bn" "$work/explodes" '
inputs = shape["classifier.0.weight"][1]
for k in (0, 1):
    t["classifier.0.bias"][k] = 1.0
    for i in range(inputs):
        t["classifier.0.weight"][k * inputs + i] = 0.0
outputs, inputs = shape["classifier.3.weight"]
for o in range(outputs):
    t["classifier.3.weight"][o * inputs] = 2.0**20
    t["classifier.3.weight"][o * inputs + 1] = -(2.0**20)' || fail "no checkpoint that explodes"
# Logits of 2^-135: one over them is more than float32 holds.
change "$models/digits_resnet" "$work/overflows" '
for i in range(len(t["fc.weight"])):
    t["fc.weight"][i] *= 2.0**-135
for i in range(len(t["fc.bias"])):
    t["fc.bias"][i] = 0.0' || fail "no checkpoint that overflows"

cat >"$work/study.yaml" <<STUDY
study: audit
data: {reference: $SOURCE/examples/digits/data/train, evaluation: $SOURCE/examples/digits/data/val}
models:
  - {name: healthy, checkpoint: $models/digits_resnet/model.safetensors}
  - {name: broken, checkpoint: explodes/model.safetensors}
criteria:
  - {name: random, method: random}
  - {name: plain, method: lrp}
  - {name: plus, method: lrp, composite: z-plus}
  - {name: mute, method: lrp, audit: false}
tasks: {classes: [3], seeds: 2, references: [2]}
rates: [0, 0.5]
STUDY
cd "$work" || exit 2
for n in 1 2; do
    ranks $n run study.yaml -o "$n.h5" >out 2>err || { fail "run on $n ranks"; cat err; }
    grep -c "level=warning" err | grep -qx 1 && pass || { fail "$n ranks: expected one warning"; cat err; }
    grep -q 'level=warning.* model=broken criterion=plain layer=classifier.3: relevance explodes: .*, whose rule is epsilon (epsilon=1e-06), .*larger epsilon' err &&
        pass || { fail "$n ranks: the layer that explodes is not named"; cat err; }
done
if command -v h5diff >/dev/null; then
    h5diff --exclude-path /provenance 1.h5 2.h5 && pass || fail "1 and 2 ranks differ"
fi
"$POLLARD" inspect 1.h5 >out || fail "inspect"
grep -Eq '^ +broken +plain +gain +[0-9.e+]+ +classifier\.3 +epsilon' out && pass || { fail "inspect does not name the worst layer"; cat out; }
grep -q '^ *broken *plus ' out && pass || fail "inspect has no audit of z-plus"
grep -Eq '^ *(broken|healthy) *(mute|random) +(residual|gain|growth)' out && fail "an audit that was switched off" || pass

# refused NAME=VALUE... : the study with the network that overflows ends with exit code 65; its message is in err.
refused() {
    ranks 2 run study.yaml -o refused.h5 --set 'models=[{name: small, checkpoint: overflows/model.safetensors}]' "$@" >out 2>err
    [ $? -eq 65 ] && [ ! -e refused.h5 ] && pass || { fail "$*: expected exit code 65 and no result"; cat err; }
}
refused --set 'criteria=[{name: zero, method: lrp, epsilon: 0}]'
grep -q "criterion 'zero' on model 'small': relevance is no longer finite in layer 'fc' (linear, rule epsilon), the first" err && pass ||
    { fail "the layer in which relevance ends to be finite is not named"; cat err; }
# Without an audit the scores tell which layer is the first with one that is not a number.
refused --set 'criteria=[{name: blind, method: lrp, epsilon: 0, audit: false}]'
grep -q "criterion 'blind' on model 'small': the score of component .* of layer 'layer4.0.downsample.0' is not a number" err && pass ||
    { fail "the layer whose scores are not numbers is not named"; cat err; }
finish
