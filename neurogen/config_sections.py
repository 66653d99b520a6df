"""The sections of a configuration: every setting with its meaning, unit and range, refused where it does not fit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from neurogen.config_errors import shown

Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]
Weight = Annotated[float, Field(ge=0.0)]
Rate = Annotated[float, Field(gt=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


class Section(BaseModel):
    """A group of settings: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(field.field_name)].annotation is not bool:
            return shown(value)  # otherwise true would pass for 1
        return value


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


class DataConfig(Section):
    """Which data, and how they become arrays of the model's size and range."""

    name: Literal[
        "digits",
        "nmnist",
        "mnist",
        "fashion",
        "cifar10",
        "celeba",
        "celeba_hq",
        "lsun_bedroom",
        "lsun_church",
        "images",
        "recordings",
        "dvs_cifar10",
    ]
    """digits: recordings simulated from scikit-learn's digits; images, recordings: a folder by class."""
    path: str | None = None
    """Folder or .zip; null looks in $NEUROGEN_DATA and the cache."""
    download: bool = False
    """Whether torchvision (or tonic, for recordings) may fetch what is not there."""
    resolution: Annotated[int, Field(ge=8)] = 32
    """Height and width of the model's frames, pixels."""
    channels: Positive = 2
    """1 grey, 2 OFF and ON event counts, 3 RGB."""
    fit: Literal["crop", "resize", "none", "sum", "adm", "fsvae148"] = "crop"
    """How data get that size. Recordings: central crop of counts, bilinear, as they are, or sums over squares of
    pixels, which lose no event. Images: adm (crop and resize mean it too: bicubic, centre crop), as they are, or
    fsvae148, the central 148 pixels, bilinear, for CelebA."""
    convention: Literal["jaer", "spikingjelly", "tonic", "raw"] = "jaer"
    """AEDAT 2.0 recordings: how axes and polarity are read, and written again by sampling; other formats say it."""
    binning: Literal["time", "published"] = "time"
    """Recordings: equal-time bins that lose nothing, or the paper's floor rule."""
    denoise: Literal["off", "published", "corrected"] = "off"
    """Recordings: drop events without a neighbour in the last 10 ms; published lets the first 10 ms through."""
    scaling: Literal["dataset", "recording"] = "dataset"
    """Recordings: counts / scale for all, or 2 x / (max - min) - 1 of each (as published)."""
    scale: Rate | None = None
    """Counts per model unit under scaling=dataset; null measures the 99 % quantile of the non-zero training cells."""
    shift: Natural = 0
    """Augmentation: largest random shift, pixels."""
    flip: bool = False
    """Augmentation: random horizontal flip."""
    validation: Natural = 0
    """Training items held out (the last ones, by a seeded shuffle) for validation figures."""
    limit: Positive | None = None
    """Use only the first so many items of each split."""


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


class LossConfig(Section):
    """Stage-1 losses."""

    reconstruction: Literal["l1", "l2", "poisson"] = "l1"
    """Poisson is the likelihood of counts under softplus rates."""
    normalise: bool = False
    """Divide the reconstruction loss by its value for the best constant output."""
    perceptual: Literal["off", "lpips"] = "off"
    """LPIPS on images; needs both paths below."""
    perceptual_weight: Weight = 1.0
    """Weight of LPIPS beside the reconstruction loss."""
    vgg_path: str | None = None
    """torchvision's VGG16 weights (vgg16-397923af.pth)."""
    lpips_path: str | None = None
    """Linear heads of LPIPS v0.1 (vgg.pth)."""
    adversarial: bool = False
    """PatchGAN hinge loss."""
    adversarial_start: Natural = 0
    """Batches before the discriminator exists for the loss; nothing of it is computed before."""
    adversarial_weight: Weight = 0.8
    """Factor of the adaptive weight."""
    discriminator_width: Positive = 64
    """Channels of the discriminator's first layer."""
    discriminator_layers: Positive = 3
    """Strided layers of the discriminator."""
    discriminator_norm: Literal["batch", "group", "spectral"] = "batch"
    """batch: as published, each image judged by what shares its batch; group, spectral: each by itself."""
    r1: Weight = 0.0
    """Weight of the discriminator's squared gradient at real images (R1); 0 is off."""
    r1_every: Positive = 10
    """Steps between R1 penalties, which then weigh so many times as much."""


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


class TrainConfig(Section):
    """Length, optimiser and what is written on the way."""

    steps: Natural = 1000
    """Batches to train for."""
    batch_size: Positive = 64
    """Items per step over all processes."""
    accumulate: Positive = 1
    """Parts in which each process takes its share of a batch, one after another, to save memory; 1 is all at once."""
    lr: Rate = 2.88e-4
    """Learning rate, absolute."""
    optimiser: Literal["adam", "adamw", "muon"] = "adam"
    """adamw decays linear and convolution weights only; muon: linear layers by Muon, the rest by adamw."""
    betas: tuple[Decay, Decay] = (0.5, 0.9)
    """Moment decays."""
    weight_decay: Weight = 0.0
    """Decoupled weight decay."""
    schedule: Literal["constant", "cosine"] = "constant"
    """cosine falls to 2 % of lr."""
    warmup: Natural = 0
    """Steps of linear warm-up."""
    clip: Weight = 0.0
    """Largest gradient norm; 0 is none."""
    average: Decay = 0.0
    """Decay of averaged weights that are saved instead; 0 is off."""
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    """Of convolutions and products in training, on CUDA only; weights, membranes, codes and losses stay float32."""
    init_from: str | None = None
    """Run or model folder whose weights to start from."""
    log_every: Positive = 50
    """Steps between rows of metrics.csv."""
    validate_every: Natural = 0
    """Steps between validation figures; 0 only at the end."""
    picture_every: Natural = 0
    """Steps between grids, reconstructions and event pages; 0 only at the end."""
    checkpoint_every: Positive = 500
    """Steps between checkpoints (and at least every checkpoint_seconds)."""
    checkpoint_seconds: Rate = 60.0
    """Longest time between checkpoints, seconds."""
    keep: Positive = 2
    """Checkpoints kept."""
    threads: Natural = 0
    """CPU threads; 0 leaves torch's choice."""
    tensorboard: bool = False
    """Also write TensorBoard events (extra: logging)."""
    tune_allocator: bool = True
    """Keep freed memory in the process (glibc), several times faster on the CPU."""


class RecordingConfig(Section):
    """How generated frames become event recordings."""

    rounding: Literal["round", "largest_remainder", "dead_zone"] = "round"
    """Real-valued frames to whole counts."""
    dead_zone: Weight = 0.0
    """Counts below this are nothing (rounding=dead_zone), in counts."""
    budget: Literal["own", "class"] = "own"
    """Total events of a recording: its own mass, or its class's training median."""
    placement: Literal["uniform", "linear", "profile"] = "uniform"
    """Times within a bin; profile follows the training set's rate curve, kept in the model folder."""
    refractory_us: Natural = 0
    """Shortest time between events of one pixel, microseconds."""
    polarity: Literal["mixed", "runs"] = "mixed"
    """Order of ON and OFF events of a pixel within a bin: at random, or first all of one, as moving edges make them."""
    background: bool = False
    """Put back the events outside of what moves, which the codes do not carry: drawn from a map of their rates that is
    measured on the training recordings when the first stage is done, and kept in the model folder."""
