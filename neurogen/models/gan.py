"""Generators of the spiking GANs (arXiv 2305.10246): SGAN, SWGAN and SGAD, which differ in their last stage.

    z -> [linear - BN - LIF] x 2 -> [transposed conv 4x4, stride 2 - BN - LIF] x (levels - 1)
      -> transposed conv 4x4, stride 2 -> output stage (`blocks/output_stage.py`)

Batch norm is of each time step by itself. z is shown at every step, so that the first layer is computed once; by label,
a learned vector of the same length stands beside it. A latent is a normal vector (N, L); under ttfs coding a uniform
one, which is coded; under rate coding the spikes drawn of a uniform one, (T, N, L). Inside all is in [0, 1], values
are in model units. Shapes: T steps, N items, L latents.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks.output_stage import make_output_stage, unit_range
from neurogen.blocks.step_norm import StepNorm, StepStage
from neurogen.coding import coded, first_spikes, rate_spikes
from neurogen.config import GANConfig
from neurogen.models.latent_network import LatentNetwork
from neurogen.neurons import make_neuron

SMALLEST = 2.0**-54  # of a uniform number before the normal it stands for: half the least above 0


class Generator(LatentNetwork):
    """The generator of a configuration."""

    encodes = False

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        model = config.model
        self.steps, self.coding, self.latent, self.classes = model.steps, model.coding, model.latent, model.classes
        self.item_axis = 1 if model.coding == "rate" else 0
        self.draws = model.latent * (1 + model.steps if model.coding == "rate" else 1)
        self.range = unit_range(config)
        self.shape = (model.widths[0], model.start, model.start)
        units = model.widths[0] * model.start**2
        if model.classes:
            self.label = nn.Embedding(model.classes, model.latent)
        inputs = model.latent * (2 if model.classes else 1)
        self.first = StepStage(
            nn.Linear(inputs, model.hidden, bias=False), StepNorm(model.hidden), make_neuron(config.neurons)
        )
        self.second = StepStage(
            nn.Linear(model.hidden, units, bias=False), StepNorm(units), make_neuron(config.neurons)
        )
        self.stages = nn.Sequential(
            *(
                StepStage(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), StepNorm(b), make_neuron(config.neurons))
                for a, b in pairwise(model.widths)
            )
        )
        self.output = make_output_stage(config)

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents of uniforms (N, draws) float64; labels change nothing."""
        x = uniforms[:, : self.latent]
        if self.coding in ("direct", "event"):
            return torch.special.ndtri(x.clamp_min(SMALLEST)).to(self.dtype)
        if self.coding == "ttfs":
            return x.to(self.dtype)
        chances = uniforms[:, self.latent :].unflatten(1, (self.steps, self.latent))
        return rate_spikes(x, chances.transpose(0, 1)).to(self.dtype)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) or recordings (N, T, 2, H, W) of latents, by labels (N,) where there are classes.

        Raises ValueError for latents of another shape, or labels that are missing.
        """
        return self.range.outside(self.output.item(self.output(self._drive(latents, labels))))

    def judged(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """What a discriminator sees of latents, in [0, 1]: frames (T, N, C, H, W), or an image (N, C, H, W) that it is
        shown at every step. Errors as in `decode`."""
        seen = self.output(self._drive(latents, labels))
        return seen if seen.dim() == 5 else coded(seen, self.coding, self.steps)

    def stream(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Latents (N, L), those of the step where they are spikes, and the image so far or the recording's frames.

        SGAN's mean, SWGAN's sigmoid of the membrane, SGAD's memory v_t; the last is what `decode` gives.
        """
        latents = self.draw(uniforms, labels)
        values = self.range.outside(self.output.so_far(self._drive(latents, labels)))
        for t in range(self.steps):
            so_far = values[: t + 1].transpose(0, 1) if self.coding == "event" else values[t]
            yield (latents[t] if self.item_axis else latents), so_far

    @property
    def dtype(self) -> torch.dtype:
        """Of weights."""
        return self.output.layer.weight.dtype

    def _drive(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Spikes (T, N, C, h, w) before the output stage."""
        functional.reset_net(self)
        x = self.given(latents, labels)
        first = self.first(x) if x.dim() == 3 else self.first.forward_constant(x, self.steps)
        spikes = self.second(first)
        maps = spikes.flatten(0, 1).unflatten(1, self.shape).contiguous(memory_format=torch.channels_last)
        return self.stages(maps.unflatten(0, spikes.shape[:2]))

    def given(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """What the first layer takes: (N, F), shown at every step, or (T, N, F). Errors as in `decode`."""
        shape = (self.steps, "N", self.latent) if self.item_axis else ("N", self.latent)
        if latents.dim() != len(shape) or any(m != n for m, n in zip(latents.shape, shape, strict=True) if n != "N"):
            raise ValueError(
                f"expected latents ({', '.join(map(str, shape))}), got {tuple(latents.shape)}; give those that this "
                "generator draws"
            )
        latents = latents.to(self.dtype)
        steps = first_spikes(latents, self.steps) if self.coding == "ttfs" else latents
        if self.classes:
            if labels is None:
                raise ValueError(f"expected labels below {self.classes} for each of the latents, got none; give them")
            label = self.label(labels)
            steps = torch.cat((steps, label.expand(*steps.shape[:-1], -1)), -1)
        return steps
