"""Inception networks with seeded random weights, as files: what the official ones are used for, without them."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor, nn


def write_random_inception(path: Path, seed: int = 0) -> Path:
    """A .pth for torch-fidelity's Inception; its features of different images differ."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unfilled(FeatureExtractorInceptionV3):
        def load_state_dict(self, state: object) -> None:  # type: ignore[override]
            """Leaves the weights alone: making the network asks for a file of them."""

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    torch.save(randomised(Unfilled("x", ["2048"], feature_extractor_weights_path=nothing), seed), path)
    return path


def randomised(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """The network's state with He's weights, so that signals neither die nor explode over its depth.

    The last layer is stronger: else all images have nearly the same classes, and a score of 1.
    """
    generator = torch.Generator().manual_seed(seed)
    state = network.state_dict()
    for name, tensor in state.items():
        if tensor.ndim > 1:
            spread = (2 / tensor[0].numel()) ** 0.5 * (40 if name == "fc.weight" else 1)
            state[name] = torch.randn(tensor.shape, generator=generator) * spread
        elif name.endswith(("running_mean", "bias")):
            state[name] = 0.1 * torch.randn(tensor.shape, generator=generator)
    return state
