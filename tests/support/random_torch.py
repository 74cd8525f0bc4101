"""Random weights for torchvision's networks, for who imports it with this folder on sys.path."""
import torch
import torchvision


def random_norms(net):
    """Batch norms get statistics of their own, so that folding them matters, and transformers' heads weights, since torchvision's start at 0."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, std=0.1)
    if isinstance(net, torchvision.models.VisionTransformer):
        torch.nn.init.normal_(net.heads.head.weight, std=0.1)
    return net.eval()
