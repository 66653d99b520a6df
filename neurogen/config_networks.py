"""Settings of networks: neurons, encoder and decoder, codebook, prior; each with its meaning, unit and range."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurogen.config_section import Fraction, Natural, Positive, Rate, Section, Weight


class NeuronConfig(Section):
    """The spiking neuron of every layer. Published defaults: spec of arXiv 2405.14474, section on LIF."""

    kind: Literal["lif", "if", "plif"] = "lif"
    """Leaky, non-leaky, or leaky with a learned time constant."""
    tau: Annotated[float, Field(gt=1.0)] = 2.0
    """Membrane time constant, in time steps."""
    decay_input: bool = True
    """Whether the input is scaled by 1/tau as well."""
    threshold: float = 0.5
    """Membrane at which the neuron fires (h >= threshold)."""
    reset: float | None = 0.0
    """Membrane after a spike (hard reset); null subtracts the threshold (soft reset)."""
    detach_reset: bool = True
    """Whether the gradient ignores the reset."""
    surrogate: Literal["triangle", "rect", "atan", "sigmoid", "piecewise_exp", "soft_sign", "super_spike", "erf"] = (
        "triangle"
    )
    """Stand-in for the derivative of the spike; triangle is SpikingJelly's PiecewiseQuadratic."""
    alpha: Rate = 2.0
    """Sharpness of the surrogate; the triangle is zero beyond 1/alpha of the threshold, rect beyond half of that."""
    backend: Literal["auto", "torch", "cupy", "braincog", "spikingjelly"] = "auto"
    """How the recurrence runs; `neurogen doctor` says what `auto` takes."""
    compile: bool = False
    """Train on the CPU with compiled neurons (torch.compile): a minute at the start, then several times as fast;
    nothing on CUDA."""

    @model_validator(mode="after")
    def _fits(self) -> NeuronConfig:
        if self.compile and (self.backend not in ("auto", "torch") or self.kind == "plif"):
            raise ValueError(
                f"compile=true does not go with backend={self.backend} and kind={self.kind}; it compiles kind=lif "
                "and if of backend=auto and torch, take these or leave it out"
            )
        return self


class GatedConfig(Section):
    """The published autoencoder: x * LIF(x), GroupNorm, spiking attention."""

    width: Annotated[int, Field(ge=32, multiple_of=32)] = 128
    """Channels of the first level (GroupNorm has 32 groups)."""
    multipliers: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 1, 2, 2, 4)
    """Channels of each level over width; one halving between levels."""
    blocks: Positive = 2
    """Residual blocks per encoder level; the decoder has one more."""
    attention: tuple[Positive, ...] = (4,)
    """Resolutions (pixels) of the levels with attention."""
    latent: Positive = 256
    """Channels between encoder and the 1x1 convolutions around the codebook."""
    dropout: Fraction = 0.0
    """Dropout inside residual blocks."""
    upsampling: Literal["nearest", "transposed"] = "nearest"
    """Nearest x2 and 3x3 convolution (the release), or a transposed convolution (its README)."""


class SpikingConfig(Section):
    """A plain chain conv - BN - LIF that a chip can run; spikes between layers are strictly binary."""

    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64)
    """Channels of each level; every level halves the resolution."""
    blocks: Natural = 1
    """Residual blocks LIF(BN conv s1 + g s0) at the last level, in encoder and decoder each."""


class ModelConfig(Section):
    """The first stage: kind of network, time steps, coding and read-out."""

    kind: Literal["gated", "spiking"] = "gated"
    """gated: as published; spiking: binary between layers."""
    steps: Positive = 4
    """T, time steps."""
    coding: Literal["direct", "event"] = "event"
    """direct repeats an image T times; event gives step t the frame t."""
    readout: Literal["mean", "sum", "last", "decay", "step", "all"] = "step"
    """Images: mean, sum, last or decayed sum over steps; recordings: frame t from step t, or each from all steps."""
    output: Literal["linear", "tanh", "softplus"] = "linear"
    """Nonlinearity of the read-out; softplus for Poisson rates."""
    gated: GatedConfig = GatedConfig()
    """Sizes of the gated kind."""
    spiking: SpikingConfig = SpikingConfig()
    """Sizes of the spiking kind."""


class CodebookConfig(Section):
    """What a code is, and how the codebook learns."""

    kind: Literal["temporal", "repeated", "per_step", "spike"] = "temporal"
    """temporal: a row for T steps of a site; repeated: one vector for all; per_step: a row for each; spike: bits."""
    size: Annotated[int, Field(ge=2)] = 1024
    """K, rows (kind=spike has none)."""
    width: Positive = 256
    """Channels per time step; a temporal row has T * width values, and kind=spike codes width bits a step."""
    learning: Literal["gradient", "ema"] = "gradient"
    """gradient: as published; ema: running means with start from data."""
    commitment: Weight = 1.0
    """Weight of mean ||sg(e) - z||^2."""
    pull: Weight = 0.25
    """Weight of mean ||e - sg(z)||^2 (learning=gradient only)."""
    decay: Fraction = 0.99
    """EMA decay of counts and sums."""
    start: Natural = 0
    """Steps without quantisation; k-means over latents of the last ones starts the table (0: of the first batch)."""
    revive_every: Natural = 50
    """Steps between replacing rarely used rows by latents of the batch; 0 never."""
    revive_below: Fraction = 0.03
    """A row is rare when its EMA count is below this share of the mean count."""
    revive_until: Fraction = 0.85
    """Share of the run after which rows are left alone."""
    entropy: Weight = 0.1
    """kind=spike: weight of what a bit's entropy lacks, on average, of entropy_target."""
    entropy_target: Fraction = 0.5
    """kind=spike: bits; 0.5 is a bit that is 1 in 11 % of all places, or in 89 %."""


class PriorModelConfig(Section):
    """The spiking GPT over codes."""

    codes: Positive = 1024
    """K of the first stage."""
    height: Positive = 4
    """Rows of the code map."""
    width: Positive = 4
    """Columns of the code map."""
    code_steps: Natural = 0
    """T of the first stage's codes; 0 where one code stands for all steps."""
    bits: Natural = 0
    """Bits of a code; 0 for codes that are indices."""
    bits_in_turn: bool = False
    """Each bit of a code also given those before it; otherwise all at once, each alone."""
    over: Literal["map", "step", "joint"] = "map"
    """map: one code a site; codes of each step: one step's, T times independently (as published), or all in turn."""
    classes: Natural = 0
    """Labels to condition on; 0 is unconditional."""
    steps: Positive = 2
    """T of the transformer."""
    dim: Positive = 1024
    """Width of the residual stream."""
    layers: Positive = 24
    """Blocks."""
    heads: Positive = 16
    """Attention heads."""
    block_size: Natural = 0
    """Learned positions; 0 takes height * width (published: 512)."""
    dropout: Fraction = 0.0
    """Dropout on residual branches."""
    normalise: bool = False
    """Divide attention at position i by i + 1."""
    neighbours: bool = False
    """Input: left, above, above-right and above-left codes (over=joint: and this site's past), not the last alone."""
    offset_gains: bool = False
    """One learned gain per head and offset (dy, dx), or (dy, dx, dt) where over=joint."""
    label_everywhere: bool = False
    """Add the label's embedding at every position, not only at the start token."""
    init: Literal["published", "scaled"] = "published"
    """N(0, 0.02), or variance-preserving by fan-in (small models)."""

    @model_validator(mode="after")
    def _fits(self) -> PriorModelConfig:
        if (self.over == "map") != (self.code_steps == 0):
            raise ValueError(
                f"over={self.over} does not go with code_steps={self.code_steps}; codes without steps take over=map, "
                f"codes of each step over=joint or step"
            )
        if self.bits and self.codes != 2:
            raise ValueError(f"expected codes=2 for bits={self.bits}, got {self.codes}; a bit has two values")
        if self.bits_in_turn and self.bits < 2:
            raise ValueError(f"expected bits of 2 or more for bits_in_turn=true, got {self.bits}; set it to the bits")
        return self
