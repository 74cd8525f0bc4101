"""Every number of a result file that follows from other numbers of it, computed a second time and in another way."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from results_check import check, near

KEYS = ["model", "kind", "criterion", "task", "references"]


def highest_rate(rate, accuracy):
    """The highest rate up to which every rate keeps 95 % of the unpruned accuracy."""
    lost = np.nonzero(accuracy < 0.95 * accuracy[0])[0]
    if accuracy[0] == 0:
        return 0.0
    return rate[lost[0] - 1] if len(lost) else rate[-1]


def right(data):
    """The counts that make accuracies."""
    c, prediction = data["/curves"], data["/"].attrs["prediction"]
    check(prediction in ("restricted", "masked"), f"/: prediction is '{prediction}'")
    return c.correct_masked if prediction == "masked" else c.correct


def check_masked(data):
    """Zeros of other classes compete too, so fewer are right; where there are no other classes, as many."""
    c = data["/curves"]
    for name in ("correct", "top5", "class_correct"):
        check(c[name + "_masked"] <= c[name], f"/curves/{name}_masked > {name}")
    check(c.correct_masked <= c.top5_masked, "/curves: correct_masked > top5_masked")
    check(c.class_correct_masked.sum("class_slot") == c.correct_masked, "/curves: class_correct_masked does not add up")
    n_classes = [data[f"/models/{m}"].attrs["n_classes"] for m in c.model.values]
    whole = c.n_classes.values == n_classes
    for name in ("correct", "top5", "class_correct"):
        check(c[name].values[whole] == c[name + "_masked"].values[whole], f"/curves/{name}_masked: nothing is masked with all classes")


def removed_share(data, name):
    """Share of the parameters ("parameters") or multiply-adds ("macs") that is gone: cells x rates."""
    c = data["/curves"]
    total = np.array([data[f"/models/{m}"].attrs["total_" + name] for m in c.model.values], float)
    return 1 - c[name + "_left"].transpose("cell", "rate").values / total[:, None]


def check_emptied(data):
    """Layers all of whose components are masked, from masks and models."""
    c = data["/curves"]
    for group, t in data.items():
        if not group.startswith("/tracks/"):
            continue
        model = data["/models/" + group.split("/")[2]]
        for i, cell in enumerate(t.cell.values):
            alive = np.ones((c.sizes["rate"], model.sizes["component"]), bool)
            alive[:, t.component.values] = t.mask.isel(cell=i).transpose("rate", "component").values != 0
            first, n = model.first_component.values, model.n_components.values
            empty = sum(~alive[:, f:f + k].any(1) for f, k in zip(first, n))
            check(c.layers_emptied.isel(cell=cell).values == empty, f"/curves/layers_emptied of cell {cell}")


def check_axes(data):
    """The curve over what else pruning removes."""
    c = data["/curves"]
    accuracy, rate = c.accuracy.transpose("cell", "rate").values, c.rate.values
    kept = [np.nonzero(rate == highest)[0][0] for highest in c.highest_rate_95.values]
    for name in ("parameters", "macs"):
        share = removed_share(data, name)
        check(share[:, 0] == 0, f"/curves/{name}_left: the unpruned network is not whole")
        area = ((accuracy[:, 1:] + accuracy[:, :-1]) / 2 * np.diff(share)).sum(1)
        check(np.isclose(c["area_" + name], area, rtol=1e-12), f"/curves/area_{name} is not the area under accuracy")
        check(np.isclose(c[name + "_removed_95"], share[np.arange(len(kept)), kept], rtol=1e-12, atol=1e-15), f"/curves/{name}_removed_95")
    times = data["/provenance"].seconds_per_image.values
    check((times > 0) & np.isfinite(times), "/provenance/seconds_per_image: a time that is none")


def check_tasks(data):
    """A drawn subset is called by its size and a seed's own; a stated one has a name, and the same classes with every seed."""
    c = data["/curves"]
    for task in set(c.task.values.tolist()):
        of = c.isel(cell=np.nonzero((c.task == task).values)[0])
        check(len(set(of.n_classes.values.tolist())) == 1, f"/curves/task: {task} has several sizes")
        if task.isdigit():
            check(of.n_classes == int(task), f"/curves/task: {task} is no number of classes")
            for seed in set(of.seed.values.tolist()):
                mine = of.classes.isel(cell=np.nonzero((of.seed == seed).values)[0])
                check((mine == mine.isel(cell=0)).all(), f"/curves/classes: seed {seed} drew several subsets of {task}")
        else:
            check((of.classes == of.classes.isel(cell=0)).all(), f"/curves/classes: {task} differs from seed to seed")
    for name in ("/summary", "/stability", "/differences"):
        sizes = dict(zip(c.task.values.tolist(), c.n_classes.values.tolist()))
        check([sizes[t] for t in data[name].task.values.tolist()] == data[name].n_classes.values, f"{name}/n_classes")


def check_curves(data):
    c = data["/curves"]
    n, rate = c.sizes["cell"], c.rate.values
    check(c.cell.values == np.arange(n), "/curves: cells are not numbered 0, 1, ...")
    for name in ("model", "kind", "criterion", "seed", "references", "task", "n_classes"):
        check(name in c.coords, f"/curves/{name} is not a coordinate")
    check(rate[0] == 0 and np.all(np.diff(rate) > 0) and rate[-1] < 1, "/curves/rate does not ascend from 0")
    check((c.correct >= 0) & (c.correct <= c.top5) & (c.top5 <= c.total), "/curves: 0 <= correct <= top5 <= total does not hold")
    check(c.class_total.sum("class_slot") == c.total, "/curves: class_total does not add up to total")
    check(c.class_correct.sum("class_slot") == c.correct, "/curves: class_correct does not add up to correct")
    check(c.class_correct <= c.class_total, "/curves: class_correct > class_total")
    check_tasks(data)
    used = c.class_slot < c.n_classes
    check((c.classes >= 0) == used, "/curves/classes: the fill value is not where a class is absent")
    check(used | (c.class_total == 0), "/curves/class_total: images of an absent class")
    check(c.sizes["class_slot"] == c.n_classes.max(), "/curves: class_slot is not the largest n_classes")
    check(c.accuracy == right(data) / c.total, "/curves/accuracy is not the share of right answers")
    check(c.reference_images == c.references * c.n_classes, "/curves/reference_images: not so many of each class")
    check_masked(data)
    # who agrees is right where the unpruned network is, and wrong where it is wrong
    check((c.agree.isel(rate=0) == c.total) & (c.agree <= c.total), "/curves/agree: not all at rate 0, or more than there are")
    check(abs(c.correct - c.correct.isel(rate=0)) <= c.total - c.agree, "/curves/agree: more agree than can be with so many right answers")
    check(np.isclose(c.a_pr_mean, c.accuracy.mean("rate"), rtol=1e-12), "/curves/a_pr_mean is not the mean of accuracy")
    area = ((c.accuracy.values[:, 1:] + c.accuracy.values[:, :-1]) / 2 * np.diff(rate)).sum(1)
    check(np.isclose(c.a_pr_trapezoid, area, rtol=1e-12), "/curves/a_pr_trapezoid is not the area under accuracy")
    check(c.highest_rate_95 == [highest_rate(rate, a) for a in c.accuracy.values], "/curves/highest_rate_95")
    check((c.removed.isel(rate=0) == 0) & (np.diff(c.removed) >= 0).all(), "/curves/removed does not ascend from 0")
    check_axes(data)
    for name in ("parameters_left", "macs_left"):
        check(np.diff(c[name]) <= 0, f"/curves/{name} grows with the rate")


def smallest_rate(n, k):
    """The smallest double rate at which k of n components go: n x rate is rounded, so k / n is it or a neighbour of it."""
    near = k / n + np.arange(-4, 5) * np.spacing(k / n)
    return min(rate for rate in near.tolist() if int(n * rate) >= k)


def in_turn(relevance, layer, order, scope, floor):
    """The ranking by definition: one component after the other."""
    n, size = len(relevance), np.bincount(layer)
    sequence = np.lexsort((np.arange(n), -relevance if order == "most-first" else relevance)).tolist()
    if scope == "layer":
        gone, key = [0] * len(size), [None] * n
        for k in sequence:
            gone[layer[k]] += 1
            key[k] = (smallest_rate(size[layer[k]], gone[layer[k]]), k)
        return sorted(range(n), key=key.__getitem__)
    left, ranking, spared = size.tolist(), [], []
    for k in sequence:
        goes = left[layer[k]] - 1 >= size[layer[k]] * Fraction(str(floor))
        left[layer[k]] -= goes
        (ranking if goes else spared).append(k)
    return ranking + spared


def check_ranking(group, t, layer, how):
    """`removed` and `ranking` against each scope's counts and order; a layer's floor and share, counted in what is left."""
    order, scope, floor = how
    n, size, rates = len(layer), np.bincount(layer), [Fraction(f"{r:.9f}") for r in t.rate.values]
    counts = [sum(int(s * r) for s in size.tolist()) if scope == "layer" else int(n * r) for r in rates]
    check(t.removed.values == counts, f"{group}/removed is not what rate and scope say")
    for i in range(t.sizes["cell"]):
        ranking, relevance = t.ranking.values[i].astype(int), t.relevance.values[i]
        check(ranking == in_turn(relevance, layer, *how), f"{group}/ranking is not that of {order}, {scope}, floor {floor}")
        free = sum(int(s - np.ceil(s * floor - 1e-9)) for s in size.tolist())
        for rate, count in zip(rates, counts):
            left = size - np.bincount(layer[ranking[:count]], minlength=len(size))
            if scope == "layer":
                check(left == [s - int(s * rate) for s in size.tolist()], f"{group}: layers do not lose the same share")
            elif count <= free:
                check(left >= size * floor - 1e-9, f"{group}: a layer has less than its floor at rate {float(rate)}")


def check_track(group, t, data):
    _, _, model, kind, criterion = group.split("/")
    c, m = data["/curves"].sel(cell=t.cell), data[f"/models/{model}"]
    n, n_rates = t.sizes["component"], t.sizes["rate"]
    check((c.model == model) & (c.kind == kind) & (c.criterion == criterion), f"{group}: cells of another track")
    check(t.rate.values == c.rate.values, f"{group}/rate differs from /curves")
    check(np.sort(t.ranking.values, 1) == np.arange(n), f"{group}/ranking is no permutation")
    k = data["/criteria"].criterion.values.tolist().index(criterion)
    how = [data["/criteria"][name].values[k] for name in ("order", "scope", "floor")]
    layer = np.unique(m.layer_index.values[t.component.values], return_inverse=True)[1]
    check_ranking(group, t, layer, how)
    check(t.removed.values == c.removed.values, f"{group}/removed differs from /curves")
    position = np.empty((t.sizes["cell"], n), int)
    np.put_along_axis(position, t.ranking.values.astype(int), np.arange(n)[None], 1)
    kept = position[:, None, :] >= t.removed.values[:, :, None]
    check(t["mask"].values == kept, f"{group}/mask is not what ranking and removed say")
    check(t["mask"].values == (t.removed_at.values[:, None, :] > np.arange(n_rates)[None, :, None]), f"{group}/mask is not removed_at")
    check(t["mask"].attrs["flag_meanings"] == "removed kept" and list(t["mask"].attrs["flag_values"]) == [0, 1], f"{group}/mask: flags")
    kinds = m.kind.values[m.layer_index.values.astype(int)]
    check(t.component.values == m.component.values[kinds == kind], f"{group}/component: not the model's {kind}")
    if "moment" in t:  # the score is one of the sums, as `absolute` says
        method = dict(zip(data["/criteria"].criterion.values, data["/criteria"].method.values))[criterion]
        moments = {str(name): t.moments.sel(moment=name).values for name in t.moment.values}
        where = dict(word.split("=") for word in method.split()[1:] if "=" in word).get("absolute")
        if where is not None and "statistic=variance" not in method:
            score = moments["absolute" if where in ("token", "sample") else "signed"]
            score = np.abs(score) if where == "sum" else score
            check(score == t.relevance.values, f"{group}/relevance is not the moment that absolute={where} says")
        if {"absolute", "signed"} <= set(moments):
            check(np.abs(moments["signed"]) <= moments["absolute"] * (1 + 1e-12), f"{group}/moments: |signed| > absolute")
        if "square" in moments:  # sum of squares of n numbers whose sum is s: at least s^2/n
            samples = (c.references * c.n_classes).values[:, None]
            mean = (moments["absolute"] if where in ("token", "sample") else moments["signed"]) / samples
            check(moments["square"] >= samples * mean**2 * (1 - 1e-6), f"{group}/moments: a variance below 0")


def check_model(group, m):
    check(m.n_components.sum() == m.sizes["component"], f"{group}: layers do not have all components")
    layer = m.layer_index.values.astype(int)
    check(m.first_component.values[layer] + m.index_in_layer.values == m.component.values, f"{group}: component numbers")
    check(m.parameters.sum() <= m.attrs["total_parameters"], f"{group}: components have more parameters than the network")
    check("/" not in m.attrs["checkpoint"], f"{group}: the checkpoint's folder belongs to /provenance")


def cells_of(row, curves):
    """The cells of a row of /stability or /summary: those that share everything but the seed."""
    same = np.logical_and.reduce([curves[k].values == row[k].item() for k in KEYS])
    return np.nonzero(same)[0]


def orders_by_cell(data):
    """Per cell: its ranking, and how many of its front each rate removes."""
    orders = {}
    for group, t in data.items():
        if group.startswith("/tracks/"):
            orders.update((int(cell), (t.ranking.values[i].astype(int), t.removed.values[i])) for i, cell in enumerate(t.cell.values))
    return orders


def kendall(a, b):
    """Concordant minus discordant pairs, over the pairs: the definition."""
    i, j = np.triu_indices(len(a), 1)
    place_a, place_b = np.argsort(a), np.argsort(b)
    return (np.sign(place_a[i] - place_a[j]) * np.sign(place_b[i] - place_b[j])).mean()


def jaccard(a, b):
    a, b = set(a.tolist()), set(b.tolist())
    return len(a & b) / len(a | b) if a | b else 1.0


def check_stability(data):
    s, c, orders = data["/stability"], data["/curves"], orders_by_cell(data)
    check(sorted(orders) == c.cell.values.tolist(), "/tracks do not have every cell once")
    for r in range(s.sizes["row"]):
        row = s.isel(row=r)
        pairs = [(*orders[a], *orders[b]) for a, b in combinations(cells_of(row, c), 2)]
        tau = np.mean([kendall(a, b) for a, _, b, _ in pairs]) if pairs else np.nan
        alike = [[jaccard(a[:n], b[:n]) for n in removed] for a, removed, b, _ in pairs] or [[np.nan] * s.sizes["rate"]]
        check(row.pairs.item() == len(pairs), f"/stability row {r}: pairs")
        check(near(row.kendall_mean, tau), f"/stability row {r}: kendall_mean {row.kendall_mean.item()}, expected {tau}")
        check(near(row.jaccard_mean, np.mean(alike, 0)), f"/stability row {r}: jaccard_mean")


def standard_error(values):
    return values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan


def check_summary(data):
    s, c = data["/summary"], data["/curves"]
    seen = []
    for r in range(s.sizes["row"]):
        row = s.isel(row=r)
        cells = cells_of(row, c)
        seen += cells.tolist()
        accuracy = (right(data) / c.total).transpose("cell", "rate").values[cells].mean(0)
        expected = {"seeds": len(cells), "accuracy": accuracy[0], "highest_rate_95": highest_rate(c.rate.values, accuracy)}
        for name in ("a_pr_mean", "a_pr_trapezoid"):
            values = c[name].values[cells]
            expected |= {name: values.mean(), name + "_error": standard_error(values)}
        at = np.nonzero(c.rate.values == expected["highest_rate_95"])[0][0]
        for name in ("parameters", "macs"):
            expected |= {"area_" + name: c["area_" + name].values[cells].mean(),
                         name + "_removed_95": removed_share(data, name)[cells, at].mean()}
        for name, value in expected.items():
            check(near(row[name], value), f"/summary row {r}: {name} is {row[name].item()}, expected {value}")
        for name in KEYS:
            check(row[name] == data["/stability"][name][r], f"/summary row {r}: {name} differs from /stability")
    check(sorted(seen) == c.cell.values.tolist(), "/summary does not have every cell once")
    check(data["/stability"].sizes["row"] == s.sizes["row"], "/stability and /summary: rows")


def check_differences(data):
    """Both ends of the interval are half a width from the mean, and a t with that many seeds has its 2.5 % beyond them."""
    d, c = data["/differences"], data["/curves"]
    seen = set()
    for r in range(d.sizes["row"]):
        row = d.isel(row=r)
        pair = []
        for name in (row.criterion.item(), row.other.item()):
            there = (c.model == row.model) & (c.kind == row.kind) & (c.task == row.task) & (c.criterion == name)
            there &= (c.references == row.references) | (c.references == 0)
            cells = c.isel(cell=np.nonzero(there.values)[0]).sortby("seed")
            pair.append(cells.a_pr_mean.values)
        off = pair[0] - pair[1]
        check(near(row.difference, off.mean()) and near(row.difference_error, standard_error(off)), f"/differences row {r}: difference")
        check(row.seeds.item() == len(off), f"/differences row {r}: seeds")
        half = (row.high_95 - row.low_95).item() / 2
        if len(off) > 1:
            check(near((row.high_95 + row.low_95) / 2, off.mean()), f"/differences row {r}: the interval is not around the difference")
        if len(off) == 3 and half > 0:  # two degrees of freedom: P(|T| < t) = t / sqrt(2 + t^2)
            t = half / standard_error(off)
            check(abs(t / (2 + t * t) ** 0.5 - 0.95) < 1e-9, f"/differences row {r}: the interval is not of 95 %")
        seen.add(tuple(str(row[name].item()) for name in ("model", "kind", "criterion", "other", "task", "references")))
    check(len(seen) == d.sizes["row"], "/differences has a row twice")
    rows = {tuple(str(x) for x in k) for k in zip(*(data["/summary"][name].values.tolist() for name in KEYS))}
    order = list(dict.fromkeys(c.criterion.values.tolist()))
    expected = {(a[0], a[1], a[2], b[2], a[3], max(a[4], b[4], key=int)) for a in rows for b in rows
                if a[:2] == b[:2] and a[3] == b[3] and (a[4] == b[4] or "0" in (a[4], b[4])) and order.index(a[2]) < order.index(b[2])}
    check(seen == expected, "/differences does not have every pair of criteria that can be compared")


def check_numbers(data):
    check_curves(data)
    for group, d in data.items():
        if group.startswith("/tracks/"):
            check_track(group, d, data)
        elif group.startswith("/models/"):
            check_model(group, d)
    check_stability(data)
    check_summary(data)
    check_differences(data)
    check_emptied(data)
