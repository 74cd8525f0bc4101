#!/usr/bin/env python3
"""Exported networks in PyTorch.

check_export.py make FOLDER                   random networks of the architectures that no example has, each with a model.json
check_export.py compare IMAGES EXPORT...      loads each export strictly, masked and shrunk, and compares both with our own engine on every
                                              image of the folder: the same prediction, logits within 1e-4, and the result's accuracy

Exit code 77 where PyTorch, torchvision or Pillow is not installed. PREDICT names tests/support/predict.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import torch
    import torchvision
    from PIL import Image
except ImportError as reason:
    print(f"skipped: {reason}")
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import pollard_export as export

TOLERANCE = 1e-4
TIE = 1e-5  # of the largest logit: nearer ones may change places between two programs


# ---- random networks ----

def randomise(net):
    """Weights and norms that keep activations alive, so that a wrong index shows in the logits."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, std=0.2)
    return net.state_dict()


class Bottlenecks(torchvision.models.ResNet):
    """ResNet-50's blocks, two a stage, in small."""

    def __init__(self):
        super().__init__(torchvision.models.resnet.Bottleneck, [1, 2, 1, 2], num_classes=10)
        self.inplanes = 8
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 8, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(8)
        for stage, width in enumerate([4, 8, 12, 16]):
            layer = self._make_layer(torchvision.models.resnet.Bottleneck, width, [1, 2, 1, 2][stage], stride=1 if stage == 0 else 2)
            setattr(self, f"layer{stage + 1}", layer)
        self.fc = torch.nn.Linear(64, 10)


def vgg():
    layers, channels = [], 3
    for width in [8, "M", 16, 16, "M", 24, "M"]:
        layers += [torch.nn.MaxPool2d(2, 2)] if width == "M" else [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
        channels = channels if width == "M" else width
    net = torch.nn.Module()
    net.features = torch.nn.Sequential(*layers)
    net.classifier = torch.nn.Sequential(torch.nn.Linear(24 * 4, 32), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(32, 10))
    return net


def option_b():
    """A CIFAR ResNet whose shortcuts have a convolution where the size changes."""
    def block(inputs, outputs, stride):
        b = torch.nn.Module()
        b.conv1, b.bn1 = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), torch.nn.BatchNorm2d(outputs)
        b.conv2, b.bn2 = torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(outputs)
        b.shortcut = torch.nn.Sequential()
        if stride != 1 or inputs != outputs:
            b.shortcut = torch.nn.Sequential(torch.nn.Conv2d(inputs, outputs, 1, stride, bias=False), torch.nn.BatchNorm2d(outputs))
        return b

    net = torch.nn.Module()
    net.conv1, net.bn1 = torch.nn.Conv2d(3, 8, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(8)
    net.layer1 = torch.nn.Sequential(block(8, 8, 1), block(8, 8, 1))
    net.layer2 = torch.nn.Sequential(block(8, 16, 2), block(16, 16, 1))
    net.layer3 = torch.nn.Sequential(block(16, 24, 2))
    net.linear = torch.nn.Linear(24, 10)
    return net


def timm_vit():
    """torchvision's transformer under timm's names, with other settings than the example."""
    net = torchvision.models.VisionTransformer(16, 8, 3, 3, 24, 40, num_classes=10)
    state, out = randomise(net), {}
    torch.nn.init.normal_(state["encoder.pos_embedding"], std=0.5)
    torch.nn.init.normal_(state["class_token"], std=0.5)
    for name, tensor in state.items():
        for ours, theirs in [("class_token", "cls_token"), ("encoder.pos_embedding", "pos_embed"), ("conv_proj", "patch_embed.proj"),
                             ("encoder.layers.encoder_layer_", "blocks."), (".ln_1.", ".norm1."), (".ln_2.", ".norm2."),
                             (".self_attention.in_proj_", ".attn.qkv."), (".self_attention.out_proj.", ".attn.proj."), (".mlp.0.", ".mlp.fc1."),
                             (".mlp.3.", ".mlp.fc2."), ("encoder.ln.", "norm."), ("heads.head.", "head.")]:
            name = name.replace(ours, theirs)
        out[name] = tensor
    return out


def make(folder):
    torch.manual_seed(1)
    networks = {"bottlenecks": randomise(Bottlenecks()), "vgg_plain": randomise(vgg()), "option_b": randomise(option_b()),
                "timm_vit": timm_vit()}
    for name, state in networks.items():
        (folder / name).mkdir(parents=True)
        torch.save(state, folder / name / "model.pth")
        facts = {"image_size": "16x16", "mean": "0.5,0.5,0.5", "std": "0.5,0.5,0.5", "num_classes": 10}
        facts.update({"num_heads": 3} if name == "timm_vit" else {})
        (folder / name / "model.json").write_text(json.dumps(facts))


# ---- comparison ----

def read_images(folder, layout):
    """All images by class folder and name, as the network wants them, and their classes."""
    _, height, width = layout.input
    mean, std = ([float(x) for x in layout.facts[key].split(",")] for key in ("mean", "std"))
    images, labels = [], []
    for label, path in enumerate(sorted(p for p in Path(folder).iterdir() if p.is_dir())):
        for file in sorted(path.iterdir()):
            picture = Image.open(file).convert("RGB")
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.BILINEAR)
            pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(height, width, 3)
            images.append(pixels.permute(2, 0, 1).float() / 255)
            labels.append(label)
    normalise = torchvision.transforms.Normalize(mean, std)
    return normalise(torch.stack(images)), torch.tensor(labels)


def predict(folder, images):
    """Logits of the masked network by our own engine."""
    with tempfile.TemporaryDirectory() as work:
        data, out = Path(work) / "images", Path(work) / "logits"
        # Through a mapped file: bytes(storage) takes a Python call for each byte, minutes for the images of CIFAR-10. No NumPy, which PyTorch does without.
        torch.from_file(str(data), shared=True, size=images.numel()).copy_(images.flatten())
        subprocess.run([os.environ["PREDICT"], str(Path(folder) / "masked.safetensors"), str(data), str(out)], check=True)
        return torch.frombuffer(bytearray(out.read_bytes()), dtype=torch.float32).view(len(images), -1)


def run(net, images):
    with torch.no_grad():
        return torch.cat([net(part) for part in images.split(128)])


def compare_logits(what, expected, found):
    """The number of images whose prediction differs by more than a tie does."""
    most = expected.abs().amax(1)
    difference = ((expected - found).abs().amax(1) / most.clamp(min=1e-30)).max().item()
    top = expected.topk(2, dim=1).values
    tied = (top[:, 0] - top[:, 1]) <= TIE * most
    wrong = ((expected.argmax(1) != found.argmax(1)) & ~tied).sum().item()
    if not difference <= TOLERANCE or wrong > 0:
        raise SystemExit(f"{what}: logits differ by {difference:.2g}, predictions on {wrong} images")
    return difference


def compare(images_folder, folder, cache):
    layout = export.Layout(folder, whole=False)
    key = (tuple(layout.input), layout.facts["mean"], layout.facts["std"])
    if key not in cache:
        cache[key] = read_images(images_folder, layout)
    images, labels = cache[key]
    masked, shrunk = export.load_masked(folder), export.load_shrunk(folder)
    expected = run(masked, images)
    small = compare_logits(f"{folder}: masked and shrunk", expected, run(shrunk, images))
    ours = compare_logits(f"{folder}: masked, by PyTorch and by our engine", expected, predict(folder, images))
    accuracy = (expected.argmax(1) == labels).double().mean().item()
    stated = layout.text["pruning"]["accuracy"]
    if len(layout.text["pruning"]["classes"]) == layout.text["architecture"]["classes"] and abs(accuracy - stated) > 1.5 / len(labels):
        raise SystemExit(f"{folder}: accuracy {accuracy} of PyTorch, {stated} of the result")
    sizes = [sum(p.numel() for p in net.parameters()) for net in (masked, shrunk)]
    if layout.text["pruning"]["removed"] > 0 and not sizes[1] < sizes[0]:
        raise SystemExit(f"{folder}: {sizes[1]} parameters of {sizes[0]}: nothing was cut")
    check_masks(folder, masked)
    print(f"{layout.text['pruning']['model']:14} {layout.text['pruning']['kind']:8} rate {layout.text['pruning']['rate']:.2f}: "
          f"{sizes[1]:7d} of {sizes[0]:7d} parameters, {len(images)} images, accuracy {accuracy:.4f} ({stated:.4f}), "
          f"shrunk {small:.1e}, ours {ours:.1e}")


def check_masks(folder, masked):
    """torch.nn.utils.prune with the masks on random weights: zero exactly where the masked network is, and named like its parameters."""
    masks = export.load_masks(folder)
    net = export.build(folder, whole=True)
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, 1.0, 2.0)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    export.apply_masks(net, masks)
    for name, mask in masks.items():
        module, parameter = name[:-len("_mask")].rsplit(".", 1)
        pruned = getattr(dict(net.named_modules())[module], parameter)
        if not torch.equal(pruned, before[f"{module}.{parameter}"] * mask):
            raise SystemExit(f"{folder}: the mask of {name} is not applied")
        if (dict(masked.named_parameters())[f"{module}.{parameter}"][mask == 0] != 0).any():
            raise SystemExit(f"{folder}: {name} removes what the masked network has")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 3 and sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    elif len(sys.argv) > 3 and sys.argv[1] == "compare":
        seen = {}
        for one in sys.argv[3:]:
            compare(sys.argv[2], one, seen)
    else:
        sys.exit(__doc__)
