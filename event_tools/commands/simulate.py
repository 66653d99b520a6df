"""`event-tools simulate`: pictures before a simulated event camera, as a labelled set of recordings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from event_tools.commands.options import JobOptions, Out, taking_options

if TYPE_CHECKING:
    from event_tools.jobs import Task
    from event_tools.pictures import Pictures

PRESET_NAMES = "nmnist, dvs_cifar10"
Images = Annotated[
    Path,
    typer.Argument(help="An .npz, idx or CIFAR-10 .bin file, or a folder of pictures by class.", show_default=False),
]


@taking_options
def simulate(
    images: Images,
    out: Out,
    job: JobOptions,
    preset: Annotated[str, typer.Option(help=f"Which set is imitated: {PRESET_NAMES}.")] = "dvs_cifar10",
    count: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, classes in turn.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the recordings, apart from their pictures.")] = 0,
    convention: Annotated[
        str, typer.Option(help="AEDAT 2.0: which reader finds the pictures upright: spikingjelly, jaer or tonic.")
    ] = "spikingjelly",
) -> None:
    """Record pictures with a simulated event camera, in the layout of the set that the preset imitates."""
    from event_tools.commands.running import Order, carry_out
    from event_tools.formats.aedat2 import CONVENTIONS
    from event_tools.pictures import open_pictures
    from event_tools.presets import PRESETS
    from event_tools.sources import Item, Sources

    if preset not in PRESETS:
        raise ValueError(f"expected --preset to be one of {', '.join(PRESETS)}, got {preset!r}")
    if convention not in CONVENTIONS:
        raise ValueError(f"expected --convention to be one of {', '.join(CONVENTIONS)}, got {convention!r}")
    if job.overwrite:
        raise ValueError("expected a new folder for simulated recordings, got --overwrite; leave it out")
    chosen = PRESETS[preset]
    if convention != "spikingjelly" and chosen.suffix != ".aedat":
        raise ValueError(f"--convention is of AEDAT 2.0, --preset {preset} writes {chosen.suffix}; leave it out")
    pictures = open_pictures(images)
    names, some = named(pictures, preset, count)
    items = tuple(Item(Path(images), name + chosen.suffix, str(i)) for name, i in zip(names, some, strict=True))
    options = {"preset": preset, "seed": str(seed), "convention": convention}  # no count: a larger one adds recordings
    order = Order("simulate", [str(images)], out, chosen.suffix, options, to_folder=True)
    carry_out(order, Sources(items, many=True), Recording(preset, seed, convention), job)


def named(pictures: Pictures, preset: str, count: int | None = None) -> tuple[list[str], list[int]]:
    """Names of recordings without suffix, and which pictures they are of: at most `count`, classes in turn.

    A picture has the same name for every count. Raises ValueError for labels that the preset has no names for.
    """
    from event_tools.presets import PRESETS

    chosen = PRESETS[preset]
    classes = pictures.classes or chosen.classes
    highest = int(pictures.labels.max(initial=0))
    if classes and highest >= len(classes):
        raise ValueError(f"expected labels up to {len(classes) - 1} for --preset {preset}, got {highest}")
    numbers: Counter[int] = Counter()
    all_names, turns = [], []
    for i, label in enumerate(pictures.labels.tolist()):
        number = i if chosen.counted_whole else numbers[label]
        all_names.append(chosen.name.format(label=classes[label] if classes else label, number=number))
        turns.append((numbers[label], label, i))
        numbers[label] += 1
    some = sorted(i for _, _, i in sorted(turns)[:count])
    return [all_names[i] for i in some], some


@dataclass(frozen=True)
class Recording:
    """The work on one picture; kept apart from the command so that worker processes can be given it."""

    preset: str
    seed: int
    convention: str

    def __call__(self, task: Task) -> dict[str, int]:
        """Write one recording; returns how many events it has. Raises ValueError, OSError."""
        from event_tools.files import write
        from event_tools.presets import PRESETS

        assert task.item.member is not None
        number, preset = int(task.item.member), PRESETS[self.preset]
        # The picture's number is part of the key, so that neither count nor order changes a recording.
        events = preset.recording(_pictures(task.item.path).grey(number), (self.seed << 32) + number)
        task.out.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"convention": self.convention} if preset.suffix == ".aedat" else {}
        write(task.out, events, **options)
        return {"events": len(events)}


@lru_cache(1)
def _pictures(path: Path) -> Pictures:
    from event_tools.pictures import open_pictures

    return open_pictures(path)
