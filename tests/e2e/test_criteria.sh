#!/usr/bin/env bash
# Every criterion in one study, on convolutional networks and on a transformer: any number of ranks writes the same file, and each criterion
# is told apart from the others.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null; then
    echo "skipped: h5diff is missing (Debian: hdf5-tools)"
    exit 77
fi
cd "$work" || exit 2
config=$SOURCE/configs/digits-criteria.yaml
quick=(--set 'tasks.seeds=[1]' --set 'tasks.classes=[3]' --set 'tasks.references=[4]' --set 'rates=[0, 0.5]' --set rows=keep)

# The study has every method; a new one belongs there too.
"$POLLARD" help criteria | sed -n 's/^  \([a-z0-9-]*\): .*/\1/p' >methods
[ -s methods ] || fail "no methods are listed"
while read -r method; do
    grep -q "method: $method[,}]" "$config" && pass || fail "configs/digits-criteria.yaml has no criterion of the method $method"
done <methods

# same NAME RANKS...: runs the study on each number of ranks and compares the files. The words of the study's changes are in $sets.
same() {
    local name=$1 first=$2 n
    shift
    for n in "$@"; do
        ranks "$n" run "$config" -o "$work/$name-$n.h5" "${quick[@]}" "${sets[@]}" >"$work/log" 2>&1 || { fail "$name on $n ranks"; cat "$work/log"; }
    done
    for n in "${@:2}"; do
        h5diff --exclude-path /provenance "$work/$name-$first.h5" "$work/$name-$n.h5" >"$work/diff" 2>&1 && pass || {
            fail "$name: $first and $n ranks differ:"
            cat "$work/diff"
        }
    done
}
sets=()
same filters 1 2 4
models="models=[{name: vit, checkpoint: $SOURCE/examples/digits/models/digits_vit/model.safetensors}]"
vit='[{name: ig, method: integrated-gradients, steps: 4}, {name: layer, method: integrated-gradients, form: layer, steps: 2},
  {name: smooth, method: smoothgrad, draws: 3}, {name: taylor, method: taylor}, {name: snip, method: snip}, {name: wanda, method: wanda},
  {name: activation, method: activation}, {name: variance, method: activation, statistic: variance}, {name: signed, method: gradient-activation, absolute: never, normalise: l2},
  {name: predicted, method: gradient, target: prediction, initial: logit}, {name: l2, method: magnitude, norm: l2}]'
sets=(--set "$models" --set "criteria=$vit")
same heads 1 2 4

# Each criterion has a ranking of its own: no two tracks of a network have the same scores.
h5ls -r "$work/filters-1.h5" | sed -n 's|^\(/tracks/[^ ]*\)/relevance .*|\1|p' | sed 's/\\//g' >tracks
[ "$(wc -l <tracks)" -ge 30 ] && pass || fail "expected 30 tracks or more, found $(wc -l <tracks)"
while read -r track; do
    echo "${track%/*} $(h5dump -d "$track/relevance" "$work/filters-1.h5" | sed -n '/DATA {/,/^   }/p' | sha256sum)"
done <tracks | sort >sums
[ "$(sort -u sums | wc -l)" = "$(wc -l <sums)" ] && pass || { fail "two criteria have the same scores:"; uniq -d sums; }

# What a network has not is refused before anything runs, with the criterion and the layer.
ranks 2 run "$config" "${quick[@]}" --set "$models" -o "$work/refused.h5" >"$work/log" 2>&1
[ $? -eq 78 ] && grep -q "criterion 'bn-scale' on model 'vit'" "$work/log" && [ ! -e "$work/refused.h5" ] && pass || { fail "bn-scale on a transformer:"; cat "$work/log"; }
finish
