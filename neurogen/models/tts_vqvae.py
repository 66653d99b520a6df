"""The temporal-codebook spiking VQ-VAE (first stage of TTS-VQVAE), and its kin with other codes.

    x -> T steps -> encoder -> z (T, N, D, h, w) -> codebook: one row per site for all T -> decoder -> read-out

Kind `gated` is the published network (arXiv 2405.14474 and its release, which we follow where they differ); kind
`spiking` is a plain chain conv - BN - LIF whose layers exchange spikes only, except a codebook's table and the
read-out, which live on the host. Codebooks of other kinds have other codes (`code_form`); with spikes for codes, z is
what drives the encoder's last neurons, and all from the first layer to the read-out is spikes. Shapes: T time steps,
N batch, D code width, h w sites. Membranes are reset at the start of every call.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks import (
    ConvBNLIF,
    Downsample,
    Folded,
    GatedResidual,
    ReadOut,
    SpikingAttention,
    SpikingResidual,
    fold,
    group_norm,
    upsample,
)
from neurogen.codebook import CodeForm, make_codebook
from neurogen.coding import to_steps
from neurogen.config import GatedConfig, NeuronConfig, SpikingConfig, StageOneConfig
from neurogen.full_precision import wide
from neurogen.neurons import make_gate


@dataclass(frozen=True)
class Reconstruction:
    """values: as the input, model units; codes: of the codebook's form; quantiser_loss: scalar."""

    values: Tensor
    codes: Tensor
    quantiser_loss: Tensor


class GatedEncoder(nn.Sequential):
    """(T, N, C, H, W) -> (T, N, latent, h, w), as published."""

    def __init__(self, channels: int, resolution: int, config: GatedConfig, neurons: NeuronConfig) -> None:
        now = config.width
        parts: list[nn.Module] = [Folded(nn.Conv2d(channels, now, 3, 1, 1))]
        for level, multiplier in enumerate(config.multipliers):
            for _ in range(config.blocks):
                parts.append(GatedResidual(now, config.width * multiplier, config.dropout, neurons))
                now = config.width * multiplier
                if resolution >> level in config.attention:
                    parts.append(SpikingAttention(now, neurons))
            if level < len(config.multipliers) - 1:
                parts.append(Downsample(now))
        parts += _middle(now, config, neurons)
        parts += [Folded(group_norm(now)), make_gate(neurons), Folded(nn.Conv2d(now, config.latent, 3, 1, 1))]
        super().__init__(*parts)


class GatedDecoder(nn.Sequential):
    """(T, N, latent, h, w) -> features (T, N, width, H, W), as published."""

    def __init__(self, resolution: int, config: GatedConfig, neurons: NeuronConfig) -> None:
        now = config.width * config.multipliers[-1]
        parts: list[nn.Module] = [Folded(nn.Conv2d(config.latent, now, 3, 1, 1)), *_middle(now, config, neurons)]
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            for _ in range(config.blocks + 1):
                parts.append(GatedResidual(now, config.width * multiplier, config.dropout, neurons))
                now = config.width * multiplier
                if resolution >> level in config.attention:
                    parts.append(SpikingAttention(now, neurons))
            if level:
                parts.append(upsample(now, config.upsampling))
        parts += [Folded(group_norm(now)), make_gate(neurons)]
        super().__init__(*parts)


class SpikingEncoder(nn.Module):
    """(T, N, C, H, W) -> (T, N, D, h, w): spikes up to a plain convolution with batch norm, which is z.

    drives: whether z drives neurons; then the norm's scale and shift are learned, as before all others.
    """

    def __init__(
        self, channels: int, width: int, direct: bool, drives: bool, config: SpikingConfig, neurons: NeuronConfig
    ) -> None:
        super().__init__()
        self.direct = direct
        widths = config.widths
        self.stem = ConvBNLIF(channels, widths[0], 5, 2, neurons)
        parts: list[nn.Module] = [ConvBNLIF(widths[0], widths[0], 3, 1, neurons)]
        for level in range(1, len(widths)):
            parts.append(ConvBNLIF(widths[level - 1], widths[level], 3, 2, neurons))
            if level < len(widths) - 1:
                parts.append(ConvBNLIF(widths[level], widths[level], 3, 1, neurons))
        parts += [SpikingResidual(widths[-1], neurons) for _ in range(config.blocks)]
        self.body = nn.Sequential(*parts)
        self.head = nn.Sequential(nn.Conv2d(widths[-1], width, 1, bias=False), nn.BatchNorm2d(width, affine=drives))

    def forward(self, x: Tensor) -> Tensor:
        spikes = self.stem.forward_constant(x[0], len(x)) if self.direct else self.stem(x)
        return fold(self.head, self.body(spikes))


class SpikingDecoder(nn.Sequential):
    """(T, N, D, h, w) code rows -> spikes (T, N, widths[0], H / 2, W / 2).

    Its first layer belongs to the host, unless codes are spikes.
    """

    def __init__(self, width: int, config: SpikingConfig, neurons: NeuronConfig) -> None:
        widths = config.widths
        parts: list[nn.Module] = [ConvBNLIF(width, widths[-1], 3, 1, neurons)]
        parts += [SpikingResidual(widths[-1], neurons) for _ in range(config.blocks)]
        for level in range(len(widths) - 1, 0, -1):
            parts.append(ConvBNLIF(widths[level], widths[level - 1], 4, 2, neurons, transposed=True))
            parts.append(ConvBNLIF(widths[level - 1], widths[level - 1], 3, 1, neurons))
        super().__init__(*parts)


class TTSVQVAE(nn.Module):
    """The first stage of a configuration; raises ValueError for neurons that its kind does not have."""

    def __init__(self, config: StageOneConfig) -> None:
        super().__init__()
        model, data, width = config.model, config.data, config.codebook.width
        self.coding, self.steps = model.coding, model.steps
        # On CPUs convolutions are fastest with channels innermost, but group norm is then slower than they gain.
        self.layout = torch.contiguous_format if model.kind == "gated" else torch.channels_last
        if model.kind == "gated":
            gated = model.gated
            self.code_shape = (data.resolution >> len(gated.multipliers) - 1,) * 2
            self.encoder: nn.Module = GatedEncoder(data.channels, data.resolution, gated, config.neurons)
            self.quant_conv: nn.Module = nn.Conv2d(gated.latent, width, 1)
            self.post_quant_conv: nn.Module = nn.Conv2d(width, gated.latent, 1)
            body: nn.Module = GatedDecoder(data.resolution, gated, config.neurons)
            features, kernel, upscale = gated.width * gated.multipliers[0], 3, 1
        else:
            _check_chip_neuron(config.neurons)
            spiking = model.spiking
            self.code_shape = (data.resolution >> len(spiking.widths),) * 2
            direct, drives = model.coding == "direct", config.codebook.kind == "spike"
            self.encoder = SpikingEncoder(data.channels, width, direct, drives, spiking, config.neurons)
            self.quant_conv, self.post_quant_conv = nn.Identity(), nn.Identity()
            body = SpikingDecoder(width, spiking, config.neurons)
            features, kernel, upscale = spiking.widths[0], 5, 2
        readout = ReadOut(features, data.channels, kernel, upscale, model.readout, model.steps, model.output)
        self.codebook = make_codebook(config.codebook, model.steps, config.neurons)
        self.decoder = nn.Sequential(body, readout)

    @property
    def code_form(self) -> CodeForm:
        """What the codes of an item are."""
        return self.codebook.form(*self.code_shape)

    @property
    def last_layer(self) -> Tensor:
        """Weight of the decoder's last convolution, which the adversarial weight balances."""
        return self.decoder[1].conv.weight

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Reconstruction:
        """x: images (N, C, H, W) or recordings (N, T, 2, H, W), model units; codes: as the codebook's."""
        quantised = self.codebook(self.latents(x), codes)
        return Reconstruction(self._decoded(quantised.values), quantised.codes, quantised.loss)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of x (`code_form`); the codebook does not learn."""
        return self.codebook.assign(self.latents(x))

    def decode(self, codes: Tensor) -> Tensor:
        """Images or recordings, model units, of codes (`code_form`)."""
        functional.reset_net(self)
        return self._decoded(self.codebook.lookup(codes).to(self.last_layer.dtype))

    def latents(self, x: Tensor) -> Tensor:
        """What the codebook takes, (T, N, D, h, w)."""
        functional.reset_net(self)
        steps = to_steps(x, self.coding, self.steps)
        return wide(fold(self.quant_conv, self.encoder(_laid_out(steps, self.layout))))

    def _decoded(self, rows: Tensor) -> Tensor:
        return self.decoder(fold(self.post_quant_conv, _laid_out(rows, self.layout)))


def _check_chip_neuron(neurons: NeuronConfig) -> None:
    """The spiking kind has one neuron: LIF, hard reset to 0, a time constant that halves or quarters (a shift)."""
    if neurons.kind != "lif" or neurons.reset != 0 or neurons.tau not in (2, 4):
        raise ValueError(
            "expected neurons.kind=lif, neurons.tau=2 or 4 and neurons.reset=0 for model.kind=spiking, got "
            f"{neurons.kind}, {neurons.tau:g} and {'null' if neurons.reset is None else format(neurons.reset, 'g')}"
        )


def _middle(channels: int, config: GatedConfig, neurons: NeuronConfig) -> list[nn.Module]:
    return [
        GatedResidual(channels, channels, config.dropout, neurons),
        SpikingAttention(channels, neurons),
        GatedResidual(channels, channels, config.dropout, neurons),
    ]


def _laid_out(x: Tensor, layout: torch.memory_format) -> Tensor:
    """(T, N, C, H, W) with its images in that layout; an expanded x stays expanded."""
    if x.stride(0) == 0 and x.shape[0] > 1:
        return x[0].contiguous(memory_format=layout).expand(x.shape)
    return x.flatten(0, 1).contiguous(memory_format=layout).unflatten(0, x.shape[:2])
