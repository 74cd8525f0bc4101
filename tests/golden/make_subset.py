#!/usr/bin/env python3
"""Makes the golden files of this folder from the full golden vectors: the networks with one composite and its pruning,
the gradient methods, and all unit rules, compressed.

    python3 tests/golden/make_subset.py FULL_FOLDER tests/golden

Needs h5py. Values, types and attributes are copied unchanged; see README.md beside this script."""

import sys
from pathlib import Path

import h5py

# network -> its composites that the tests use
COMPOSITES = {
    "vgg_bn_tiny": ["eps", "ref_gamma_none"],
    "vgg_tiny": ["eps", "ref_gamma_none"],
    "resnet_basic_tiny": ["eps", "ref_gamma_none"],
    "resnet_bottleneck_tiny": ["eps", "ref_gamma_none"],
    "vit_tiny": ["eps_softmax_Epsilon"],
}
ALWAYS = ["weights", "inputs", "targets", "logits", "folded", "gradient_methods"]


def copy_attributes(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value


def copy_item(source, target, path):
    """Copies the data set or group at `path`, with the attributes of the groups above it."""
    if path not in source:
        return
    above = ""
    for part in path.split("/")[:-1]:
        above = f"{above}/{part}"
        copy_attributes(source[above], target.require_group(above))
    item = source[path]
    if isinstance(item, h5py.Dataset):
        # Filters need a chunked layout: not worth it for small ones.
        packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if item.nbytes >= 1024 else {}
        made = target.create_dataset(path, data=item[()], dtype=item.dtype, track_times=False, **packed)
        copy_attributes(item, made)
        return
    copy_attributes(item, target.require_group(path))
    for name in item:
        copy_item(source, target, f"{path}/{name}")


def make(source_path, target_path, paths):
    with h5py.File(source_path, "r") as source, h5py.File(target_path, "w", libver=("v110", "v110")) as target:
        copy_attributes(source, target)
        for path in paths:
            copy_item(source, target, path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    full, here = Path(sys.argv[1]), Path(sys.argv[2])
    for network, composites in COMPOSITES.items():
        paths = ALWAYS + [f"{part}/{name}" for part in ("composites", "pruning") for name in composites]
        make(full / f"{network}.h5", here / f"{network}.h5", paths)
    with h5py.File(full / "unit_rules.h5", "r") as f:
        cases = list(f)
    make(full / "unit_rules.h5", here / "unit_rules.h5", cases)


if __name__ == "__main__":
    main()
