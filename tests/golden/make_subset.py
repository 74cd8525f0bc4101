#!/usr/bin/env python3
"""Makes the golden files of this folder from the full golden vectors: the networks with their composites (of
most without maps) and their pruning, the gradient methods, and all unit rules, compressed.

    python3 tests/golden/make_subset.py FULL_FOLDER tests/golden

Needs h5py. Values, types and attributes are copied unchanged; see README.md beside this script."""

import sys
from pathlib import Path

import h5py

NETWORKS = ["vgg_bn_tiny", "vgg_tiny", "resnet_basic_tiny", "resnet_bottleneck_tiny", "vit_tiny"]

# Of every composite: what is small. Maps and heatmaps, ten times as large, of some; heatmaps also where only the first layer differs from
# another composite, which nothing else shows.
LARGE = {"map_sample0", "linear_map_sample0", "heatmap", "heatmap_conv_proj_eps"}
WHOLE = {"eps", "ref_gamma_none", "eps_softmax_Epsilon", "mixed_softmax_ZPlus_vbias_T_projbias_corrected"}
HEATMAPS = {"epsplus_flat", "epsgamma_box", "eps_wsquare"}
ALWAYS = ["weights", "inputs", "targets", "logits", "folded", "restricted", "gradient_methods"]


def copy_attributes(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value


def copy_item(source, target, path):
    """Copies the data set or group at `path`, with the attributes of the groups above it."""
    if path not in source:
        return
    parts = path.split("/")
    for above in ("/".join(parts[:i]) for i in range(1, len(parts))):
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


def composite_paths(file):
    """The data sets and groups of the composites of a network that are kept, and its whole pruning."""
    paths = ["pruning"]
    for name, group in file["composites"].items():
        for part in group:
            heatmap = name in HEATMAPS and part.startswith("heatmap")
            if part not in LARGE or name in WHOLE or heatmap:
                paths.append(f"composites/{name}/{part}")
    return paths


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    full, here = Path(sys.argv[1]), Path(sys.argv[2])
    for network in NETWORKS:
        with h5py.File(full / f"{network}.h5", "r") as f:
            paths = ALWAYS + composite_paths(f)
        make(full / f"{network}.h5", here / f"{network}.h5", paths)
    with h5py.File(full / "unit_rules.h5", "r") as f:
        cases = list(f)
    make(full / "unit_rules.h5", here / "unit_rules.h5", cases)


if __name__ == "__main__":
    main()
