"""Names, dimensions, types and attributes of a result file; and what h5py sees of it that xarray does not show."""

import h5py
import numpy as np
from results_check import check

# name: (dimensions, type); "text" for strings
CURVES = {"cell": ("cell", "i8"), "rate": ("rate", "f8"), "class_slot": ("class_slot", "i8"), "model": ("cell", "text"),
          "kind": ("cell", "text"), "criterion": ("cell", "text"), "seed": ("cell", "u8"), "references": ("cell", "i8"),
          "task": ("cell", "text"), "n_classes": ("cell", "i8"), "total": ("cell", "i8"), "reference_images": ("cell", "i8"), "correct": ("cell rate", "i8"), "top5": ("cell rate", "i8"),
          "correct_masked": ("cell rate", "i8"), "top5_masked": ("cell rate", "i8"),
          "class_correct_masked": ("cell rate class_slot", "i8"),
          "accuracy": ("cell rate", "f8"), "agree": ("cell rate", "i8"), "loss_sum": ("cell rate", "f8"), "removed": ("cell rate", "i8"), "layers_emptied": ("cell rate", "i8"),
          "parameters_left": ("cell rate", "i8"), "macs_left": ("cell rate", "i8"), "classes": ("cell class_slot", "i8"),
          "class_total": ("cell class_slot", "i8"), "class_correct": ("cell rate class_slot", "i8"), "a_pr_mean": ("cell", "f8"),
          "a_pr_trapezoid": ("cell", "f8"), "highest_rate_95": ("cell", "f8"), "area_parameters": ("cell", "f8"), "area_macs": ("cell", "f8"),
          "parameters_removed_95": ("cell", "f8"), "macs_removed_95": ("cell", "f8")}
TRACK = {"cell": ("cell", "i8"), "component": ("component", "i8"), "rate": ("rate", "f8"), "position": ("position", "i8"),
         "relevance": ("cell component", "f8"), "ranking": ("cell position", "u4"), "removed": ("cell rate", "i8"),
         "removed_at": ("cell component", "u2"), "mask": ("cell rate component", "u1")}
MOMENTS = {"moment": ("moment", "text"), "moments": ("cell moment component", "f8")}
MODEL = {"layer": ("layer", "text"), "type": ("layer", "text"), "group": ("layer", "text"), "kind": ("layer", "text"),
         "n_components": ("layer", "i8"), "first_component": ("layer", "i8"), "component": ("component", "i8"),
         "layer_index": ("component", "u4"), "index_in_layer": ("component", "u4"), "parameters": ("component", "i8"),
         "macs": ("component", "i8")}
ROW = {"row": ("row", "i8"), "model": ("row", "text"), "kind": ("row", "text"), "criterion": ("row", "text"),
       "task": ("row", "text"), "n_classes": ("row", "i8"), "references": ("row", "i8")}
STABILITY = ROW | {"rate": ("rate", "f8"), "pairs": ("row", "i8"), "kendall_mean": ("row", "f8"), "jaccard_mean": ("row rate", "f8")}
SUMMARY = ROW | {name: ("row", "f8") for name in ("accuracy", "a_pr_mean", "a_pr_mean_error", "a_pr_trapezoid",
                                                   "a_pr_trapezoid_error", "highest_rate_95", "area_parameters", "area_macs",
                                                   "parameters_removed_95", "macs_removed_95")} | {"seeds": ("row", "i8")}
DIFFERENCES = ROW | {"other": ("row", "text"), "seeds": ("row", "i8")} | {
    name: ("row", "f8") for name in ("difference", "difference_error", "low_95", "high_95")}
CRITERIA = {"criterion": ("criterion", "text"), "method": ("criterion", "text"), "composite": ("criterion", "text"),
            "order": ("criterion", "text"), "scope": ("criterion", "text"), "floor": ("criterion", "f8")}
CLASSES = {"class": ("class", "i8"), "name": ("class", "text")}
PROVENANCE = {"input": ("input", "i8"), "path": ("input", "text"), "sha256": ("input", "text"), "bytes": ("input", "i8"),
              "rank": ("rank", "i8"), "host": ("rank", "text"), "busy": ("rank", "f8"), "idle": ("rank", "f8"),
              "cell": ("cell", "i8"), "rate": ("rate", "f8"), "seconds_per_image": ("cell rate", "f8"),
              "idle_share": ("rank", "f8"), "stage": ("stage", "text"), "image_wait": ("rank stage", "f8"), "image_wait_share": ("rank stage", "f8")}
SETS = {"set": ("set", "i8"), "seed": ("set", "u8"), "task": ("set", "text"), "n_classes": ("set", "i8"), "references": ("set", "i8"), "images": ("set", "i8")}
AUDIT = SETS | {"step": ("step", "i8"), "layer": ("step", "text"), "type": ("step", "text"), "rule": ("step", "text"),
                "complete": ("step", "u1")} | {name: ("set step", "f8") for name in (
                    "relevance_out", "absolute_out", "relevance_in", "absolute_in", "residual", "growth")}
ROWS = SETS | {"sample": ("sample", "i8"), "class": ("class", "i8"), "component": ("component", "i8"), "path": ("sample", "text"),
               "sample_class": ("sample", "i8"), "samples": ("class", "i8"), "member": ("set sample", "u1"),
               "score": ("sample component", "f4"), "mean": ("class component", "f8"), "variance": ("class component", "f8")}
SPECTRUM = SETS | {"part": ("part", "i8"), "name": ("part", "text"), "level": ("part", "text"), "kind": ("part", "text"),
                   "components": ("part", "i8"), "share": ("share", "f8"), "mode": ("mode", "i8"), "modes": ("set part share", "f8"),
                   "solver": ("set part", "u1"), "eigenvalue": ("set part mode", "f8")} | {
                       name: ("set part", "f8") for name in ("variance", "participation", "adjusted", "effective_rank")}
HEATMAPS = {"cell": ("cell", "i8"), "rate": ("rate", "f8"), "slot": ("slot", "i8"), "image": ("image", "i8"), "model": ("cell", "text"),
            "kind": ("cell", "text"), "criterion": ("cell", "text"), "seed": ("cell", "u8"), "references": ("cell", "i8"),
            "task": ("cell", "text"), "n_classes": ("cell", "i8"), "images": ("cell", "i8"), "path": ("image", "text"), "image_class": ("image", "i8"),
            "member": ("cell slot", "i8"), "prediction": ("cell rate slot", "i8")} | {
    name: ("cell rate", "f8") for name in ("cosine_mean", "cosine_error", "map_cosine_mean", "map_cosine_error", "logit_mean", "confidence_mean",
                                           "confidence_error", "confidence_loss_mean", "confidence_loss_error")} | {
    name: ("cell rate", "i8") for name in ("changed", "gone", "undefined")} | {
    name: ("cell rate slot", "f8") for name in ("cosine", "map_cosine", "logit", "confidence")}
MAPS = {"heatmap": ("heatmap", "i8"), "row": ("row", "i8"), "column": ("column", "i8"), "image": ("heatmap", "i8"),
        "relevance": ("heatmap row column", "f4")}
SEARCH = {"dimension": ("dimension", "text"), "trial": ("trial", "i8"), "choices": ("dimension", "text"), "importance_main": ("dimension", "f8"),
          "importance_total": ("dimension", "f8"), "point": ("trial dimension", "f8"), "setting": ("trial", "text"), "round": ("trial", "i8"),
          "rank": ("trial", "i8"), "front": ("trial", "u4"), "parent": ("trial", "i8"), "state": ("trial", "text")} | {
    name: ("trial", "f8") for name in ("objective", "error", "a_pr_mean", "a_pr_trapezoid", "area_parameters", "area_macs", "accuracy_at", "held_out", "held_out_error", "cost",
                                       "regret")}
PARTS = {"/models/": MODEL, "/audit/": AUDIT, "/rows/": ROWS, "/heatmaps/maps/": MAPS, "/spectrum/": SPECTRUM, "/search/": SEARCH}
FIXED = {"/curves": CURVES, "/stability": STABILITY, "/summary": SUMMARY, "/differences": DIFFERENCES, "/criteria": CRITERIA, "/classes": CLASSES,
         "/provenance": PROVENANCE}


def check_layout(group, data, layout):
    texts = {name for name, v in data.variables.items() if v.ndim == 0}
    check(set(data.variables) - texts == set(layout), f"{group}: variables {sorted(set(data.variables) ^ set(layout))} are too many or too few")
    for name, (dims, kind) in layout.items():
        v = data.variables.get(name)
        if v is None:
            continue
        check(v.dims == tuple(dims.split()), f"{group}/{name}: dimensions {v.dims}, expected {dims}")
        fits = v.dtype.kind in "OUT" if kind == "text" else v.dtype == np.dtype(kind)
        check(fits, f"{group}/{name}: type {v.dtype}, expected {kind}")
        check("long_name" in v.attrs, f"{group}/{name}: no long_name")


def check_layouts(data):
    for group, layout in FIXED.items():
        check(group in data, f"{group} is missing")
    for group, d in data.items():
        if group.startswith("/tracks/"):
            check_layout(group, d, TRACK | (MOMENTS if "moment" in d else {}))
        elif group == "/heatmaps":
            check_layout(group, d, (HEATMAPS | ({"heatmap": ("cell rate slot", "i8")} if "heatmap" in d else {})) if d.variables else {})
        else:
            part = next((layout for start, layout in PARTS.items() if group.startswith(start)), None)
            check_layout(group, d, part if part is not None else FIXED.get(group, {}))


def is_text(dtype):
    text = h5py.check_string_dtype(dtype)
    return text is not None and text.encoding == "utf-8" and text.length is None


def check_dataset(name, v):
    if v.ndim == 0 or v.dtype.kind == "O":
        check(is_text(v.dtype), f"{name}: not a variable-length UTF-8 text")
    if h5py.h5ds.is_scale(v.id):
        check(v.ndim == 1, f"{name}: a coordinate with {v.ndim} dimensions")
    else:
        for i, d in enumerate(v.dims):
            check(len(d) == 1 and d[0].parent == v.parent and d[0].shape == (v.shape[i],), f"{name}: no scale of dimension {i}")
    if v.size * v.dtype.itemsize >= 1 << 16 and v.dtype.kind != "O":
        check(v.compression == "gzip" and v.shuffle, f"{name}: large, but not shuffled and deflated")


def check_storage(path):
    """What HDF5 holds underneath: texts, scales, filters, the fill value."""
    with h5py.File(path, "r") as f:
        def visit(name, o):
            for a in set(o.attrs) - {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"}:
                t = o.attrs.get_id(a).dtype
                check(t.kind not in "OS" or is_text(t), f"{name}: attribute {a} is not a variable-length UTF-8 text")
            if isinstance(o, h5py.Dataset):
                check_dataset(name, o)

        f.visititems(visit)
        fill = f["/curves/classes"].attrs.get("_FillValue")
        check(fill is not None and fill.dtype == np.dtype("i8") and np.all(fill == -1), "/curves/classes: no _FillValue of -1")
        check((f["/curves/classes"][:] == -1).any(), "the study has no task with fewer classes than another: _FillValue is not tested")
