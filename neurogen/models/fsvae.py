"""The Fully Spiking VAE (Kamata, Mukuta and Harada, AAAI 2022), and its kin with a latent of rates (ESVAE).

    x -> [conv - tdBN - LIF] x levels -> linear - tdBN - LIF -> latent: spikes z (T, N, C)
      -> linear - tdBN - LIF -> [transposed conv - tdBN - LIF] x levels -> transposed conv -> read-out

    loss = mean (x - x^)^2 + distance of posterior and prior

The published network with 4 levels, 32 to 256 channels, 128 latents, k = 20 and one image channel has 4,053,601
parameters. Layers of 3x3 halve or double the resolution; those before tdBN keep the biases of the release. Convolutions
are laid out with channels innermost, which CPUs compute fastest. Shapes: T steps, N items, C latent channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks.bernoulli_latent import BernoulliLatent
from neurogen.blocks.decayed_readout import DecayedReadOut
from neurogen.blocks.rate_latent import RateLatent
from neurogen.blocks.temporal_readout import TemporalReadOut
from neurogen.blocks.threshold_norm import ThresholdStage
from neurogen.coding import to_steps
from neurogen.config_fsvae import FSVAEConfig, FSVAEModelConfig, FSVAENeuronConfig
from neurogen.full_precision import wide
from neurogen.models.latent_network import LatentNetwork


class FSVAEEncoder(nn.Module):
    """(T, N, C, H, W) -> spikes (T, N, latents); direct: whether all steps see the same."""

    def __init__(self, channels: int, resolution: int, config: FSVAEModelConfig, neurons: FSVAENeuronConfig) -> None:
        super().__init__()
        self.direct = config.coding == "direct"
        sizes = (channels, *config.widths)
        self.stages = nn.Sequential(*(ThresholdStage(nn.Conv2d(a, b, 3, 2, 1), b, neurons) for a, b in pairwise(sizes)))
        side = resolution >> len(config.widths)
        self.last = ThresholdStage(nn.Linear(config.widths[-1] * side**2, config.channels), config.channels, neurons)

    def forward(self, x: Tensor) -> Tensor:
        steps = len(x)
        if self.direct:
            spikes = self.stages[0].forward_constant(x[0].contiguous(memory_format=torch.channels_last), steps)
        else:
            frames = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            spikes = self.stages[0](frames.unflatten(0, x.shape[:2]))
        return self.last(self.stages[1:](spikes).flatten(2))


class FSVAEDecoder(nn.Module):
    """Spikes (T, N, latents) -> (T, N, widths[0], H, W); membranes are kept between calls."""

    def __init__(self, resolution: int, config: FSVAEModelConfig, neurons: FSVAENeuronConfig) -> None:
        super().__init__()
        widths, side = config.widths[::-1], resolution >> len(config.widths)
        self.shape = (widths[0], side, side)
        first = widths[0] * side**2
        self.first = ThresholdStage(nn.Linear(config.channels, first), first, neurons)
        self.stages = nn.Sequential(
            *(
                ThresholdStage(nn.ConvTranspose2d(a, b, 3, 2, 1, 1), b, neurons)
                for a, b in zip(widths, (*widths[1:], widths[-1]), strict=True)
            )
        )

    def forward(self, latents: Tensor) -> Tensor:
        maps = self.first(latents).flatten(0, 1).unflatten(1, self.shape)
        maps = maps.contiguous(memory_format=torch.channels_last)
        return self.stages(maps.unflatten(0, latents.shape[:2]))


class FSVAE(LatentNetwork):
    """The network of a configuration; latents (T, N, C) in {0, 1}."""

    item_axis = 1
    losses = ("total", "reconstruction", "distance")

    def __init__(self, config: FSVAEConfig) -> None:
        super().__init__()
        model, data, neurons = config.model, config.data, config.neurons
        self.steps, self.coding, self.channels, self.classes = model.steps, model.coding, model.channels, model.classes
        self.item_shape = (data.channels, data.resolution, data.resolution)
        self.encoder = FSVAEEncoder(data.channels, data.resolution, model, neurons)
        self.latent = make_latent(config)
        self.decoder = FSVAEDecoder(data.resolution, model, neurons)
        if model.readout == "attention":
            self.readout: DecayedReadOut = TemporalReadOut(model.widths[0], data.channels, model.steps)
        else:
            self.readout = DecayedReadOut(model.widths[0], data.channels, model.coding == "event")
        self.draws, self.encoding_draws = self.latent.draws, self.latent.encoding_draws

    @property
    def generates(self) -> bool:
        return self.latent.generates

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.latent.draw(uniforms, labels)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) or recordings (N, T, 2, H, W) of latents (T, N, C); labels change nothing.

        Raises ValueError for latents of another shape.
        """
        if latents.dim() != 3 or latents.shape[::2] != (self.steps, self.channels):
            raise ValueError(
                f"expected latents ({self.steps}, N, {self.channels}), got {tuple(latents.shape)}; give those of this "
                "model, time first"
            )
        functional.reset_net(self.decoder)
        return self.readout(self.decoder(latents.to(self.dtype)))

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        """Latents (T, N, C) of images (N, C, H, W) or recordings (N, T, 2, H, W); raises ValueError for others."""
        return self.latent.encode(self._drive(x), uniforms)

    def stream(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Latents (N, C) of each step, and the image (N, C, H, W) so far or the recording's frames (N, t, 2, H, W)."""
        functional.reset_net(self.decoder)
        spikes: list[Tensor] = []
        for latents in self.latent.steps_of_draw(uniforms, labels):
            spikes.append(self.decoder(latents[None].to(self.dtype))[0])
            yield latents, self.readout(torch.stack(spikes))

    def training_losses(self, x: Tensor, labels: Tensor, progress: float) -> dict[str, Tensor]:
        latents, distance = self.latent(self._drive(x), labels if self.classes else None, progress)
        functional.reset_net(self.decoder)
        values = self.readout(self.decoder(latents))
        reconstruction = (wide(values) - x).square().mean()
        return {"total": reconstruction + distance, "reconstruction": reconstruction, "distance": distance}

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]], seed: int) -> None:
        self.latent.settle(((self._drive(x), labels) for x, labels in batches), seed)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights."""
        return self.readout.conv.weight.dtype

    def _drive(self, x: Tensor) -> Tensor:
        """The encoder's last spikes (T, N, C)."""
        time = (self.steps,) if self.coding == "event" else ()
        if x.shape[1:] != (*time, *self.item_shape):
            wanted = ", ".join(map(str, (*time, *self.item_shape)))
            raise ValueError(f"expected items (N, {wanted}), got {tuple(x.shape)}; give them at the model's size")
        functional.reset_net(self.encoder)
        return self.encoder(to_steps(x, self.coding, self.steps))


def make_latent(config: FSVAEConfig) -> BernoulliLatent | RateLatent:
    """The latent of a configuration."""
    model = config.model
    if model.latent == "rate":
        return RateLatent(model.channels, model.steps, model.classes, model.prior, model.spikes)
    return BernoulliLatent(
        model.channels,
        model.steps,
        model.candidates,
        model.hidden,
        model.schedule,
        config.losses.distance,
        config.neurons,
    )
