"""Operations of the parts that add up time steps, beside those of the layers in them: read-outs and densities.

A weighted sum of spikes over the steps is an accumulate a spike. The convolution behind it is linear and runs once, on
real values, so that it multiplies; a chip that ran it at every step would accumulate there, T times as often. A
membrane that leaks, and a memory that frames are blended into, multiply once a value and step, however they are
computed here. Shapes: T steps, N items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from neurogen.blocks.attention_scoring import AttentionScoring
from neurogen.blocks.decayed_readout import DecayedReadOut
from neurogen.blocks.mixture_density import MixtureDensity
from neurogen.blocks.output_stage import MembraneStage, ScoringStage
from neurogen.blocks.temporal_readout import TemporalReadOut
from neurogen.metrics.fan_out import fan_out
from neurogen.metrics.work import LayerWork
from neurogen.models.sae import MembraneReadOut

Rule = Callable[[LayerWork, Any, Any, Any], None]


def readout_rules(layer: nn.Module) -> Iterator[tuple[nn.Module, str, Rule]]:
    """What to watch of a read-out, as `operations` has it; nothing for other layers."""
    if isinstance(layer, DecayedReadOut) and layer.event:
        yield layer, "leak", _leak
    elif isinstance(layer, (DecayedReadOut, MembraneReadOut)):
        yield layer, "conv", _convolution_of_the_sum
    elif isinstance(layer, MembraneStage):
        yield layer, "membrane", _leak if layer.event else _sum
    elif isinstance(layer, ScoringStage):
        yield layer, "blending", _blending


def count_draw(work: LayerWork, density: MixtureDensity, items: int) -> None:
    """So many vectors drawn: a Cholesky factor times normal numbers. It is host work, and no layer."""
    products = items * density.dim**2
    work.multiplied += products
    work.once += products
    work.frames += items


def _convolution_of_the_sum(
    work: LayerWork, layer: DecayedReadOut | MembraneReadOut, inputs: tuple[Tensor, ...], image: Tensor
) -> None:
    (spikes,) = inputs  # (T, N, C, h, w)
    _sum(work, layer, inputs, image)
    if isinstance(layer, TemporalReadOut):  # whose weights follow from the mean of each channel and step
        _sum(work, layer, inputs, image)
    reached = (spikes != 0).any(0)  # (N, C, h, w)
    taps = fan_out(layer.conv, (spikes.shape[-2], spikes.shape[-1]), (image.shape[-2], image.shape[-1]))
    work.connections += reached.shape[:2].numel() * int(taps.sum())
    work.reached += int((reached.sum((0, 1)).cpu() * taps).sum())
    work.spikes_only = False
    work.frames += len(image)


def _sum(work: LayerWork, _layer: Any, inputs: tuple[Tensor, ...], _image: Any) -> None:
    (spikes,) = inputs
    work.added += int(torch.count_nonzero(spikes))


def _leak(work: LayerWork, _layer: Any, _inputs: Any, frames: Tensor) -> None:
    work.multiplied += frames.numel()  # a membrane an output and step


def _blending(work: LayerWork, stage: ScoringStage, inputs: tuple[Tensor, ...], seen: Tensor) -> None:
    (spikes,) = inputs
    steps, items = spikes.shape[:2]
    values = seen.numel() if stage.event else steps * seen.numel()
    work.multiplied += values
    if isinstance(stage.scoring, AttentionScoring):  # the features' memory, and a product of query and key
        features = stage.scoring.project.out_features + stage.scoring.width
        work.multiplied += (steps - 1) * items * features
