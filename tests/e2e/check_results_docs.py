"""The documentation holds for a result file: it names all that is there, and its Python runs; so does the loader in analysis/."""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import h5py
from results_check import ROOT, check, failures, near

ROW = ["model", "kind", "criterion", "task", "n_classes", "references"]

sys.path.insert(0, str(ROOT / "analysis"))


def check_documented(path, text):
    named = set(re.findall(r"`([^`\n]+)`", text))

    def visit(name, o):
        parts = name.split("/")
        if isinstance(o, h5py.Dataset):
            check(parts[-1] in named, f"docs/results.md does not name the variable {name}")
        elif parts[0] == "heatmaps" and len(parts) > 1:
            check("/heatmaps/maps/<model>" in text, "docs/results.md does not name /heatmaps/maps/<model>")
        elif parts[0] in ("models", "tracks", "audit", "rows", "spectrum", "search"):
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


def examples():
    """(where, code) of all Python that the documentation shows for digits.h5."""
    for page in ("docs/results.md", "analysis/README.md"):
        found = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
        check(len(found) > 0, f"{page} has no example")
        yield from ((f"{page}, example {i + 1}", code) for i, code in enumerate(found))
    import pollard_results

    lines = re.findall(r"^ *>>> (.*)$", pollard_results.__doc__, re.M)
    check(len(lines) > 0, "pollard_results has no example")
    yield "pollard_results, docstring", "\n".join(lines)


def run_examples(path):
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, "digits.h5")
        os.symlink(path, link)
        for where, code in examples():
            check("digits.h5" in code, f"{where}: does not open digits.h5")
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(code.replace("digits.h5", link), where, "exec"), {})
            except Exception as e:
                failures.append(f"{where}: {e!r}")


def check_loader(path, data):
    from pollard_results import open_results

    r = open_results(path)
    c = data["/curves"]
    frame = r.curve_frame()
    check(len(frame) == c.sizes["cell"] * c.sizes["rate"], "curve_frame(): not one row per cell and rate")
    check(frame.correct.sum() == int(c.correct.sum()), "curve_frame(): other counts than the file")
    check(r.criteria_frame().criterion.tolist() == data["/criteria"].criterion.values.tolist(), "criteria_frame(): criteria")
    check(len(r.summary_frame()) == data["/summary"].sizes["row"], "summary_frame(): other rows than the file")
    check(len(r.stability_frame()) == data["/stability"].sizes["row"] * c.sizes["rate"], "stability_frame(): rows")
    check_loader_over_rates(r, data)
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
    check_refused(open_results)


def check_loader_over_rates(r, data):
    """Means over the seeds and accuracies of classes, against the file's own sums."""
    c = data["/curves"]
    rates = r.rates_frame()
    check(len(rates) == data["/summary"].sizes["row"] * c.sizes["rate"], "rates_frame(): not one row per row of /summary and rate")
    summary = data["/summary"].to_dataframe().set_index(ROW)
    for key, of in rates.groupby(ROW):
        row = summary.loc[key]
        check(near(of.accuracy.mean(), row.a_pr_mean), f"rates_frame(): accuracies of {key} have another mean than A_PR")
        check((of.seeds == row.seeds).all() and of.accuracy_error.isna().all() == (row.seeds == 1), f"rates_frame(): seeds of {key}")
        check(near(of.agreement.iloc[0], 1.0), f"rates_frame(): not all agree at rate 0 of {key}")
        here = c.isel(cell=[i for i in range(c.sizes["cell"]) if tuple(c[name].values[i].item() if c[name].dtype.kind in "iu" else c[name].values[i]
                                                                     for name in ROW) == key])
        share = (here.agree / here.total).values
        check(near(of.agreement.values, share.mean(0)), f"rates_frame(): agreement of {key}")
        check(near(of.loss.values, (here.loss_sum / here.total).values.mean(0)), f"rates_frame(): loss of {key}")
        if len(share) > 1:
            check(near(of.agreement_error.values, share.std(0, ddof=1) / len(share) ** 0.5), f"rates_frame(): error of {key}")
    check_loader_at_rates(r, data, rates)
    # by the file's own differences between criteria, which another program computed
    pairs = r.paired_frame("criterion").set_index(["model", "kind", "task", "references", "value", "other"])
    compared = 0
    for row in data["/differences"].to_dataframe().itertuples():
        key = (row.model, row.kind, row.task, row.references, row.criterion, row.other)
        if key in pairs.index:  # not where one criterion needs no references and the other does
            compared += 1
            mine = pairs.loc[key]
            check(near([mine.difference, mine.difference_error], [row.difference, row.difference_error]), f"paired_frame(): {key}")
            check(near([mine.low_95, mine.high_95], [row.low_95, row.high_95], 1e-7), f"paired_frame(): interval of {key}")
    alike = data["/summary"].to_dataframe().groupby(["model", "kind", "task", "references"]).size()
    expected = int((alike * (alike - 1) // 2).sum())
    check(compared == expected, f"paired_frame(): {compared} differences between criteria are in the file too, expected {expected}")
    numbers = data["/summary"].to_dataframe().groupby(["model", "kind", "criterion", "task"]).size()
    check(len(r.paired_frame("references")) == int((numbers * (numbers - 1) // 2).sum()), "paired_frame(): not every pair of numbers of references")
    classes = r.class_frame()
    check(len(classes) == int(c.n_classes.sum()) * c.sizes["rate"], "class_frame(): not one row per cell, rate and class")
    names = data["/classes"].name.values
    check((names[classes["class"].values] == classes.class_name.values).all(), "class_frame(): names")
    counted = c.correct_masked if data["/"].attrs["prediction"] == "masked" else c.correct
    check((classes.groupby(["cell", "rate"]).correct.sum().values == counted.values.ravel()).all(), "class_frame(): counts do not add up")
    check((classes.groupby(["cell", "rate"]).images.sum().unstack().values == c.total.values[:, None]).all(), "class_frame(): images")
    check(near(classes.accuracy, classes.correct / classes.images), "class_frame(): accuracy")


def check_loader_at_rates(r, data, rates):
    """The accuracy at one rate, from the file's counts; the area over the rates is A_PR; a rate that was not measured is an error that names those that were."""
    c = data["/curves"]
    counted = c.correct_masked if data["/"].attrs["prediction"] == "masked" else c.correct
    area = 0.0
    for i, rate in enumerate(c.rate.values.tolist()):
        at = r.accuracy_at(rate + 1e-12)  # as 3 * 0.05 is not 0.15
        right = (counted / c.total).transpose("cell", "rate").values[:, i]
        expected = c[ROW].to_dataframe()[ROW].assign(right=right).groupby(ROW, sort=False).right
        check(at[ROW].values.tolist() == [list(key) for key in expected.mean().index], f"accuracy_at({rate}): rows")
        check(near(at.accuracy, expected.mean()) and near(at.accuracy_error, expected.sem()), f"accuracy_at({rate}): accuracies")
        check(at.seeds.values == expected.size().values, f"accuracy_at({rate}): seeds")
        check(near(at.accuracy, rates[rates.rate == rate].accuracy), f"accuracy_at({rate}): rates_frame() has others")
        area = area + at.accuracy / c.sizes["rate"]
        for row in r.paired_frame("criterion", "accuracy", rate).itertuples():
            check(near(row.difference, difference_of(c, right, row)), f"paired_frame() at rate {rate}: {row}")
    check(near(area, r.summary_frame().a_pr_mean), "accuracy_at(): its mean over the rates is not A_PR")
    for error, call in ((KeyError, lambda: r.accuracy_at(0.123)), (KeyError, lambda: r.paired_frame("criterion", "accuracy", 0.123)),
                        (ValueError, lambda: r.paired_frame("criterion", "accuracy")), (ValueError, lambda: r.paired_frame("wibble"))):
        try:
            call()
            failures.append("the loader has the accuracy at a rate that was not measured, or at none")
        except error as e:
            check(error is ValueError or f"{c.rate.values[-1]:g}" in str(e), f"a rate that was not measured: {e!r} does not say which were")


def difference_of(c, right, row):
    """The mean over the seeds of what one criterion has above another, of a row of paired_frame("criterion")."""
    of = []
    for criterion in (row.value, row.other):
        there = [c[name].values == getattr(row, name) for name in ("model", "kind", "task", "references")]
        there = [all(x) for x in zip(*there, c.criterion.values == criterion)]
        of.append([v for _, v in sorted(zip(c.seed.values[there].tolist(), right[there].tolist()))])
    return sum(a - b for a, b in zip(*of)) / len(of[0])


def check_refused(open_results):
    """What is no result file gets one line that says so."""
    with tempfile.TemporaryDirectory() as folder:
        plain, other, cut = (os.path.join(folder, name) for name in ("notes.txt", "other.h5", "cut.h5"))
        Path(plain).write_text("not HDF5")
        with h5py.File(other, "w") as f:
            f["x"] = 1
        Path(cut).write_bytes(Path(other).read_bytes()[:64])
        for path, says in ((folder, "folder"), (plain, "HDF5"), (other, "schema_version"), (cut, "damaged"),
                           (os.path.join(folder, "nothing.h5"), "no such file")):
            try:
                open_results(path)
                failures.append(f"the loader opens {path}")
            except (OSError, ValueError) as e:
                text = str(e)
                check(path in text and says in text and "\n" not in text, f"open_results({path}): {e!r} does not say '{says}'")
            except Exception as e:
                failures.append(f"open_results({path}): {e!r}")


def check_docs(path, data):
    check_documented(path, (ROOT / "docs/results.md").read_text(encoding="utf-8"))
    run_examples(path)
    check_loader(path, data)
