"""Where a result says it comes from: the study's text, the command, and every file that was read."""

import hashlib
import re
import shlex
from collections import Counter
from pathlib import Path

from results_check import check


def check_inputs(p, data):
    paths, c = [Path(x) for x in p.path.values], data["/curves"]
    check(len(set(x.resolve() for x in paths)) == len(paths), "/provenance/path: a file is named twice")
    for path, digest, size in zip(paths, p.sha256.values, p.bytes.values):
        content = path.read_bytes()
        check(hashlib.sha256(content).hexdigest() == digest and len(content) == size, f"/provenance: sha256 or bytes of {path}")
    names = [str(x) for x in paths]
    check(p.config_path.item() in names, "/provenance/path: no study file")
    for model in set(c.model.values.tolist()):
        for name in (data[f"/models/{model}"].attrs["checkpoint"], "model.json"):
            check(any(x.endswith(f"/{model}/{name}") for x in names), f"/provenance/path: no {name} of {model}")
    check_images(paths, data)


def check_images(paths, data):
    """All evaluation images of the classes that some task has; of the reference images at least one task's, at most all tasks'."""
    c, name = data["/curves"], data["/classes"].name.values
    used = {int(k) for k in c.classes.values.ravel() if k >= 0}
    evaluated = {x.resolve() for x in paths if x.parent.parent.name == "val"}
    folder = next(x for x in evaluated).parents[1] if evaluated else Path("no evaluation image")
    expected = {x for k in used for x in (folder / name[k]).glob("*")}
    searched = "\nsearch:\n" in data["/provenance"].config_resolved.item()  # reads images of its own seeds, and others of the same classes, too
    halves = [{x for x in (folder / name[k]).glob("*")} for k in used]  # curves are of half of every class then (search.split)
    enough = all(2 * len(evaluated & half) >= len(half) - 1 for half in halves)
    check(enough if searched else evaluated == expected, f"/provenance/path: {len(evaluated)} evaluation images, expected {len(expected)}")
    tasks = {(int(s), int(r), tuple(k)) for s, r, k in zip(c.seed.values, c.references.values, c.classes.values) if r > 0}
    most, least = Counter(), Counter()
    for _, references, classes in tasks:
        for k in classes:
            if k >= 0:
                most[name[k]] += references
                least[name[k]] = max(least[name[k]], references)
    listed = Counter(x.parent.name for x in paths if x.parent.parent.name == "train")
    for folder in set(most) | set(listed):
        check(least[folder] <= listed[folder] and (searched or listed[folder] <= most[folder]),
              f"/provenance/path: {listed[folder]} reference images of class {folder}, expected {least[folder]} to {most[folder]}")


def check_run(p, ranks, command):
    """What the caller knows: on how many ranks, by which command line."""
    check(shlex.split(p.command.item()) == command, f"/provenance/command: {p.command.item()}")
    check(p.ranks.item() == str(ranks) and p.sizes["rank"] == ranks, f"/provenance/ranks: {p.ranks.item()}, {p.sizes['rank']} rows")


def check_waits(p):
    """Every rank's waiting for images is a part of the time of the stages that read some; busy time does not contain it."""
    seconds = {name: float(s) for name, s in (word.split("=") for word in p.stage_seconds.item().split())}
    check(p.stage.values.tolist() == list(seconds), f"/provenance/stage: {p.stage.values.tolist()}")
    asked = "\nheatmaps:\n" in p.config_resolved.item()
    for stage, taken in seconds.items():
        wait, share = p.image_wait.sel(stage=stage).values, p.image_wait_share.sel(stage=stage).values
        check((wait > 0).any() == (stage in ("attribute", "evaluate") or (stage == "heatmaps" and asked)), f"/provenance/image_wait: {wait} in {stage}")
        check((wait >= 0).all() and (share <= 1).all() and abs(share[0] * taken - wait[0]) < 0.001, f"/provenance/image_wait_share of {stage}")
    used = p.busy + p.idle + p.image_wait.sum("stage")
    check((used.values <= sum(seconds.values()) + 0.1).all(), f"/provenance: busy, idle and image_wait are {used.values} of {seconds} s")


def check_provenance(data):
    p, c = data["/provenance"], data["/curves"]
    study = p.config.item()
    with open(p.config_path.item(), encoding="utf-8", newline="") as f:
        check(study == f.read(), "/provenance/config is not the study file as it stands")
    resolved = p.config_resolved.item()
    check("#" not in resolved and resolved != study, "/provenance/config_resolved is the text as it was written")
    seeds = ", ".join(str(s) for s in sorted(set(c.seed.values.tolist())))
    check(f"seeds: [{seeds}]" in resolved, "/provenance/config_resolved: seeds are not those of the curves")
    for name in ("started", "finished"):
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", p[name].item()), f"/provenance/{name}: {p[name].item()}")
    masks, evaluated = int(p.masks.item()), int(p.masks_evaluated.item())
    check(masks == c.sizes["cell"] * c.sizes["rate"] and 0 < evaluated <= masks, f"/provenance: {masks} masks, {evaluated} evaluated")
    check(all(p.host.values) and (p.busy.values > 0).all() and (p.idle.values >= 0).all(), "/provenance: host, busy, idle")
    check_waits(p)
    check_inputs(p, data)
