#!/usr/bin/env bash
# Bad input: folders of images and the images in them. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"
all=(--set 'tasks.classes=[10]') # so that every evaluation image is read
image=data/val/5/1.png
sample=$SOURCE/tests/e2e/images

# ---- folders ----
refused 66 "data/train: cannot be opened as a folder of images: No such file" 'rm -r data'
refused 66 "data/val: cannot be opened as a folder of images: Not a directory" 'rm -r data/val; : >data/val'
refused 65 "data/val: expected a folder per class"      'rm -r data/val/*'
refused 65 "data/val/4: the class folder is empty"      'rm data/val/4/*'
refused 65 "data/val/4: the class folder is empty"      'rm data/val/4/*; mkdir data/val/4/x.png'
refused 65 "data/train has 10 class folders, data/val has 9; expected the same classes in both, but data/val has no class '4'" 'rm -r data/val/4'
refused 65 "data/train has 10 class folders, data/val has 11; expected the same classes in both, but data/train has no class 'ten'" 'cp -r data/val/4 data/val/ten'
refused 65 "class 4 is '4' in data/train and '5' in data/val" 'mv data/val/4 data/val/four'
refused 65 "expected 10 class folders, one for each class of model 'net'" 'rm -r data/*/4'
refused 65 "folder '5' is class 4 by its place and class 5 by the names" 'mv data/val/4 data/val/x; mv data/train/4 data/train/x'
refused 65 "data/val/loop: the class folder is empty"   'ln -s . data/val/loop'
refused 65 "a control character"                        'mv $image data/val/5/"$(printf "a\tb.png")"'
refused 65 "not valid UTF-8"                            'mv data/val/4 data/val/"$(printf "4\377")"'
accepted                                                'mkdir data/val/5/x.png; : >data/val/5/notes.txt; ln -s .. data/val/5/up' "${all[@]}"

# ---- images: met by one rank in the middle of its share, the others must hear of it ----
refused 65 "$image: expected a PNG or JPEG image, found an empty file" ': >$image' "${all[@]}"
refused 65 "$image: expected a PNG or JPEG image, found a file of 12 bytes" 'printf "not an image" >$image' "${all[@]}"
refused 65 "starts with byte 0x47"                      'printf "GIF89a" >$image' "${all[@]}"
refused 65 "broken PNG image: the file is truncated"    'head -c 60 "$good/$image" >$image' "${all[@]}"
refused 65 "broken PNG image: Not enough image data"    'cp "$sample/half.png" $image' "${all[@]}"
refused 65 "broken PNG image"                           'printf "XXXX" | dd of=$image bs=1 seek=16 conv=notrunc status=none' "${all[@]}"
refused 65 "broken JPEG image: Premature end"           'head -c 150 "$sample/cmyk.jpg" >$image' "${all[@]}"
refused 65 "broken JPEG image"                          'printf "\377\330\377\340junk" >$image' "${all[@]}"
refused 65 "expected an image of 1 to 2^28 pixels, found 60000x60000" 'cp "$sample/bomb.png" $image' "${all[@]}"
refused 65 "cannot hold an image of 16000x16000"        'cp "$sample/hollow.png" $image' "${all[@]}"
refused 65 "files of more than 268435456 bytes"         'truncate -s 300M $image' "${all[@]}"
refused 66 "$image: cannot be read: Too many levels"    'rm $image; ln -s 1.png $image'
refused 66 "$image: cannot be read: No such file"       'rm $image; ln -s nowhere.png $image'
refused 65 ".png: broken PNG image"                     'for i in data/train/*/*.png; do head -c 60 "$good/$i" >"$i"; done'
# ... whoever reads it, and however far ahead: of several in a micro-batch the first
for threads in 0 1 3; do
    few=("${all[@]}" --set decode_threads=$threads --set micro_batch=4)
    refused 65 "$image: broken PNG image: the file is truncated" 'head -c 60 "$good/$image" >$image' "${few[@]}"
    refused 65 "data/val/2/0.png: expected a PNG or JPEG image, found an empty file" 'for i in 0 1; do : >data/val/2/$i.png; done' "${few[@]}" # 6 and 7 of 30
done
accepted                                                'cp "$sample/palette.png" $image' "${all[@]}"
accepted                                                'cp "$sample/alpha.png" $image' "${all[@]}"
accepted                                                'cp "$sample/grey16.png" $image' "${all[@]}"
accepted                                                'cp "$sample/rgb16.png" $image' "${all[@]}"
accepted                                                'cp "$sample/cmyk.jpg" $image' "${all[@]}" # bytes decide, not the name
if [ "$(id -u)" = 0 ]; then skipped "unreadable files: root reads everything"; else
    refused 66 "study.yaml: cannot be opened: Permission denied" 'chmod 0 study.yaml'
    refused 66 "net/model.safetensors: cannot be opened: Permission denied" 'chmod 0 net/model.safetensors'
    refused 66 "$image: cannot be opened: Permission denied" 'chmod 0 $image' "${all[@]}"
    refused 66 "data/val: cannot be opened as a folder of images: Permission denied" 'chmod 0 data/val'
fi
finish
