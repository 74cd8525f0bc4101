#!/usr/bin/env bash
# Composites through the real binary: every example of docs/composites.md runs; what results say of a composite is a study that gives the
# same result; 1, 2 and 4 ranks give the same bytes, of the study that compares composites too.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
digits=$SOURCE/examples/digits

# study NAME FILE: a study of the three digits networks whose criteria are those of FILE
study() {
    cat >"$1.yaml" <<YAML
study: $1
data: {reference: $digits/data/train, evaluation: $digits/data/val}
models:
  - {name: vgg, checkpoint: $digits/models/digits_vgg_bn/model.safetensors}
  - {name: resnet, checkpoint: $digits/models/digits_resnet/model.safetensors}
  - {name: vit, checkpoint: $digits/models/digits_vit/model.safetensors}
tasks: {classes: [3], seeds: 1, references: [3]}
rates: [0, 0.3, 0.6]
YAML
    cat "$2" >>"$1.yaml"
}

# ---- the examples ----
awk '/^```yaml$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > ("example" n ".criteria") }' "$SOURCE/docs/composites.md"
count=$(find . -name 'example*.criteria' | wc -l)
[ "$count" -ge 5 ] && pass || fail "docs/composites.md: expected at least five examples, found $count"
for ((i = 1; i <= count; i++)); do
    study "example$i" "example$i.criteria"
    ranks 2 run "example$i.yaml" >out 2>err && [ -s "example$i.h5" ] && pass || { fail "docs/composites.md, example $i"; cat "example$i.criteria" err; }
    "$POLLARD" inspect --composite "example$i.yaml" >nodes 2>err || { fail "inspect --composite of example $i"; cat err; }
    named=$(grep -c '^  - name:' "example$i.criteria")
    [ "$(grep -c '^[a-z]*, criterion ' nodes)" = $((3 * named)) ] && pass || fail "example $i: expected three networks under $named criteria"
done

# ---- the study that compares them, in small ----
ranks 2 run "$SOURCE/configs/digits-composites.yaml" -o compared.h5 "${small[@]}" >out 2>err && pass || { fail "configs/digits-composites.yaml"; cat err; }
# In a transformer convolutions change no score, in a CNN the softmax rule none.
same() { # same MODEL KIND CRITERION CRITERION: the same line of the table, but for the name
    local a b
    a=$(grep "^$1 .* $2 .* $3  " out | sed "s/ $3  *//") b=$(grep "^$1 .* $2 .* $4  " out | sed "s/ $4  *//")
    [ -n "$a" ] && [ "$a" = "$b" ]
}
same digits_vit neurons epsilon epsilon-plus && same digits_vgg_bn filters z-plus z-plus-cp && pass || { fail "equal composites differ"; cat out; }
grep -q '^digits_resnet .* filters .* epsilon  ' out && grep -q '^digits_resnet .* filters .* z-plus  ' out || fail "no rows of digits_resnet"
same digits_resnet filters epsilon z-plus && fail "epsilon and z-plus are the same" || pass

# equal FILE FILE: the same result, but for /provenance
equal() {
    if command -v h5diff >/dev/null; then
        h5diff --exclude-path /provenance "$1" "$2" >differ 2>&1 && pass || { fail "$1 and $2 differ"; head differ; }
    fi
}
for n in 1 4; do
    ranks $n run "$SOURCE/configs/digits-composites.yaml" -o compared$n.h5 "${small[@]}" >out4 2>err || { fail "configs/digits-composites.yaml on $n ranks"; cat err; }
    equal compared.h5 compared$n.h5
done

# ---- a preset and the list that results hold for it ----
printf 'criteria:\n  - {name: lrp, method: lrp, composite: {preset: four-groups, low: gamma, mid: alpha-beta, high: z-plus, gamma: 0.1}}\n' >preset
study preset preset
ranks 1 run preset.yaml >out1 2>err || { fail "run of a preset"; cat err; }
"$POLLARD" inspect preset.h5 >shown || fail "inspect of the result"
list=$(sed -n '/^Relevance rules$/,/^$/ s/^  lrp: //p' shown)
case $list in
"[{group: low, rule: gamma, gamma: 0.1, epsilon: 1e-06}, {group: mid, rule: alpha-beta, alpha: 2, epsilon: 1e-06},"*) pass ;;
*) fail "the result says '$list'" ;;
esac
ranks 2 run preset.yaml --set "criteria[0].composite=$list" -o list.h5 >out2 2>err || { fail "run of the list"; cat err; }
diff <(sed -n '/^model /,/^$/p' out1) <(sed -n '/^model /,/^$/p' out2) && [ "$(grep -c ' lrp ' out1)" -ge 4 ] && pass || fail "a preset and its list differ"
for n in 2 4; do
    ranks $n run preset.yaml -o preset$n.h5 >out3 2>err || { fail "a preset on $n ranks"; cat err; }
    equal preset.h5 preset$n.h5
done
if command -v h5diff >/dev/null; then
    h5diff --exclude-path /provenance --exclude-path /criteria preset.h5 list.h5 >differ && pass || { fail "a preset and its list differ"; head differ; }
fi

# ---- another composite is another result ----
ranks 2 run preset.yaml --set 'criteria[0].composite=epsilon' -o epsilon.h5 >out4 2>err || { fail "run of epsilon"; cat err; }
if command -v h5diff >/dev/null; then
    h5diff --exclude-path /provenance --exclude-path /criteria preset.h5 epsilon.h5 >/dev/null && fail "four groups and epsilon are the same" || pass
fi

# ---- what is wrong is said before any work, exit code 78 ----
refused() { # refused COMPOSITE MESSAGE
    ranks 2 run preset.yaml --set "criteria[0].composite=$1" -o refused.h5 >out 2>err
    local code=$?
    [ "$code" = 78 ] && grep -qF -- "$2" err && [ ! -e refused.h5 ] && pass || { fail "composite=$1: exit code $code"; cat err; }
}
refused zplus "did you mean 'z-plus'?"
refused '[{group: low, rule: z-plus}]' "criterion 'lrp': the composite has no rule for layer 'features.3' (conv2d, depth group mid)"
refused '[{type: avgpool2d, rule: pass}, {rule: z-plus}]' "gives layer 'avgpool' (avgpool2d) the rule 'pass', which is not for such layers"
refused '[{rule: z-box}]' "bounds in pixels, which is for the layer that sees the image: expected an input of 3 channels"

# ---- --set of inspect ----
"$POLLARD" inspect --set composite=gamma "$digits/models/digits_vit/model.safetensors" >out 2>err
[ $? = 2 ] && grep -q 'add --composite' err && pass || { fail "--set without --composite"; cat err; }
"$POLLARD" inspect --composite "$digits/models/digits_vit/model.safetensors" --set composite=gamma --set softmax=cp >out 2>err &&
    grep -q 'gamma (gamma=0.25, epsilon=1e-06)' out && grep -q 'softmax=cp' out && pass || { fail "--set of a checkpoint"; cat err; }
finish
