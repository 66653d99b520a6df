"""Settings of data, and of the recordings made of what a model gives; each with its meaning, unit and range."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from neurogen.config_section import Natural, Positive, Rate, Section, Weight


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
