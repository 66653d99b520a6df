"""How the last layer of a spiking GAN's generator becomes an image or frames, all in [0, 1] (arXiv 2305.10246).

    SGAN    spikes of neurons              image: their mean over steps
    SWGAN   sigmoid(m_T), m a read-out neuron without a threshold; published m_T / T
    SGAD    x_t = sigmoid(y_t)             image: v_T, the memory of `attention_scoring`

Of recordings frame t is the spikes of step t, sigmoid(m_t), or v_t. Each stage takes what drives it, spikes
(T, N, C, h, w), and gives what a discriminator sees: frames (T, N, C, H, W), or one image (N, C, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurogen.blocks.attention_scoring import make_scoring
from neurogen.blocks.fold import fold
from neurogen.config import GANConfig
from neurogen.full_precision import full_precision, wide
from neurogen.neurons import make_neuron
from neurogen.neurons.integrator import Integrator

EMPTY = -3.0  # sigmoid(-3) = 0.05: most cells of a recording's frames have no event


@dataclass(frozen=True)
class UnitRange:
    """[0, 1] inside a GAN against model units: images 2 x - 1, counts of scaling=dataset peak x."""

    scale: float
    offset: float

    def outside(self, x: Tensor) -> Tensor:
        """Model units of x in [0, 1]."""
        return self.scale * x + self.offset

    def inside(self, values: Tensor) -> Tensor:
        """Of model units; what is beyond the range, counts above the peak, is taken as its end."""
        return ((values - self.offset) / self.scale).clamp(0, 1)


def unit_range(config: GANConfig) -> UnitRange:
    """The range of a configuration's data."""
    counts = config.makes_recordings and config.data.scaling == "dataset"
    return UnitRange(config.model.peak, 0.0) if counts else UnitRange(2.0, -1.0)


class OutputStage(nn.Module):
    """The last transposed convolution, `layer`, and what follows; `event`: whether items are recordings."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.event, self.steps = config.makes_recordings, config.model.steps
        self.layer = nn.ConvTranspose2d(config.model.widths[-1], config.data.channels, 4, 2, 1)
        if self.event and config.system != "sgan":
            nn.init.constant_(self.layer.bias, EMPTY)  # type: ignore[arg-type]

    def forward(self, spikes: Tensor) -> Tensor:
        """What a discriminator sees."""
        raise NotImplementedError

    def so_far(self, spikes: Tensor) -> Tensor:
        """Images after each step, the last being the image, or the frames of recordings: (T, N, C, H, W)."""
        raise NotImplementedError

    def item(self, seen: Tensor) -> Tensor:
        """The image (N, C, H, W) or recording (N, T, C, H, W) of what a discriminator sees."""
        return seen.transpose(0, 1) if self.event else seen

    def currents(self, spikes: Tensor) -> Tensor:
        """y_t of every step, (T, N, C, H, W)."""
        with full_precision(spikes):
            return fold(self.layer, wide(spikes))


class SpikeStage(OutputStage):
    """SGAN."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__(config)
        self.neuron = make_neuron(config.neurons)

    def forward(self, spikes: Tensor) -> Tensor:
        return self.neuron(self.currents(spikes))

    def so_far(self, spikes: Tensor) -> Tensor:
        frames = self(spikes)
        if self.event:
            return frames
        counts = torch.arange(1, len(frames) + 1, dtype=frames.dtype, device=frames.device)
        return frames.cumsum(0) / counts.view(-1, 1, 1, 1, 1)

    def item(self, seen: Tensor) -> Tensor:
        return seen.transpose(0, 1) if self.event else seen.mean(0)


class MembraneStage(OutputStage):
    """SWGAN; an image takes the convolution once, on the weighted sum of spikes."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__(config)
        self.integrator = Integrator(config.neurons)
        self.share = 1 / config.model.steps if config.model.divide else 1.0

    def forward(self, spikes: Tensor) -> Tensor:
        if self.event:
            return self.so_far(spikes)
        with full_precision(spikes):
            return torch.sigmoid(self.share * self.integrator.last_of(self.layer, spikes))

    def so_far(self, spikes: Tensor) -> Tensor:
        return torch.sigmoid(self.share * self.integrator(self.currents(spikes)))


class ScoringStage(OutputStage):
    """SGAD."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__(config)
        model, data = config.model, config.data
        values = data.channels * data.resolution**2
        self.scoring = make_scoring(model.scoring, values, model.scoring_width, model.steps)

    def forward(self, spikes: Tensor) -> Tensor:
        return self.blended(self.currents(spikes))

    def blended(self, y: Tensor) -> Tensor:
        """The image, or v_1 to v_T of a recording, of the y_t."""
        frames = torch.sigmoid(y)
        with full_precision(frames):
            return self.scoring.memories(frames) if self.event else self.scoring(frames)

    def so_far(self, spikes: Tensor) -> Tensor:
        frames = torch.sigmoid(self.currents(spikes))
        with full_precision(frames):
            return self.scoring.memories(frames)


def make_output_stage(config: GANConfig) -> OutputStage:
    """A fresh output stage of a configuration's system."""
    stages = {"sgan": SpikeStage, "swgan": MembraneStage, "sgad": ScoringStage}
    return stages[config.system](config)
