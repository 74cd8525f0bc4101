"""Audits and rows of a result file against each other and against the moments of the tracks; and what the loader makes of them."""

import numpy as np
from results_check import ROOT, check, near


def words(data, criterion):
    """The parameters of a criterion by name."""
    method = dict(zip(data["/criteria"].criterion.values, data["/criteria"].method.values))[criterion]
    return dict(word.split("=") for word in method.split()[1:] if "=" in word)


def cells_of_set(data, d, i):
    """Cells that explain reference set i of the group d."""
    c = data["/curves"]
    return (c.seed == d.seed[i]) & (c.task == d.task[i]) & (c.references == d.references[i])


def check_sets(group, d, data, mine):
    """mine: only sets that the group's own cells explain, not those of the whole study."""
    c = data["/curves"]
    if mine:
        _, _, model, criterion = group.split("/")
        c = c.isel(cell=((c.model == model) & (c.criterion == criterion)).values)
    used = {(int(s), str(k), int(n)) for s, k, n in zip(c.seed.values, c.task.values, c.references.values) if n > 0}
    sets = list(zip(d.seed.values.tolist(), d.task.values.tolist(), d.references.values.tolist()))
    check(len(set(sets)) == len(sets) and set(sets) == used, f"{group}: sets are not those of the cells")
    check(d.images == d.n_classes * d.references, f"{group}/images")


def check_audit(group, a, data):
    _, _, model, criterion = group.split("/")
    check_sets(group, a, data, True)
    complete = a.complete.values == 1
    residual = (a.relevance_in - a.relevance_out) / a.absolute_out
    check(near(a.residual.values[:, complete], residual.values[:, complete]), f"{group}/residual")
    check(np.isnan(a.residual.values[:, ~complete]), f"{group}/residual: known although relevance goes to some inputs only")
    check(near(a.growth, a.absolute_in / a.absolute_out.isel(step=0)), f"{group}/growth")
    for sign in ("out", "in"):
        check(np.abs(a["relevance_" + sign]) <= a["absolute_" + sign] * (1 + 1e-6), f"{group}: |relevance_{sign}| > absolute_{sign}")
    how = words(data, criterion)
    if how.get("initial") == "one":  # every image starts with 1
        check(a.relevance_out.isel(step=0) == a.images, f"{group}: relevance does not start with 1 an image")
        check(a.absolute_out.isel(step=0) == a.images, f"{group}: relevance does not start with 1 an image")
    check(len(set(a.layer.values)) == a.sizes["step"], f"{group}/layer: a layer twice")
    check_against_moments(group, a, data, how)


def check_against_moments(group, a, data, how):
    """Signed relevance at a layer's output, added over its filters or neurons, is what the audit says comes in there."""
    _, _, model, criterion = group.split("/")
    m, compared = data[f"/models/{model}"], 0
    layers = m.layer.values.tolist()
    for name, t in data.items():
        if not name.startswith(f"/tracks/{model}/") or name.endswith("/heads/" + criterion) or not name.endswith("/" + criterion):
            continue
        layer = m.layer_index.values[t.component.values.astype(int)]
        for step, of in enumerate(a.layer.values):
            if of not in layers or how.get("normalise") != "none":
                continue
            mine = t.component.values[layer == layers.index(of)]
            if len(mine) == 0:
                continue
            signed = t.moments.sel(moment="signed", component=mine).sum("component")
            for i in range(a.sizes["set"]):
                cells = np.nonzero(cells_of_set(data, a, i).sel(cell=t.cell).values)[0]
                off = np.abs(signed.values[cells] - a.relevance_out.values[i, step])
                check(off <= 1e-5 * a.absolute_out.values[i, step], f"{group}: {of} takes other relevance than its components have")
                compared += len(cells)
    check(compared > 0 or how.get("normalise") != "none", f"{group}: no layer to compare with moments")


def check_rows(group, r, data):
    _, _, model, criterion = group.split("/")
    check_sets(group, r.assign(images=r.n_classes * r.references), data, False)
    check(r.sizes["component"] == data[f"/models/{model}"].sizes["component"], f"{group}: components")
    score = r.score.values.astype("f8")
    classes = r.sample_class.values
    check(np.diff(classes) >= 0, f"{group}: images do not lie by class")
    check(r["class"].values.tolist() == sorted(set(classes.tolist())), f"{group}/class")
    names = data["/classes"].name.values
    folder = ROOT / "examples/digits/data/train"
    check([p.split("/")[0] for p in r.path.values] == [names[k] for k in classes], f"{group}/path: not in the folder of the class")
    check(len(set(r.path.values)) == r.sizes["sample"] and all((folder / p).is_file() for p in r.path.values), f"{group}/path")
    for i, k in enumerate(r["class"].values):
        mine = score[classes == k]
        check(r.samples.values[i] == len(mine), f"{group}/samples of class {k}")
        check(near(r["mean"].values[i], mine.mean(0)), f"{group}/mean of class {k}")
        expected = mine.var(0, ddof=1) if len(mine) > 1 else np.full(mine.shape[1], np.nan)
        check(near(r.variance.values[i], expected, 1e-9), f"{group}/variance of class {k}")
    member = r.member.values.astype(bool)
    check(member.any(0), f"{group}/member: an image of no set")
    check(member.sum(1) == r.n_classes * r.references, f"{group}/member: sets have other numbers of images")
    check_rows_against_moments(group, r, data, score, member)


def check_rows_against_moments(group, r, data, score, member):
    """Rows of a cell's images add up to the moment that its score is made of; squares to the sum of squares."""
    _, _, model, criterion = group.split("/")
    compared = 0
    for name, t in data.items():
        if not name.startswith(f"/tracks/{model}/") or not name.endswith("/" + criterion):
            continue
        check(t.attrs["score_moment"] == r.attrs["moment"], f"{group}: another moment than {name}")
        for i in range(r.sizes["set"]):
            for cell in np.nonzero(cells_of_set(data, r, i).sel(cell=t.cell).values)[0]:
                mine = score[member[i]][:, t.component.values.astype(int)]
                sums = t.moments.sel(moment=t.attrs["score_moment"]).values[cell]
                check(np.abs(mine.sum(0) - sums) <= 1e-14 * np.abs(mine).sum(0), f"{name}: rows do not add up to the moment")
                squares = t.moments.sel(moment="square").values[cell]
                check(near(squares, (mine**2).sum(0), 1e-6), f"{name}: squares of rows do not add up")
                check(classes_of(r, member[i]) == used_classes(data, int(t.cell.values[cell])), f"{group}/member: images of other classes")
                compared += 1
    check(compared > 0, f"{group}: no cell to compare with")


def classes_of(r, mine):
    return sorted(set(r.sample_class.values[mine].tolist()))


def used_classes(data, cell):
    return [k for k in data["/curves"].classes.values[cell].tolist() if k >= 0]


def check_statistics(path, data):
    """The loader's mean, variance and standard error over images: of the rows where they are, else of moments alone."""
    from pollard_results import open_results

    r = open_results(path)
    for group, t in data.items():
        if not group.startswith("/tracks/"):
            continue
        _, _, model, kind, criterion = group.split("/")
        if "score_moment" not in t.attrs or "square" not in t.moment.values:
            continue
        s = r.statistics(model, kind, criterion)
        images = s.images.values
        check(near(s["mean"] * s.images, t.moments.sel(moment=t.attrs["score_moment"])), f"statistics(): mean of {group}")
        check(s.variance >= 0, f"statistics(): variance of {group}")
        check(near(s.standard_error, (s.variance / s.images) ** 0.5), f"statistics(): standard error of {group}")
        rows = data.get(f"/rows/{model}/{criterion}")
        for cell in range(t.sizes["cell"] if rows is not None else 0):
            number = int(t.cell.values[cell])
            i = next(i for i in range(rows.sizes["set"]) if bool(cells_of_set(data, rows, i)[number]))
            mine = rows.score.values[rows.member.values[i] == 1].astype("f8")[:, t.component.values.astype(int)]
            check(len(mine) == images[cell], f"statistics(): images of {group}")
            off = np.abs(s.variance.values[cell] - mine.var(0, ddof=1))
            check(off <= 1e-6 * (mine**2).mean(0), f"statistics(): variance of {group} is not that of the rows")


def check_loader_of_rows(path, data):
    from pollard_results import open_results

    r = open_results(path)
    frame = r.audit_frame()
    audits = {group: a for group, a in data.items() if group.startswith("/audit/")}
    check(len(frame) == sum(a.sizes["set"] * a.sizes["step"] for a in audits.values()), "audit_frame(): rows")
    check(near(frame.gain, frame.absolute_in / frame.absolute_out), "audit_frame(): gain")
    for group in data:
        if group.startswith("/rows/"):
            check(r.rows(*group.split("/")[2:]).sizes == data[group].sizes, f"rows(): {group}")
    for call in (lambda: r.audit("no such", "pair"), lambda: r.rows("no such", "pair"), lambda: r.statistics("no", "such", "track"),
                 lambda: r.audit(*no_walk(data)), lambda: r.rows(*no_walk(data))):
        try:
            call()
            check(False, "the loader accepts audits or rows that are not in the file")
        except KeyError:
            pass


def no_walk(data):
    """A model and a criterion without images."""
    c = data["/curves"]
    i = int(np.nonzero(c.references.values == 0)[0][0])
    return c.model.values[i], c.criterion.values[i]


def check_audits_and_rows(path, data):
    walks = {c for c, m in zip(data["/criteria"].criterion.values, data["/criteria"].method.values) if "audit=true" in m}
    audits = [group for group in data if group.startswith("/audit/")]
    check(len(audits) == len(walks) * len(set(data["/curves"].model.values.tolist())), f"{len(audits)} audits")
    for group, d in data.items():
        if group.startswith("/audit/"):
            check_audit(group, d, data)
        elif group.startswith("/rows/"):
            check_rows(group, d, data)
    kept = "rows: stream\n" not in data["/provenance"].config_resolved.item()  # auto: all of these are small
    check(kept == any(group.startswith("/rows/") for group in data), "rows are there although the study forgets them, or the other way")
    check_statistics(path, data)
    check_loader_of_rows(path, data)
