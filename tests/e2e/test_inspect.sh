#!/usr/bin/env bash
# `pollard inspect` as it is met in a shell: files of other kinds, a reader that leaves, several processes, texts of hostile files.
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 2
examples=$SOURCE/examples/digits
result=$work/result.h5
checkpoint=$examples/models/digits_resnet/model.safetensors
ranks 2 run "$SOURCE/configs/digits.yaml" -o "$result" "${small[@]}" >/dev/null 2>log || { cat log; fail "no result to look at"; }

# is MESSAGE FILE: refused, and told what it is.
is() {
    "$POLLARD" inspect "$2" >out 2>err
    [ $? -eq 65 ] && grep -qF "expected a checkpoint (.safetensors, .pth), a result (.h5) or an image folder, found $1" err &&
        pass || fail "inspect $2: expected '$1', found: $(cat err)"
}
is "text; what a study does says \`pollard plan\`" "$SOURCE/configs/digits.yaml"
is text "$examples/models/digits_resnet/model.json"
images=("$examples"/data/val/0/*.png)
is "a PNG image" "${images[0]}"
printf '\377\330\377\340 and so on' >image.jpg && is "a JPEG image" image.jpg
printf '\200\002}q\000.' >model.pkl && is "a Python pickle that torch.save did not write" model.pkl
printf 'PK\003\004 and so on' >model.pth
"$POLLARD" inspect model.pth 2>&1 | grep -q "a zip archive (as torch.save writes) whose end is missing" && pass || fail "a PyTorch file that is cut"
"$POLLARD" inspect "$SOURCE/tests/unit/checkpoints/legacy.pt" 2>/dev/null | grep -q "PyTorch checkpoint (legacy), 1984 bytes" && pass ||
    fail "the format of a checkpoint"
printf '\001\002\003\004\005\006\007\010\011\012' >noise && is "something else" noise
truncate -s 68G large && printf 'neither this nor that' | dd of=large conv=notrunc status=none # more than is ever read
is "something else" large
rm large

# A reader that has left, a disk that is full.
for file in "$result" "$checkpoint"; do
    (sleep 0.5; "$POLLARD" inspect "$file" 2>err; echo $? >code) | true
    [ ! -s err ] && pass || fail "inspect $file | true says: $(cat err)"
    [ "$(cat code)" -eq 141 ] && pass || fail "inspect $file | true: exit code $(cat code)"
    "$POLLARD" inspect "$file" >/dev/full 2>err
    [ $? -eq 73 ] && [ "$(wc -l <err)" -eq 1 ] && pass || fail "inspect $file >/dev/full: $(cat err)"
done

# What was printed before an error stands before it.
cp -r "$examples/models/digits_vit" net
sed 's/"num_heads": *[0-9]*/"num_heads": "4\\u001b[2J"/' net/model.json >json
cmp -s json net/model.json && fail "no heads in model.json"
mv json net/model.json
"$POLLARD" inspect net/model.safetensors >both 2>&1
[ $? -eq 65 ] && tail -n 1 both | grep -qF "found '4?[2J'" && pass || fail "the error is not the last line: $(tail -n 3 both)"
[ "$(LC_ALL=C grep -c $'\033' both)" -eq 0 ] && pass || fail "a file's text reaches the terminal"

finish
