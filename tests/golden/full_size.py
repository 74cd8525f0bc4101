#!/usr/bin/env python3
"""full_size.py NETWORK FOLDER: a network of torchvision's shape with random weights, as PyTorch saves it, two images and its logits.

Writes net.pth, images.f32 [2,3,H,W] and logits.f32 [2,classes]; exit code 77 where PyTorch or torchvision is not installed. Batch norms
get statistics of their own, so that folding them matters; heads get weights, since torchvision's start at 0.
NETWORK: a name of torchvision.models, or deit_tiny, deit_small, deit_base: the same network in timm's names, as the DeiT files have them.
"""
import pathlib
import re
import sys

try:
    import torch
    import torchvision
except ImportError as error:
    print(error)
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from random_torch import random_norms  # noqa: E402

DEIT = {"deit_tiny": (192, 3), "deit_small": (384, 6), "deit_base": (768, 12)}
TIMM = [("class_token", "cls_token"), ("encoder.pos_embedding", "pos_embed"), ("conv_proj", "patch_embed.proj"),
        (r"encoder\.layers\.encoder_layer_", "blocks."), ("encoder.ln", "norm"), ("heads.head", "head"), ("ln_", "norm"),
        ("self_attention.in_proj_", "attn.qkv."), ("self_attention.out_proj", "attn.proj"), (r"mlp\.0", "mlp.fc1"), (r"mlp\.3", "mlp.fc2"),
        (r"mlp\.linear_1", "mlp.fc1"), (r"mlp\.linear_2", "mlp.fc2")]


def timm_name(name):
    for theirs, timm in TIMM:
        name = re.sub(theirs, timm, name)
    return name


def main(name, folder):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    if name in DEIT:
        width, heads = DEIT[name]
        net = torchvision.models.VisionTransformer(224, 16, 12, heads, width, 4 * width)
    else:
        net = getattr(torchvision.models, name)()
    random_norms(net)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        logits = net(images)
    state = net.state_dict()
    if name in DEIT:
        state = {"model": {timm_name(key): value for key, value in state.items()}}
    torch.save(state, folder / "net.pth")
    for file, values in (("images.f32", images), ("logits.f32", logits)):
        (folder / file).write_bytes(values.numpy().tobytes())


main(sys.argv[1], pathlib.Path(sys.argv[2]))
