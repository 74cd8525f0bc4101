"""Results of Pollard as xarray and pandas.

    >>> from pollard_results import open_results
    >>> r = open_results("digits.h5")
    >>> r.curves.accuracy.sel(cell=r.curves.criterion == "random")  # xarray: cells x rates
    >>> f = r.curve_frame()                                         # pandas: one row per cell and rate
    >>> f.groupby(["model", "kind", "criterion", "n_classes", "rate"]).accuracy.mean().unstack("rate")
    >>> t = r.track("digits_vgg_bn", "filters", "lrp-epsilon")      # relevance, ranking, masks
    >>> t.mask.sel(rate=0.5).mean("cell")                           # how often each filter survives
    >>> r.model("digits_vgg_bn").layer.values
    >>> s = r.statistics("digits_vgg_bn", "filters", "lrp-epsilon") # mean, variance, standard error over the images
    >>> r.audit("digits_vgg_bn", "lrp-epsilon").growth.max("set")   # where relevance grows
    >>> r.accuracy_at(0.5)                                          # accuracy with half of the components gone, with standard errors
    >>> r.rates_frame()                                             # accuracy, agreement and loss by rate, with standard errors
    >>> r.class_frame().groupby(["criterion", "class_name", "rate"]).accuracy.mean()
    >>> print(r.provenance()["config"])

Needs xarray, pandas and one of h5netcdf and netCDF4. The layout of the file is in docs/results.md.
"""

from importlib.util import find_spec
from pathlib import Path

SCHEMA_VERSION = 4


def _engine():
    for engine, module in (("h5netcdf", "h5netcdf"), ("netcdf4", "netCDF4")):
        if find_spec(module):
            return engine
    raise ImportError("reading results needs h5netcdf or netCDF4: pip install xarray pandas h5netcdf")


def _need(module):
    if not find_spec(module):
        raise ImportError(f"reading results needs {module}: pip install xarray pandas h5netcdf")


def _need_hdf5(path):
    """One clear message in place of what the engines say of folders and other files."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; expected the HDF5 file that `pollard run` wrote")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as f:
        if f.read(8) != b"\x89HDF\r\n\x1a\n":
            raise ValueError(f"{path}: no HDF5 file; expected the one that `pollard run` wrote")


def _search_terms(config):
    """What the objectives of a search are of: lines of a resolved study that have to agree where two searches are compared."""
    terms, section = [], ""
    for line in config.splitlines():
        if line[:1] not in ("", " ", "#"):
            section = line.split(":")[0]
        key = line.strip().split(":")[0]
        if section in ("tasks", "rates") and key != "seeds" or section == "search" and key in ("seeds", "references", "split", "objective", "at"):
            terms.append(line.strip())
    return terms


def _with_first(frame, first):
    """The same columns, these first."""
    return frame[first + [column for column in frame.columns if column not in first]]


def _student_95(freedom):
    """The t beyond which 2.5 % of Student's distribution lie: the area of its density by Simpson's rule, the t by halving."""
    from math import exp, lgamma, log, pi

    front = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2)

    def inside(t, steps=2000):
        y = [front * (1 + (t * i / steps) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps + 1)]
        return 2 * t / steps / 3 * (y[0] + y[-1] + 4 * sum(y[1:-1:2]) + 2 * sum(y[2:-1:2]))

    low, high = 0.0, 20.0
    for _ in range(50):
        low, high = ((low + high) / 2, high) if inside((low + high) / 2) < 0.95 else (low, (low + high) / 2)
    return high


_ROW = ["model", "kind", "criterion", "task", "n_classes", "references"]


class Results:
    """One result file. Every part is read into memory when it is asked for."""

    def __init__(self, path):
        _need("xarray")
        _need("pandas")
        self.path = Path(path)
        self._engine = _engine()
        _need_hdf5(self.path)
        try:
            self.attrs = dict(self.group("/").attrs)
        except Exception as e:  # each engine has its own
            raise ValueError(f"{path}: damaged or incomplete: its root group cannot be read") from e
        version = self.attrs.get("schema_version")
        if version is None:
            raise ValueError(f"{path}: no result of Pollard: it has no attribute 'schema_version'")
        if version != SCHEMA_VERSION:
            raise ValueError(f"{path}: schema_version is {version}, this loader reads {SCHEMA_VERSION}")
        self._curves = None

    def group(self, name):
        """Any group of the file, with the integers that are stored (no float with NaN where a class is absent, but -1)."""
        import xarray

        with xarray.open_dataset(self.path, group=name, engine=self._engine, mask_and_scale=False) as data:
            return data.load()

    @property
    def curves(self):
        """Accuracy, counts and costs per cell and rate: xarray.Dataset."""
        if self._curves is None:
            self._curves = self.group("curves")
        return self._curves

    def curve_frame(self):
        """The curves as a tidy pandas.DataFrame: one row per cell and rate.

        Right answers are counted twice, `correct` and `correct_masked`; attrs["prediction"] says which of them is in `accuracy`. Accuracy
        can be drawn over `rate`, `parameters_removed` and `macs_removed` (shares of the whole network), and `seconds_per_image`.
        """
        curves = self.curves.drop_dims("class_slot")
        for name in ("parameters", "macs"):
            left = curves[name + "_left"]
            curves[name + "_removed"] = 1 - left / left.isel(rate=0)
        curves["seconds_per_image"] = self.group("provenance").seconds_per_image
        frame = curves.to_dataframe().reset_index()
        return _with_first(frame, ["cell", *_ROW, "seed", "rate"])

    def rates_frame(self):
        """What is known at every rate over the seeds: a row per model, kind, criterion, task, number of references and rate.

        Means and standard errors (`_error`, NaN with one seed) of `accuracy`, of `agreement` (the share of the images with the answer of
        the unpruned network) and of `loss` (cross entropy of an image, in nat). In seeds' pairs: differences_frame().
        """
        frame = self.curve_frame()
        frame["agreement"] = frame.agree / frame.total
        frame["loss"] = frame.loss_sum / frame.total
        names = ["accuracy", "agreement", "loss"]
        of = frame.groupby([*_ROW, "rate"], sort=False)[names]
        return of.mean().join(of.sem().add_suffix("_error")).join(of.size().rename("seeds")).reset_index()

    def _rate_index(self, rate):
        """Which of the study's rates this is. Nothing is interpolated: between two rates no network was measured."""
        rates = self.curves.rate.values
        found = [i for i, r in enumerate(rates) if abs(r - rate) < 1e-9]
        if not found:
            raise KeyError(f"the study has no rate {rate:g}; it has {', '.join(f'{r:g}' for r in rates)}")
        return found[0]

    def accuracy_at(self, rate):
        """Top-1 accuracy at one rate, whose area over all rates is A_PR: a row per model, kind, criterion, task and number of references.

        `accuracy` is the mean over the seeds, `accuracy_error` its standard error (NaN with one seed), `seeds` how many there are.
        """
        curves = self.curves.isel(rate=self._rate_index(rate))
        of = curves[[*_ROW, "seed", "accuracy"]].drop_vars("rate").to_dataframe().groupby(_ROW, sort=False).accuracy
        return of.mean().to_frame().join(of.sem().rename("accuracy_error")).join(of.size().rename("seeds")).reset_index()

    def class_frame(self):
        """Accuracy of every class at every rate: a row per cell, rate and class of its task, with the study's prediction.

        `images` are the evaluation images of the class, `correct` those of them that are answered right.
        """
        counted = "class_correct_masked" if self.attrs["prediction"] == "masked" else "class_correct"
        names = self.group("classes").name.to_series()
        curves = self.curves[["classes", "class_total", counted]].rename({counted: "correct", "class_total": "images"})
        frame = curves.to_dataframe().reset_index()
        frame = frame[frame.classes >= 0].rename(columns={"classes": "class"}).drop(columns="class_slot")
        frame["class_name"] = frame["class"].map(names)
        frame["accuracy"] = frame.correct / frame.images
        return _with_first(frame.reset_index(drop=True), ["cell", *_ROW, "seed", "rate", "class", "class_name"])

    def criteria_frame(self):
        """What scored and ranked components: one row per criterion, with its method, order, scope and floor."""
        return self.group("criteria").to_dataframe().reset_index()

    def summary_frame(self):
        """The table that `pollard run` prints, with both forms of A_PR: pandas.DataFrame."""
        return _with_first(self.group("summary").to_dataframe().reset_index(drop=True), _ROW)

    def differences_frame(self):
        """How much better one criterion is than another, paired over the seeds: one row per pair of criteria."""
        frame = self.group("differences").to_dataframe().reset_index(drop=True)
        return _with_first(frame, ["model", "kind", "criterion", "other", "task", "n_classes", "references"])

    def paired_frame(self, along="references", of="a_pr_mean", rate=None):
        """Differences between values of one key of the cells, paired over the seeds: a row per pair, all other keys being equal.

        along: "references", "task" or "criterion" (for A_PR of criteria the file has differences_frame()); of: a variable of /curves with
        one number a cell, or one with a number a rate and `rate`, such as ("criterion", "accuracy", 0.5). `difference` is that of `value`
        less that of `other`, with its standard error and 95 % confidence interval by Student's t (NaN with one seed). Seeds draw the same
        images for every criterion, fewer and more of them, so their luck cancels.
        """
        import pandas

        if along not in _ROW:
            raise ValueError(f"along={along!r}: expected one of {', '.join(_ROW)}")
        curves = self.curves if rate is None else self.curves.isel(rate=self._rate_index(rate))
        if curves[of].dims != ("cell",):
            raise ValueError(f"{of} has more than one number a cell; expected one that has not, or rate=")
        frame = curves[[*_ROW, "seed", of]].drop_vars("rate", errors="ignore").to_dataframe().reset_index()
        keys = [key for key in _ROW if key != along and not (along == "task" and key == "n_classes")]
        rows = []
        for group, here in frame.groupby(keys, sort=False):
            wide = here.pivot(index="seed", columns=along, values=of)[list(dict.fromkeys(here[along]))]
            for i, value in enumerate(wide.columns):
                for other in wide.columns[i + 1:]:
                    off = (wide[value] - wide[other]).dropna()
                    error = off.sem()
                    half = _student_95(len(off) - 1) * error if len(off) > 1 else float("nan")
                    rows.append([*group, value, other, len(off), off.mean(), error, off.mean() - half, off.mean() + half])
        return pandas.DataFrame(rows, columns=[*keys, "value", "other", "seeds", "difference", "difference_error", "low_95", "high_95"])

    def stability_frame(self):
        """How alike the rankings of different seeds are: one row per group of seeds and rate."""
        return _with_first(self.group("stability").to_dataframe().reset_index().drop(columns="row"), [*_ROW, "rate"])

    def track(self, model, kind, criterion):
        """Relevance, rankings and masks of one model, kind ("filters", "neurons", "heads") and criterion: xarray.Dataset.

        The seed, the class subset (`task`), the number of classes and of references of each cell come along as coordinates.
        """
        curves = self.curves
        there = (curves.model == model) & (curves.kind == kind) & (curves.criterion == criterion)
        if not bool(there.any()):
            known = sorted(set(zip(*(curves[name].values.tolist() for name in ("model", "kind", "criterion")))))
            raise KeyError(f"no cell of ({model}, {kind}, {criterion}); the file has {known}")
        data = self.group(f"tracks/{model}/{kind}/{criterion}")
        return data.assign_coords({name: curves[name].sel(cell=data.cell) for name in ("seed", "task", "n_classes", "references")})

    def statistics(self, model, kind, criterion):
        """What the reference images of a cell say of each component: xarray.Dataset, cells x components.

        A component's score is the sum over the images of a number, its score for the image alone. `images`: how many there are; `mean`,
        `variance` (divided by n - 1) and `standard_error` (of the mean) of that number over them; the last two are NaN for one image. They
        come from the sums in the file, whose squares are rounded to float32: a variance below 1e-7 of the squared mean is rounding.
        """
        import numpy
        import xarray

        t = self.track(model, kind, criterion)
        summed = t.attrs.get("score_moment")
        if summed is None or "square" not in t.moment.values:
            raise KeyError(f"the score of {criterion} is no sum over images, or its file has no sum of squares")
        n = self.curves.reference_images.sel(cell=t.cell).astype(float)
        total, squares = (t.moments.sel(moment=name, drop=True) for name in (summed, "square"))
        mean = total / n
        variance = numpy.maximum(squares - total * mean, 0.0) / (n - 1).where(n > 1)
        found = {"mean": mean, "variance": variance, "standard_error": (variance / n) ** 0.5}
        return xarray.Dataset(found).assign_coords(images=n.astype(int))

    def _pair(self, part, model, criterion, why):
        """The group of a model and criterion in /audit, /rows or /spectrum; why: what to say where there is none."""
        curves = self.curves
        for name, known in ((model, curves.model.values), (criterion, curves.criterion.values)):
            if name not in known:
                raise KeyError(f"no {name}; the file has {sorted(set(known.tolist()))}")
        try:
            return self.group(f"{part}/{model}/{criterion}")
        except (KeyError, OSError) as e:  # each engine has its own
            raise KeyError(f"{why} ({model}, {criterion})") from e

    def audit(self, model, criterion):
        """What relevance every layer took and handed on, per reference set: xarray.Dataset, sets x steps from the logits to the input.

        `gain` is absolute_in / absolute_out: how much larger relevance is behind the layer than in front of it.
        """
        data = self._pair("audit", model, criterion, "no audit: the criterion has no relevance walk, or `audit: false`")
        data["gain"] = data.absolute_in / data.absolute_out
        return data

    def audit_frame(self):
        """All audits as one pandas.DataFrame: a row per model, criterion, reference set and step."""
        import pandas

        frames = []
        for model, criterion in sorted(set(zip(self.curves.model.values.tolist(), self.curves.criterion.values.tolist()))):
            try:
                frame = self.audit(model, criterion).to_dataframe().reset_index()
            except KeyError:
                continue
            frames.append(frame.assign(model=model, criterion=criterion))
        if not frames:
            raise KeyError("the file has no audit")
        return _with_first(pandas.concat(frames, ignore_index=True), ["model", "criterion", "set", "seed", "task", "n_classes", "references", "step", "layer", "type", "rule"])

    def rows(self, model, criterion):
        """Scores of single images, with `rows: keep` in the study: xarray.Dataset, images x components, all kinds together.

        Also mean and variance by class, and which images belong to which reference set (`member`).
        """
        return self._pair("rows", model, criterion, "no rows: the study has no `rows: keep`, or the score is no sum over images")

    def spectrum(self, model, criterion):
        """How many independent components the layers and the network amount to, with `spectrum: true` in the study: xarray.Dataset, reference
        sets x parts (x eigenvalues). docs/spectrum.md says what the numbers mean.
        """
        return self._pair("spectrum", model, criterion, "no spectrum: the study has no `spectrum: true`, or the score is no sum over images")

    def spectrum_frame(self):
        """All spectra without their eigenvalues as one pandas.DataFrame: a row per model, criterion, reference set and part. `modes_90`, `modes_95`,
        `modes_99`: eigenvalues that hold so much of the variance.
        """
        import pandas

        frames = []
        for model, criterion in sorted(set(zip(self.curves.model.values.tolist(), self.curves.criterion.values.tolist()))):
            try:
                data = self.spectrum(model, criterion).drop_dims("mode")
            except KeyError:
                continue
            for i, share in enumerate(data.share.values):
                data[f"modes_{100 * share:.0f}"] = data.modes.isel(share=i, drop=True)
            frames.append(data.drop_dims("share").to_dataframe().reset_index().assign(model=model, criterion=criterion))
        if not frames:
            raise KeyError("the file has no spectrum")
        return _with_first(pandas.concat(frames, ignore_index=True), ["model", "criterion", "set", "part", "level", "name", "kind"])

    def searches(self):
        """The searches of the file: a list of (model, kind). Empty where its study has no `search:`."""
        models = [str(m) for m in dict.fromkeys(self.curves.model.values.tolist())]
        found = []
        for model in models:
            for kind in dict.fromkeys(self.curves.kind.values[self.curves.model.values == model].tolist()):
                try:
                    self.group(f"search/{model}/{kind}")
                except (KeyError, OSError):  # each engine has its own
                    continue
                found.append((model, str(kind)))
        return found

    def search_frame(self, model, kind, against=None):
        """All settings that a search tried, with `search:` in the study: a row per trial, the best first.

        A column for each dimension: the chosen word, or the value; None or NaN where it does not exist. `gap` is `objective` (tuning images
        and seeds) less `held_out` (images and seeds that the search never saw). attrs["objective"] says what was maximised. `regret` is
        what the best of all settings has above a trial's own; known of an exhaustive search, and of another one that tries the same
        settings on the same images and seeds, `against` Results of the exhaustive one.
        """
        try:
            data = self.group(f"search/{model}/{kind}")
        except (KeyError, OSError) as e:  # each engine has its own
            raise KeyError(f"no search of ({model}, {kind}); the file has {self.searches()}") from e
        frame = data.drop_dims("dimension").to_dataframe().reset_index()
        names = [str(name) for name in data.dimension.values]
        for i, (name, choices) in enumerate(zip(names, data.choices.values.tolist())):
            at = data.point.values[:, i]
            words = choices.split(",")
            frame[name] = at if choices == "" else [words[int(x)] if x == x else None for x in at]
        frame["gap"] = frame.objective - frame.held_out
        frame.attrs["objective"] = data.attrs["objective"]
        if against is not None:
            other = against.search_frame(model, kind)
            if other.regret.isna().any():
                raise ValueError("against: expected an exhaustive search")
            mine, theirs = (_search_terms(r.group("provenance").config_resolved.item()) for r in (self, against))
            if mine != theirs:
                raise ValueError(f"against: expected a search on the same images and seeds, found {theirs}, here {mine}")
            frame["regret"] = frame.setting.map(other.set_index("setting").regret)
            if frame.regret.isna().any():
                raise ValueError("against: the exhaustive search has not tried all settings of this one")
        return _with_first(frame.sort_values("rank", ignore_index=True), ["rank", "trial", "round", *names, "objective", "error", "held_out",
                                                                          "held_out_error", "gap", "regret", "state", "cost"])

    def best(self):
        """The best setting of each search: a row per model and kind, with objective, held-out value, their errors and the gap."""
        import pandas

        rows = [{"model": m, "kind": k, **self.search_frame(m, k).iloc[0].to_dict()} for m, k in self.searches()]
        if not rows:
            raise KeyError("the file has no search: its study has no `search:`")
        return pandas.DataFrame(rows)

    def importance_frame(self, model, kind):
        """How much each dimension of a search matters: shares of the variance of the objective, alone and together with others."""
        self.search_frame(model, kind)  # says it where there is none
        data = self.group(f"search/{model}/{kind}").drop_dims("trial")
        return data.to_dataframe().reset_index()

    def heatmap_frame(self):
        """How explanations change under pruning, with `heatmaps:` in the study: a row per cell and rate, means over the images."""
        data = self._heatmaps()
        one = data.drop_dims([d for d in ("slot", "image") if d in data.dims])
        return _with_first(one.to_dataframe().reset_index(), ["cell", *_ROW, "seed", "rate"])

    def _heatmaps(self):
        data = self.group("heatmaps")
        if "cosine_mean" not in data:
            raise KeyError("the file has no explanations under pruning: its study has no `heatmaps:`")
        return data

    def heatmaps(self, model, kind, criterion, **cell):
        """One cell's explanations of single images, and the maps where they are kept: xarray.Dataset, rates x images.

        `cell`: seed, task, references of the cell; without them the first that fits. `relevance` [rate, image, row, column].
        """
        data = self._heatmaps()
        wanted = {"model": model, "kind": kind, "criterion": criterion, **cell}
        there = data.cell.notnull()
        for name, value in wanted.items():
            there = there & (data[name] == value)
        if not bool(there.any()):
            raise KeyError(f"no explanations under pruning of ({', '.join(f'{k}={v}' for k, v in wanted.items())})")
        one = data.isel(cell=int(there.values.argmax()))
        used = (one.member >= 0).values
        images = one.member.values[used]
        names = [n for n in ("cosine", "map_cosine", "logit", "confidence", "prediction") if n in one]
        found = one[names].isel(slot=used).rename(slot="image").assign_coords(image=images)
        found = found.assign_coords(path=("image", one.path.values[images]), image_class=("image", one.image_class.values[images]))
        if "heatmap" in one:
            maps = self.group(f"heatmaps/maps/{model}")
            at = one.heatmap.values[:, used]
            found["relevance"] = (("rate", "image", "row", "column"), maps.relevance.values[at])
        return found

    def plot_heatmaps(self, model, kind, criterion, images=3, rates=None, **cell):
        """Draws kept maps, an image a row, from the unpruned network to the right (needs matplotlib): the figure.

        Red speaks for the image's class, blue against it; every row has the scale of its unpruned map. Above each map: its cosine
        similarity to the first one, and the confidence.
        """
        import matplotlib.pyplot as plt

        data = self.heatmaps(model, kind, criterion, **cell)
        if "relevance" not in data:
            raise KeyError("the file has no maps: its study has no `keep: true` in `heatmaps:`")
        data = data.isel(image=slice(images))
        rates = data.rate.values if rates is None else rates
        figure, axes = plt.subplots(data.sizes["image"], len(rates), squeeze=False, figsize=(1.6 * len(rates), 1.8 * data.sizes["image"]))
        for i, row in enumerate(axes):
            one = data.isel(image=i)
            most = float(abs(one.relevance.isel(rate=0)).max()) or 1.0
            for rate, ax in zip(rates, row):
                at = one.sel(rate=rate, method="nearest")
                ax.imshow(at.relevance, cmap="seismic", vmin=-most, vmax=most)
                ax.set_title(f"{100 * float(at.rate):.0f} %: {float(at.map_cosine):.2f}, {float(at.confidence):.2f}", fontsize=7)
                ax.set_xticks([])
                ax.set_yticks([])
            row[0].set_ylabel(str(one.path.values), fontsize=6)
        return figure

    def model(self, name):
        """Layers and components of a model, with their parameters and multiply-adds: xarray.Dataset."""
        if name not in self.curves.model.values:
            raise KeyError(f"no model {name}; the file has {sorted(set(self.curves.model.values.tolist()))}")
        return self.group(f"models/{name}")

    def provenance(self):
        """Texts by name (config, command, versions, ...), and the tables "inputs", "ranks" and "waits" as pandas.DataFrame."""
        data = self.group("provenance")
        known = {name: str(v.item()) for name, v in data.data_vars.items() if v.ndim == 0}
        known["inputs"] = data[["path", "sha256", "bytes"]].to_dataframe()
        known["ranks"] = data[["host", "busy", "idle"]].to_dataframe()
        known["waits"] = data[["image_wait", "image_wait_share"]].to_dataframe()
        return known


def open_results(path):
    """Opens a result file of `pollard run`."""
    return Results(path)
