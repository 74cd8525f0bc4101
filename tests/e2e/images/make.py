#!/usr/bin/env python3
"""Makes the images beside it: unusual ones that are accepted, and damaged ones that are refused. Needs numpy and Pillow."""
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

folder = pathlib.Path(__file__).parent
grey = (np.add.outer(np.arange(16), np.arange(16)) * 8).astype(np.uint8)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(name, width, height, depth, colours, data):
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    (folder / name).write_bytes(b"".join(parts))


wide = np.repeat(grey.astype(">u2") * 257, 3).reshape(16, 48)
Image.fromarray(grey).quantize(16).save(folder / "palette.png", optimize=True)
Image.fromarray(np.dstack([grey] * 4)).save(folder / "alpha.png", optimize=True)
Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "grey16.png", optimize=True)
Image.fromarray(np.dstack([grey] * 4), mode="CMYK").save(folder / "cmyk.jpg", quality=20, optimize=True)
write_png("rgb16.png", 16, 16, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide))
write_png("half.png", 16, 16, 8, 0, b"".join(b"\0" + row.tobytes() for row in grey)[:100])
write_png("bomb.png", 60000, 60000, 8, 0, bytes(1000))
write_png("hollow.png", 16000, 16000, 8, 0, bytes(1000))
