"""LPIPS (Zhang et al. 2018): distance of unit-normalised VGG16 features, weighted per channel by linear heads.

Weights come from paths: torchvision's vgg16-397923af.pth and the heads of LPIPS v0.1 (vgg.pth). Nothing is fetched.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

ENDS = (4, 9, 16, 23, 30)  # the features after relu1_2, 2_2, 3_3, 4_3, 5_3
WIDTHS = (64, 128, 256, 512, 512)  # channels there
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class LPIPS(nn.Module):
    """x, y: (N, 1 or 3, H, W) in [-1, 1] -> (N,) distances."""

    def __init__(self, vgg_path: str | None, heads_path: str | None) -> None:
        super().__init__()
        vgg = _weights(vgg_path, "losses.vgg_path", "torchvision's vgg16-397923af.pth")
        heads = _weights(heads_path, "losses.lpips_path", "the LPIPS heads vgg.pth")
        features = _features(vgg, vgg_path)
        starts = (0, *ENDS[:-1])
        self.slices = nn.ModuleList(features[a:b] for a, b in zip(starts, ENDS, strict=True))
        self.heads = nn.ParameterList(nn.Parameter(head) for head in _heads(heads, heads_path))
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> LPIPS:
        """Always in eval mode: it measures."""
        del mode
        return super().train(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        a, b = ((image - self.shift) / self.scale for image in (x, y))
        total = x.new_zeros(len(x))
        for part, head in zip(self.slices, self.heads, strict=True):
            a, b = part(a), part(b)
            distance = (_unit(a) - _unit(b)).square()
            total = total + nn.functional.conv2d(distance, head).mean((1, 2, 3))
        return total


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _weights(path: str | None, key: str, what: str) -> dict[str, Tensor]:
    if path is None or not Path(path).is_file():
        raise ValueError(f"expected {what} at {key}, found {path or 'no path'}; set the path or losses.perceptual=off")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"expected {what} at {key}, {path} is damaged or another file; fetch it anew") from error
    return weights if isinstance(weights, dict) else {}


def _features(weights: dict[str, Tensor], path: str | None) -> nn.Sequential:
    """VGG16 up to relu5_3; the classifier, nine tenths of the file, is never built."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        features = vgg16(weights=None).features[: ENDS[-1]]
    convolutions = {name.removeprefix("features."): t for name, t in weights.items() if name.startswith("features.")}
    try:
        features.load_state_dict(convolutions, assign=True)
    except RuntimeError as error:
        raise ValueError(f"expected torchvision's VGG16 at losses.vgg_path, {path} holds another network") from error
    for layer in features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return features


def _heads(weights: dict[str, Tensor], path: str | None) -> list[Tensor]:
    """Per slice a 1x1 convolution (1, C, 1, 1) that weighs the channels."""
    heads = [weights.get(f"lin{i}.model.1.weight") for i in range(len(WIDTHS))]
    if any(h is None or h.shape != (1, width, 1, 1) for h, width in zip(heads, WIDTHS, strict=True)):
        raise ValueError(f"expected the five LPIPS heads for VGG16 at losses.lpips_path, {path} holds something else")
    return [head for head in heads if head is not None]
