#!/usr/bin/env python3
"""performance_table.py [--processor] DOCUMENT FILE...: writes the tables of docs/performance.md from the JSON lines of the programs that measure.

Each table stands between the lines `<!-- table NAME -->` and `<!-- end -->`. Tables for which there are no lines stay as they are. Where a case was
measured more than once, the median of the measurements counts. --processor: times in which the programs had their processors instead of those on
the wall, for lines from a machine that others used."""
import json
import pathlib
import re
import statistics
import sys

NETWORKS = {"vgg16_bn": "VGG-16-BN", "resnet18": "ResNet-18", "resnet50": "ResNet-50", "vit_b_16": "ViT-B/16"}
WHAT = {"forward": "forward", "lrp": "LRP attribution", "curve": "curve of 20 rates", "grid": "grid of 16 composites"}
BATCH = 16  # of all tables but the one of memory
WANTED = {"forward": 3, "lrp": 3, "curve": 8, "grid": 10}
# Targets: shares of the peak, and MiB.
EVALUATION = {"vgg16_bn": {"forward": 0.85, "winograd": 1.6}, "resnet18": {"winograd": 1.0}, "resnet50": {"best": 0.85}, "vit_b_16": {"forward": 0.80}}
LRP = {"vgg16_bn": 0.75, "resnet18": 0.65, "resnet50": 0.60, "vit_b_16": 0.65}
MEMORY = {"vgg16_bn": 1024, "resnet18": 512, "resnet50": 768, "vit_b_16": 768}


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows])


def number(x, digits=3):
    """So many significant digits, plainly."""
    return "-" if x is None else f"{x:.{max(0, digits - len(str(int(abs(x)))))}f}" if abs(x) >= 1 else f"{x:.{digits}g}"


class Lines:
    def __init__(self, lines, processor):
        self.lines, self.processor = lines, processor
        for line in lines if processor else ():
            if "processor_seconds" in line:
                line["seconds"] = line["processor_seconds"] / line["cores"]
            if "share_processor" in line:
                line["share"] = line["share_processor"]
            if line["bench"] == "where":
                line["seconds"] *= line["processor"]
                for layer in line["layers"]:
                    layer["gflops"], layer["of_bound"] = layer["gflops"] / line["processor"], layer["of_bound"] / line["processor"]

    def all(self, **fields):
        return [line for line in self.lines if all(line.get(key) == value for key, value in fields.items())]

    def median(self, key, **fields):
        values = [line[key] for line in self.all(**fields) if key in line]
        return statistics.median(values) if values else None


def per_image(lines, key, **fields):
    values = [line[key] / line["images"] for line in lines.all(bench="compare", **fields)]
    return statistics.median(values) if values else None


def comparison(lines):
    """What PyTorch takes over what Pollard takes with the faster of its algorithms."""
    rows = []
    for network, title in NETWORKS.items():
        for what, name in WHAT.items():
            case = {"network": network, "what": what, "batch": BATCH}
            ours = {c: per_image(lines, "seconds", side="pollard", convolutions=c, **case) for c in ("direct", "winograd")}
            ours = {c: seconds for c, seconds in ours.items() if seconds}
            torch = [line for line in lines.all(bench="compare", side="torch", **case) if line.get("variant") != "compiled"]
            if not ours or not torch:
                continue
            best = min(ours, key=ours.get)
            seconds = statistics.median(line["seconds"] / line["images"] for line in torch)
            processor = statistics.median(line["processor_seconds"] / line["images"] for line in torch)
            our_processor = per_image(lines, "processor_seconds", side="pollard", convolutions=best, **case)
            compiled = per_image(lines, "seconds", side="torch", variant="compiled", **case)
            ratio = seconds / ours[best]
            rows.append([title, name, number(1000 * seconds), torch[0].get("variant", "-"), number(1000 * ours[best]), best,
                         f"{number(ratio, 2)}", number(processor / our_processor, 2), number(compiled / ours[best], 2) if compiled else "-",
                         f"{WANTED[what]}", "yes" if ratio >= WANTED[what] else "**no**"])
    return table(["network", "", "PyTorch, ms an image", "run as", "Pollard, ms an image", "convolutions", "faster by", "in processor time", "than compiled",
                  "wanted", "reached"], rows) if rows else None


def relevance_off(line, what):
    """How far both sides are from each other and, where that is beyond the tolerance, each from float64."""
    if what not in line["off"]:
        return "-"
    judged = line.get("off_float64", {}).get(what)
    return f"{line['off'][what]:.1e}" + (f"; from float64 Pollard {judged['ours']:.1e}, PyTorch {judged['theirs']:.1e}" if judged else "")


def agreement(lines):
    rows = []
    for network, title in NETWORKS.items():
        for line in lines.all(bench="compare", what="agreement", network=network)[-1:]:
            off = line["off"]
            rows.append([title] + [f"{off[key]:.1e}" if key in off else "-" for key in ("forward", "winograd", "curve")] +
                        [relevance_off(line, key) for key in ("lrp", "grid")] + ["yes" if line["agree"] else "**no**"])
    return table(["network", "logits", "by Winograd's algorithm", "logits at 20 rates", "relevance, epsilon", "relevance, 16 composites", "within the tolerance"], rows) if rows else None


def verdict(found, wanted, less=False):
    if found is None:
        return "-"
    shown = f"{found:.0f}" if less else f"{found:.3f}"
    return shown if wanted is None else f"{shown} ({'at most' if less else 'wanted'} {wanted}: {'yes' if (found <= wanted if less else found >= wanted) else '**no**'})"


def targets(lines):
    rows = []
    for network, title in NETWORKS.items():
        share = {what: lines.median("share", bench="engine", network=network, what=what, batch=BATCH, rank="mean", backend="onednn") for what in ("forward", "winograd", "lrp")}
        if share["forward"] is None and share["lrp"] is None:
            continue
        wanted = EVALUATION[network]
        best = max((s for s in (share["forward"], share["winograd"]) if s is not None), default=None)
        direct = verdict(share["forward"], wanted.get("forward"))
        winograd = verdict(share["winograd"], wanted.get("winograd")) if not network.startswith("vit") else "-"
        if "best" in wanted:
            winograd += f"; best {verdict(best, wanted['best'])}"
        rows.append([title, direct, winograd, verdict(share["lrp"], LRP[network])])
    return table(["network", "evaluation, direct", "evaluation, Winograd", "LRP-epsilon"], rows) if rows else None


def memory(lines):
    """With micro-batches of 16, and of other sizes that were measured."""
    rows = []
    for network, title in NETWORKS.items():
        batches = {line["batch"] for line in lines.all(bench="compare", side="pollard", network=network, what="lrp")}
        for batch in sorted(batches | {BATCH}, reverse=True):
            case = {"bench": "compare", "side": "pollard", "network": network, "batch": batch}
            row = [title, str(batch)]
            for what, convolutions in (("forward", "direct"), ("forward", "winograd"), ("lrp", "direct")):
                row.append(verdict(lines.median("memory_mib", what=what, convolutions=convolutions, **case), MEMORY[network], less=True))
            share = lines.median("share", bench="engine", network=network, what="lrp", batch=batch, rank="mean", backend="onednn")
            shared = lines.median("shared_weights_mib", what="lrp", **case)
            if row[2:] != ["-"] * 3:
                rows.append(row + [verdict(share, LRP[network]), "-" if shared is None else f"{shared:.0f}"])
    return table(["network", "images in a micro-batch", "evaluation, direct", "evaluation, Winograd", "LRP-epsilon", "share of the peak, LRP-epsilon",
                  "shared by the node for it"], rows) if rows else None


def where(lines):
    """Shares of at least half a percent, of the last measurement of each case."""
    rows = []
    for network, title in NETWORKS.items():
        for what in ("forward", "winograd", "lrp"):
            for line in lines.all(bench="where", network=network, what=what)[-1:]:
                shown = {name: share for name, share in line["shares"].items() if share >= 0.005}
                text = ", ".join(f"{name} {100 * share:.1f}" for name, share in shown.items())
                rows.append([title, what, number(1000 * line["seconds"]), str(line["batch"]), f"{100 * line['library']:.1f}", f"{text}, all else {100 * max(0.0, 1 - sum(shown.values())):.1f}"])
    return table(["network", "", "ms a micro-batch", "of images", "in oneDNN, %", "what takes how much of the time, %"], rows) if rows else None


def roofline(lines):
    """Of every network's layers the five that take most, and all that memory bounds."""
    rows = []
    for network, title in NETWORKS.items():
        for line in lines.all(bench="where", network=network, what="lrp")[-1:]:
            ridge = line["peak_gflops"] / line["bandwidth_gb_s"]
            for i, one in enumerate(line["layers"]):
                bound = "memory" if one["flop_per_byte"] < ridge else "arithmetic"
                if i < 5 or (bound == "memory" and one["share"] >= 0.001):
                    rows.append([title, one["kind"], one["shape"], f"{100 * one['share']:.1f}", number(one["flop_per_byte"]), bound, number(one["gflops"]), f"{one['of_bound']:.2f}"])
    return table(["network", "layers", "channels and size", "% of the time", "FLOP a byte", "bound by", "GFLOP/s", "of the bound"], rows) if rows else None


def clock(lines):
    return ("**In processor time**, since others used the machine when this was measured: PyTorch's threads also count while they wait for each other."
            if lines.processor else "Times on the wall, measured on an idle machine.")


def versions(lines):
    """Of the last lines that tell."""
    found = {}
    for line in lines.all(bench="compare", side="torch"):
        found.update({key: line[key] for key in ("torch", "cpu_capability", "zennit", "lxt") if key in line})
    cores = [line["cores"] for line in lines.all(bench="compare") if "cores" in line]
    return table(["PyTorch", "its kernels", "zennit", "LXT", "cores of each side"],
                 [[found.get(key, "-") for key in ("torch", "cpu_capability", "zennit", "lxt")] + [str(cores[-1])]]) if found else None


def bounds(lines):
    every = lines.all(bench="bounds") or lines.all(bench="where")
    if not every:
        return None
    peak, bandwidth = (statistics.median(line[key] for line in every) for key in ("peak_gflops", "bandwidth_gb_s"))
    return table(["of each of the cores, all at work", ""], [["multiply-adds, GFLOP/s", number(peak, 4)], ["memory, GB/s", number(bandwidth)],
                                                           ["ridge: FLOP a byte", number(peak / bandwidth)]])


def main(argv):
    processor = argv[1] == "--processor"
    document, *names = map(pathlib.Path, argv[1 + processor:])
    lines = Lines([json.loads(line) for name in names for line in name.read_text().splitlines() if line.startswith("{")], processor)
    text = document.read_text()
    for make in (clock, versions, comparison, agreement, targets, memory, bounds, where, roofline):
        made = make(lines)
        if made is None:
            print(f"{make.__name__}: no lines, the table stays as it is", file=sys.stderr)
            continue
        text, n = re.subn(rf"(<!-- table {make.__name__} -->\n).*?(<!-- end -->)", lambda m, made=made: f"{m[1]}{made}\n{m[2]}", text, flags=re.S)
        if n != 1:
            sys.exit(f"{document}: expected one table {make.__name__}, found {n}")
    document.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv)
