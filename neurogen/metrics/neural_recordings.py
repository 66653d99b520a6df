"""Neural recordings beside the layers of a network: what both do with the same stimuli.

A file (.npz) of the user's own has

    stimuli     (M, C, H, W) uint8, or float in [0, 1]: what was shown
    responses   (M, F): rates or counts of F neurons, or (R, M, F), measured R times

A layer's features are the mean rates of its neurons over time steps. None such ship. Shapes: M stimuli, F neurons.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.metrics.errors import MetricError
from neurogen.metrics.similarity import LEAST, Ceiling, linear_cka, noise_ceiling, representational_similarity

BATCH = 32  # stimuli at once


@dataclass(frozen=True, eq=False)
class NeuralRecordings:
    """stimuli: (M, C, H, W) float32 in [-1, 1], as models take images; repeats: (R, M, F) float64."""

    stimuli: Tensor
    repeats: NDArray[np.float64]

    @property
    def responses(self) -> NDArray[np.float64]:
        """(M, F), the mean of repeats."""
        return self.repeats.mean(0)

    def ceiling(self) -> Ceiling | None:
        """What a perfect model of these neurons would score in RSA, or None for a single repeat."""
        return noise_ceiling(self.repeats) if len(self.repeats) > 1 else None


@dataclass(frozen=True)
class Likeness:
    """Of a layer and recorded neurons; None where no figure is defined, as for a layer that is silent."""

    layer: str
    rsa: float | None
    cka: float | None
    cka_debiased: float | None


def read_recordings(path: str | Path) -> NeuralRecordings:
    """Such a file; raises MetricError (one sentence) for one that is not."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in ("stimuli", "responses") if name not in arrays.files]
            if missing:
                raise MetricError(f"{path}: expected arrays stimuli and responses, {missing[0]} is missing; add it")
            stimuli, responses = arrays["stimuli"], arrays["responses"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        if isinstance(error, MetricError):
            raise
        said = " ".join(str(error).split())[:80]
        raise MetricError(
            f"{path}: expected an .npz of stimuli and responses, {said}; write one by np.savez"
        ) from error
    return NeuralRecordings(_stimuli(stimuli, path), _repeats(responses, len(stimuli), path))


def layer_rates(module: nn.Module, run: Callable[[Tensor], object], stimuli: Tensor) -> dict[str, NDArray[np.float32]]:
    """{layer: (M, F) mean rates of its neurons over steps} while `run` takes stimuli (M, ...) in batches.

    module: holds the layers; run: passes (m, ...) through it, as `lambda x: network.encode(x, uniforms)`. Its mode is
    the caller's. A layer that runs twice keeps its last rates.
    """
    parts: list[dict[str, NDArray[np.float32]]] = []
    with torch.no_grad():
        for batch in stimuli.split(BATCH):
            with _collected(module) as rates:
                run(batch)
            parts.append({name: value.cpu().float().numpy() for name, value in rates.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compared(layers: dict[str, NDArray[np.float32]], responses: NDArray[np.float64]) -> list[Likeness]:
    """Each layer's features (M, F) against responses (M, G); raises MetricError for another number of stimuli."""
    for name, features in layers.items():
        if len(features) != len(responses):
            raise MetricError(
                f"expected features of the {len(responses)} stimuli, got {len(features)} of {name}; show it all of them"
            )
    return [
        Likeness(
            name,
            _defined(representational_similarity, features, responses),
            _defined(linear_cka, features, responses),
            _defined(partial(linear_cka, debiased=True), features, responses),
        )
        for name, features in layers.items()
    ]


def _defined(
    figure: Callable[[ArrayLike, ArrayLike], float], features: ArrayLike, responses: ArrayLike
) -> float | None:
    try:
        return figure(features, responses)
    except MetricError:
        return None


@contextmanager
def _collected(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """{layer: (N, F) mean rates} of what passes while the block runs."""
    found: dict[str, Tensor] = {}

    def watch(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def keep(_layer: nn.Module, _inputs: object, spikes: Tensor) -> None:
            found[name] = spikes.detach().mean(0).flatten(1)

        return layer.register_forward_hook(keep)

    handles = [watch(name, layer) for name, layer in module.named_modules() if isinstance(layer, BaseNode)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _stimuli(stimuli: NDArray[np.generic], path: str | Path) -> Tensor:
    if stimuli.ndim != 4 or len(stimuli) < LEAST:
        raise MetricError(
            f"{path}: expected stimuli (M, C, H, W), {LEAST} or more, got {stimuli.shape}; bring them to this form"
        )
    whole = stimuli.dtype == np.uint8
    x = stimuli.astype(np.float32) / (255 if whole else 1)
    if not (np.isfinite(x).all() and x.min() >= 0 and x.max() <= 1):
        raise MetricError(
            f"{path}: expected stimuli as uint8, or float in [0, 1], got {stimuli.dtype} beyond; scale them"
        )
    return torch.from_numpy(2 * x - 1)


def _repeats(responses: NDArray[np.generic], stimuli: int, path: str | Path) -> NDArray[np.float64]:
    if not np.issubdtype(responses.dtype, np.number) or responses.ndim not in (2, 3) or 0 in responses.shape:
        raise MetricError(
            f"{path}: expected responses (M, F) or (R, M, F), numbers, got {responses.dtype} {responses.shape}; bring "
            "them to this form"
        )
    repeats = responses.astype(np.float64)[None] if responses.ndim == 2 else responses.astype(np.float64)
    if repeats.shape[1] != stimuli:
        raise MetricError(
            f"{path}: expected responses to each of {stimuli} stimuli, got {repeats.shape[1]}; give one row a stimulus"
        )
    if not np.isfinite(repeats).all():
        raise MetricError(f"{path}: expected finite responses, got NaN or infinity; leave these neurons out")
    return repeats
