"""The spiking autoencoder of snnTorch's tutorial (A. Loeffler), and a repaired one whose bottleneck fires.

    x -> [conv - BN - LIF] x levels -> linear (- BN) - LIF: spikes z (T, N, C)
      -> linear - LIF (- LIF) -> [transposed conv - BN - LIF] x (levels - 1) -> transposed conv -> membrane

    u_t = beta u_(t-1) + y_t,   image = u_T = sum_t beta^(T-t) y_t,   loss = mean (x - u_T)^2, or the mean over all u_t

Values are in [0, 1] inside, so the loss is a quarter of that of model units, [-1, 1]. As published (3 levels, 32 to 128
channels, 32 neurons in the bottleneck, one image channel) it has 319,009 parameters, and at first nothing passes the
bottleneck. Batch norm is of each step by itself. It samples by a density of all T C bits of a code,
fitted after training; rates alone would not say when a neuron fires, which a decaying membrane weighs.
Shapes: T steps, N items, C neurons of the bottleneck.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks.decayed_readout import decayed_sum, running_sums
from neurogen.blocks.fold import fold
from neurogen.blocks.mixture_density import MixtureDensity
from neurogen.blocks.step_norm import StepNorm, StepStage
from neurogen.config_sae import SAEConfig, SAEModelConfig, SAENeuronConfig
from neurogen.full_precision import full_precision, wide
from neurogen.models.latent_network import LatentNetwork
from neurogen.neurons import make_neuron


class SAEEncoder(nn.Module):
    """Images (N, C, H, W) in [0, 1] -> spikes (T, N, channels)."""

    def __init__(self, channels: int, resolution: int, config: SAEModelConfig, neurons: SAENeuronConfig) -> None:
        super().__init__()
        self.steps = config.steps
        sizes, out = (channels, *config.widths), config.channels
        self.stages = nn.Sequential(
            *(StepStage(nn.Conv2d(a, b, 3, 2, 1), StepNorm(b), make_neuron(neurons)) for a, b in pairwise(sizes))
        )
        side = resolution >> len(config.widths)
        norm = StepNorm(out) if config.bottleneck_norm else None
        self.last = StepStage(nn.Linear(config.widths[-1] * side**2, out), norm, make_neuron(neurons))

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.stages[0].forward_constant(x.contiguous(memory_format=torch.channels_last), self.steps)
        return self.last(self.stages[1:](spikes).flatten(2))


class SAEDecoder(nn.Module):
    """Spikes (T, N, channels) -> (T, N, widths[0], H/2, W/2); membranes are kept between calls."""

    def __init__(self, resolution: int, config: SAEModelConfig, neurons: SAENeuronConfig) -> None:
        super().__init__()
        widths, side = config.widths[::-1], resolution >> len(config.widths)
        self.shape = (widths[0], side, side)
        self.first = StepStage(nn.Linear(config.channels, widths[0] * side**2), None, make_neuron(neurons))
        self.second = make_neuron(neurons) if config.second_neuron else nn.Identity()
        self.stages = nn.Sequential(
            *(
                StepStage(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), StepNorm(b), make_neuron(neurons))
                for a, b in pairwise(widths)
            )
        )

    def forward(self, latents: Tensor) -> Tensor:
        maps = self.second(self.first(latents)).flatten(0, 1).unflatten(1, self.shape)
        maps = maps.contiguous(memory_format=torch.channels_last)
        return self.stages(maps.unflatten(0, latents.shape[:2]))


class MembraneReadOut(nn.Module):
    """Spikes (T, N, C, h, w) -> membranes of neurons that never fire, behind a convolution that doubles the size."""

    def __init__(self, channels: int, out: int, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.conv = nn.ConvTranspose2d(channels, out, 3, 2, 1, 1)

    def forward(self, spikes: Tensor) -> Tensor:
        """The last membrane (N, out, H, W): the convolution is linear and taken once."""
        with full_precision(spikes):
            return self.image(decayed_sum(spikes, self.beta), len(spikes))

    def every(self, spikes: Tensor) -> Tensor:
        """The membranes (T, N, out, H, W) of all steps."""
        with full_precision(spikes):
            return torch.stack(running_sums(fold(self.conv, wide(spikes)), self.beta))

    def image(self, total: Tensor, steps: int) -> Tensor:
        """The membrane (N, out, H, W) that a decayed sum (N, C, h, w) over so many steps gives."""
        assert self.conv.bias is not None
        bias = self.conv.bias * ((1 - self.beta**steps) / (1 - self.beta))
        return nn.functional.conv_transpose2d(total, self.conv.weight, bias, 2, 1, 1)


class SAE(LatentNetwork):
    """The network of a configuration; latents (T, N, C) in {0, 1}."""

    item_axis = 1
    losses = ("total", "reconstruction")

    def __init__(self, config: SAEConfig) -> None:
        super().__init__()
        model, data, neurons = config.model, config.data, config.neurons
        self.steps, self.channels, self.classes = model.steps, model.channels, model.classes
        self.over = config.losses.over
        self.item_shape = (data.channels, data.resolution, data.resolution)
        self.encoder = SAEEncoder(data.channels, data.resolution, model, neurons)
        self.decoder = SAEDecoder(data.resolution, model, neurons)
        self.readout = MembraneReadOut(model.widths[0], data.channels, 1 - 1 / neurons.tau)
        self.density = MixtureDensity(model.steps * model.channels, model.components, model.classes)
        self.draws = self.density.draws

    @property
    def generates(self) -> bool:
        return self.density.fitted

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        bits = self.density.draw(uniforms, labels) > 0.5
        return bits.to(self.dtype).unflatten(1, (self.steps, self.channels)).transpose(0, 1)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) of latents (T, N, C); labels change nothing. Raises ValueError for another shape."""
        if latents.dim() != 3 or latents.shape[::2] != (self.steps, self.channels):
            raise ValueError(
                f"expected latents ({self.steps}, N, {self.channels}), got {tuple(latents.shape)}; give those of this "
                "model, time first"
            )
        functional.reset_net(self.decoder)
        return shown(self.readout(self.decoder(latents.to(self.dtype))))

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        """Latents (T, N, C) of images (N, C, H, W), without chance; raises ValueError for others."""
        return self._spikes(x)

    def stream(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Latents (N, C) of each step, and the image (N, C, H, W) so far."""
        functional.reset_net(self.decoder)
        total: Tensor | float = 0.0
        for t, latents in enumerate(self.draw(uniforms, labels), 1):
            total = self.readout.beta * total + self.decoder(latents[None])[0]
            yield latents, shown(self.readout.image(total, t))

    def training_losses(self, x: Tensor, labels: Tensor, progress: float) -> dict[str, Tensor]:
        """The error that is descended, and that of the image, which is the last membrane; in [0, 1] units, squared."""
        wanted = inside(x)
        functional.reset_net(self.decoder)
        spikes = self.decoder(self._spikes(x))
        if self.over == "last":
            error = (self.readout(spikes) - wanted).square().mean()
            return {"total": error, "reconstruction": error}
        errors = (self.readout.every(spikes) - wanted).square().flatten(1).mean(1)
        return {"total": errors.mean(), "reconstruction": errors[-1]}

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]], seed: int) -> None:
        codes, labels = zip(*((self._spikes(x).transpose(0, 1).flatten(1), known) for x, known in batches), strict=True)
        self.density.fit(torch.cat(codes), torch.cat(labels) if self.classes else None, seed)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights."""
        return self.readout.conv.weight.dtype

    def _spikes(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.item_shape:
            wanted = ", ".join(map(str, self.item_shape))
            raise ValueError(f"expected items (N, {wanted}), got {tuple(x.shape)}; give them at the model's size")
        functional.reset_net(self.encoder)
        return self.encoder(inside(x))


def inside(x: Tensor) -> Tensor:
    """Values in [-1, 1] as the network takes them, in [0, 1]."""
    return (x + 1) / 2


def shown(x: Tensor) -> Tensor:
    """The inverse of `inside`."""
    return x * 2 - 1
