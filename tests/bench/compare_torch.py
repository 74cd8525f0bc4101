#!/usr/bin/env python3
"""PyTorch's side of the comparison (docs/performance.md), as a user of PyTorch, zennit and LXT writes it; compare_torch.sh runs it.

    compare_torch.py prepare NETWORK FOLDER IMAGES
    compare_torch.py measure NETWORK FOLDER WHAT CORES BATCH IMAGES REPEATS [PART]
    compare_torch.py agree   NETWORK FOLDER

prepare   writes net.pth (torchvision's network with random weights), images.f32 and labels.u32.
measure   WHAT: forward, compiled, lrp, grid, curve. A JSON line with seconds for IMAGES images in micro-batches of BATCH on CORES threads, and
          the results beside. Convolutional networks are explained by zennit with its canonizers, ViT-B/16 by LXT: its patches for
          torchvision's transformers, and zennit's rules as LXT patches them where a layer has another rule than epsilon.
          PART: of the 20 rates or 16 composites so many are run, and the seconds are multiplied accordingly. A network with zeros takes the
          time of the whole one at every rate; what a composite takes is a sum over its layers, so that composites which have each rule in
          each group equally often take what all 16 take on average.
agree     compares the results of both sides: a JSON line; exit code 1 where they differ by more than rounding. Where their relevance does, the
          other side's program computes that of some of the images again in float64, and ours must be no farther from that (TOLERANCE).
"""
import contextlib
import copy
import functools
import importlib.metadata
import json
import pathlib
import statistics
import sys
import time

import numpy
import torch
import torchvision

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from random_torch import random_norms  # noqa: E402

RATES, GROUPS, GRID = 20, ("low", "mid", "high", "fc"), 16
# What two float32 programs may differ by: logits at most so much of the largest; the relevance of a layer's components so much in
# the root of the mean square, of the median image. Divisions by outputs near 0 magnify rounding where the rule is epsilon: there our own two backends differ by 2e-3 (VGG-16-BN).
TOLERANCE = {"logits": 1e-4, "relevance": 5e-3, "nearest": 1e-3}
# Where two float32 programs are further apart, float64 is the judge, on so many images. Rounding may put single units on the other side of 0, or another place
# of a pooling window first, and from there on that image's relevance is another. So ours may be off by the tolerance or by as much as theirs, layer by
# layer, in the median image; but an image in which no unit is that near has to agree to "nearest" in all layers.
JUDGED = 8


# ---- what both sides work on ----

def build(name):
    torch.manual_seed(1)
    return random_norms(getattr(torchvision.models, name)())


def prepare(name, folder, n):
    net = build(name)
    torch.save(net.state_dict(), folder / "net.pth")
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(n, 3, 224, 224, generator=generator)
    images.numpy().tofile(folder / "images.f32")
    labels = torch.randint(1000, (n,), generator=generator)
    labels.numpy().astype("uint32").tofile(folder / "labels.u32")


def load(name, folder, dtype=torch.float32):
    net = getattr(torchvision.models, name)()
    net.load_state_dict(torch.load(folder / "net.pth"))
    return net.to(dtype).eval().requires_grad_(False)


class Layer:
    def __init__(self, line):
        self.name, self.type, self.group, self.kind, self.first, self.count = line.split()
        self.first, self.count = int(self.first), int(self.count)
        self.components = slice(self.first, self.first + self.count)


def layers(folder):
    return [Layer(line) for line in (folder / "layers.txt").read_text().splitlines()]


def components(folder):
    return max(layer.first + layer.count for layer in layers(folder))


def batches(folder, batch, n):
    images = torch.from_numpy(numpy.fromfile(folder / "images.f32", "float32")).reshape(-1, 3, 224, 224)[:n]
    labels = torch.from_numpy(numpy.fromfile(folder / "labels.u32", "uint32").astype("int64"))[:n]
    return list(zip(images.split(batch), labels.split(batch)))


# ---- time ----

def measure_time(repeats, work, warm):
    if warm is not None:
        warm()
    wall, processor = [], []
    for _ in range(repeats):
        wall_before, processor_before = time.perf_counter(), time.process_time()
        result = work()
        processor.append(time.process_time() - processor_before)
        wall.append(time.perf_counter() - wall_before)
    return {"seconds": statistics.median(wall), "seconds_best": min(wall), "processor_seconds": statistics.mean(processor)}, result


def report(name, what, run, times, **more):
    line = {"bench": "compare", "side": "torch", "network": name, "what": what, "cores": run.cores, "batch": run.batch, "images": run.images,
            "repeats": run.repeats, **{key: round(value, 5) for key, value in times.items()},
            "images_per_s": round(run.images / times["seconds"], 3), "torch": torch.__version__,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(), **more}
    print(json.dumps(line), flush=True)


class Run:
    def __init__(self, cores, batch, images, repeats, part=0):
        self.cores, self.batch, self.images, self.repeats, self.part = cores, batch, images, repeats, part

    def some(self, n):
        """Of n, as many as are to be run: the first and the last with others between, each with its complement where n is the grid."""
        return list(range(n)) if self.part in (0, n) else [round(i * (n - 1) / (self.part - 1)) for i in range(self.part)]


def times_of_all(times, n, run):
    return {key: value * n / run for key, value in times.items()}


# ---- forward and curve ----

def fused(net):
    """Batch norms folded into convolutions, where torch.fx can follow the network."""
    from torch.fx.experimental.optimization import fuse
    return fuse(net)


VARIANTS = {  # how to run a network fast without compiling it
    "eager": (lambda net: net, torch.contiguous_format),
    "channels_last": (lambda net: net.to(memory_format=torch.channels_last), torch.channels_last),
    "fused": (fused, torch.contiguous_format),
    "fused channels_last": (lambda net: fused(net).to(memory_format=torch.channels_last), torch.channels_last),
}


def variants_of(name):
    return ["eager"] if name.startswith("vit") else list(VARIANTS)


def logits(net, data, memory_format):
    with torch.inference_mode():
        return torch.cat([net(x.contiguous(memory_format=memory_format)) for x, _ in data])


def fastest(net, name, data):
    """The variant to use, found with one micro-batch."""
    seconds = {}
    for variant in variants_of(name):
        change, memory_format = VARIANTS[variant]
        changed = change(copy.deepcopy(net))
        work = functools.partial(logits, changed, data[:1], memory_format)
        seconds[variant] = measure_time(2, work, work)[0]["seconds_best"]
    return min(seconds, key=seconds.get)


def measure_forward(name, folder, run):
    net, data = load(name, folder), batches(folder, run.batch, run.images)
    variant = fastest(net, name, data)
    change, memory_format = VARIANTS[variant]
    changed = change(net)
    work = functools.partial(logits, changed, data, memory_format)
    times, result = measure_time(run.repeats, work, work)
    result.numpy().tofile(folder / "torch-forward.f32")
    report(name, "forward", run, times, variant=variant)


def measure_compiled(name, folder, run):
    import torch._inductor.config
    torch._inductor.config.freezing = True  # weights are constants, laid out for the kernels
    net, data = load(name, folder), batches(folder, run.batch, run.images)
    started = time.perf_counter()
    with torch.no_grad():
        compiled = torch.compile(net)
        compiled(data[0][0])
        compiling = time.perf_counter() - started
        times, _ = measure_time(run.repeats, lambda: [compiled(x) for x, _ in data], lambda: compiled(data[0][0]))
    report(name, "forward", run, times, variant="compiled", compile_seconds=round(compiling, 1))


def zeroed(net, folder, dead):
    """The network with so many components removed by zeros: of a convolution that a batch norm follows, the batch norm's parameters."""
    net = copy.deepcopy(net)
    alive = torch.ones(components(folder))
    alive[dead] = 0.0
    modules = dict(net.named_modules())
    for layer in layers(folder):
        if layer.kind in ("filters", "neurons"):
            path, _, last = layer.name.rpartition(".")
            norm = modules.get(f"{path}.{int(last) + 1}".lstrip(".")) if last.isdigit() else modules.get(f"{path}.{last.replace('conv', 'bn')}".lstrip("."))
            module = norm if isinstance(norm, torch.nn.BatchNorm2d) else modules[layer.name]
            kept = alive[layer.components]
            module.weight.mul_(kept.reshape(-1, *[1] * (module.weight.ndim - 1)))
            module.bias.mul_(kept)
    return net


def measure_curve(name, folder, run):
    net, data = load(name, folder), batches(folder, run.batch, run.images)
    order = numpy.fromfile(folder / "order.u32", "uint32").astype("int64")
    variant = fastest(net, name, data)
    change, memory_format = VARIANTS[variant]

    def curve():
        return torch.stack([logits(change(zeroed(net, folder, order[:len(order) * rate // RATES])), data, memory_format) for rate in rates])

    rates = run.some(RATES)
    times, result = measure_time(run.repeats, curve, None)
    result.numpy().tofile(folder / "torch-curve.f32")
    (folder / "torch-curve.json").write_text(json.dumps(rates))
    report(name, "curve", run, times_of_all(times, RATES, len(rates)), variant=variant, rates_run=len(rates))


# ---- attribution ----

def zennit_composite(folder, plus=()):
    """Epsilon in all convolutions and linear layers but those of the groups in `plus`, which have z+; zennit's own rules elsewhere."""
    from zennit.composites import MixedComposite, NameMapComposite, LayerMapComposite, layer_map_base
    from zennit.rules import Epsilon, ZPlus
    from zennit.types import Convolution, Linear
    names = [layer.name for layer in layers(folder) if layer.group in plus]
    return MixedComposite([NameMapComposite([(names, ZPlus())]), LayerMapComposite(layer_map_base() + [(Convolution, Epsilon()), (Linear, Epsilon())])])


LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Method:
    dtype = torch.float32

    def set_layout(self, layout):
        self.layout, self.memory_format = layout, LAYOUTS[layout]
        self.net.to(memory_format=self.memory_format)


class Zennit(Method):
    """Convolutional networks."""
    def __init__(self, name, folder, dtype=torch.float32):
        from zennit.torchvision import ResNetCanonizer, VGGCanonizer
        self.net, self.folder, self.dtype = load(name, folder, dtype), folder, dtype
        self.canonizer = VGGCanonizer() if name.startswith("vgg") else ResNetCanonizer()
        for module in self.net.modules():
            if isinstance(module, torch.nn.ReLU):
                module.inplace = False  # outputs that are kept must not be written over
            if isinstance(module, torch.nn.BatchNorm2d):
                # The same function. The canonizer leaves eps where it was, so that a merged norm divides by sqrt(1 + eps) instead of
                # being the identity: that adds up to 1e-3 of a layer's relevance.
                module.running_var += module.eps
                module.eps = 0.0
        self.packages = ["zennit"]

    def composite(self, plus):
        composite = zennit_composite(self.folder, plus)
        composite.canonizers = [self.canonizer]
        return composite

    @staticmethod
    def relevance(output):
        return output.grad.sum((2, 3))


class Lxt(Method):
    """ViT: relevance is activation times gradient. LXT has no rule of its own for linear layers: there gradient times input is epsilon."""
    def __init__(self, name, folder, dtype=torch.float32):
        from lxt.efficient import monkey_patch, monkey_patch_zennit
        monkey_patch(torchvision.models.vision_transformer)
        monkey_patch_zennit()
        self.net, self.folder, self.dtype = load(name, folder, dtype), folder, dtype
        self.packages = ["lxt", "zennit"]

    def composite(self, plus):
        from zennit.composites import NameMapComposite
        from zennit.rules import ZPlus
        names = [layer.name for layer in layers(self.folder) if layer.group in plus and "self_attention" not in layer.name]
        return NameMapComposite([(names, ZPlus())])

    @staticmethod
    def relevance(output):
        return (output * output.grad).sum(1).detach()


@contextlib.contextmanager
def kept_outputs(net, folder):
    """The outputs of the layers whose components are scored, with their gradients."""
    modules, outputs, handles = dict(net.named_modules()), {}, []

    def keep(module, inputs, output, name):
        output.retain_grad()
        outputs[name] = output

    for layer in layers(folder):
        if layer.kind in ("filters", "neurons"):
            handles.append(modules[layer.name].register_forward_hook(functools.partial(keep, name=layer.name)))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def explain(method, data, plus=()):
    """Rows of component relevance [images, components], each image for its label, which starts with 1; heads stay 0."""
    rows = []
    scored = [layer for layer in layers(method.folder) if layer.kind in ("filters", "neurons")]
    n = components(method.folder)
    with method.composite(plus).context(method.net) as net, kept_outputs(net, method.folder) as outputs:
        for x, label in data:
            row = torch.zeros(len(x), n, dtype=method.dtype)
            y = net(x.to(method.dtype).clone(memory_format=method.memory_format).requires_grad_())
            start = torch.nn.functional.one_hot(label, y.shape[1]).to(method.dtype)
            if isinstance(method, Lxt):
                start /= y.detach()  # a gradient: times the logit it is 1
            y.backward(start)
            for layer in scored:
                row[:, layer.components] = method.relevance(outputs[layer.name])
            rows.append(row)
    return torch.cat(rows)


def method_class(name):
    return Lxt if name.startswith("vit") else Zennit


def method_of(name, folder, data):
    """The method, with the layout of images in which it is faster: found with a few images."""
    data = [(x[:4], label[:4]) for x, label in data[:1]]
    method = method_class(name)(name, folder)
    seconds = {}
    for layout in LAYOUTS if isinstance(method, Zennit) else ["contiguous"]:
        method.set_layout(layout)
        seconds[layout] = measure_time(1, lambda: explain(method, data), None)[0]["seconds"]
    method.set_layout(min(seconds, key=seconds.get))
    return method


def versions(packages):
    return {package: importlib.metadata.version(package) for package in packages}


def measure_lrp(name, folder, run):
    data = batches(folder, run.batch, run.images)
    method = method_of(name, folder, data)
    times, result = measure_time(run.repeats, lambda: explain(method, data), None)
    result.numpy().tofile(folder / "torch-lrp.f32")
    report(name, "lrp", run, times, variant=method.layout, **versions(method.packages))


def plus_groups(i):
    """Of composite i of the grid: the groups with z+."""
    return [group for g, group in enumerate(GROUPS) if i >> g & 1]


def measure_grid(name, folder, run):
    data = batches(folder, run.batch, run.images)
    method = method_of(name, folder, data)
    grid = [plus_groups(i) for i in run.some(GRID)]
    times, result = measure_time(run.repeats, lambda: torch.stack([explain(method, data, plus) for plus in grid]), None)
    result.numpy().tofile(folder / "torch-grid.f32")
    (folder / "torch-grid.json").write_text(json.dumps(run.some(GRID)))
    report(name, "grid", run, times_of_all(times, GRID, len(grid)), variant=method.layout, composites=GRID, composites_run=len(grid), **versions(method.packages))


# ---- do both compute the same ----

def theirs(folder, what, shape):
    return numpy.fromfile(folder / f"torch-{what}.f32", "float32").reshape(shape)


def ours(folder, name, shape):
    """Of the first ranks, or rates, one behind the other."""
    parts = sorted(folder.glob(f"pollard-{name}.*.f32"), key=lambda path: int(path.name.split(".")[1]))
    return [numpy.fromfile(part, "float32").reshape(shape) for part in parts]


def off(found, expected):
    return float(numpy.abs(found - expected).max() / numpy.abs(expected).max())


def distances(folder, found, expected):
    """{layer: [images] the norm of the difference over that of its relevance}. Arrays [images, components]."""
    distance = {}
    for layer in layers(folder):
        if layer.kind in ("filters", "neurons"):
            a, b = found[:, layer.components].astype("float64"), expected[:, layer.components].astype("float64")
            of_images = numpy.linalg.norm(a - b, axis=1) / numpy.linalg.norm(b, axis=1)
            distance[layer.name] = numpy.nan_to_num(of_images, nan=numpy.inf)  # max() would pass over what is not a number
    return distance


def medians(distance):
    """{layer: of the median image}"""
    return {layer: float(numpy.median(of_images)) for layer, of_images in distance.items()}


def worst(distance):
    return max(distance.items(), key=lambda item: item[1])


def short(values):
    return {key: float(f"{value:.2g}") if isinstance(value, float) else value for key, value in values.items()}


def judge(name, folder, plus, rows, expected):
    """Both sides' distance from the same relevance in float64, of the first images, each in its layer where that is largest."""
    method = method_class(name)(name, folder, torch.float64)
    method.set_layout("contiguous")
    exact = explain(method, batches(folder, 1, min(JUDGED, len(rows))), plus).numpy()
    of_images = distances(folder, rows[:len(exact)], exact)
    our_medians, their_medians = medians(of_images), medians(distances(folder, expected[:len(exact)], exact))
    (layer, most), (their_layer, their_most) = worst(our_medians), worst(their_medians)
    nearest = float(numpy.max(list(of_images.values()), axis=0).min())
    return {"images": len(exact), "ours": most, "layer": layer, "nearest": nearest, "theirs": their_most, "their_layer": their_layer,
            "agree": nearest <= TOLERANCE["nearest"] and
            all(value <= max(TOLERANCE["relevance"], their_medians[one]) for one, value in our_medians.items())}


def agree_relevance(name, folder, cases):
    """Of [(groups with z+, our rows, their rows)] the case in which both differ most: how much and in which layer. The judgements of those that differ too much."""
    found, judged = [], []
    for plus, rows, expected in cases:
        layer, most = worst(medians(distances(folder, rows, expected)))
        found.append((most, layer))
        if most > TOLERANCE["relevance"]:
            judged.append(judge(name, folder, plus, rows, expected))
    return max(found), judged


def relevance_cases(folder):
    """{what: its cases}, of what both sides have computed."""
    n, cases = components(folder), {}
    if (folder / "torch-lrp.f32").exists():
        rows = numpy.concatenate(ours(folder, "lrp", (-1, 2, n)))[:, 1]  # signed sums
        cases["lrp"] = [((), rows, theirs(folder, "lrp", (-1, n)))]
    if (folder / "torch-grid.f32").exists():
        grid = json.loads((folder / "torch-grid.json").read_text())
        expected = theirs(folder, "grid", (len(grid), -1, n))
        rows = numpy.concatenate(ours(folder, "grid", (GRID, -1, n)), 1)[:, :expected.shape[1]]
        cases["grid"] = [(plus_groups(i), rows[i], one) for i, one in zip(grid, expected)]
    return cases


def agree_logits(folder):
    found = {}
    if (folder / "torch-forward.f32").exists():
        expected = theirs(folder, "forward", (-1, 1000))
        found["forward"] = off(numpy.concatenate(ours(folder, "forward", (-1, 1000))), expected)
        if (folder / "pollard-winograd.0.f32").exists():
            found["winograd"] = off(numpy.concatenate(ours(folder, "winograd", (-1, 1000))), expected)
    for what in ("curve", "curve-winograd"):
        if (folder / f"pollard-{what}.0.f32").exists() and (folder / "torch-curve.f32").exists():
            rates = json.loads((folder / "torch-curve.json").read_text())
            expected, rows = theirs(folder, "curve", (len(rates), -1, 1000)), ours(folder, what, (-1, 1000))
            found[what] = max(off(rows[rate], one) for rate, one in zip(rates, expected))
    return found


def agree(name, folder):
    found, layer, judged = agree_logits(folder), {}, {}
    same = all(value <= TOLERANCE["logits"] for value in found.values())
    for what, cases in relevance_cases(folder).items():
        (found[what], layer[what]), judgements = agree_relevance(name, folder, cases)
        same = same and all(one["agree"] for one in judgements)
        if judgements:
            judged[what] = short(max(judgements, key=lambda one: (not one["agree"], one["ours"])))
    print(json.dumps({"bench": "compare", "side": "both", "network": name, "what": "agreement", "off": short(found),
                      "layer": layer, "off_float64": judged, "tolerance": TOLERANCE, "agree": same}), flush=True)
    return 0 if same else 1


def main(argv):
    command, name, folder = argv[1], argv[2], pathlib.Path(argv[3])
    if command == "prepare":
        prepare(name, folder, int(argv[4]))
    elif command == "measure":
        run = Run(*map(int, argv[5:10]))
        torch.set_num_threads(run.cores)
        {"forward": measure_forward, "compiled": measure_compiled, "lrp": measure_lrp, "grid": measure_grid, "curve": measure_curve}[argv[4]](name, folder, run)
    elif command == "agree":
        return agree(name, folder)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(sys.argv))
