#!/usr/bin/env python3
"""Small checkpoints in both of PyTorch's formats, for test_torch_checkpoint.c. Needs PyTorch; made with 1.13.1."""
import collections
import pathlib

import torch

here = pathlib.Path(__file__).parent
count = torch.arange(24, dtype=torch.float32)
shared = torch.arange(100, 140, dtype=torch.float32)
tensors = collections.OrderedDict([
    ("plain", count.reshape(2, 3, 4).clone()),
    ("half", (count / 8 - 1).half()),
    ("bfloat", (count / 8 - 1).bfloat16()),
    ("double", (count / 8 - 1).double()),
    ("transposed", count.reshape(4, 6).clone().t()),        # [6,4], strides 1 and 6
    ("sliced", shared[5:25].reshape(4, 5)[:, 1:4:2]),       # [4,2], strides 5 and 2, offset 6
    ("shared", shared[30:40]),                              # the same storage
    ("steps", torch.tensor(7)),
    ("empty", torch.zeros(0, 3)),
    ("parameter", torch.nn.Parameter(count[:3].clone())),
])
module = collections.OrderedDict(("module." + name, value) for name, value in tensors.items())
module._metadata = collections.OrderedDict([("", {"version": 1})])
wrapped = {"epoch": 3, "best": 0.5, "note": "a text", "none": None, "flags": [True, False], "large": 1 << 70,
           "optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}, "state_dict": module}
for name, zipped in (("zip", True), ("legacy", False)):
    torch.save(tensors, here / f"{name}.pt", _use_new_zipfile_serialization=zipped)
    torch.save(wrapped, here / f"{name}_wrapped.pt", _use_new_zipfile_serialization=zipped)
torch.save({"model": {"w": count.clone()}, "state_dict_ema": {"w": count + 1}}, here / "averaged.pt")
torch.save({"model": torch.nn.Linear(2, 3)}, here / "whole_model.pt")
