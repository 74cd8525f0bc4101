#!/usr/bin/env bash
# Which share of a whole study's time is spent waiting for images, from folders, a tar and a pack of the original files: ResNet-18 with random weights, relevance
# of one image a class, then pruned at few rates, which is little work for an image that is decoded. A JSON line for each form (docs/benchmarks.md).
#
# usage: bench_waiting.sh POLLARD FOLDER SIZE [--set KEY=VALUE]...
#   FOLDER/<class>/<image>; SIZE pixels a side, from torchvision's resize and crop; --set: of the study, such as decode_threads=0
# environment: MPIEXEC (mpirun), PYTHON (python3)
set -u
[ $# -ge 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
pollard=$1 images=$(cd "$2" && pwd) size=$3
shift 3
python=$(command -v "${PYTHON:-python3}") || { echo "skipped: python3 is missing"; exit 77; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/bench-waiting-XXXXXX")
trap 'rm -rf "$folder"' EXIT
launch=$(dirname "$0")/../support/launch.sh
export MPIEXEC=${MPIEXEC:-mpirun}
classes=$(find -L "$images" -mindepth 1 -maxdepth 1 -type d | wc -l)

stop() {
    echo "bench_waiting: error: $*" >&2
    [ -s "$folder/err" ] && tail -n 5 "$folder/err" >&2
    exit 1
}

"$python" - "$folder/resnet18.safetensors" "$classes" <<'PYTHON' || stop "no network"
import array, json, random, struct, sys

draw = random.Random(0)
noise = array.array("f", [draw.gauss(0, 1) for _ in range(1 << 16)])
tensors = {}


def weights(name, shape):
    n, inputs = 1, 1
    for k, extent in enumerate(shape):
        n, inputs = n * extent, inputs * (extent if k > 0 else 1)
    scale, first = (2 / inputs) ** 0.5, draw.randrange(len(noise))  # He et al. 2015, so that nothing grows or fades
    scaled = array.array("f", [scale * v for v in noise[first:] + noise[:first]])
    tensors[name] = (shape, (scaled * (n // len(scaled) + 1))[:n])


def norm(name, n):
    for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        tensors[f"{name}.{part}"] = ([n], array.array("f", [value]) * n)


weights("conv1.weight", [64, 3, 7, 7])
norm("bn1", 64)
inputs = 64
for layer, n in enumerate((64, 128, 256, 512), 1):
    for block in range(2):
        name = f"layer{layer}.{block}"
        weights(f"{name}.conv1.weight", [n, inputs, 3, 3])
        norm(f"{name}.bn1", n)
        weights(f"{name}.conv2.weight", [n, n, 3, 3])
        norm(f"{name}.bn2", n)
        if inputs != n:
            weights(f"{name}.downsample.0.weight", [n, inputs, 1, 1])
            norm(f"{name}.downsample.1", n)
        inputs = n
classes = int(sys.argv[2])
weights("fc.weight", [classes, 512])
tensors["fc.bias"] = ([classes], array.array("f", [0]) * classes)
header, offset = {}, 0
for name, (shape, values) in tensors.items():
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * len(values)]}
    offset += 4 * len(values)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(values.tobytes() for _, values in tensors.values()))
PYTHON

cat >"$folder/waiting.yaml" <<END
study: waiting
data: {reference: "$images", evaluation: "$images"}
models: [{name: resnet18, checkpoint: resnet18.safetensors, image_size: $size, preprocess: torchvision}]
criteria: [{name: lrp, method: lrp}]
tasks: {classes: [$classes], seeds: 1, references: [1]}
rates: [0, 0.3, 0.6]
END
tar -chf "$folder/tar" -C "$images" . && mv "$folder/tar" "$folder/images.tar" || stop "no tar"
"$launch" 1 "$pollard" pack "$images" -o "$folder/pack" >"$folder/err" 2>&1 || stop "no pack"

stage() { # stage NAME FIELD: of the log of a run
    grep "stage=$1 seconds=" "$folder/err" | grep -oE " $2=[0-9.]+" | cut -d= -f2
}
for form in "tree $images" "tar $folder/images.tar" "pack $folder/pack"; do
    read -r name path <<<"$form"
    "$launch" 1 "$pollard" run "$folder/waiting.yaml" -o "$folder/$name.h5" --set "data.reference=$path" --set "data.evaluation=$path" "$@" \
        >"$folder/out" 2>"$folder/err" || stop "the study of the $name"
    grep -v '^Result: ' "$folder/out" >"$folder/$name.table"
    cmp -s "$folder/tree.table" "$folder/$name.table" || stop "the $name has another table than the tree"
    for stage in attribute evaluate; do
        printf '{"bench": "waiting", "form": "%s", "size": %d, "stage": "%s", "seconds": %.2f, "image_wait": %.2f, "waiting_share": %.4f}\n' "$name" "$size" \
            "$stage" "$(stage "$stage" seconds)" "$(stage "$stage" image_wait)" "$(awk -v p="$(stage "$stage" image_wait_share)" 'BEGIN { print p / 100 }')"
    done
done
