#!/usr/bin/env bash
# Class subsets that a study states: their classes, their names in all tables, and that they share what they have in common.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
sed -e "s|\.\./examples|$SOURCE/examples|" -e '/name: magnitude/,/method:/d' "$SOURCE/configs/digits.yaml" |
    sed 's|^  classes: \[3, 10\].*|  classes: [2, 10]\n  subsets:\n    - {name: all, classes: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]}\n    - {name: round, classes: [0, 8]}\n    - {name: again, classes: [8, 0]}\n    - {name: straight, classes: [1, "7"]}|' >study.yaml
study=(study.yaml --set tasks.seeds=2 --set 'tasks.references=[3]' --set 'rates=[0, 0.5, 0.8]')
ranks 2 run "${study[@]}" -o two.h5 >out 2>err || { fail "run"; cat err; }
ranks 1 run "${study[@]}" -o one.h5 >out.one 2>err || { fail "run on one rank"; cat err; }
[ "$(grep -v '^Result' out)" = "$(grep -v '^Result' out.one)" ] && pass || fail "one rank says something else: $(diff out out.one)"

# ---- rows: the same classes are the same curve, whoever named them ----
table() { # all rows, to the first plot
    sed '/^Accuracy over/,$d' out | awk -v task="$1" '$3 == task { $3 = ""; print }'
}
[ "$(table all)" = "$(table 10)" ] && [ "$(table all | wc -l)" = 8 ] && pass || fail "all ten classes, stated and drawn: $(cat out)"
[ "$(table again)" = "$(table round)" ] && [ "$(table again | wc -l)" = 8 ] && pass || fail "the order of the classes counts: $(cat out)"
[ "$(table straight)" != "$(table round)" ] && [ "$(table straight | wc -l)" = 8 ] && pass || fail "other classes, the same rows: $(cat out)"
[ "$(table 2)" != "$(table round)" ] && [ "$(table 2 | wc -l)" = 8 ] && pass || fail "drawn classes are the stated ones: $(cat out)"

# ---- equal subsets are explained and evaluated once ----
ranks 1 plan "${study[@]}" >plan 2>err || { fail "plan"; cat err; }
grep -qE '^  straight +2 +2 +3 +6 +[0-9]+$' plan && pass || fail "no such subset in the plan: $(sed -n '/^Tasks/,/^$/p' plan)"
random=(--set 'criteria=[{name: random, method: random}]') # whose masks a plan knows
ranks 1 plan "${study[@]}" "${random[@]}" >plan.all 2>err || { fail "plan"; cat err; }
ranks 1 plan "${study[@]}" "${random[@]}" --set 'tasks.subsets=[{name: all, classes: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]}, {name: round, classes: [0, 8]}, {name: straight, classes: [1, 7]}]' >plan.less 2>err ||
    { fail "plan"; cat err; }
distinct() { grep -oE '[0-9]+ distinct$' "$1"; }
points() { grep -oE '[0-9]+ masks' "$1"; }
[ "$(distinct plan.all)" = "$(distinct plan.less)" ] && [ -n "$(distinct plan.all)" ] && [ "$(points plan.all)" != "$(points plan.less)" ] && pass ||
    fail "an equal subset is evaluated by itself: $(grep distinct plan.all plan.less)"

# ---- the result, as Python and export see it ----
"$POLLARD" inspect two.h5 >result || fail "inspect"
[ "$(grep -cE '^  digits_vit +heads +lrp-epsilon +straight +3 +2 ' result)" = 5 ] && pass || fail "inspect has no such rows: $(grep straight result)"
grep -qE '^  digits_vgg_bn +filters +straight +3 +lrp-epsilon +random ' result && pass || fail "no difference for the subset"
grep -qE '^  digits_vgg_bn +filters +again +3 +lrp-epsilon +random ' result && pass || fail "no difference for the other subset of as many classes"
"$POLLARD" export two.h5 --model digits_vgg_bn --criterion random --rate 0.5 --task straight --seed 1 -o small >out.export 2>err &&
    grep -q 'task of 2 classes, seed 1' out.export && pass || { fail "export"; cat err; }
"$POLLARD" export two.h5 --model digits_vgg_bn --criterion random --rate 0.5 --task strait --seed 1 -o none >/dev/null 2>err
[ $? = 2 ] && grep -q "did you mean 'straight'?" err && pass || { fail "a task that is not there"; cat err; }
"${PYTHON:-python3}" "$SOURCE/tests/e2e/check_results.py" two.h5 2 "$POLLARD" run "${study[@]}" -o two.h5 >out.check 2>&1
case $? in
0) pass ;;
77) echo "not looked at with Python: $(cat out.check)" ;;
*) fail "check_results.py"; cat out.check ;;
esac

# ---- mistakes ----
ranks 2 run study.yaml --set 'tasks.subsets[1].classes=[0, ten]' -o none.h5 >/dev/null 2>err
[ $? = 78 ] && grep -q "tasks.subsets\[1\].classes\[1\]: expected one of the 10 classes of .*, found 'ten'" err && pass || { fail "an unknown class"; cat err; }
finish
