"""What the digits study must give: the counts and losses of the reference implementation's logits, the costs of compacted networks."""

import h5py
import numpy as np
from results_check import ROOT, check

IMAGES = ROOT / "examples/digits/data/val"


def labels(names):
    return np.concatenate([[k] * len(list((IMAGES / name).iterdir())) for k, name in enumerate(names)])


def check_unpruned(data):
    """Rate 0, from the logits that PyTorch has for every image: tests/golden/digits_logits.h5."""
    c = data["/curves"].isel(rate=0)
    label = labels(data["/classes"].name.values)
    with h5py.File(ROOT / "tests/golden/digits_logits.h5", "r") as f:
        golden = {name: f[name]["logits"][:].astype("f8") for name in f}
    for cell in c.cell.values:
        one = c.isel(cell=cell)
        classes = one.classes.values[: one.n_classes.item()]
        check(np.diff(classes) > 0, f"cell {cell}: classes do not ascend")
        mine = np.isin(label, classes)
        logits, y = golden[one.model.item()][mine][:, classes], np.searchsorted(classes, label[mine])
        largest, own = logits.max(1), logits[np.arange(len(y)), y]
        right = logits.argmax(1) == y
        masked = np.where(np.isin(np.arange(10), classes), golden[one.model.item()][mine], 0)
        right_masked = masked.argmax(1) == label[mine]
        before = (masked > own[:, None]) | ((masked == own[:, None]) & (np.arange(10) < label[mine][:, None]))
        slots = np.arange(len(classes))
        loss = (np.log(np.exp(logits - largest[:, None]).sum(1)) + largest - own).sum()
        check(one.total == len(y), f"cell {cell}: total")
        check(one.correct == right.sum(), f"cell {cell}: correct is {one.correct.item()}, the reference has {right.sum()}")
        check(one.correct_masked == right_masked.sum(), f"cell {cell}: correct_masked is {one.correct_masked.item()}, the reference has {right_masked.sum()}")
        check(one.top5_masked == (before.sum(1) < 5).sum(), f"cell {cell}: top5_masked")
        check(one.class_correct_masked.values[slots] == [right_masked[y == k].sum() for k in slots], f"cell {cell}: class_correct_masked")
        check(one.top5 == ((logits > own[:, None]).sum(1) < 5).sum(), f"cell {cell}: top5")
        check(np.isclose(one.loss_sum, loss, rtol=2e-5), f"cell {cell}: loss_sum is {one.loss_sum.item()}, the reference has {loss}")
        check(one.class_total.values[slots] == [(y == k).sum() for k in slots], f"cell {cell}: class_total")
        check(one.class_correct.values[slots] == [right[y == k].sum() for k in slots], f"cell {cell}: class_correct")


def vgg_cost(filters):
    """Parameters and multiply-adds of digits_vgg_bn with these filters left: six convolutions 3 x 3, then 64, 64, 10 outputs."""
    inputs, pixels = [3, *filters[:-1]], [256, 256, 64, 64, 16, 16]
    flat = 4 * filters[-1]  # the last maps have 2 x 2 values after pooling
    parameters = sum(o * (9 * i + 1) for o, i in zip(filters, inputs)) + 64 * (flat + 1) + 64 * (64 + 1) + 10 * (64 + 1)
    macs = sum(9 * o * i * p for o, i, p in zip(filters, inputs, pixels)) + 64 * flat + 64 * 64 + 10 * 64
    return parameters, macs


def left_of(data, t, i, r):
    c = data["/curves"]
    cell = t.cell.values[i]
    return int(c.parameters_left[cell, r]), int(c.macs_left[cell, r])


def check_costs(data):
    for group, t in data.items():
        if not group.startswith("/tracks/"):
            continue
        _, _, model, kind, _ = group.split("/")
        m = data[f"/models/{model}"]
        mine = t.component.values
        for i in range(t.sizes["cell"]):
            for r in range(t.sizes["rate"]):
                kept, left = t["mask"].values[i, r], left_of(data, t, i, r)
                if r == 0:
                    check(left == (m.attrs["total_parameters"], m.attrs["total_macs"]), f"{group}: the unpruned network's costs")
                if model == "digits_vgg_bn":
                    filters = np.bincount(m.layer_index.values[mine], weights=kept, minlength=6).astype(int).tolist()
                    check(left == vgg_cost(filters), f"{group}: costs of filters {filters} are {left}, expected {vgg_cost(filters)}")
                if kind == "heads":  # a head takes all that is its own with it, and nothing else
                    gone = mine[kept == 0]
                    expected = (m.attrs["total_parameters"] - m.parameters.values[gone].sum(),
                                m.attrs["total_macs"] - m.macs.values[gone].sum())
                    check(left == expected, f"{group}: costs without {len(gone)} heads are {left}, expected {expected}")


def check_criteria(data):
    """Methods as a study would say them, with the shortest text of each number."""
    texts = {"lrp-epsilon": "lrp composite=epsilon epsilon=1e-06 absolute=token target=label initial=one normalise=none "
                            "softmax=epsilon proj_bias=textbook audit=true", "magnitude": "magnitude", "random": "random"}
    composites = {"lrp-epsilon": "[{rule: epsilon, epsilon: 1e-06}]", "magnitude": "", "random": ""}
    criteria = data["/criteria"]
    for name, method, composite in zip(criteria.criterion.values, criteria.method.values, criteria.composite.values):
        if name in texts:  # a study may have others
            check(method == texts[name], f"/criteria: {name} is '{method}'")
            check(composite == composites[name], f"/criteria: the composite of {name} is '{composite}'")


def check_digits(data):
    check_criteria(data)
    check_unpruned(data)
    check_costs(data)
