"""The documentation holds for a result file: it names all that is there, and its Python runs; so does the loader in analysis/."""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import h5py
from results_check import ROOT, check, failures

sys.path.insert(0, str(ROOT / "analysis"))


def check_documented(path, text):
    named = set(re.findall(r"`([^`\n]+)`", text))

    def visit(name, o):
        parts = name.split("/")
        if isinstance(o, h5py.Dataset):
            check(parts[-1] in named, f"docs/results.md does not name the variable {name}")
        elif parts[0] in ("models", "tracks", "audit", "rows", "spectrum"):
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
