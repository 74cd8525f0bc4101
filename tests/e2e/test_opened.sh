#!/usr/bin/env bash
# Which files are opened, as the system sees it: a study that draws thirty images opens what holds these and nothing else, in whatever form they are; the ranks of
# `pack --verify` look at other shards each.
. "$(dirname "$0")/lib.sh"
export LC_ALL=C # lists are sorted and compared
for tool in h5dump strace; do
    command -v $tool >/dev/null || { echo "skipped: $tool is missing (Debian: hdf5-tools, strace)"; exit 77; }
done
strace -qq -o /dev/null true 2>/dev/null || { echo "skipped: processes may not be traced here"; exit 77; }
cd "$work" || exit 2
config=$SOURCE/configs/digits.yaml
train=$SOURCE/examples/digits/data/train
vgg=$SOURCE/examples/digits/models/digits_vgg_bn/model.safetensors
few=(--set "models=[{name: net, checkpoint: $vgg}]" --set 'criteria=[{name: lrp, method: lrp}]' --set tasks.seeds=1 --set 'tasks.classes=[10]' --set 'tasks.references=[3]' --set 'rates=[0, 0.5]')
drawn=30

# traced N ARGUMENT...: pollard on N ranks; all that it opens is in ./trace, a line "PID PATH" for each file.
traced() {
    local n=$1
    shift
    timeout -k 5 600 strace -f -qq -e 'trace=?open,openat,?openat2' -o raw "$launch" "$n" "$POLLARD" "$@" >log 2>&1 || { fail "$*"; tail -3 log; }
    grep -v -e 'O_DIRECTORY' -e '= -1 ' raw | sed -n 's/^\([0-9]*\)  *open[^"]*"\([^"]*\)".*/\1 \2/p' >trace
}
opened() { # opened FOLDER: files in it, as the program names them
    sed 's/^[0-9]* //' trace | grep -F -- "$1/" | grep -v -e '/pack[.]index' -e 'pollard-tar-index' | sort -u
}
names() { # names RESULT ROOT: of the images of this data set that the result has been computed from, CLASS/NAME.png
    h5dump -d /provenance/path "$1" | grep -o "\"[^\"]*\"" | tr -d '"' | grep -F -- "$2/" | grep -o '[0-9]/[0-9]*[.]png$' | sort -u
}
# exactly WHAT ROOT: what was opened there is what ./expected says.
exactly() {
    opened "$2" >found
    cmp -s expected found && pass || { fail "$1: expected $(wc -l <expected) files to be opened, found $(wc -l <found):"; diff expected found | head -5; }
}

# ---- folders ----
traced 2 run "$config" -o tree.h5 "${few[@]}" --set "data.reference=$train" --set decode_threads=2
names tree.h5 "$train" >drawn
[ "$(wc -l <drawn)" = $drawn ] && pass || fail "expected $drawn images to be drawn, found $(wc -l <drawn)"
sed "s|^|$train/|" drawn >expected
exactly folders "$train"

# ---- tars of ten images, whose headers are read once ----
mkdir tars
find "$train" -name '*.png' -printf '%P\n' | LC_ALL=C sort | split -l 10 -d -a 3 - list.
for list in list.*; do tar -cf "tars/${list#list.}.tar" -C "$train" -T "$list"; done
traced 1 inspect "$work/tars"
find "$work/tars" -name '*.tar' | sort >expected # the trace sees them
exactly "the first look at tars" "$work/tars"
for form in tars pack pixels; do
    case $form in
    tars) grep -lFxf drawn list.* | sed "s|list[.]\(.*\)|$work/tars/\1.tar|" | sort >expected ;;
    *)
        arguments=(pack "$train" -o "$work/$form" --shard-images 10)
        [ $form = pack ] || arguments+=(--decoded "$config" "${few[@]:0:2}")
        ranks 2 "${arguments[@]}" >log 2>&1 || { fail "$form"; cat log; }
        grep '^P ' "$form/pack.index" | cut -c3- | grep -nFxf drawn | cut -d: -f1 | while read -r line; do printf '%s/shard-%05d.h5\n' "$work/$form" $(((line - 1) / 10)); done | sort -u >expected
        ;;
    esac
    n=$(wc -l <expected)
    [ "$n" -gt 15 ] && [ "$n" -le $drawn ] && pass || fail "$form: $n of 108 shards have what was drawn: a test without use"
    traced 2 run "$config" -o $form.h5 "${few[@]}" --set "data.reference=$work/$form" --set decode_threads=2
    names $form.h5 "$work/$form" | cmp -s - drawn && pass || fail "$form: other images are drawn than of folders"
    exactly "$form" "$work/$form"
done

# ---- pack --verify ----
traced 3 pack --verify "$work/pack"
find "$work/pack" -name '*.h5' | sort >expected
exactly "pack --verify" "$work/pack"
grep -F "$work/pack/shard" trace | sort -u | awk '{ n[$2]++; ranks[$1]++ } END { for (s in n) twice += n[s] > 1; for (r in ranks) { k++; most = ranks[r] > most ? ranks[r] : most }; print k, twice + 0, most }' >share
read -r ranks twice most <share
[ "$ranks" -ge 2 ] && [ "$twice" = 0 ] && [ "$most" -lt 108 ] && pass || fail "pack --verify: $ranks of three ranks look at shards, $twice shards are looked at by several"
finish
