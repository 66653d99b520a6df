"""Settings of training: losses, optimiser, lengths; each with its meaning, unit and range."""

from __future__ import annotations

from typing import Literal

from neurogen.config_section import Decay, Natural, Positive, Rate, Section, Weight


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
    optimiser: Literal["adam", "adamw", "muon", "rmsprop"] = "adam"
    """adamw decays linear and convolution weights only; muon: linear layers by Muon, the rest by adamw; rmsprop: of the
    published GANs."""
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
