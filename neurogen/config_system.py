"""What the configuration of every system that learns from data has: its seed, its device, its data, its training."""

from __future__ import annotations

from pydantic import model_validator

from neurogen.config_data import DataConfig, RecordingConfig
from neurogen.config_section import Section, Seed
from neurogen.config_training import TrainConfig

RECORDINGS = ("digits", "nmnist", "recordings", "dvs_cifar10")  # names of data that are recordings; others are images
CHANNELS = {"mnist": (1,), "fashion": (1,), "cifar10": (3,)}  # of images; other pictures are decoded grey or RGB


class SystemConfig(Section):
    """A system and how it is trained; subclasses add `system`, `model` and what else they have.

    `model` has `steps`, T, and `coding`, which is "event" where the system makes recordings.
    """

    seed: Seed = 42
    """Seed of weights, data order and noise."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    data: DataConfig
    train: TrainConfig = TrainConfig()
    recording: RecordingConfig = RecordingConfig()

    @property
    def makes_recordings(self) -> bool:
        """Whether items are event recordings (else images)."""
        return self.model.coding == "event"  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _data_fits(self) -> SystemConfig:
        data, event = self.data, self.makes_recordings
        coding = self.model.coding  # type: ignore[attr-defined]
        if event != (data.name in RECORDINGS):
            wanted = f"a data set of recordings ({', '.join(RECORDINGS)})" if event else "one of images"
            raise ValueError(
                f"model.coding={coding} does not go with data.name={data.name}; "
                f"take {wanted} or model.coding={'direct' if event else 'event'}"
            )
        channels = CHANNELS.get(data.name, (2,) if event else (1, 3))
        if data.channels not in channels:
            raise ValueError(
                f"expected data.channels={' or '.join(map(str, channels))} for data.name={data.name}, "
                f"got {data.channels}"
            )
        if data.fit == "sum" and not event:
            raise ValueError("data.fit=sum adds up event counts; take crop, resize, adm, fsvae148 or none for images")
        if data.fit in ("adm", "fsvae148") and event:
            raise ValueError(f"data.fit={data.fit} is for images; take crop, resize, sum or none for recordings")
        return self


def check_halvings(resolution: int, widths: tuple[int, ...]) -> None:
    """Raises ValueError where a size cannot be halved by every level of `model.widths`."""
    if resolution % 2 ** len(widths):
        raise ValueError(
            f"data.resolution={resolution} cannot be halved {len(widths)} times; take a multiple of {2 ** len(widths)} "
            "or fewer model.widths"
        )
