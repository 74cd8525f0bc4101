#!/usr/bin/env bash
# However many images there are, packing, checking, listing and reading them takes the memory of a shard or of a few images: 200 images of 1 MiB, with 60 MB more
# for all that a process allocates than one such image needs, since libraries reserve much of their own, and each build of them another part. (tests/bench/pack_tree.sh measures it on 100,000 images.)
. "$(dirname "$0")/lib.sh"
python=$(command -v python3) || { echo "skipped: python3 is missing"; exit 77; }
cd "$work" || exit 2
"$python" - <<'PYTHON' || exit 2
import os, struct, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

width, height = 700, 500
noise = os.urandom(3 * width)
rows = b"".join(b"\0" + noise[y:] + noise[:y] for y in range(height))
with open("one.png", "wb") as f:
    f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b""))
for i in range(200):  # the same file under as many names
    os.makedirs(f"tree/{i % 10}", exist_ok=True)
    os.link("one.png", f"tree/{i % 10}/{i:03d}.png")
PYTHON
tar --hard-dereference -cf all.tar -C tree .
(ulimit -d 1000000 && "$POLLARD" version >/dev/null 2>&1) || { echo "skipped: memory cannot be limited here"; exit 77; }
mkdir -p little/a && ln one.png little/a/1.png

# limit ARGUMENT...: $most, kB of heap and private memory (RLIMIT_DATA): 60 MB more than this command needs.
limit() {
    for ((most = 20000; most <= 400000; most += 20000)); do
        rm -rf little-*
        (ulimit -d $most && ranks 1 "$@") >log 2>&1 && { most=$((most + 60000)); return; }
    done
    echo "skipped: libraries here reserve more than 400 MB"
    exit 77
}

within() { # within WHAT N ARGUMENT...: ends well with so little memory
    local what=$1
    shift
    (ulimit -d $most && ranks "$@") >log 2>&1 && pass || { fail "$what: $(tail -2 log)"; }
}
limit pack little -o little-pack
(ulimit -d $most && ranks 1 pack tree -o whole --shard-images 200) >log 2>&1 # a shard of all of them does need more: the limit is one
[ $? -ne 0 ] && grep -q -e "allocate" -e "memory" log && pass || fail "200 MiB fit into $most kB: the test sees nothing: $(tail -1 log)"
rm -rf whole
for n in 1 2 4; do
    within "packing a tree on $n ranks" $n pack tree -o files$n --shard-images 10
    within "checking a pack on $n ranks" $n pack --verify files$n
    [ "$n" = 1 ] || { diff -r files1 files$n >diff && pass || fail "other shards on $n ranks"; rm -rf files$n; }
done
within "packing a tar" 2 pack all.tar -o from_tar --shard-images 10
diff -r files1 from_tar >diff && pass || fail "a tar gives other shards"
rm -rf from_tar
for what in tree all.tar files1; do within "inspect $what" 1 inspect $what; done

# A study that reads all of them twice, 400 MiB of files and as much of pixels, with threads that read ahead.
study=("$SOURCE/configs/digits.yaml" --set "models=[{name: net, checkpoint: $SOURCE/examples/digits/models/digits_vgg_bn/model.safetensors}]"
    --set 'criteria=[{name: lrp, method: lrp}]' --set tasks.seeds=1 --set 'tasks.classes=[10]' --set 'tasks.references=[20]' --set 'rates=[0, 0.5]' --set decode_threads=3)
limit run "${study[@]}" -o little-result.h5 # of small images
for what in tree all.tar files1; do
    within "a study of $what" 2 run "${study[@]}" -o "$what.h5" --set "data.reference=$work/$what" --set "data.evaluation=$work/$what"
done
finish
