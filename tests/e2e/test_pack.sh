#!/usr/bin/env bash
# A tree, tar shards and both kinds of pack of the same images give the same result file; packs are the same whoever makes them and however
# often they are interrupted; what is damaged is named.
. "$(dirname "$0")/lib.sh"
if ! command -v h5diff >/dev/null; then
    echo "skipped: h5diff is missing (Debian: hdf5-tools)"
    exit 77
fi
config=$SOURCE/configs/digits.yaml
digits=$SOURCE/examples/digits/data
vgg=$SOURCE/examples/digits/models/digits_vgg_bn/model.safetensors
one=("${small[@]}" --set "models=[{name: net, checkpoint: $vgg}]")
export XDG_CACHE_HOME=$work/cache
cd "$work" || exit 2

study() { # study NAME RANKS ARGUMENT...
    local name=$1 n=$2
    shift 2
    ranks "$n" run "$config" -o "$name.h5" "${one[@]}" "$@" >"$name.log" 2>&1 || { fail "study $name"; tail -3 "$name.log"; }
}
same() { # same WHAT A B
    h5diff --exclude-path /provenance "$2.h5" "$3.h5" >diff 2>&1 && pass || { fail "$1 differs"; head -5 diff; }
}
refused() { # refused WHAT CODE TEXT COMMAND...: pollard ends with this code and says this
    local what=$1 code=$2 text=$3
    shift 3
    timeout 120 "$POLLARD" "$@" >out 2>err
    local found=$?
    [ "$found" -eq "$code" ] && grep -qF -- "$text" err && pass || fail "$what: expected code $code and '$text', found $found: $(tail -1 err)"
}

# ---- the same result ----
mkdir tars
(cd "$digits/train" && find 0 1 2 3 4 -name '*.png' | sort -r | tar cf "$work/tars/first.tar" -T - && find ./5 6 7 8 9 -type f | tar --format=pax -cf "$work/tars/second.tar" -T -)
tar --format=gnu -cf val.tar -C "$digits/val" .
ranks 1 pack "$digits/train" -o train.pack --shard-images 200 >log 2>&1 || { fail "pack of a tree"; cat log; }
ranks 3 pack val.tar -o val.pack --shard-images 100 >log 2>&1 || { fail "pack of a tar"; cat log; }
ranks 2 pack tars -o train.pixels --shard-images 300 --decoded "$config" "${one[@]:8}" >log 2>&1 || { fail "decoded pack"; cat log; }
ranks 1 pack val.pack -o val.pixels --decoded "$config" --evaluated "${one[@]:8}" >log 2>&1 || { fail "decoded pack of a pack"; cat log; }
study tree 1
for n in 1 3; do
    study "tar$n" "$n" --set "data.reference=$work/tars" --set "data.evaluation=$work/val.tar"
    same "tars on $n ranks" tree "tar$n"
    study "pack$n" "$n" --set "data.reference=$work/train.pack" --set "data.evaluation=$work/val.pack" --set decode_threads=2
    same "packs on $n ranks" tree "pack$n"
    study "pixels$n" "$n" --set "data.reference=$work/train.pixels" --set "data.evaluation=$work/val.pixels"
    same "decoded packs on $n ranks" tree "pixels$n"
done
# In /provenance too, but for where they lie.
inputs() { for what in path sha256; do h5dump -d "/provenance/$what" "$1.h5" | grep -o '"[^"]*"' | grep '[.]png"$\|^"[0-9a-f]*"$' | sed 's|^.*/\([^/]*/[^/]*"\)$|"\1|'; done; }
inputs tree | sort >a
for other in tar1 pack3 pixels1; do
    inputs "$other" | sort >b
    [ "$(wc -l <a)" -gt 100 ] && cmp -s a b && pass || fail "names or digests of images of $other are others: $(diff a b | head -3)"
done
# The comparison can see a difference.
study other 1 --set 'tasks.seeds=[0, 2]' --set "data.reference=$work/train.pack"
h5diff --exclude-path /provenance tree.h5 other.h5 >/dev/null 2>&1
[ $? -eq 1 ] && pass || fail "other seeds, same file"

# ---- labels beside images, as webdataset has them ----
mkdir -p wds/x
for class in 0 1 2 3 4 5 6 7 8 9; do
    for image in "$digits/val/$class"/*.png; do
        key=$class-$(basename "$image" .png)
        cp "$image" "wds/x/$key.PNG"
        if [ $((class % 2)) = 0 ]; then echo "$class" >"wds/x/$key.cls"; else echo "{\"label\": $class, \"text\": \"a digit\"}" >"wds/x/$key.json"; fi
    done
done
tar cf wds.tar -C wds x
study wds 2 --set "data.evaluation=$work/wds.tar"
same "a tar with .cls and .json" tree wds

# ---- only what a study draws is opened ----
study before 2 --set "data.reference=$work/train.pack" --set 'tasks.seeds=[3]' --set 'tasks.references=[1]'
h5dump -d /provenance/path before.h5 | grep -o "train.pack/[^\"]*" | sort -u >read
[ "$(wc -l <read)" -le 3 ] && pass || fail "$(wc -l <read) references read"
mkdir few && cp train.pack/* few/
needed=$(while read -r path; do grep -n "^P ${path#train.pack/}\$" train.pack/pack.index | cut -d: -f1; done <read)
first=$(grep -n '^P ' train.pack/pack.index | head -1 | cut -d: -f1)
keep=$(for line in $needed; do
    class=$(head -n "$line" train.pack/pack.index | grep -c '^C ')
    printf 'shard-%05d.h5\n' $(((line - first - class + 1) / 200))
done | sort -u)
for shard in few/shard-*; do
    case "$keep" in *$(basename "$shard")*) ;; *) : >"$shard" ;; esac
done
study after 2 --set "data.reference=$work/few" --set 'tasks.seeds=[3]' --set 'tasks.references=[1]'
same "a pack of which only the shards with drawn images are there" before after

# ---- the same shards from any ranks, after interruptions ----
for n in 1 3; do
    ranks "$n" pack tars -o "again$n" --shard-images 200 >log 2>&1 || fail "pack on $n ranks"
    diff -r train.pack "again$n" >diff && pass || fail "shards made by $n ranks from tars differ from those of the tree"
done
ranks 1 pack "$digits/train" -o whole --shard-images 20 >/dev/null 2>&1
ranks 1 pack "$digits/train" -o many --shard-images 1 >/dev/null 2>&1
for try in 1 2 3; do
    for round in 1 2 3; do # killed in the middle, by and by further
        "$POLLARD" pack "$digits/train" -o killed --shard-images 1 >/dev/null 2>&1 &
        until [ "$(ls killed 2>/dev/null | wc -l)" -ge $((100 * round)) ]; do kill -0 $! 2>/dev/null || break; done
        kill -KILL $! 2>/dev/null
        wait $! 2>/dev/null
    done
    [ -e killed/pack.index ] || break # else this shell has slept
    [ "$try" = 3 ] || rm -r killed
done
n=$(ls killed | wc -l)
[ "$n" -ge 100 ] && [ "$n" -lt 1078 ] && [ ! -e killed/pack.index ] && pass || fail "the killed pack has $n shards: nothing was interrupted"
: >killed/shard-00005.h5.tmp.1
rm killed/shard-00003.h5
echo nonsense >killed/shard-00007.h5
ranks 3 pack "$digits/train" -o killed --shard-images 1 >log 2>&1 || { fail "pack goes on"; cat log; }
grep -q "([1-9][0-9]* made, [1-9][0-9]* were there)" log && diff -r many killed >diff && pass || fail "an interrupted pack has other shards: $(head -3 diff)"
ls -i whole >before_again
ranks 2 pack "$digits/train" -o whole --shard-images 20 >log 2>&1
ls -i whole | grep -v pack.index | diff - <(grep -v pack.index before_again) >/dev/null && grep -q "0 made, 54 were there" log && pass || fail "complete shards were made again: $(cat log)"
refused "another pack in the folder" 73 "there is another pack" pack "$digits/val" -o whole

# ---- damage ----
ranks 2 pack --verify whole >log 2>&1 && grep -q "1078 images in 54 shards, all as they were packed" log && pass || fail "verify of a good pack: $(cat log)"
cp -r whole bad && cp -r whole pristine
size=$(stat -c %s bad/shard-00002.h5)
printf X | dd of=bad/shard-00002.h5 bs=1 seek=$((size - 1000)) conv=notrunc 2>/dev/null
truncate -s 3000 bad/shard-00009.h5
cp bad/shard-00011.h5 bad/shard-00012.h5
for n in 1 3; do
    ranks "$n" pack --verify bad >log 2>&1
    [ $? -ne 0 ] && grep -q "damaged: bad/shard-00002.h5: image 0/[0-9]*.png: damaged" log && grep -q "damaged: bad/shard-00009.h5: " log &&
        grep -q "damaged: bad/shard-00012.h5: " log && [ "$(grep -c ^damaged: log)" = 3 ] && pass || fail "verify of a damaged pack: $(cat log)"
done
printf X | dd of=whole/shard-00001.h5 bs=1 seek=9 conv=notrunc 2>/dev/null
refused "damage outside images" 65 "damaged outside its images" pack --verify whole
name=$(sed -n 's/^damaged: .*image \(0\/[0-9]*.png\): damaged.*/\1/p' log)
refused "a study that meets damage" 65 "bad/shard-00002.h5: image $name" run "$config" -o x.h5 "${one[@]}" --set "data.reference=$work/bad" --set 'tasks.classes=[10]' --set 'tasks.references=[97]'
ranks 2 pack "$digits/train" -o bad --shard-images 20 >log 2>&1 && grep -q "3 made, 51 were there" log && diff -r pristine bad >/dev/null && pass || fail "damaged shards are made again: $(cat log)"
sed -i 's/^P 3/P 4/' bad/pack.index
refused "a changed index" 65 "last line is the SHA-256" inspect bad

# ---- preprocessing that does not fit ----
refused "a pack for another network" 65 "are decoded and preprocessed already (resize 16x16" run "$config" -o x.h5 "${small[@]}" --set "data.reference=$work/train.pixels"
refused "networks that differ" 2 "say which with --model" pack "$digits/val" -o x.pack --decoded "$config"
refused "pixels that 8 bits cannot keep" 65 "float32" pack "$digits/val" -o x.pack --decoded "$config" --set "models=[{name: net, checkpoint: $vgg, preprocess: reference}]"
refused "a pack of pixels packed" 65 "has not kept the original files" pack train.pixels -o x.pack
refused "a list for a tar" 65 "leave the list out" run "$config" -o x.h5 "${one[@]}" --set "data.evaluation=$work/val.tar" --set "data.evaluation_list=$config"

# ---- tars: the index, and what is refused ----
[ -f tars/.pollard-tar-index ] && pass || fail "no index beside the tars"
ranks 1 inspect tars >log 2>&1 && ! grep -q "indexed=" log && pass || fail "the index was made again: $(cat log)"
touch tars/first.tar
ranks 1 inspect tars >log 2>&1 && grep -q "indexed=1078" log && pass || fail "a shard has changed, its index is taken"
mkdir twice && cp tars/first.tar twice/a.tar && cp tars/first.tar twice/b.tar
refused "a sample in two shards" 65 "twice/a.tar and twice/b.tar have the same sample '0/" inspect twice
head -c 100000 tars/first.tar >cut.tar
refused "a tar cut off" 65 "cut off or damaged" inspect cut.tar
mkdir -p links/0 && cp "$digits/val/0"/*0.png links/0/ && ln -s /etc/passwd links/0/z.png && tar cf links.tar -C links 0
refused "a link in a tar" 65 "0/z.png is a link" inspect links.tar
rm links/0/z.png && tar cPf up.tar --transform 's|^0/|../0/|' -C links 0
refused "a path that leads out" 65 "leads out" inspect up.tar
long=$(printf 'l%.0s' {1..150})
mkdir -p "long/$long/$long"
cp links/0/*.png "long/$long/$long/"
for format in gnu pax; do
    tar --format=$format -cf long.tar -C long . && "$POLLARD" inspect long.tar >log 2>&1 && grep -q "$long/.*.png" log && pass || fail "long names ($format): $(cat log)"
done

# ---- inspect ----
mkdir -p odd/a odd/b && cp "$digits/val/0"/*1.png odd/a/ && cp links/0/*.png odd/b/ && : >odd/a/empty.png && echo text >odd/a/text.jpg && : >odd/b/notes.txt
for what in odd odd.tar; do
    [ "$what" = odd ] || tar cf odd.tar -C odd a b
    "$POLLARD" inspect "$what" >out 2>&1 || fail "inspect $what: $(cat out)"
    grep -q "a/empty.png: empty" out && grep -q "a/text.jpg: neither PNG nor JPEG" out && grep -q "PNG, 2 neither" out && [ "$(grep -c "class [01]," out)" = 4 ] && pass || { fail "inspect $what"; cat out; }
done
"$POLLARD" inspect train.pixels >log 2>&1 && grep -q "1078 decoded pixels" log && pass || fail "inspect of decoded images: $(cat log)"
finish
