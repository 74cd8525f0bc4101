"""Networks that `pollard export` wrote, in PyTorch (docs/export.md). Needs PyTorch 1.10 and torchvision 0.14 or later.

    from pollard_export import load_masked, load_masks, load_shrunk, apply_masks

    net = load_shrunk("digits-net-filters-magnitude-0.5")   # small; a torchvision VGG, ResNet or VisionTransformer
    same = load_masked("digits-net-filters-magnitude-0.5")  # the old shapes, with zeros
    apply_masks(trained, load_masks("digits-net-..."))      # torch.nn.utils.prune on a network of yours

Names in the state dict are those of the checkpoint, and everything loads with strict=True. Only the shapes of a shrunk network are
smaller: where the rows of a layer are added to a stream of residual sums, its batch norm (or linear layer) puts them in their places there.

    python pollard_export.py FOLDER     loads both networks and compares them on random images
"""
import functools
import json
import re
import struct
import sys
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune
from torchvision.models.resnet import BasicBlock, Bottleneck

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
         "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}


def read_safetensors(path):
    """Tensors by name, and the file's __metadata__."""
    data = bytearray(Path(path).read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = TYPES[entry["dtype"]]
        count = (end - begin) // torch.empty(0, dtype=kind).element_size()
        flat = torch.frombuffer(data, dtype=kind, count=count, offset=8 + length + begin) if count else torch.empty(0, dtype=kind)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata


# ---- layers that put their rows where a stream of residual sums has them ----

def scatter(x, places, channels):
    """x [N,c,...] in a tensor of `channels` channels, zeros elsewhere."""
    out = x.new_zeros(x.shape[0], channels, *x.shape[2:])
    out[:, places] = x
    return out


class ScatterBatchNorm2d(nn.BatchNorm2d):
    """A batch norm whose channels go to `places` of a stream. The places are no part of the state dict."""

    def __init__(self, features, places, channels, eps):
        super().__init__(features, eps=eps)
        self.channels = channels
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, x):
        return scatter(super().forward(x), self.places, self.channels)


class ScatterLinear(nn.Linear):
    """The same for a linear layer on tokens [N,T,in]."""

    def __init__(self, columns, rows, places, features, bias):
        super().__init__(columns, rows, bias)
        self.features = features
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, x):
        y = super().forward(x)
        out = y.new_zeros(*y.shape[:-1], self.features)
        out[..., self.places] = y
        return out


class Shortcut(nn.Module):
    """A shortcut without parameters: every s-th pixel, its channels in their places of the sum."""

    def __init__(self, stride, places, channels):
        super().__init__()
        self.stride = stride
        self.channels = channels
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, x):
        return scatter(x[:, :, ::self.stride, ::self.stride], self.places, self.channels)


class HeadsAttention(nn.Module):
    """Self-attention of the heads that are left, with the names of nn.MultiheadAttention."""

    def __init__(self, features, heads, width):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * heads * width, features))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * heads * width))
        self.out_proj = nn.Linear(heads * width, features)

    def forward(self, query, key, value, need_weights=False):
        q, k, v = functional.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        n, tokens, _ = q.shape
        q, k, v = (x.view(n, tokens, self.heads, -1).transpose(1, 2) for x in (q, k, v))
        weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(dim=-1)
        return self.out_proj((weights @ v).transpose(1, 2).reshape(n, tokens, -1)), None


# ---- shrunk.json ----

class Layout:
    """Layers by name. `whole`: as they were before anything was cut out."""

    def __init__(self, folder, whole):
        self.text = json.loads((Path(folder) / "shrunk.json").read_text(encoding="utf-8"))
        if self.text.get("format") != "pollard shrunk network" or self.text.get("version") != 1:
            raise ValueError(f"{folder}/shrunk.json: expected a shrunk network of pollard export, version 1")
        self.family = self.text["architecture"]["family"]
        self.facts = self.text["architecture"]["facts"]
        self.input = self.text["architecture"]["input"]
        self.whole = whole
        self.layers = {layer["name"]: layer for layer in self.text["layers"]}

    def _width(self, axis):
        return axis["of"] if self.whole or "kept" not in axis else len(axis["kept"])

    def outputs(self, name):
        return self._width(self.layers[name]["outputs"])

    def columns(self, name):
        return self._width(self.layers[name]["columns"])

    def heads(self, name):
        layer = self.layers[name]
        return layer["heads"] if self.whole else len(layer["heads_kept"])

    def sums(self, name):
        """The sums that read a layer, each as (its name, which input)."""
        return [(layer["name"], i) for layer in self.layers.values() if layer["type"] == "add"
                for i, other in enumerate(layer["inputs"]) if other == name]

    def places(self, total, index):
        """Where the channels of an input of a sum go; None: each to its own place."""
        places = self.layers[total]["places"][index]
        return None if self.whole or places == list(range(self.outputs(total))) else places

    def conv(self, name):
        layer = self.layers[name]
        return nn.Conv2d(self.columns(name), self.outputs(name), layer["kernel"], layer["stride"], layer["padding"],
                         layer["dilation"], layer["groups"], bias="bias" in layer)

    def norm(self, name, total=None, index=0):
        """The batch norm of convolution `name`; `total`: the sum that its channels go to."""
        eps = float(self.facts.get("bn_eps", 1e-5))
        places = None if total is None else self.places(total, index)
        if places is None:
            return nn.BatchNorm2d(self.outputs(name), eps=eps)
        return ScatterBatchNorm2d(self.outputs(name), places, self.outputs(total), eps)

    def linear(self, name):
        return nn.Linear(self.columns(name), self.outputs(name), bias="bias" in self.layers[name])

    def numbers(self, pattern):
        """The numbers that names have in the place of the group of `pattern`, ascending."""
        found = (re.match(pattern, name) for name in self.layers)
        return sorted({int(m.group(1)) for m in found if m})


# ---- VGG ----

class VGG(torchvision.models.VGG):
    """torchvision's, of any widths: without the large layers that its constructor makes."""

    def __init__(self, layout):
        nn.Module.__init__(self)
        self.features = nn.Sequential(*self._features(layout))
        self.avgpool = nn.AdaptiveAvgPool2d(tuple(layout.layers["avgpool"]["output"]))
        self.classifier = nn.Sequential(*self._classifier(layout))

    @staticmethod
    def _features(layout):
        modules = []
        for name, layer in layout.layers.items():
            if not name.startswith("features."):
                continue
            if layer["type"] == "conv2d":
                if name != f"features.{len(modules)}":
                    raise ValueError(f"expected features.{len(modules)}, found {name}")
                modules.append(layout.conv(name))
                modules += [layout.norm(name)] if "norm" in layer else []
            elif layer["type"] == "relu":
                modules.append(nn.ReLU(inplace=True))
            else:
                modules.append(nn.MaxPool2d(layer["kernel"], layer["stride"], layer["padding"]))
        return modules

    @staticmethod
    def _classifier(layout):
        modules = []
        for index in layout.numbers(r"classifier\.(\d+)$"):
            modules += [nn.ReLU(inplace=True), nn.Dropout()] if modules else []
            modules.append(layout.linear(f"classifier.{index}"))
        return modules


# ---- ResNet ----

def block_shortcut(layout, prefix, conv_name):
    """What stands in the shortcut of a block: convolution and norm, a Shortcut, or None where channels stay in their places."""
    total = prefix + "add"
    if prefix + conv_name in layout.layers:
        return nn.Sequential(layout.conv(prefix + conv_name), layout.norm(prefix + conv_name, total, 0))
    source = layout.layers[layout.layers[total]["inputs"][0]]
    stride = source["stride"] if source["type"] == "subsample" else 1
    if layout.whole:
        before = source["before"] if source["type"] == "subsample" else 0
        width = layout.layers[source["inputs"][0]]["outputs"]["of"] if source["type"] == "subsample" else source["outputs"]["of"]
        return None if stride == 1 and width == layout.outputs(total) else Shortcut(stride, list(range(before, before + width)),
                                                                                  layout.outputs(total))
    places = layout.places(total, 0)
    if stride == 1 and places is None:
        return None
    return Shortcut(stride, list(range(layout.outputs(total))) if places is None else places, layout.outputs(total))


def fill_block(block, layout, prefix):
    """The branch of a block: convolutions and norms, of which the last adds to the stream."""
    names = [f"conv{i}" for i in layout.numbers(re.escape(prefix) + r"conv(\d)$")]
    for i, name in enumerate(names):
        last = i + 1 == len(names)
        setattr(block, name, layout.conv(prefix + name))
        setattr(block, f"bn{i + 1}", layout.norm(prefix + name, prefix + "add" if last else None, 1))


def make_block(layout, prefix):
    """A block of torchvision's classes."""
    kind = Bottleneck if prefix + "conv3" in layout.layers else BasicBlock
    block = kind.__new__(kind)  # its constructor knows the published widths only
    nn.Module.__init__(block)
    fill_block(block, layout, prefix)
    block.relu = nn.ReLU(inplace=True)
    block.downsample = block_shortcut(layout, prefix, "downsample.0")
    block.stride = 1
    return block


def stage(layout, number, make):
    blocks = layout.numbers(rf"layer{number}\.(\d+)\.")
    return nn.Sequential(*(make(layout, f"layer{number}.{i}.") for i in blocks))


class ResNet(torchvision.models.ResNet):
    """torchvision's, of any widths."""

    def __init__(self, layout):
        nn.Module.__init__(self)
        stages = layout.numbers(r"layer(\d+)\.")
        if stages[-1] > 4:
            raise ValueError(f"torchvision's ResNet has four stages, this one {stages[-1]}")
        pool = layout.layers["maxpool"]
        self.conv1 = layout.conv("conv1")
        self.bn1 = layout.norm("conv1")
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(pool["kernel"], pool["stride"], pool["padding"])
        for number in range(1, 5):
            setattr(self, f"layer{number}", stage(layout, number, make_block))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = layout.linear("fc")


class CifarBlock(nn.Module):
    """A basic block whose shortcut has no parameters, or those of `shortcut.0` and `shortcut.1`."""

    def __init__(self, layout, prefix):
        super().__init__()
        fill_block(self, layout, prefix)
        self.shortcut = block_shortcut(layout, prefix, "shortcut.0")

    def forward(self, x):
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class CifarResNet(nn.Module):
    """ResNet for small images (ResNet-20, 32, ...), which torchvision does not have: a stem of 3x3 without pooling, a last layer `linear`."""

    def __init__(self, layout):
        super().__init__()
        self.conv1 = layout.conv("conv1")
        self.bn1 = layout.norm("conv1")
        self.stages = layout.numbers(r"layer(\d+)\.")
        for number in self.stages:
            setattr(self, f"layer{number}", stage(layout, number, CifarBlock))
        self.linear = layout.linear("linear")

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        for number in self.stages:
            x = getattr(self, f"layer{number}")(x)
        return self.linear(x.mean(dim=(2, 3)))


# ---- vision transformer ----

# timm's names, and the pattern of torchvision's.
TIMM = [(r"cls_token$", "class_token"), (r"pos_embed$", "encoder.pos_embedding"), (r"patch_embed\.proj\.", "conv_proj."),
        (r"norm\.", "encoder.ln."), (r"head\.", "heads.head."), (r"blocks\.(\d+)\.norm1\.", r"encoder.layers.encoder_layer_\1.ln_1."),
        (r"blocks\.(\d+)\.norm2\.", r"encoder.layers.encoder_layer_\1.ln_2."),
        (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_"),
        (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.encoder_layer_\1.self_attention.out_proj."),
        (r"blocks\.(\d+)\.mlp\.fc1\.", r"encoder.layers.encoder_layer_\1.mlp.0."),
        (r"blocks\.(\d+)\.mlp\.fc2\.", r"encoder.layers.encoder_layer_\1.mlp.3.")]


def torchvision_name(name):
    """The name that a tensor of timm's vision transformer has in torchvision's; others stay."""
    for pattern, ours in TIMM:
        if re.match(pattern, name):
            return re.sub("^" + pattern, ours, name)
    return name


def block_names(layout, block):
    """(attention, first and second MLP layer, sum behind the MLP) of a block, in either naming."""
    torchvisions = f"encoder.layers.encoder_layer_{block}."
    if torchvisions + "self_attention.softmax" in layout.layers:
        return [torchvisions + end for end in ("self_attention.softmax", "mlp.0", "mlp.3", "add_2")]
    return [f"blocks.{block}." + end for end in ("attn.softmax", "mlp.fc1", "mlp.fc2", "add_2")]


def vision_transformer(layout):
    layers = layout.layers
    patches = layers.get("conv_proj") or layers["patch_embed.proj"]
    blocks = layout.numbers(r"(?:encoder\.layers\.encoder_layer_|blocks\.)(\d+)\.")
    first, mlp, _, _ = block_names(layout, 0)
    norm = next(layer for layer in layers.values() if layer["type"] == "layernorm")
    if layout.input[1] != layout.input[2]:
        raise ValueError(f"torchvision's VisionTransformer takes square images, this one {layout.input[1]}x{layout.input[2]}")
    features = patches["outputs"]["of"]
    net = torchvision.models.VisionTransformer(
        layout.input[1], patches["kernel"][0], len(blocks), layers[first]["heads"], features, layers[mlp]["outputs"]["of"],
        num_classes=layout.text["architecture"]["classes"], norm_layer=functools.partial(nn.LayerNorm, eps=norm["eps"]))
    for i in blocks if not layout.whole else []:
        shrink_encoder(net.encoder.layers[i], layout, i, features)
    return net


def shrink_encoder(block, layout, index, features):
    attention, mlp_1, mlp_2, total = block_names(layout, index)
    heads = layout.layers[attention]["heads"]
    if layout.heads(attention) != heads:
        block.self_attention = HeadsAttention(features, layout.heads(attention), features // heads)
    block.mlp[0] = layout.linear(mlp_1)
    places = layout.places(total, 1)
    block.mlp[3] = layout.linear(mlp_2) if places is None else ScatterLinear(
        layout.columns(mlp_2), layout.outputs(mlp_2), places, features, True)


# ---- what one calls ----

FAMILIES = {"vgg": VGG, "resnet": ResNet, "resnet_cifar": CifarResNet, "vit": vision_transformer}


def build(folder, whole):
    """The network of an export without its weights: shrunk, or `whole` as it was."""
    layout = Layout(folder, whole)
    if layout.family not in FAMILIES:
        raise ValueError(f"{folder}/shrunk.json: expected a network of the families {', '.join(FAMILIES)}, found {layout.family}")
    return FAMILIES[layout.family](layout)


def load(folder, file, whole):
    net = build(folder, whole)
    tensors, _ = read_safetensors(Path(folder) / file)
    net.load_state_dict({torchvision_name(name): t for name, t in tensors.items()}, strict=True)
    return net.eval()


def load_shrunk(folder):
    """The small network, in evaluation mode."""
    return load(folder, "shrunk.safetensors", whole=False)


def load_masked(folder):
    """The network of the old shapes with zeros, in evaluation mode."""
    return load(folder, "masked.safetensors", whole=True)


def load_masks(folder):
    """{"features.0.weight_mask": 0/1, ...}"""
    return {torchvision_name(name): t for name, t in read_safetensors(Path(folder) / "masks.safetensors")[0].items()}


def apply_masks(net, masks):
    """Prunes a network with torch.nn.utils.prune: every mask in the module of its name, as one that stays while it is trained."""
    modules = dict(net.named_modules())
    for name, mask in masks.items():
        module, parameter = name[:-len("_mask")].rsplit(".", 1)
        prune.custom_from_mask(modules[module], parameter, mask)
    return net


def main(folder):
    masked, shrunk = load_masked(folder), load_shrunk(folder)
    images = torch.randn(16, *Layout(folder, True).input)
    with torch.no_grad():
        a, b = masked(images), shrunk(images)
    counts = [sum(p.numel() for p in net.parameters()) for net in (masked, shrunk)]
    print(f"{type(shrunk).__name__}: {counts[1]} parameters of {counts[0]}")
    print(f"largest difference {((a - b).abs().amax(1) / a.abs().amax(1)).max():.2g} of an image's largest logit, on 16 random images")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
