"""Configuration of the spiking GANs (arXiv 2305.10246): SGAN, SWGAN and SGAD differ in how steps become an image.

Defaults are the published ones of SGAD on MNIST where the systems agree.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurogen.config_networks import NeuronConfig
from neurogen.config_section import Natural, Positive, Rate, Section, Weight
from neurogen.config_system import SystemConfig

KERNEL, POOL = 5, 2  # of a discriminator's stage: a convolution without padding, then average pooling


class GANNeuronConfig(NeuronConfig):
    """h_t = v_(t-1) + (x_t - v_(t-1)) / 2, fires at 1, reset to 0 without gradient, arctan surrogate."""

    threshold: float = 1.0
    """Membrane at which the neuron fires (h >= threshold)."""
    surrogate: Literal["triangle", "rect", "atan", "sigmoid", "piecewise_exp", "soft_sign", "super_spike", "erf"] = (
        "atan"
    )
    """Stand-in for the derivative of the spike."""


class DiscriminatorConfig(Section):
    """What judges real and generated items."""

    kind: Literal["conv", "linear"] = "conv"
    """conv: stages of a 5x5 convolution, norm, neurons, average pooling, then a linear layer; linear: SGAN's."""
    neurons: Literal["spiking", "ann"] = "spiking"
    """ann: the same layers with leaky ReLU, one step (the hybrid baseline)."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64)
    """Channels of each stage (kind=conv)."""
    hidden: Positive = 1024
    """Units of the last hidden layer; published: SGAN 400, 64x64 pixels 2048."""
    norm: Literal["batch", "spectral", "none"] = "batch"
    """Of stages: batch norm per time step, as published; spectral and none judge each item by itself (linear: none, as
    published)."""


class GANModelConfig(Section):
    """Generator, output stage, and discriminator."""

    steps: Positive = 16
    """T, time steps."""
    coding: Literal["direct", "rate", "ttfs", "event"] = "direct"
    """Latents and images: shown T times, as spikes at random or one spike whose time tells; event: frames are steps."""
    latent: Positive = 10
    """L, numbers that a sample is made of."""
    hidden: Positive = 1024
    """Units of the generator's first layer."""
    start: Positive = 7
    """Height and width of the generator's first maps, pixels."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (128, 64)
    """Channels of its maps; each level doubles their size, so that resolution = start * 2^levels."""
    classes: Natural = 0
    """Labels to condition on; 0 is unconditional."""
    scoring: Literal["grey", "rgb", "mlp", "weights"] = "grey"
    """SGAD: attention between memory and frame, through a shared layer first (rgb), a score of each (mlp), or one
    learned weight a step, which a chip can run."""
    scoring_width: Positive = 256
    """Width of queries and keys, or of the hidden layer of scoring=mlp; the shared layer of rgb is 4 times as wide."""
    divide: bool = False
    """SWGAN: divide the membrane by T before the sigmoid, as published, which starts every image at mid-grey."""
    peak: Rate = 1.0
    """Recordings of scaling=dataset: the largest value that a frame can have, in model units (counts / data.scale)."""
    discriminator: DiscriminatorConfig = DiscriminatorConfig()


class GANLossConfig(Section):
    """What generator and discriminator learn from."""

    kind: Literal["wasserstein", "bce", "hinge"] = "wasserstein"
    """wasserstein: of SWGAN and SGAD, without a bound, as released; bce: of SGAN; hinge: trains stably."""
    r1: Weight = 0.0
    """Weight of the discriminator's squared gradient at real items (R1); 0 is off."""
    r1_every: Positive = 16
    """Discriminator steps between R1 penalties, which then weigh so many times as much."""
    spread: Weight = 0.0
    """Weight of what the mean distance between generated items of one label lacks of that between real ones, as a
    share of it; 0 is off."""
    n_critic: Positive = 1
    """Discriminator steps for one of the generator."""
    discriminator_lr: Rate | None = None
    """Learning rate of the discriminator; null takes train.lr."""


class GANConfig(SystemConfig):
    """A spiking GAN and how it is trained."""

    system: Literal["sgan", "swgan", "sgad"]
    """Spikes averaged over steps, the sigmoid of a last membrane, or sigmoids blended by attention."""
    model: GANModelConfig = GANModelConfig()
    neurons: GANNeuronConfig = GANNeuronConfig()
    losses: GANLossConfig = GANLossConfig()

    @model_validator(mode="after")
    def _fits(self) -> GANConfig:
        model, judge, size = self.model, self.model.discriminator, self.data.resolution
        made = model.start * 2 ** len(model.widths)
        if size != made:
            raise ValueError(
                f"data.resolution={size} is not what the generator makes, {model.start} x 2^{len(model.widths)} = "
                f"{made}; change model.start, the number of model.widths or data.resolution"
            )
        if model.steps < 2 and (self.system != "sgan" or self.makes_recordings):
            raise ValueError(
                f"expected model.steps of 2 or more for system={self.system}, got {model.steps}; a membrane or memory "
                "blends several steps"
            )
        if judge.kind == "conv" and judged_side(size, len(judge.widths)) < 1:
            raise ValueError(
                f"data.resolution={size} is too small for {len(judge.widths)} stages of a 5x5 convolution and pooling; "
                "take fewer model.discriminator.widths"
            )
        if judge.kind == "linear" and judge.norm == "batch":
            raise ValueError(
                "model.discriminator.norm=batch does not go with model.discriminator.kind=linear, which has no norm "
                "as published; take none or spectral"
            )
        if self.losses.r1 and judge.norm == "batch":
            raise ValueError(
                "losses.r1 does not go with model.discriminator.norm=batch, through which an item's gradient reaches "
                "the others of its batch; take spectral or none, or leave r1 out"
            )
        if self.train.accumulate > 1:
            raise ValueError(
                f"expected train.accumulate=1 for a GAN, whose generator waits for the discriminator's step of the "
                f"whole batch, got {self.train.accumulate}; lower train.batch_size to save memory"
            )
        return self


def judged_side(size: int, stages: int) -> int:
    """Height and width of a discriminator's last maps, pixels; below 1 where there are none."""
    for _ in range(stages):
        size = (size - KERNEL + 1) // POOL
    return size
