#!/usr/bin/env python3
"""where_time_goes.py BUILD NETWORK WHAT [CORES] [BATCH] [REPEATS]: what the time of a micro-batch is spent on; one JSON line (docs/performance.md).

Runs bench_engine with oneDNN, which tells how long each of its kernels took (DNNL_VERBOSE=1): convolutions and linear layers, by shape, forward
and back. Samples of perf, which count processor time, say which part of all that is, and what the rest is: our own functions, named by the source
file that they are in, and our own convolutions and linear layers. Without perf the rest is one number, from times on the wall; `winograd` needs perf,
since its kernels are our own. WHAT: forward, winograd, lrp. Bounds are measured just before (bench_bounds)."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHAPE = re.compile(r"mb(\d+)_ic(\d+)oc(\d+)_ih(\d+)oh(\d+)kh(\d+)sh(\d+)dh\d+ph\d+_iw(\d+)ow(\d+)kw(\d+)sw")
# Our own kernels, which come in many sizes, by the first words of their names.
OWN = {"winograd_product": "convolution 3x3, Winograd: products", "winograd_inputs": "convolution 3x3, Winograd: transforms",
       "winograd_outputs": "convolution 3x3, Winograd: transforms", "narrow_tile": "convolution of single channels", "row_block": "linear, one row"}
# Functions with samples that are no part of a micro-batch: the peak, random weights, and what is done once when a network is built.
ONCE = ("tests/", "engine/core/", "engine/nn/archs", "engine/nn/builder", "engine/nn/weights", "engine/backend/")


def launch(build, program, cores, arguments, env, before=()):
    command = [*before, str(HERE.parent / "support/launch.sh"), str(cores), str(build / "tests/bench" / program), *arguments]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"where_time_goes: {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


class Kernel:
    """A oneDNN primitive of one shape: how often it ran, and milliseconds."""
    def __init__(self, mb, ic, oc, ih, oh, kh, sh, iw, ow, kw, back, sums):
        self.linear = iw == ow == kw == 1
        self.size = f"{kh}x{kw}"
        self.back = back
        self.own_elsewhere = self.size == "3x3" and kw == 3 and sh == 1 and ic > 3  # by Winograd's algorithm, where that is asked for
        self.flop = 2.0 * mb * ic * oc * oh * ow * kh * kw
        # Each array once; what it adds to is read too. A stride reads no more than what a kernel of one pixel touches.
        read = ih * iw // (sh * sh if kh == 1 else 1)
        self.bytes = 4.0 * (mb * ic * read + mb * oc * oh * ow * (2 if sums else 1) + ic * oc * kh * kw)
        self.shape = f"{ic} to {oc}" + ("" if self.linear and ih == 1 else f", {ih} tokens" if self.linear else f" at {oh}x{ow}")
        self.runs, self.ms = 0, 0.0

    @property
    def kind(self):
        name = "linear" if self.linear else f"convolution {self.size}"
        return name + (", back" if self.back else "")


def kernels(text):
    """By shape and direction."""
    found = {}
    for line in text.splitlines():
        if line.startswith("onednn_verbose,exec,cpu,convolution"):
            back, sums = "backward_data" in line, "post-ops:sum" in line
            shape = tuple(map(int, SHAPE.search(line).groups()))
            kernel = found.setdefault((shape, back, sums), Kernel(*shape, back, sums))
            kernel.runs += 1
            kernel.ms += float(line.rsplit(",", 1)[1])
    return list(found.values())


def source_of():
    """Function name -> the engine's source files that define it."""
    definition = re.compile(r"^(?:[a-z_][\w *]*[ *])?([a-z_]\w*)\([^;]*$", re.M)
    where = collections.defaultdict(set)
    root = HERE.parent.parent
    for path in [*root.glob("engine/**/*.c"), *root.glob("tests/**/*.c")]:
        for name in definition.findall(path.read_text()):
            where[name].add(str(path.relative_to(root)))
    return where


LIBRARY = "oneDNN"


def sampled_work(data):
    """Samples of oneDNN, of our own functions by source file, and of OpenBLAS."""
    text = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-F", "sample,dso,sym", "--percent-limit", "0"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    where, work = source_of(), collections.Counter()
    for count, dso, symbol in re.findall(r"^\s*(\d+)\s+(\S+)(?: tid \d+)?\s+\[\.\]\s+(\S+)", text, re.M):
        if dso == "[JIT]" or dso.startswith("libdnnl"):
            work[LIBRARY] += int(count)
        elif dso.startswith("libopenblas"):
            work["products by OpenBLAS"] += int(count)  # of attention, and of single rows where they are explained
        elif dso == "bench_engine":
            own = OWN.get("_".join(symbol.split("_")[:2]).split(".")[0])
            if own is not None:
                work[own] += int(count)
                continue
            files = [f for f in where.get(symbol.split(".")[0], ()) if not f.startswith(ONCE)]
            if len(files) == 1:
                work[pathlib.Path(files[0]).stem] += int(count)
            elif files:
                work["layers' own relevance" if "relevance" in symbol else "shared names"] += int(count)
        elif dso.startswith("libc.so"):
            work["memory set and copied"] += int(count)
    return work


def main(argv):
    build, network, what = pathlib.Path(argv[1]), argv[2], argv[3]
    cores, batch, repeats = (int(argv[i]) if len(argv) > i else default for i, default in ((4, 2), (5, 16), (6, 5)))
    env = {**os.environ, "MPIEXEC": os.environ.get("MPIEXEC", "mpirun"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    env.pop("OPENBLAS_CORETYPE", None)
    bounds = json.loads(launch(build, "bench_bounds", cores, [], env))
    arguments = ["--network", network, "--what", what, "--batch", str(batch), "--repeats", str(repeats), "--backend", "onednn"]
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        perf = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data] if shutil.which("perf") else []
        text = launch(build, "bench_engine", cores, arguments, {**env, "DNNL_VERBOSE": "1"}, perf)
        samples = sampled_work(data) if perf else {}
    line = [json.loads(one) for one in text.splitlines() if one.startswith('{"bench"')][-1]
    found = kernels(text)
    runs = (repeats + 1) * cores  # the first micro-batch is not timed by bench_engine, but told of by oneDNN
    if what == "winograd" and line["winograd_layers"] > 0:
        # Before it, a micro-batch of each algorithm is compared: what is direct in both counts twice more, what is Winograd's once more, and
        # the direct twin of that not at all.
        if not samples:
            sys.exit("where_time_goes: winograd needs perf: its kernels are our own, which oneDNN does not tell of")
        all_ms = sum(kernel.ms for kernel in found)
        found = [kernel for kernel in found if not kernel.own_elsewhere]
        samples[LIBRARY] *= sum(kernel.ms for kernel in found) / max(all_ms, 1e-9)
        for name in samples:
            if "Winograd" in name:
                samples[name] *= (repeats + 3) / (repeats + 2)
        for kernel in found:
            kernel.ms *= runs / (runs + 2 * cores)
    seconds = line["seconds_median"]
    in_library = sum(kernel.ms for kernel in found) / 1000.0 / runs / seconds  # of the wall time
    if samples:
        in_library = samples[LIBRARY] / sum(samples.values())
    per_ms = in_library / sum(kernel.ms for kernel in found)
    shares = collections.Counter()
    for kernel in found:
        shares[kernel.kind] += kernel.ms * per_ms
    for name, count in samples.items():
        if name != LIBRARY:
            shares[name] += count / sum(samples.values())
    layers = [{"kind": k.kind, "shape": k.shape, "share": round(k.ms * per_ms, 4), "flop_per_byte": round(k.flop / k.bytes, 1),
               "gflops": round(1e-6 * k.flop * k.runs / k.ms, 1),
               "of_bound": round(1e-6 * k.flop * k.runs / k.ms / min(bounds["peak_gflops"], bounds["bandwidth_gb_s"] * k.flop / k.bytes), 3)} for k in found if k.ms > 0]
    print(json.dumps({"bench": "where", "network": network, "what": what, "cores": cores, "batch": batch, "repeats": repeats, "seconds": seconds,
                      "processor": line["processor"], "peak_gflops": bounds["peak_gflops"], "bandwidth_gb_s": bounds["bandwidth_gb_s"],
                      "library": round(in_library, 4), "shares": {name: round(value, 4) for name, value in shares.most_common() if value >= 0.002},
                      "layers": sorted(layers, key=lambda one: -one["share"])}))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv)
