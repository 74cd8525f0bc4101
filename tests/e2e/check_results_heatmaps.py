"""Explanations under pruning: the means against the numbers of single images, those against the maps, and what the loader makes of them."""

import numpy as np
from results_check import check, near


def mean_and_error(values):
    n = values.shape[-1]
    return values.mean(-1), values.std(-1, ddof=1) / np.sqrt(n) if n > 1 else np.full(values.shape[:-1], np.nan)


def check_cell(h, i):
    """One cell: [rate, image] against [rate]."""
    n = int(h.images[i])
    single = {name: h[name].values[i, :, :n] for name in ("cosine", "map_cosine", "logit", "confidence")}
    for name, values in single.items():
        check(np.isnan(h[name].values[i, :, n:]), f"/heatmaps/{name}: a number where there is no image")
    check(h.member.values[i, :n] >= 0, "/heatmaps/member: images are missing")
    check(h.member.values[i, n:] < 0, "/heatmaps/member: more images than counted")
    single["confidence_loss"] = single["confidence"][:1] - single["confidence"]
    for name in ("cosine", "map_cosine", "confidence", "confidence_loss"):
        mean, error = mean_and_error(single[name])
        check(near(h[name + "_mean"].values[i], mean, 1e-9), f"/heatmaps/{name}_mean")
        check(np.allclose(h[name + "_error"].values[i], error, rtol=1e-9, atol=1e-12, equal_nan=True), f"/heatmaps/{name}_error")
    check(near(h.logit_mean.values[i], single["logit"].mean(-1), 1e-9), "/heatmaps/logit_mean")
    prediction = h.prediction.values[i, :, :n]
    check(h.changed.values[i] == (prediction != prediction[:1]).sum(-1), "/heatmaps/changed")


def check_maps(h, maps, model):
    """Cosines of the kept maps are those of the file, up to float32 of the maps, which is what they were taken of."""
    r = maps.relevance.values.reshape(maps.sizes["heatmap"], -1).astype("f8")
    rows = np.flatnonzero(h.model.values == model)
    at = h.heatmap.values[rows]
    check((at >= 0) == (h.member.values[rows][:, None, :] >= 0), f"/heatmaps/heatmap: positions of {model}")
    for i, of_cell in zip(rows, at):
        n = int(h.images[i])
        before, after = r[of_cell[0, :n]], r[of_cell[:, :n]]
        size = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
        cosine = np.where(size > 0, (before * after).sum(-1) / np.where(size > 0, size, 1), 0)
        check(np.allclose(cosine, h.map_cosine.values[i, :, :n], rtol=0, atol=1e-9), f"/heatmaps/map_cosine of {model} is not that of the maps")
        check(maps.image.values[of_cell[:, :n]] == h.member.values[i, :n], f"/heatmaps/maps/{model}/image")
        check((size[1:] == 0) >= (h.gone.values[i][1:, None] == n), f"/heatmaps/gone of {model}")
    check(np.unique(at[at >= 0]).tolist() == list(range(maps.sizes["heatmap"])), f"/heatmaps/maps/{model}: maps that no point is of")


def check_heatmaps(path, data):
    h, c = data.get("/heatmaps"), data["/curves"]
    asked = "\nheatmaps:\n" in data["/provenance"].config_resolved.item()
    check(asked == (h is not None and len(h.variables) > 0), "/heatmaps is there although the study asks for none, or the other way")
    if not asked:
        return
    for name in ("model", "kind", "criterion", "seed", "references", "task", "n_classes"):
        check(h[name].values == c[name].sel(cell=h.cell).values, f"/heatmaps/{name} is not that of /curves")
    check(np.isin(h.rate.values, c.rate.values) & (h.rate.values[0] == 0), "/heatmaps/rate")
    check((h.cosine_mean.values[:, 0] == 1) | (h.gone.values[:, 0] > 0), "/heatmaps: nothing is removed, and the explanation is another")
    check(h.changed.values[:, 0] == 0, "/heatmaps/changed at rate 0")
    check((h.confidence_loss_mean.values[:, 0] == 0) & (h.confidence_loss_error.values[:, 0] == 0), "/heatmaps: confidence is lost at rate 0")
    for name in ("cosine", "map_cosine"):
        check(~(np.abs(h[name].values) > 1 + 1e-12), f"/heatmaps/{name} beyond 1")
    check(h.undefined.values == 0, "/heatmaps/undefined")
    for i in range(h.sizes["cell"]):
        check_cell(h, i)
        of = h.image_class.values[h.member.values[i][h.member.values[i] >= 0]]
        classes = c.classes.values[int(h.cell[i])]
        classes = classes[classes >= 0]
        check(sorted(set(of.tolist())) == sorted(classes.astype(int).tolist()), "/heatmaps: images of classes that the task has not")
        check(len(of) % len(classes) == 0, "/heatmaps: not as many images of every class")
    for model in sorted(set(h.model.values.tolist())) if "heatmap" in h else []:
        check_maps(h, data[f"/heatmaps/maps/{model}"], model)
    check_loader(path, data, h)


def check_loader(path, data, h):
    from pollard_results import open_results

    r = open_results(path)
    frame = r.heatmap_frame()
    check(len(frame) == h.sizes["cell"] * h.sizes["rate"], "heatmap_frame(): not one row per cell and rate")
    check(near(np.sort(frame.cosine_mean.values), np.sort(h.cosine_mean.values.ravel())), "heatmap_frame(): other numbers than the file")
    if "heatmap" in h:
        maps = r.heatmaps(h.model.values[0], h.kind.values[0], h.criterion.values[0])
        check(maps.relevance.dims == ("rate", "image", "row", "column"), f"heatmaps(): {maps.relevance.dims}")
        at = h.heatmap.values[0, -1, 1]
        stored = data[f"/heatmaps/maps/{h.model.values[0]}"].relevance.values[at]
        check(maps.relevance.values[-1, 1] == stored, "heatmaps(): another map")
    try:
        r.heatmaps("no", "such", "cell")
        check(False, "the loader accepts heatmaps that are not in the file")
    except KeyError:
        pass
