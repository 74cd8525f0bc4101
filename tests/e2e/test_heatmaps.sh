#!/usr/bin/env bash
# Explanations under pruning through the real binary: the same bits on any number of ranks; tables; plans; what is refused before any work.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null; then
    echo "skipped: h5diff is missing (Debian: hdf5-tools)"
    exit 77
fi
sed -e "s|\.\./examples|$SOURCE/examples|" -e '/name: digits_resnet/,/components:/d' "$SOURCE/configs/digits-heatmaps.yaml" >"$work/h.yaml"
small=(--set 'tasks.seeds=[0, 2]' --set 'tasks.classes=[3, 10]' --set 'tasks.references=[2]' --set 'rates=[0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9]'
    --set 'heatmaps.rates=[0, 0.1, 0.3, 0.5, 0.9]' --set micro_batch=4)
cd "$work" || exit 1

for n in 1 2 3; do
    ranks "$n" run h.yaml -o "$n.h5" "${small[@]}" >"$n.out" 2>"$n.err" || { fail "run on $n ranks"; cat "$n.err"; finish; }
done
for n in 2 3; do
    h5diff --exclude-path /provenance 1.h5 "$n.h5" >diff 2>&1 && pass || { fail "1 rank and $n ranks differ:"; cat diff; }
done
ranks 3 run h.yaml -o off.h5 "${small[@]}" --set decode_threads=0 >off.out 2>off.err || { fail "run without threads"; cat off.err; }
h5diff --exclude-path /provenance 1.h5 off.h5 >diff 2>&1 && pass || { fail "without threads another file:"; cat diff; }
# The comparison can see a difference in this group alone.
ranks 1 run h.yaml -o other.h5 "${small[@]}" --set heatmaps.composite=epsilon-plus >/dev/null 2>&1 || fail "run with another composite"
h5diff --exclude-path /provenance 1.h5 other.h5 >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "another composite, the same explanations"
h5diff --exclude-path /provenance --exclude-path /heatmaps 1.h5 other.h5 >diff 2>&1 && pass || { fail "the composite of explanations changes more than them:"; cat diff; }
ranks 1 inspect 1.h5 >inspected 2>&1 || fail "inspect"
grep -q '^Explanations under pruning' inspected && grep -Eq 'digits_vit +heads +lrp +10 +2 +0.9 +-?[01]\.[0-9]{4} ' inspected && pass || { fail "no table of explanations"; cat inspected; }
grep -q 'stage=heatmaps seconds=' 1.err && pass || fail "the stage is not reported"
ranks 2 plan h.yaml "${small[@]}" >planned 2>&1 || { fail "plan"; cat planned; }
grep -Eq '^  heatmaps +[0-9]+' planned && grep -q 'a pruned network and its relevance' planned && pass || { fail "the plan does not tell of the stage"; cat planned; }
ranks 1 plan "$SOURCE/configs/digits.yaml" >planned 2>&1 || fail "plan without explanations"
grep -q 'heatmaps' planned && fail "a plan tells of a stage that does nothing" || pass

# refuse TEXT ARGUMENT...: exit code 78 and the text, before anything is computed.
refuse() {
    local text=$1
    shift
    ranks 2 run h.yaml -o refused.h5 "${small[@]}" "$@" >out 2>err
    local code=$?
    if [ "$code" -eq 78 ] && grep -qF -- "$text" err && ! grep -q 'stage=' err && [ ! -e refused.h5 ]; then pass; else
        fail "$* gives $code"
        cat err
    fi
}
refuse "heatmaps.images: expected at most" --set heatmaps.images=100000
refuse "heatmaps: on model 'digits_vgg_bn': criterion 'heatmaps': the composite has no rule for layer" --set 'heatmaps.composite=[{type: linear, rule: epsilon}]'
refuse "which is for the layer that sees the image" --set 'heatmaps.composite=[{rule: z-box}]'
refuse "heatmaps: on model 'digits_vgg_bn': layer 'features.3'" --set 'heatmaps.composite=[{match: features.3, rule: pass}, {rule: epsilon}]'
refuse "heatmaps.rates[0]: expected one of the study's rates, found 0.33" --set 'heatmaps.rates=[0.33]'
refuse "expected the name of one of the study's criteria, found 'lpr'; did you mean 'lrp'?" --set 'heatmaps.criteria=[lpr]'
finish
