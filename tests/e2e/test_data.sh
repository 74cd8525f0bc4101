#!/usr/bin/env bash
# Where images come from: folders, flat folders with labels, sample lists; who draws them; what is done with them.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null; then
    echo "skipped: h5diff is missing (Debian: hdf5-tools)"
    exit 77
fi
config=$SOURCE/configs/digits.yaml
digits=$SOURCE/examples/digits/data
vgg=$SOURCE/examples/digits/models/digits_vgg_bn/model.safetensors
one=("${small[@]}" --set "models=[{name: net, checkpoint: $vgg}]")

# study NAME RANKS ARGUMENT...
study() {
    local name=$1 n=$2
    shift 2
    ranks "$n" run "$config" -o "$work/$name.h5" "${one[@]}" "$@" >"$work/$name.log" 2>&1 || { fail "study $name"; tail -3 "$work/$name.log"; }
}
same() { # same WHAT A B
    h5diff --exclude-path /provenance "$work/$2.h5" "$work/$3.h5" >"$work/diff" 2>&1 && pass || { fail "$1 differs"; head -5 "$work/diff"; }
}

study folders 1
# The same images without class folders, and their labels in the order of the names; as numbers, and as names in Kaggle's form.
mkdir "$work/flat"
echo ImageId,PredictionString >"$work/kaggle.csv"
echo path,label >"$work/paths.csv"
for class in {0..9}; do
    for image in "$digits/val/$class"/*.png; do
        id=val_${class}_$(basename "$image" .png)
        ln "$image" "$work/flat/$id.JPEG" 2>/dev/null || cp "$image" "$work/flat/$id.JPEG" # a PNG, whatever it is called
        echo "$class" >>"$work/labels.txt"
        echo "$id,$class 1 2 3 4" >>"$work/kaggle.csv"
        echo "$class/$(basename "$image"),$class" >>"$work/paths.csv"
    done
done
study labels 2 --set "data.evaluation=$work/flat" --set "data.evaluation_list=$work/labels.txt"
same "a list of labels" folders labels
study kaggle 1 --set "data.evaluation=$work/flat" --set "data.evaluation_list=$work/kaggle.csv"
same "Kaggle's list" folders kaggle
study paths 1 --set "data.evaluation_list=$work/paths.csv"
same "a list of paths" folders paths
tail -1 "$work/labels.txt" >>"$work/labels.txt"
ranks 1 plan "$config" "${one[@]}" --set "data.evaluation=$work/flat" --set "data.evaluation_list=$work/labels.txt" >/dev/null 2>"$work/err"
[ $? -eq 65 ] && grep -q "line 720: expected as many labels as the folder has images, 719, found more" "$work/err" && pass ||
    fail "a label too many: $(cat "$work/err")"

# Class folders that are numbers out of order.
mkdir -p "$work/numbers"
for i in {0..10}; do ln -s "$digits/val/0" "$work/numbers/$i"; done
ranks 2 plan "$config" "${one[@]}" --set "data.reference=$work/numbers" --set "data.evaluation=$work/numbers" >/dev/null 2>"$work/err"
[ "$(grep -c "folder='10' class folders are numbers and are sorted as texts" "$work/err")" -eq 2 ] && pass ||
    fail "numbers out of order: expected a warning for each data set, found $(cat "$work/err")"

# Only what the study draws is read: everything else may be of a size that no file may have. Which files were read is in the results.
cp -r "$digits" "$work/digits"
drawn=(--set "data.reference=$work/digits/train" --set "data.evaluation=$work/digits/val" --set 'tasks.seeds=[3]')
study before 2 "${drawn[@]}"
h5dump -d /provenance/path "$work/before.h5" | grep -o "\"$work/digits/[^\"]*" | tr -d '"' | sort >"$work/read"
find "$work/digits" -name '*.png' | sort | comm -23 - "$work/read" >"$work/unread"
[ "$(wc -l <"$work/read")" -gt 200 ] && [ "$(wc -l <"$work/unread")" -gt 500 ] && pass || fail "$(wc -l <"$work/read") images read, $(wc -l <"$work/unread") not"
xargs truncate -s 300M <"$work/unread" # holes: they take no room
for threads in 0 2; do
    study after 3 "${drawn[@]}" --set decode_threads=$threads
    same "a study whose other images cannot be read (decode_threads: $threads)" before after
done
truncate -s 300M "$(tail -1 "$work/read")" # the test can see a file that is read
ranks 1 run "$config" -o "$work/none.h5" "${one[@]}" "${drawn[@]}" >/dev/null 2>"$work/err"
[ $? -eq 65 ] && grep -q "are not read" "$work/err" && pass || fail "an image of the study that is too large: $(cat "$work/err")"

# The reference program's draws: another study than ours, the same on any number of ranks.
study torch1 1 --set data.sampling=torch
study torch3 3 --set data.sampling=torch
same "sampling: torch on three ranks" torch1 torch3
h5diff --exclude-path /provenance "$work/folders.h5" "$work/torch1.h5" >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "sampling: torch draws what we draw"

# Recipes, and what the results say of them.
recipe="models=[{name: net, checkpoint: $vgg, preprocess: torchvision, evaluation_preprocess: reference}]"
study recipe 2 --set "$recipe"
"$POLLARD" inspect "$work/recipe.h5" >"$work/out" 2>&1 || { fail "inspect of the recipe"; cat "$work/out"; }
h5dump -A "$work/recipe.h5" 2>/dev/null | tr -d '\n' | grep -q 'explained images: torchvision: resize shorter side 18 (bilinear.*evaluated images: reference: resize 16x16 (bilinear, not' &&
    pass || fail "the recipes are not in the results"
finish
