#!/usr/bin/env bash
# Every image data set of the shared data gives one result file, whether it is read as folders, with a list, from one tar or several, from a pack of original files
# or of decoded pixels; and one byte of one image gives another. A decoded pack that was interrupted goes on, and its damage is named. (tests/e2e/test_pack.sh has
# the digits of the quick start, on several ranks, and what is refused.) POLLARD_SHARED: the folder with data and models, without which there is nothing to do.
. "$(dirname "$0")/lib.sh"
shared=${POLLARD_SHARED:-$SOURCE/../shared}
python=$(command -v "${PYTHON:-python3}") || { echo "skipped: python3 is missing"; exit 77; }
command -v h5diff >/dev/null || { echo "skipped: h5diff is missing (Debian: hdf5-tools)"; exit 77; }
[ -d "$shared/data" ] && [ -d "$shared/models" ] || { echo "skipped: $shared has no data and models"; exit 77; }
shared=$(cd "$shared" && pwd)
cd "$work" || exit 2

# ---- one study for each data set ----

# widen FROM TO CLASSES: the same network with so many classes; rows of the head beyond its own are those it has, each a little larger.
widen() {
    "$python" - "$@" <<'PYTHON'
import array, json, struct, sys

data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, body, offset, parts = json.loads(data[8 : 8 + size]), data[8 + size :], 0, []
for name, t in header.items():
    if name == "__metadata__":
        t.clear()
        continue
    values = body[t["data_offsets"][0] : t["data_offsets"][1]]
    if name.startswith("fc."):
        old, wanted = t["shape"][0], int(sys.argv[3])
        row, head = len(values) // 4 // old, array.array("f", values)
        values = array.array("f", [head[c % old * row + i] * (1 + c // old / 8) for c in range(wanted) for i in range(row)]).tobytes()
        t["shape"][0] = wanted
    t["data_offsets"] = [offset, offset + len(values)]
    offset += len(values)
    parts.append(values)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + b"".join(parts))
PYTHON
}

# write_study NAME REFERENCE EVALUATION MODEL CLASSES IMAGES: all classes, so many reference images of each, with the relevance of every image in the result.
write_study() {
    cat >"$1.yaml" <<YAML
study: $1
data: {reference: "$2", evaluation: "$3"}
models: [{name: net, $4}]
criteria: [{name: lrp, method: lrp}]
tasks: {classes: [$5], seeds: 1, references: [$6]}
rates: [0, 0.3]
rows: keep
YAML
}

# ---- its data in every form ----

# paths FOLDER: the images of a tree.
paths() { find -L "$1" -mindepth 2 -maxdepth 2 -type f -printf '%P\n' | LC_ALL=C sort; }

# make_forms NAME PART TREE [--evaluated]: NAME/PART.csv, .tar, .shards (three tars in three formats, the images in turns), .files and .pixels.
make_forms() {
    local name=$1 to=$1/$2 tree=$3 format i=1
    shift 3
    { echo path,label && paths "$tree" | sed 's|^\([^/]*\)/.*|"&","\1"|'; } >"$to.csv"
    tar -chf "$to.tar" -C "$tree" . || fail "$to.tar"
    mkdir "$to.shards"
    for format in ustar gnu pax; do
        paths "$tree" | sed -n "$i~3p" | tac | tar --format=$format -chf "$to.shards/$format.tar" -C "$tree" -T - || fail "$to.shards/$format.tar"
        i=$((i + 1))
    done
    ranks 2 pack "$tree" -o "$to.files" --shard-images 100 >log 2>&1 || { fail "pack of $tree"; cat log; }
    ranks 2 pack "$to.shards" -o "$to.pixels" --shard-images 7 --decoded "$name.yaml" "$@" >log 2>&1 || { fail "decoded pack of $to.shards"; cat log; }
}

# study NAME RESULT ARGUMENT...
study() {
    local name=$1 result=$2
    shift 2
    ranks 2 run "$name.yaml" -o "$result" "$@" >"$result.log" 2>&1 || { fail "study $result"; tail -3 "$result.log"; }
}

# compare NAME FORM ARGUMENT...: a study of this form has the result of the trees.
compare() {
    local name=$1 form=$2
    shift 2
    study "$name" "$name-$form.h5" "$@"
    h5diff --exclude-path /provenance "$name.h5" "$name-$form.h5" >diff 2>&1 && pass || { fail "$name: $form gives another result than folders"; head -5 diff; }
}

# in_every_form NAME REFERENCE EVALUATION IMAGES: the study NAME.yaml, which has these trees and so many images in both.
in_every_form() {
    local name=$1 form
    mkdir "$name"
    make_forms "$name" reference "$2"
    make_forms "$name" evaluation "$3" --evaluated
    study "$name" "$name.h5"
    [ "$(($(wc -l <"$name/reference.csv") + $(wc -l <"$name/evaluation.csv") - 2))" = "$4" ] && pass || fail "$name: expected $4 images"
    compare "$name" list --set "data.reference_list=$PWD/$name/reference.csv" --set "data.evaluation_list=$PWD/$name/evaluation.csv"
    for form in tar shards files pixels; do
        compare "$name" "$form" --set "data.reference=$PWD/$name/reference.$form" --set "data.evaluation=$PWD/$name/evaluation.$form"
    done
}

started=$SECONDS
for folder in "$shared"/data/*/; do
    name=$(basename "$folder")
    case $name in
    digits)
        write_study digits "$folder/train" "$folder/val" "checkpoint: $shared/models/digits_vgg_bn/model.safetensors" 10 97
        in_every_form digits "$folder/train" "$folder/val" 1797
        ;;
    cifar10)
        write_study cifar10 "$folder/train" "$folder/val" "checkpoint: $shared/models/resnet20_cifar10/model.safetensors" 10 20
        in_every_form cifar10 "$folder/train" "$folder/val" 4000
        ;;
    imagenet_sample) # one part, which is explained and evaluated, each with a recipe of its own; then its small files of every kind
        resnet=$shared/models/digits_resnet/model.safetensors
        widen "$resnet" wide.safetensors 60 || fail "no network for 60 classes"
        steps='mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]'
        write_study imagenet "$folder/val" "$folder/val" \
            "checkpoint: $work/wide.safetensors, architecture: resnet, image_size: 224, preprocess: torchvision, evaluation_preprocess: timm, $steps" 60 1
        in_every_form imagenet "$folder/val" "$folder/val" 120
        number=0
        for image in "$folder"/variants/*; do
            [ "$(basename "$image")" = truncated.jpg ] && continue # which no form can read
            mkdir -p "variants.tree/$((number % 10))" && cp "$image" "variants.tree/$((number++ % 10))/"
        done
        write_study variants "$work/variants.tree" "$work/variants.tree" "checkpoint: $resnet, preprocess: torchvision, $steps" 10 2
        in_every_form variants "$work/variants.tree" "$work/variants.tree" "$((2 * number))"
        ;;
    *) echo "not looked at: $folder" ;;
    esac
    echo "$name: $((SECONDS - started)) s"
done

# ---- one byte of one image ----
if [ -f imagenet.h5 ]; then
    cp imagenet/reference.tar changed.tar
    table=$(LC_ALL=C grep -obUaP -m 1 '\xff\xdb\x00' changed.tar | head -1 | cut -d: -f1) # the quantisation table of the first JPEG: all of its blocks
    printf '\100' | dd of=changed.tar bs=1 seek=$((table + 5)) conv=notrunc 2>/dev/null
    [ "$(cmp -l imagenet/reference.tar changed.tar | wc -l)" = 1 ] && pass || fail "expected one byte that differs: $(cmp -l imagenet/reference.tar changed.tar | wc -l)"
    study imagenet changed.h5 --set "data.reference=$PWD/changed.tar"
    h5diff --exclude-path /provenance imagenet.h5 changed.h5 >diff 2>&1
    [ $? -eq 1 ] && pass || fail "one byte of one image is another, and the result is the same"
    ranks 1 run imagenet.yaml -o none.h5 --set "data.evaluation=$PWD/imagenet/reference.pixels" >log 2>&1
    [ $? -eq 65 ] && grep -q "are decoded and preprocessed already" log && pass || fail "pixels of another recipe: $(tail -1 log)"
fi

# ---- a decoded pack: interrupted, and damaged ----
if [ -f cifar10.h5 ]; then
    tree=$shared/data/cifar10/train
    pack=(pack "$tree" --decoded cifar10.yaml --shard-images 5 -o)
    ranks 2 "${pack[@]}" whole >log 2>&1 || fail "pack in shards of five: $(cat log)"
    interrupt() { # interrupt SIGNAL SHARDS: when there are so many; its exit code
        "$POLLARD" "${pack[@]}" cut >log 2>&1 &
        until [ "$(ls cut 2>/dev/null | wc -l)" -ge "$2" ]; do kill -0 $! 2>/dev/null || break; done
        kill -"$1" $! 2>/dev/null
        wait $! 2>/dev/null
    }
    for try in 1 2 3; do # a busy machine may let this shell sleep until all is done
        rm -rf cut
        interrupt USR1 50
        code=$?
        interrupt KILL 150
        [ -e cut/pack.index ] || break
    done
    n=$(ls cut | wc -l)
    [ "$code" -eq 75 ] && [ "$n" -ge 150 ] && [ "$n" -lt 400 ] && [ ! -e cut/pack.index ] && pass || fail "nothing was interrupted: exit code $code, $n shards"
    ranks 2 "${pack[@]}" cut >log 2>&1 || fail "an interrupted pack does not go on: $(cat log)"
    grep -q "([1-9][0-9]* made, [1-9][0-9]* were there)" log && diff -r whole cut >diff && pass || fail "an interrupted pack has other shards: $(cat log diff | head -3)"

    shard=shard-00361.h5 # the second of the forty of class 9: images 5 to 9
    printf 'X' | dd of="cut/$shard" bs=1 seek=$((2 * 32 * 32 * 3 + 4096)) conv=notrunc 2>/dev/null
    ranks 2 pack --verify cut >log 2>&1
    [ $? -eq 65 ] && grep -q "damaged: cut/$shard: image truck/000[5-9].jpg: damaged" log && pass || fail "verify of damaged pixels: $(cat log)"
    victim=$(sed -n 's/^damaged: .*image \(truck[^:]*\): .*/\1/p' log)
    ranks 1 run cifar10.yaml -o none.h5 --set "data.reference=$PWD/cut" --set 'tasks.references=[200]' >log 2>&1
    [ $? -eq 65 ] && grep -q "cut/$shard: image $victim" log && pass || fail "a study that meets damaged pixels: $(tail -1 log)"
fi
finish
