#!/usr/bin/env python3
"""The smallest files of each kind for the fuzz targets. JPEGs need Pillow; networks are random numbers in torchvision's names.

result.h5 is made by make_result.sh; tensors.pickle is the data.pkl of tests/unit/checkpoints/zip.pt.
"""
import json
import pathlib
import pickle
import struct
import zlib

here = pathlib.Path(__file__).parent


(here / "values.pickle").write_bytes(pickle.dumps({"epoch": 3, "best": 0.5, "names": ["a", "b"], "nest": {"t": (1, 2, None, True), "l": [[[]]]},
                                                   "large": 1 << 80, "bytes": b"x"}, protocol=4))


def save(name, shapes, metadata=None, kind="F32"):
    size = {"F32": 4, "F16": 2, "F64": 8}[kind]
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for key, shape in shapes:
        n = size
        for d in shape:
            n *= d
        header[key] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    (here / name).write_bytes(struct.pack("<Q", len(text)) + text + bytes(i * 7 % 61 if i % size < size - 1 else 0x3C for i in range(at)))


def norm(name, n):
    return [(f"{name}.{part}", [n]) for part in ("weight", "bias", "running_mean", "running_var")]


save("small.safetensors", [("w", [2, 3]), ("b", [2])], {"arch": "vgg"}, "F16")
save("vgg.safetensors", [("features.0.weight", [2, 3, 3, 3]), ("features.0.bias", [2]), ("classifier.0.weight", [3, 2]), ("classifier.0.bias", [3])],
     {"input": "3x4x4"})
blocks = [("conv1.weight", [2, 3, 3, 3]), *norm("bn1", 2)]
for stage, (i, o) in enumerate([(2, 2), (2, 4)], 1):
    blocks += [(f"layer{stage}.0.conv1.weight", [o, i, 3, 3]), *norm(f"layer{stage}.0.bn1", o)]
    blocks += [(f"layer{stage}.0.conv2.weight", [o, o, 3, 3]), *norm(f"layer{stage}.0.bn2", o)]
save("resnet_cifar.safetensors", blocks + [("linear.weight", [2, 4]), ("linear.bias", [2])], {"image_size": "8x8"})
layer = "encoder.layers.encoder_layer_0."
save("vit.safetensors",
     [("conv_proj.weight", [2, 3, 2, 2]), ("conv_proj.bias", [2]), ("class_token", [1, 1, 2]), ("encoder.pos_embedding", [1, 5, 2]),
      (layer + "ln_1.weight", [2]), (layer + "ln_1.bias", [2]), (layer + "self_attention.in_proj_weight", [6, 2]),
      (layer + "self_attention.in_proj_bias", [6]), (layer + "self_attention.out_proj.weight", [2, 2]), (layer + "self_attention.out_proj.bias", [2]),
      (layer + "ln_2.weight", [2]), (layer + "ln_2.bias", [2]), (layer + "mlp.0.weight", [3, 2]), (layer + "mlp.0.bias", [3]),
      (layer + "mlp.3.weight", [2, 3]), (layer + "mlp.3.bias", [2]), ("encoder.ln.weight", [2]), ("encoder.ln.bias", [2]),
      ("heads.head.weight", [2, 2]), ("heads.head.bias", [2])], {"num_heads": "1"})

def frame(key, payload, seconds=0.0):
    """io/journal_frame.h"""
    head = b"PLRDJRNL" + struct.pack("<4I16s", *key) + struct.pack("<QIfI", len(payload), zlib.crc32(payload), seconds, 1)
    return head + struct.pack("<I", zlib.crc32(head)) + payload + bytes(-len(payload) % 64)


identity = frame((0, 0, 0, 0, b""), b"the study\nrate: 0.5\n")
items = [frame((1 + i % 3, i % 2, 7, i, bytes([i])), bytes((i * 37 + k) % 256 for k in range(size)), i / 2) for i, size in enumerate((70, 0, 40, 64))]
(here / "small.journal").write_bytes(identity + b"".join(items))
(here / "twins.journal").write_bytes(identity + items[0] + items[2] + frame((1, 0, 7, 0, b"\0"), b"another size") + items[0][:64] + bytes(128) + items[0])
(here / "torn.journal").write_bytes(identity + items[0] + bytes(64) + items[1][:30] + bytes(98) + items[3] + items[2][:-30])

from PIL import Image  # noqa: E402  only the pictures need it

picture = Image.new("RGB", (19, 13))
picture.putdata([(x * 13 % 256, y * 19 % 256, (x + y) * 7 % 256) for y in range(13) for x in range(19)])
picture.save(here / "colour.jpg", quality=60, subsampling=2)
picture.save(here / "progressive.jpg", quality=60, progressive=True)
picture.convert("L").save(here / "grey.jpg", quality=60)
picture.convert("CMYK").save(here / "cmyk.jpg", quality=60)
