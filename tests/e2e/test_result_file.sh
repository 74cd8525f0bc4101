#!/usr/bin/env bash
# A real result file opens in xarray, group by group, and says what docs/results.md says.
. "$(dirname "$0")/lib.sh"
python=$(command -v python3) || { echo "skipped: python3 is missing"; exit 77; }
ranks 2 run "$SOURCE/configs/digits.yaml" -o "$work/r.h5" "${small[@]}" >/dev/null 2>"$work/err" || { fail "run"; cat "$work/err"; finish; }
"${PYTHON:-$python}" "$SOURCE/tests/e2e/check_results.py" "$work/r.h5"
code=$?
[ "$code" -eq 77 ] && exit 77
[ "$code" -eq 0 ] && pass || fail "check_results.py: exit $code"
finish
