#!/usr/bin/env bash
# make_result.sh POLLARD: result.h5, the smallest result that has a relevance walk, from vgg.safetensors and one image in three class folders.
# To be run whenever the layout of results goes on (unit/test_results_inspect says so); root, since the file shall name no real host.
set -eu
pollard=$(realpath "$1")
here=$(cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for class in a b c; do
    mkdir -p "$work/d/$class"
    cp "$here/../../../examples/digits/data/val/1/0011.png" "$work/d/$class/"
done
cp "$here/vgg.safetensors" "$work/"
cat >"$work/tiny.yaml" <<END
study: tiny
data: {reference: d, evaluation: d}
models: [{name: n, checkpoint: vgg.safetensors, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], resize: 4x4}]
criteria: [{name: l, method: lrp}, {name: m, method: magnitude}]
tasks: {classes: [2], seeds: 2, references: [1]}
rates: [0, 0.5]
END
cd "$work"
PATH=$(dirname "$pollard"):$PATH unshare --uts bash -c 'hostname node && pollard run tiny.yaml -o result.h5 >/dev/null 2>&1'
cp result.h5 "$here/"
