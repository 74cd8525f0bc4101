#!/usr/bin/env bash
# Bad input: checkpoints and what model.json says beside them. How to read the lines: bad_input.sh.
. "$(dirname "$0")/bad_input.sh"
net=net/model.safetensors
whole=$good/$net
header() { sed -i "$1" "$net"; }                                                # an edit of the same length: the JSON lies within
put() { printf "$2" | dd of="$net" bs=1 seek="$1" conv=notrunc status=none; } # bytes at an offset
json() { sed -i "$1" net/model.json; }

# ---- the file ----
refused 66 "$net: cannot be opened"                     'rm $net'
refused 66 "$net: expected a file, found a folder"      'rm $net; mkdir $net'
refused 66 "expected a file, found something else"      'rm $net; mkfifo $net'
refused 65 "at least 8 bytes, found 0"                  ': >$net'
refused 65 "the header needs 6776 bytes, the file has 4000" 'head -c 4000 $whole >$net'
refused 65 "expected 517056 bytes, found 400000: the file is truncated" 'head -c 400000 $whole >$net'
refused 65 "bytes that belong to no tensor"             'printf x >>$net'
refused 65 "a zip archive (as torch.save writes) whose end is missing" 'printf "PK\003\004 and so on" >$net'
refused 65 "refers to 'torch.nn.modules.linear.Linear'" 'cp "$SOURCE/tests/unit/checkpoints/whole_model.pt" $net'
refused 65 "expected a checkpoint (safetensors or PyTorch's .pth, .pt, .th), found a PNG image"        'cp data/val/0/0.png $net'
refused 65 "files of more than 68719476736 bytes"       'truncate -s 70G $net'

# ---- its header ----
refused 65 "found the length 9223372036854775807"       'put 0 "\377\377\377\377\377\377\377\177"'
refused 65 "the header is not valid JSON"               'put 0 "\100"'
refused 65 "the header is not valid JSON"               'header s/{/[/'
refused 65 "duplicate object key"                       'header s/layer1.0.bn1.bias/layer1.0.bn2.bias/'
refused 65 "running_mean starts at byte 509511 of the data, expected 509512" 'header "s/\[509512,509768\]/[509511,509767]/"'
refused 65 "make 256 bytes, its data_offsets 490487"    'header "s/\[509512,509768\]/[509512,999999]/"'
refused 65 "expected dtype F32 or another type"         'header s/F32/F77/'
refused 65 "expected type F32, found I32"               'header "s/\"F32\",\"shape\":\[64\]/\"I32\",\"shape\":[64]/"'
refused 65 "dimension 0 of the shape is not a non-negative integer" 'header "s/\[10,64\]/[-1,64]/"'

# ---- its tensors ----
refused 65 "'fc.weight' of shape [any, 64], found none; the closest free name is 'fc.weighs'" 'header s/fc.weight/fc.weighs/'
refused 65 "tensor 'fc.weight': expected shape [any, 64], found [64, 10]" 'header "s/\[10,64\]/[64,10]/"'
refused 65 "layer2.0.bn2.weight"                        'header s/layer2.0.bn2.weight/layer7.0.bn2.weight/'
refused 65 "fc.bias"                                    'header s/fc.bias/xx.bias/'
refused 65 "expected finite numbers, found nan at ["    'put 400000 "\000\000\300\177"'
refused 65 "expected finite numbers, found inf at ["    'put 400000 "\000\000\200\177"'
refused 65 "leaves the range of float32"                'put 400000 "\377\377\177\177"'
refused 65 "expected finite logits of the unpruned network 'net', found inf" \
    'for i in {0..63}; do put $((16576 + 4 * i)) "\346\261\141\177"; done' --set 'criteria=[{name: r, method: random}]' # 3e38 each

# ---- model.json, and what the study says about the model ----
refused 65 "net/model.json:1:1: not valid JSON"         'printf "{" >net/model.json'
refused 65 "not valid JSON"                             ': >net/model.json'
refused 65 "expected a JSON object {...}, found a list" 'printf "[]" >net/model.json'
refused 66 "net/model.json: expected a file, found a folder" 'rm net/model.json; mkdir net/model.json'
refused 66 "net/model.json: cannot be opened: No such file" 'ln -sf nowhere net/model.json' # not as if it did not exist
refused 65 "maximum parsing depth"                      'printf "{\"a\":%.0s" {1..3000} >net/model.json'
refused 65 "num_classes: expected 11, found a last layer 'fc' with 10" 'json "s/\"num_classes\": 10/\"num_classes\": 11/"'
refused 65 "unknown architecture 'rasnet'"              'json s/resnet/rasnet/'
refused 65 "expected a tensor 'features.0.weight'"      'json s/resnet/vgg/'
refused 65 "the fact resize from model.json: expected HEIGHTxWIDTH" 'json s/48/0/'
refused 65 "expected three positive numbers"            'json s/0.5/0/'
refused 65 "bn_eps (from model.json): expected a positive number" 'json s/1e-05/-1.0/'
refused 65 "class 9 by the names of model 'net'"        'json "s/\"0\"/\"9\"/; s/\"9\"$/\"0\"/"'
refused 65 "expected a tensor 'conv1.weight'"           'cp "$SOURCE/examples/digits/models/digits_vit/model.safetensors" $net'
refused 65 "num_heads"                                  'cp "$SOURCE/examples/digits/models/digits_vit/model.safetensors" $net; rm net/model.json' \
    --set 'models[0].heads=5'
refused 78 "has no heads"                               '' --set 'models[0].components=[heads]'
refused 65 "the number of attention heads cannot be seen" '' --set 'models[0].architecture=vit'
refused 65 "but crop makes them 99x99"                  '' --set 'models[0].crop=99'
refused 65 "becomes 10x10 by resize; expected 48x48"    '' --set 'models[0].resize=10'
refused 78 "models[0].std[0]: expected a number in [0.001, 1]" '' --set 'models[0].std=[0, 0, 0]'
accepted                                                'rm net/model.json' # the checkpoint's own metadata suffice
finish
