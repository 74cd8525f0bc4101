#!/usr/bin/env bash
# `pollard plan`, `run --dry-run` and `inspect --composite`: what they say is what a run does, nothing is written, and what stops a run stops them.
. "$(dirname "$0")/lib.sh"
config=$SOURCE/configs/digits.yaml
cd "$work" || exit 1

# ---- the numbers are those of a run ----
tiny=("${small[@]}" --set rates.step=0.45)
ranks 2 plan "$config" "${tiny[@]}" >plan 2>plan.err || { fail "plan"; cat plan.err; }
[ -z "$(find . -type f ! -name 'plan*')" ] && pass || fail "plan left files: $(find . -type f)"
ranks 1 run "$config" "${tiny[@]}" -o result.h5 >/dev/null 2>run.err || { fail "run"; cat run.err; }
"$POLLARD" inspect result.h5 >result
number() { # number FILE ERE: the first number of the line that matches
    grep -E -m1 -- "$2" "$1" | grep -oE '[0-9]+' | head -n1
}
cells=$(number plan '^[0-9]+ cells')
masks=$(grep -E '^[0-9]+ cells' plan | sed 's/.*: \([0-9]*\) masks.*/\1/')
distinct=$(grep -E '^[0-9]+ cells' plan | sed 's/.* \([0-9]*\) distinct$/\1/')
explained=$(awk '/^Memory/ { exit } $1 == "attribute" { print $3 }' plan)
evaluated=$(awk '/^Memory/ { exit } $1 == "evaluate" { print $3 }' plan)
grep -q "cells=$cells " run.err && pass || fail "cells: planned $cells; $(grep cells= run.err)"
grep -q "explained_images=$explained\$" run.err && pass || fail "images: planned $explained; $(grep cells= run.err)"
[ "$(number result '^ *masks ')" = "$masks" ] && pass || fail "masks: planned $masks, run $(number result '^ *masks ')"
run_distinct=$(number result '^ *masks_evaluated ')
[ "$run_distinct" -le "$distinct" ] && [ $((2 * run_distinct)) -gt "$distinct" ] && pass || fail "distinct masks: planned $distinct, run $run_distinct"
# Config, three checkpoints, three model.json, and the images.
[ "$(number result '^ *inputs ')" = $((7 + explained + evaluated)) ] && pass ||
    fail "inputs: planned 7 + $explained + $evaluated, run $(number result '^ *inputs ')"

# ---- the same for any number of ranks, and as an option of run; only memory and time differ ----
counts() { sed -n '/^Networks/,/^Memory/p' "$1"; }
ranks 1 run --dry-run "$config" "${tiny[@]}" -o sub/folder/x.h5 >dry 2>dry.err || { fail "run --dry-run"; cat dry.err; }
[ "$(counts plan)" = "$(counts dry)" ] && [ "$(counts dry | wc -l)" -gt 20 ] && pass || fail "run --dry-run says something else: $(diff plan dry)"
[ ! -e sub ] && pass || fail "run --dry-run made a folder"
grep -q '^Time on 2 ranks' plan && grep -q '^Time on 1 rank,' dry && grep -qE '^  total ' dry && pass || fail "no time"
grep -qE '2 ranks on .*MiB together of' plan && pass || fail "no memory of the node"

# ---- other numbers of ranks ----
ranks 1 plan "$config" "${tiny[@]}" --ranks 1,2,64,16384 --ranks-per-node 32 >scale 2>scale.err || { fail "plan --ranks"; cat scale.err; }
row() { awk -v n="$1" '/^On other ranks/ { on = 1 } on && $1 == n { print }' scale; }
[ "$(row 1 | awk '{ print $2 }')" = 1 ] && [ "$(row 64 | awk '{ print $2 }')" = 2 ] && [ "$(row 16384 | awk '{ print $2 }')" = 512 ] && pass ||
    fail "plan --ranks: nodes: $(row 1) $(row 64) $(row 16384)"
diff <(sed -n '/^Networks/,/^Memory/p' scale) <(counts plan) >differs && pass || fail "plan --ranks counts something else: $(cat differs)"
# No more journal files than ranks, no more than items.
items=$(awk '/^Memory/ { exit } $1 == "attribute" || $1 == "evaluate" { n += $2 } END { print n }' scale)
grep -q '^On other ranks, 32 a node' scale && row 16384 | awk -v items="$items" '{ for (i = NF; i > 0; i--) if (i == NF - 2) exit !($i > 0 && $i <= items) }' &&
    pass || fail "plan --ranks: journal files: $(row 16384), $items items"
rates_0() { ranks 1 plan "$config" "${small[@]}" --set 'rates=[0]' --ranks 2; }
rates_0 >scale 2>scale.err && row 2 | grep -q . && pass || { fail "plan --ranks without pruned networks"; cat scale.err; }
for wrong in 0 x 1,,2 1, 1,x 1000001 -1 99999999999999999999999 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17; do
    ranks 1 plan "$config" --ranks="$wrong" >out 2>err
    [ $? = 2 ] && grep -q -- '--ranks' err && pass || fail "plan --ranks=$wrong: $(cat err)"
done
for wrong in "--ranks-per-node 2" "--ranks 4 --ranks-per-node 0" "--ranks 4 --ranks-per-node 1,2"; do
    # shellcheck disable=SC2086
    ranks 1 plan "$config" $wrong >out 2>err
    [ $? = 2 ] && grep -q -- '--ranks-per-node' err && pass || fail "plan $wrong: $(cat err)"
done

# ---- a search, and the criteria that it finds ----
search=("$SOURCE/configs/digits-search.yaml" --set 'search.low=[epsilon, z-plus]' --set 'search.mid=[epsilon]' --set 'search.high=[epsilon]' --set 'search.fc=[epsilon, gamma]'
    --set search.seeds=2 --set tasks.seeds=2 --set rates.step=0.45 --set search.report=1)
for method in exhaustive halving; do
    ranks 2 plan "${search[@]}" --set search.method=$method --set search.first_rates=1 >plan.search 2>err || { fail "plan of a search, $method"; cat err; }
    ranks 2 run "${search[@]}" --set search.method=$method --set search.first_rates=1 -o $method.h5 >/dev/null 2>run.err || { fail "a search, $method"; cat run.err; }
    "$POLLARD" inspect $method.h5 >result
    masks=$(grep -E '^[0-9]+ cells' plan.search | sed 's/.*: \([0-9]*\) masks.*/\1/')
    [ -n "$masks" ] && [ "$(number result '^ *masks ')" = "$masks" ] && pass || fail "$method: masks with what is found: planned $masks, run $(number result '^ *masks ')"
    for stage in attribute evaluate; do
        sed -n '/^Memory/,/^Time/p' plan.search | grep -qE "^  search, $stage +" && sed -n '/^Time/,$p' plan.search | grep -qE "^  search, $stage +(at most|about) [0-9]" && pass ||
            fail "$method: no memory or time of search, $stage"
    done
    grep -qE '^  tuned-digits_vit-heads-1 +lrp .*stands for what the search finds$' plan.search && pass || fail "$method: what will be found is not among the criteria"
    # Every setting's curves at most: images of all rates and seeds, those of the unpruned network for each round aside.
    while read -r model most; do
        images=$(grep -o "search model=$model .*" run.err | sed 's/.* images=\([0-9]*\) .*/\1/' | sort -n | tail -n 1)
        [ -n "$images" ] && awk -v found="$images" -v most="$most" 'BEGIN { exit !(found > 0 && found <= most) }' && pass ||
            fail "$method: $model: at most $most images planned, $images run"
    done < <(sed -nE 's/^  ([a-z_]+): [0-9]+ settings.*at most ([0-9.e+]+) images.*/\1 \2/p' plan.search)
done

# ---- what stops a run at its beginning stops a plan: the same message and code ----
echo "not a result" >file
mkdir folder
sed 's/^criteria:/criterion:/' "$config" >"$work/wrong.yaml"
same() { # same NAME CODE RANKS ARGUMENT...
    local name=$1 code=$2 n=$3 found
    shift 3
    for command in run plan "run --dry-run"; do
        # shellcheck disable=SC2086
        ranks "$n" $command "$@" >out 2>"err.$command"
        found=$?
        [ "$found" = "$code" ] && pass || fail "$name: $command: expected exit code $code, found $found"
        grep '^pollard: error' "err.$command" >"message.$command"
    done
    [ -s message.run ] && cmp -s message.run message.plan && cmp -s message.run "message.run --dry-run" && pass ||
        fail "$name: messages differ: $(cat message.*)"
}
for n in 1 2; do
    same "no config" 66 $n nowhere.yaml
    same "a wrong key" 78 $n wrong.yaml
    same "no images" 66 $n "$config" --set data.reference=nowhere
    same "a checkpoint that is none" 65 $n "$config" --set "models[0].checkpoint=$work/file"
    same "too many references" 78 $n "$config" --set 'tasks.references=[5000]'
    same "the output is a folder" 73 $n "$config" --set output=folder
    same "the output is something else" 73 $n "$config" --set output=file
    same "another output that is a folder" 73 $n "$config" -o folder
    same "a folder below a file" 73 $n "$config" --set output=file/x.h5
    same "folders below a file" 73 $n "$config" --set output=file/sub/x.h5
done
if [ "$(id -u)" != 0 ]; then
    chmod a-w folder
    same "a folder without permission" 73 1 "$config" --set output=folder/x.h5
    same "no folder can be made" 73 1 "$config" --set output=folder/sub/x.h5
    chmod u+w folder
fi

# ---- memory that does not suffice is said before it is taken ----
(ulimit -v 600000 && "$POLLARD" plan "$config" --set micro_batch=1024 --set tasks.seeds=300 --set 'tasks.classes=[10]') >plan.small 2>plan.err
code=$?
if [ "$code" = 0 ]; then
    grep -q 'IT WILL NOT FIT (ulimit -v)' plan.small && grep -q '^Time: not tried' plan.small && pass || fail "too little memory is not seen: $(tail -n 8 plan.small)"
else
    grep -q 'out of memory' plan.err && pass || { fail "plan with little memory: $code"; cat plan.err; } # less than the program itself takes
fi

# ---- inspect --composite ----
vit=$SOURCE/examples/digits/models/digits_vit/model.safetensors
"$POLLARD" inspect --composite "$vit" >nodes || fail "inspect --composite of a checkpoint"
grep -qE '^  encoder.layers.encoder_layer_0.self_attention.softmax +attention +low +\[17, 64\] +attention \(epsilon=1e-06, softmax=epsilon\) +rule is run +4 heads$' nodes && pass ||
    fail "no row of the attention layer"
[ "$(grep -cE '^  [^ ]+ +[a-z0-9_]+ +(none|low|mid|high|fc) ' nodes)" = 54 ] && pass || fail "expected 54 nodes"
"$POLLARD" inspect --composite "$config" >nodes || fail "inspect --composite of a study"
[ "$(grep -cF ', criterion lrp-epsilon (lrp composite=epsilon epsilon=1e-06 absolute=' nodes)" = 3 ] && pass || fail "expected three networks"
"$POLLARD" inspect --composite result.h5 >/dev/null 2>err
[ $? = 65 ] && grep -q 'expected a study or a checkpoint' err && pass || fail "a result is not refused"
finish
