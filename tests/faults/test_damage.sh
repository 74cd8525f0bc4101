#!/usr/bin/env bash
# Journals that are damaged, and inputs that are others when a run goes on: the same result, or a message that names what has changed.
. "$(dirname "$0")/faults.sh"
seed=${POLLARD_FAULTS_SEED:-$((RANDOM * 32768 + RANDOM))}
echo "POLLARD_FAULTS_SEED=$seed"
RANDOM=$seed
cp -r "$SOURCE/examples/digits" "$work/digits"
sed "s|\.\./examples/digits|$work/digits|" "$SOURCE/configs/digits.yaml" >"$work/digits.yaml"
config=$work/digits.yaml
study=(--set tasks.seeds=1 --set 'tasks.classes=[10]' --set 'tasks.references=[3]' --set rates.step=0.19) # every image of the evaluation set is used
straight

# A journal with all of the work in it: one job of an array of one does it and leaves it to be merged.
does "all of the work" 3 run --array 1/1
[ -d "$out.journal" ] && [ ! -e "$out" ] && pass || fail "an array of one wrote its result"
cp -r "$out.journal" "$work/kept"

# ---- damage ----
anew() {
    rm -rf "$out.journal"
    cp -rp "$work/kept" "$out.journal"
    files=("$out.journal"/*.journal)
}
size_of() { wc -c <"$1"; }
offset() { # in a file, behind its identity
    echo $((8192 + (RANDOM * 32768 + RANDOM) % ($(size_of "$1") - 8192)))
}
flip_many() {
    local f i at byte
    for f in "${files[@]}"; do
        for ((i = 0; i < 40; i++)); do
            at=$(offset "$f")
            byte=$(od -An -tu1 -j "$at" -N 1 "$f")
            printf "\\x$(printf %02x $((byte ^ (1 << RANDOM % 8))))" | dd of="$f" bs=1 seek="$at" conv=notrunc status=none
        done
    done
}
cut_all() { for f in "${files[@]}"; do truncate -s "$(offset "$f")" "$f"; done; }
remove_one() { rm "${files[RANDOM % ${#files[@]}]}"; }
empty_one() { : >"${files[0]}"; }
lose_identity() { printf 'XXXX' | dd of="${files[1]}" bs=1 seek=100 conv=notrunc status=none; }
add_rubbish() {
    head -c 100000 /dev/urandom >"$out.journal/rubbish.journal"
    head -c 5000 /dev/urandom >>"${files[0]}"
    dd if="${files[1]}" of="$out.journal/0.journal" bs=1000 count=$((1 + RANDOM % 50)) status=none # a copy that is cut off
}
zero_a_block() { dd if=/dev/zero of="${files[RANDOM % ${#files[@]}]}" bs=4096 seek=$((2 + RANDOM % 10)) count=2 conv=notrunc status=none; }
for damage in flip_many cut_all remove_one empty_one lose_identity add_rubbish zero_a_block; do
    anew
    $damage
    does "$damage" $((1 + RANDOM % 4)) run
    grep -q "goes on where an earlier run was" "$log" && pass || fail "$damage: nothing of the journal was used"
    case $damage in
    remove_one) ;;
    *) grep -q -e "level=warn.* damaged=" -e "level=warn.* unreadable=" "$log" && pass || { fail "$damage: nobody is told"; tell; } ;;
    esac
    same "$damage"
done
anew
flip_many
begin 2 merge
end
case $code in # a flipped bit may lie where nothing is
0) same "merging what is damaged" ;;
66) grep -q "the journals do not hold all of the work" "$log" && pass || { fail "merging what is damaged"; tell; } ;;
*) fail "merging what is damaged: exit code $code"; tell ;;
esac

# ---- what is no file ----
anew
mkfifo "$out.journal/pipe.journal"
refuses "a pipe in the journal" 66 "pipe.journal: expected a file" 2 run
anew
ln -s /dev/zero "$out.journal/link.journal"
refuses "a link in the journal" 66 "link.journal: cannot be opened" 2 run

# ---- inputs that have changed ----
anew
refuses "another rate" 78 "rates" 2 run --set rates.step=0.2
grep -q "it was 'rates.*it is now 'rates" "$log" && pass || { fail "another rate: the line is not named"; tell; }
refuses "another seed" 78 "it is now" 3 run --set tasks.seeds=3
image=$(ls "$work/digits/data/val/1"/*.png | head -1) other=$(ls "$work/digits/data/val/7"/*.png | head -1)
cp -p "$image" "$work/image.png"
touch "$image"
does "an image that was touched" 2 run
same "an image that was touched"
anew
cp "$other" "$image"
refuses "another image" 65 "$image: the image was changed since finished work of this run has used it" 3 run
rm "$image"
refuses "no image" 78 "evaluation images" 2 run
cp -p "$work/image.png" "$image"
cp "$image" "$(dirname "$image")/zzz.png"
refuses "an image more" 78 "evaluation images" 2 run
rm "$(dirname "$image")/zzz.png"
model=$work/digits/models/digits_resnet/model.safetensors
cp -p "$model" "$work/model"
printf '\x01' | dd of="$model" bs=1 seek=$(($(size_of "$model") - 4)) conv=notrunc status=none
refuses "another checkpoint" 78 "checkpoint of digits_resnet" 2 run
cp -p "$work/model" "$model"
if "$POLLARD" version | grep -q 'OpenBLAS.*DYNAMIC_ARCH'; then # a library that computes otherwise
    export OPENBLAS_CORETYPE=Nehalem
    refuses "other kernels of a library" 78 "it is now" 2 run
    grep -q "it was '.*OpenBLAS.*it is now '.*OpenBLAS.*Nehalem" "$log" && pass || { fail "other kernels of a library: the line is not named"; tell; }
    unset OPENBLAS_CORETYPE
else
    echo "skipped: other kernels of a library: this OpenBLAS has those for one processor only"
fi
[ "$(noted)" -gt 0 ] && pass || fail "a refusal has touched the journal"
does "all as it was" 2 run
same "all as it was"
finish
