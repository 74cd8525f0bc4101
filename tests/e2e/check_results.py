#!/usr/bin/env python3
"""Checks a result file of `pollard run` as its users meet it: through xarray, with every engine that is installed.

usage: check_results.py RESULT.h5        exit 0: fine, 1: something is wrong (printed), 77: skipped, Python packages are missing
"""

import os
import re
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

missing = [m for m in ("numpy", "pandas", "xarray", "h5py", "h5netcdf") if find_spec(m) is None]
if missing:
    print("skipped: Python has no " + ", ".join(missing))
    sys.exit(77)

import h5py
import numpy as np
import xarray as xr

warnings.simplefilter("error")
ROOT = Path(__file__).resolve().parents[2]
ENGINES = ["h5netcdf"] + (["netcdf4"] if find_spec("netCDF4") else [])
failures = []


def check(ok, message):
    if not bool(np.all(ok)):
        failures.append(message)


def groups_with_variables(path):
    found = ["/"]
    with h5py.File(path, "r") as f:
        f.visititems(lambda name, o: found.append("/" + name)
                     if isinstance(o, h5py.Group) and any(isinstance(v, h5py.Dataset) for v in o.values()) else None)
    return found


def read(path):
    """All groups by the first engine; the others must see the same."""
    data = {}
    for group in groups_with_variables(path):
        seen = [xr.open_dataset(path, group=group, engine=e, mask_and_scale=False).load() for e in ENGINES]
        for engine, other in zip(ENGINES[1:], seen[1:]):
            try:
                xr.testing.assert_equal(seen[0], other)
            except AssertionError as e:
                failures.append(f"{group}: {ENGINES[0]} and {engine} differ: {e}")
            check(sorted(seen[0].attrs) == sorted(other.attrs), f"{group}: attributes differ between engines")
        for engine in ENGINES:
            xr.open_dataset(path, group=group, engine=engine).load()  # decoding must not warn either
        data[group] = seen[0]
    return data


# name: (dimensions, type); "text" for strings
CURVES = {"cell": ("cell", "i8"), "rate": ("rate", "f8"), "class_slot": ("class_slot", "i8"), "model": ("cell", "text"),
          "kind": ("cell", "text"), "criterion": ("cell", "text"), "seed": ("cell", "u8"), "references": ("cell", "i8"),
          "n_classes": ("cell", "i8"), "total": ("cell", "i8"), "correct": ("cell rate", "i8"), "top5": ("cell rate", "i8"),
          "accuracy": ("cell rate", "f8"), "loss_sum": ("cell rate", "f8"), "removed": ("cell rate", "i8"),
          "parameters_left": ("cell rate", "i8"), "macs_left": ("cell rate", "i8"), "classes": ("cell class_slot", "i8"),
          "class_total": ("cell class_slot", "i8"), "class_correct": ("cell rate class_slot", "i8"), "a_pr_mean": ("cell", "f8"),
          "a_pr_trapezoid": ("cell", "f8"), "highest_rate_95": ("cell", "f8")}
TRACK = {"cell": ("cell", "i8"), "component": ("component", "i8"), "rate": ("rate", "f8"), "position": ("position", "i8"),
         "relevance": ("cell component", "f8"), "ranking": ("cell position", "u4"), "removed": ("cell rate", "i8"),
         "removed_at": ("cell component", "u2"), "mask": ("cell rate component", "u1")}
MOMENTS = {"moment": ("moment", "text"), "moments": ("cell moment component", "f8")}
MODEL = {"layer": ("layer", "text"), "type": ("layer", "text"), "group": ("layer", "text"), "kind": ("layer", "text"),
         "n_components": ("layer", "i8"), "first_component": ("layer", "i8"), "component": ("component", "i8"),
         "layer_index": ("component", "u4"), "index_in_layer": ("component", "u4"), "parameters": ("component", "i8"),
         "macs": ("component", "i8")}
ROW = {"row": ("row", "i8"), "model": ("row", "text"), "kind": ("row", "text"), "criterion": ("row", "text"),
       "n_classes": ("row", "i8"), "references": ("row", "i8")}
STABILITY = ROW | {"rate": ("rate", "f8"), "pairs": ("row", "i8"), "kendall_mean": ("row", "f8"), "jaccard_mean": ("row rate", "f8")}
SUMMARY = ROW | {name: ("row", "f8") for name in ("accuracy", "a_pr_mean", "a_pr_mean_error", "a_pr_trapezoid",
                                                   "a_pr_trapezoid_error", "highest_rate_95")} | {"seeds": ("row", "i8")}
CRITERIA = {"criterion": ("criterion", "text"), "method": ("criterion", "text")}
CLASSES = {"class": ("class", "i8"), "name": ("class", "text")}
PROVENANCE = {"input": ("input", "i8"), "path": ("input", "text"), "sha256": ("input", "text"), "bytes": ("input", "i8"),
              "rank": ("rank", "i8"), "host": ("rank", "text"), "busy": ("rank", "f8"), "idle": ("rank", "f8")}


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


def check_curves(c):
    n, rate = c.sizes["cell"], c.rate.values
    check(c.cell.values == np.arange(n), "/curves: cells are not numbered 0, 1, ...")
    for name in ("model", "kind", "criterion", "seed", "references", "n_classes"):
        check(name in c.coords, f"/curves/{name} is not a coordinate")
    check(rate[0] == 0 and np.all(np.diff(rate) > 0) and rate[-1] < 1, "/curves/rate does not ascend from 0")
    check((c.correct >= 0) & (c.correct <= c.top5) & (c.top5 <= c.total), "/curves: 0 <= correct <= top5 <= total does not hold")
    check(c.class_total.sum("class_slot") == c.total, "/curves: class_total does not add up to total")
    check(c.class_correct.sum("class_slot") == c.correct, "/curves: class_correct does not add up to correct")
    check(c.class_correct <= c.class_total, "/curves: class_correct > class_total")
    used = c.class_slot < c.n_classes
    check((c.classes >= 0) == used, "/curves/classes: the fill value is not where a class is absent")
    check(used | (c.class_total == 0), "/curves/class_total: images of an absent class")
    check(c.sizes["class_slot"] == c.n_classes.max(), "/curves: class_slot is not the largest n_classes")
    check(c.accuracy == c.correct / c.total, "/curves/accuracy is not correct / total")
    check(np.isclose(c.a_pr_mean, c.accuracy.mean("rate"), rtol=1e-12), "/curves/a_pr_mean is not the mean of accuracy")
    area = ((c.accuracy.values[:, 1:] + c.accuracy.values[:, :-1]) / 2 * np.diff(rate)).sum(1)
    check(np.isclose(c.a_pr_trapezoid, area, rtol=1e-12), "/curves/a_pr_trapezoid is not the area under accuracy")
    check(np.isin(c.highest_rate_95, rate), "/curves/highest_rate_95 is not a rate")
    check((c.removed.isel(rate=0) == 0) & (np.diff(c.removed) >= 0).all(), "/curves/removed does not ascend from 0")
    for name in ("parameters_left", "macs_left"):
        check(np.diff(c[name]) <= 0, f"/curves/{name} grows with the rate")


def check_track(group, t, data):
    _, _, model, kind, criterion = group.split("/")
    c, m = data["/curves"].sel(cell=t.cell), data[f"/models/{model}"]
    n, n_rates = t.sizes["component"], t.sizes["rate"]
    check((c.model == model) & (c.kind == kind) & (c.criterion == criterion), f"{group}: cells of another track")
    check(t.rate.values == c.rate.values, f"{group}/rate differs from /curves")
    check(np.sort(t.ranking.values, 1) == np.arange(n), f"{group}/ranking is no permutation")
    ordered = np.take_along_axis(t.relevance.values, t.ranking.values.astype(int), 1)
    check(np.diff(ordered) >= 0, f"{group}/ranking does not order relevance")
    check(t.removed.values == c.removed.values, f"{group}/removed differs from /curves")
    position = np.empty((t.sizes["cell"], n), int)
    np.put_along_axis(position, t.ranking.values.astype(int), np.arange(n)[None], 1)
    kept = position[:, None, :] >= t.removed.values[:, :, None]
    check(t["mask"].values == kept, f"{group}/mask is not what ranking and removed say")
    check(t["mask"].values == (t.removed_at.values[:, None, :] > np.arange(n_rates)[None, :, None]), f"{group}/mask is not removed_at")
    check(t["mask"].attrs["flag_meanings"] == "removed kept" and list(t["mask"].attrs["flag_values"]) == [0, 1], f"{group}/mask: flags")
    kinds = m.kind.values[m.layer_index.values.astype(int)]
    check(t.component.values == m.component.values[kinds == kind], f"{group}/component: not the model's {kind}")


def check_model(group, m):
    check(m.n_components.sum() == m.sizes["component"], f"{group}: layers do not have all components")
    layer = m.layer_index.values.astype(int)
    check(m.first_component.values[layer] + m.index_in_layer.values == m.component.values, f"{group}: component numbers")
    check(m.parameters.sum() <= m.attrs["total_parameters"], f"{group}: components have more parameters than the network")
    check("/" not in m.attrs["checkpoint"], f"{group}: the checkpoint's folder belongs to /provenance")


def check_summary(s, c):
    keys = ["model", "kind", "criterion", "n_classes", "references"]
    mean = c.drop_dims("class_slot").to_dataframe().reset_index().groupby(["cell"]).first().groupby(keys)
    for row in s.to_dataframe().reset_index().to_dict("records"):
        cells = mean.get_group(tuple(row[k] for k in keys))
        check(len(cells) == row["seeds"], f"/summary row {row['row']}: {len(cells)} cells for {row['seeds']} seeds")
        check(np.isclose(cells.a_pr_mean.mean(), row["a_pr_mean"], rtol=1e-12), f"/summary row {row['row']}: a_pr_mean")


def check_documented(path, text):
    named = set(re.findall(r"`([^`\n]+)`", text))

    def visit(name, o):
        parts = name.split("/")
        if isinstance(o, h5py.Dataset):
            check(parts[-1] in named, f"docs/results.md does not name the variable {name}")
        elif parts[0] in ("models", "tracks"):
            check(f"/{parts[0]}/<model>" in text, f"docs/results.md does not name /{parts[0]}")
        else:
            check(f"/{name}" in named, f"docs/results.md does not name /{name}")
        if isinstance(o, h5py.Group):
            for a in o.attrs:
                check(a in named, f"docs/results.md does not name the attribute {a} of {name}")

    with h5py.File(path, "r") as f:
        f.visititems(visit)
        for a in f.attrs:
            check(a in named, f"docs/results.md does not name the attribute {a}")


def run_examples(path, text):
    """The Python of the documentation, on this file."""
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "digits.h5")
        os.symlink(path, link)
        for i, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.S)):
            try:
                exec(compile(code.replace("digits.h5", link), f"docs/results.md, example {i + 1}", "exec"), {})
            except Exception as e:
                failures.append(f"docs/results.md, example {i + 1}: {e!r}")


def check_loader(path, data):
    sys.path.insert(0, str(ROOT / "analysis"))
    from pollard_results import open_results

    r = open_results(path)
    c = data["/curves"]
    frame = r.curve_frame()
    check(len(frame) == c.sizes["cell"] * c.sizes["rate"], "curve_frame(): not one row per cell and rate")
    check(frame.correct.sum() == int(c.correct.sum()), "curve_frame(): other counts than the file")
    check(len(r.summary_frame()) == data["/summary"].sizes["row"], "summary_frame(): other rows than the file")
    check(len(r.stability_frame()) == data["/stability"].sizes["row"] * c.sizes["rate"], "stability_frame(): rows")
    for group in data:
        if group.startswith("/tracks/"):
            t = r.track(*group.split("/")[2:])
            check(t.seed.values == c.seed.sel(cell=t.cell).values, f"track(): seeds of {group}")
    for model in set(c.model.values.tolist()):
        check(r.model(model).sizes == data[f"/models/{model}"].sizes, f"model({model})")
    check("config" in r.provenance() and len(r.provenance()["ranks"]) == data["/provenance"].sizes["rank"], "provenance()")
    for call in (lambda: r.track("no", "such", "track"), lambda: r.model("no such model")):
        try:
            call()
            failures.append("the loader accepts names that are not in the file")
        except KeyError:
            pass


def main(path):
    data = read(path)
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    fixed = {"/curves": CURVES, "/stability": STABILITY, "/summary": SUMMARY, "/criteria": CRITERIA, "/classes": CLASSES,
             "/provenance": PROVENANCE}
    for group, layout in fixed.items():
        check(group in data, f"{group} is missing")
        if group in data:
            check_layout(group, data[group], layout)
    check_curves(data["/curves"])
    for group, d in data.items():
        if group.startswith("/tracks/"):
            check_layout(group, d, TRACK | (MOMENTS if "moment" in d else {}))
            check_track(group, d, data)
        elif group.startswith("/models/"):
            check_layout(group, d, MODEL)
            check_model(group, d)
    check_summary(data["/summary"], data["/curves"])
    check_documented(path, text)
    run_examples(path, text)
    check_loader(path, data)
    for failure in failures:
        print(failure)
    print(f"{path}: {len(data)} groups, engines {', '.join(ENGINES)}: {'fine' if not failures else str(len(failures)) + ' failures'}")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve()))
