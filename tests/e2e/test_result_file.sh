#!/usr/bin/env bash
# A real result file opens in xarray, group by group, and says what docs/results.md says; what can be computed again is.
. "$(dirname "$0")/lib.sh"
python=$(command -v python3) || { echo "skipped: python3 is missing"; exit 77; }

# The digits study in small, but not too small for the checks: every kind of components, tasks of unlike size (fill values; more than
# five classes), and three seeds, because two make one pair, whose mean hides a missing division.
sed -e "s|\.\./examples|$SOURCE/examples|" -e '/name: digits_resnet/,/components:/d' -e '/name: magnitude/,/method:/d' \
    "$SOURCE/configs/digits.yaml" >"$work/study file.yaml"
command=(run "$work/study file.yaml" -o "$work/r.h5" --set tasks.seeds=3 --set 'tasks.classes=[2, 6]' --set 'tasks.references=[3]'
         --set 'rates=[0, 0.5, 0.9]')
ranks 2 "${command[@]}" >"$work/out" 2>"$work/err" || { fail "run"; cat "$work/err"; finish; }
"${PYTHON:-$python}" "$SOURCE/tests/e2e/check_results.py" "$work/r.h5" 2 "$POLLARD" "${command[@]}"
code=$?
[ "$code" -eq 77 ] && exit 77
[ "$code" -eq 0 ] && pass || fail "check_results.py: exit $code"
finish
