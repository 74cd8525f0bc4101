#!/usr/bin/env bash
# check_compare.sh BENCH_COMPARE MODEL SIDE CLASSES: runs Pollard's side of the comparison with PyTorch on two ranks with a small network of
# SIDE x SIDE pixels, and checks that it gives what the other side reads. No times. MPIEXEC: the launcher.
set -eu
bench=$1 model=$2 side=$3 classes=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
launch=$(dirname "$0")/../support/launch.sh
fail() { echo "check_compare: $*" >&2; exit 1; }

# Six images of one value each: floats of four equal bytes, 0x3a to 0x3f.
for value in ':' ';' '<' '=' '>' '?'; do
    head -c $((3 * side * side * 4)) /dev/zero | tr '\0' "$value"
done >"$folder/images.f32"
head -c 24 /dev/zero >"$folder/labels.u32"
cp "$model" "$folder/net.pth" # told by its bytes, not by its name
cp "$(dirname "$model")/model.json" "$folder"
"$launch" 1 "$bench" "$folder" describe
components=$(awk '{ n += $6 } END { print n }' "$folder/layers.txt")
[ "$(wc -c <"$folder/order.u32")" = $((4 * components)) ] || fail "order.u32: expected all of $components components"

size() { wc -c <"$folder/pollard-$1.f32"; }
for what in forward winograd lrp grid curve curve-winograd; do
    "$launch" 2 "$bench" "$folder" "$what" openblas 2 2 3 | tee "$folder/line"
    grep -Eq "\"what\": \"${what%-winograd}\"|\"convolutions\": \"winograd\"" "$folder/line" || fail "$what: no line"
    grep -Eq '"seconds": [0-9.e-]+, .*"peak_gflops": [0-9.e+]+, .*"memory_mib": [0-9.]+' "$folder/line" || fail "$what: a number is missing"
done
[ "$(size forward.1)" = $((4 * 2 * classes)) ] || fail "logits of rank 1 have $(size forward.1) bytes"
cmp "$folder/pollard-forward.0.f32" "$folder/pollard-winograd.0.f32" || fail "OpenBLAS has no Winograd: expected the same logits"
[ "$(size lrp.1)" = $((4 * 2 * 2 * components)) ] || fail "rows of rank 1 have $(size lrp.1) bytes"
[ "$(size grid.1)" = $((4 * 16 * 2 * components)) ] || fail "the grid of rank 1 has $(size grid.1) bytes"
[ "$(cat "$folder"/pollard-curve.*.f32 | wc -c)" = $((4 * 20 * 6 * classes)) ] || fail "expected 20 rates of 6 images"
# At rate 0 the first four images have the logits of the whole network, which the ranks have computed, and the last two others.
cmp <(head -c $((4 * 4 * classes)) "$folder/pollard-curve.0.f32") <(cat "$folder"/pollard-forward.[01].f32) || fail "rate 0 is not the whole network"
tail -c $((4 * 2 * classes)) "$folder/pollard-curve.0.f32" | tr -d '\0' | grep -q . || fail "rate 0: the last images have no logits"
cmp -s "$folder/pollard-curve.0.f32" "$folder/pollard-curve.10.f32" && fail "rate 0.5 removes nothing"

# Fewer images than asked for, and words that mean nothing.
code=0; "$launch" 2 "$bench" "$folder" forward openblas 4 1 2>"$folder/err" || code=$?
if [ "$code" != 65 ] || ! grep -q 'at least 8 images, found 6' "$folder/err"; then
    fail "too few images: exit code $code: $(cat "$folder/err")"
fi
for wrong in "walk openblas 2 1" "forward blas 2 1" "forward openblas 0 1" "forward openblas 2 x"; do
    code=0
    # shellcheck disable=SC2086
    "$launch" 1 "$bench" "$folder" $wrong 2>"$folder/err" || code=$?
    [ "$code" = 2 ] || fail "$wrong: exit code $code"
done
echo "compared: fine"
