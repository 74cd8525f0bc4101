#!/usr/bin/env bash
# Exported networks load in PyTorch with strict names, and give the same predictions as our engine on every image of the validation set:
# the three digits networks, random ones of the other architectures and namings, and the published ResNet-20 where its weights are.
# POLLARD_TORCH_PYTHON names the Python that has PyTorch and torchvision; without them the test is skipped.
. "$(dirname "$0")/lib.sh"
python=${POLLARD_TORCH_PYTHON:-python3}
check=$SOURCE/tests/e2e/check_export.py
shared=${POLLARD_SHARED:-$SOURCE/../shared}
digits=$SOURCE/examples/digits
command -v "$python" >/dev/null || { echo "skipped: $python is missing"; exit 77; }

"$python" "$check" make "$work/random" >"$work/out" 2>&1
code=$?
[ "$code" -eq 77 ] && { cat "$work/out"; exit 77; }
[ "$code" -eq 0 ] && pass || { cat "$work/out"; fail "random networks cannot be made: exit $code"; finish; }

# export_all IMAGES STUDY RATE...: runs it, exports every model, kind and criterion at the rates, compares.
export_all() {
    local images=$1 study=$2 folders=() model kind criterion
    shift 2
    ranks 2 run "$study" -o "$work/$(basename "$study").h5" >"$work/out" 2>"$work/err" || { fail "run $study"; cat "$work/err"; return; }
    while read -r model kind criterion; do
        for rate in "$@"; do
            local folder=$work/$model-$kind-$criterion-$rate
            "$POLLARD" export "$work/$(basename "$study").h5" --model "$model" --kind "$kind" --criterion "$criterion" --rate "$rate" \
                -o "$folder" >"$work/out" 2>&1 && pass || { cat "$work/out"; fail "export $model $kind $criterion $rate"; continue; }
            folders+=("$folder")
        done
    done < <(sed -n 's/^# cell //p' "$study")
    "$python" "$check" compare "$images" "${folders[@]}" && pass || fail "PyTorch has other networks"
}

cat >"$work/digits.yaml" <<END
study: digits
data: {reference: $digits/data/train, evaluation: $digits/data/val}
models:
  - {name: digits_vgg_bn, checkpoint: $digits/models/digits_vgg_bn/model.safetensors}
  - {name: digits_resnet, checkpoint: $digits/models/digits_resnet/model.safetensors}
  - {name: digits_vit, checkpoint: $digits/models/digits_vit/model.safetensors}
  - {name: bottlenecks, checkpoint: $work/random/bottlenecks/model.pth}
  - {name: vgg_plain, checkpoint: $work/random/vgg_plain/model.pth}
  - {name: option_b, checkpoint: $work/random/option_b/model.pth}
  - {name: timm_vit, checkpoint: $work/random/timm_vit/model.pth}
criteria: [{name: lrp, method: lrp}, {name: random, method: random}]
tasks: {classes: [10], seeds: 1, references: [3]}
rates: [0, 0.2, 0.5, 0.9]
# cell digits_vgg_bn filters lrp
# cell digits_resnet filters lrp
# cell digits_resnet filters random
# cell digits_vit neurons lrp
# cell digits_vit heads lrp
# cell bottlenecks filters random
# cell vgg_plain filters random
# cell option_b filters random
# cell timm_vit neurons random
# cell timm_vit heads random
END
export_all "$digits/data/val" "$work/digits.yaml" 0 0.2 0.5 0.9

if [ -f "$shared/models/resnet20_cifar10/resnet20-12fca82f.th" ] && [ -d "$shared/data/cifar10/val" ]; then
    cat >"$work/cifar.yaml" <<END
study: cifar
data: {reference: $shared/data/cifar10/train, evaluation: $shared/data/cifar10/val}
models:
  - {name: resnet20, checkpoint: $shared/models/resnet20_cifar10/resnet20-12fca82f.th, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
criteria: [{name: lrp, method: lrp}, {name: random, method: random}]
tasks: {classes: [10], seeds: 1, references: [3]}
rates: [0, 0.2, 0.6]
# cell resnet20 filters lrp
# cell resnet20 filters random
END
    export_all "$shared/data/cifar10/val" "$work/cifar.yaml" 0.2 0.6
else
    echo "skipped: ResNet-20 is not in $shared"
fi
finish
