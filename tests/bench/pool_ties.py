#!/usr/bin/env python3
"""pool_ties.py NETWORK [IMAGES]: why two float32 programs differ in relevance below a max pool (docs/performance.md), for each pool of the network that
compare_torch.py makes. Relevance goes to the largest of a window alone. Where the two largest are nearer than rounding, float32 may take the other, and the
relevance of that window goes another way through all layers below. A JSON line for each pool, of all images together (4):

    windows   that have a positive value, thus relevance             near      of them, those whose two largest are within 5e-7 in float64
    changed   those in which the network as it is takes another in PyTorch's float32 than in float64; with folded batch norms or another layout of
              memory sums are rounded otherwise, and others of those that are near change
"""
import json
import pathlib
import sys
import tempfile

import torch

import compare_torch

NEAR = 5e-7


def pools_of(name, folder, dtype, images):
    """{pool: its inputs [images, channels, rows, columns]}, in float64, and the pools themselves."""
    net, inputs = compare_torch.load(name, folder, dtype), {}
    pools = {path: module for path, module in net.named_modules() if isinstance(module, torch.nn.MaxPool2d)}
    for path, module in pools.items():
        module.register_forward_hook(lambda _, given, __, path=path: inputs.update({path: given[0].double()}))
    with torch.no_grad():
        net(images.to(dtype))
    return inputs, pools


def windows_of(pool, x):
    """[windows, places]: padding never wins."""
    x = torch.nn.functional.pad(x, [pool.padding] * 4, value=-torch.inf)
    return x.unfold(2, pool.kernel_size, pool.stride).unfold(3, pool.kernel_size, pool.stride).reshape(-1, pool.kernel_size ** 2)


def main(name, images):
    found = {}
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        compare_torch.prepare(name, folder, images)
        for x, _ in compare_torch.batches(folder, 1, images):
            exact, pools = pools_of(name, folder, torch.float64, x)
            rounded, _ = pools_of(name, folder, torch.float32, x)
            for path, pool in pools.items():
                a, b = windows_of(pool, exact[path]), windows_of(pool, rounded[path])
                most = a.topk(2, 1).values
                alive = most[:, 0] > 0
                counts = [alive, alive & (most[:, 0] - most[:, 1] <= NEAR), alive & (a.max(1).indices != b.max(1).indices)]
                found[path] = found.get(path, torch.zeros(3, dtype=torch.int64)) + torch.stack([mask.sum() for mask in counts])
    for path, (windows, near, changed) in found.items():
        print(json.dumps({"bench": "pool_ties", "network": name, "images": images, "pool": path, "windows": windows.item(), "near": near.item(),
                          "changed": changed.item(), "torch": torch.__version__}))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 4)
