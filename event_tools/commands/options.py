"""Options that commands share: frozen dataclasses whose fields are typer options, and the decorator that spreads them.

A command that takes a parameter of such a class gets the class's fields as options in its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from event_tools.formats.reader import Reading

FORMAT_NAMES = "nmnist bs1 bs2 bs3 aedat2 aedat3 aedat4 hdf5 dat evt2 evt21 evt3 es npz npy csv mat"
SOURCES = "Recordings: files, folders, quoted patterns or archives."
READS, WRITES, JOBS = "How it is read", "How it is written", "Many files"

SourceList = Annotated[list[str], typer.Argument(metavar="SOURCE", help=SOURCES, show_default=False)]
Out = Annotated[Path, typer.Argument(help="File to write; a folder for many recordings.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _option(*names: str, help: str, panel: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


@dataclass(frozen=True)
class ReadOptions:
    """How recordings are read; None means that nothing was said."""

    source_format: Annotated[
        str | None,
        _option("--from", help=f"Its format if content and suffix do not tell: {FORMAT_NAMES}.", panel=READS),
    ] = None
    sensor: Annotated[
        str | None, _option("--sensor", help="WIDTHxHEIGHT in pixels; wins over what a file says.", panel=READS)
    ] = None
    convention: Annotated[
        str | None, _option("--convention", help="AEDAT 2.0: jaer, spikingjelly, tonic or raw.", panel=READS)
    ] = None
    camera: Annotated[str | None, _option("--camera", help="AEDAT 2.0: dvs128, davis346, ...", panel=READS)] = None
    time_unit: Annotated[str | None, _option("--time-unit", help="Of text and arrays: us or s.", panel=READS)] = None
    endianness: Annotated[str | None, _option("--endianness", help="EVT 2.1 words: little or legacy.", panel=READS)] = (
        None
    )
    member: Annotated[str | None, _option("--member", help="Which recording of an HDF5 file of many.", panel=READS)] = (
        None
    )
    salvage: Annotated[bool, _option("--salvage", help="Keep what precedes a damage, with a warning.", panel=READS)] = (
        False
    )
    sort: Annotated[bool, _option("--sort", help="Sort times that decrease instead of refusing them.", panel=READS)] = (
        False
    )

    def reading(self, start_us: int | None = None, stop_us: int | None = None, sided: bool = False) -> Reading:
        """As readers take it; `sided` leaves out what `both` holds. Raises ValueError for no size or empty window."""
        from event_tools.formats.reader import Reading

        if start_us is not None and stop_us is not None and stop_us <= start_us:
            raise ValueError(f"expected --start-us before --stop-us, got {start_us} and {stop_us}")
        order = "sort" if self.sort else "refuse"
        unsided = {} if sided else self.both()
        return Reading(
            self.source_format,
            size_of(self.sensor),
            start_us,
            stop_us,
            order,
            self.salvage,
            **unsided,
            member=self.member,
        )

    def both(self) -> dict[str, str]:
        """The options that writing may know too."""
        names = ("convention", "camera", "time_unit", "endianness")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class WriteOptions:
    """How recordings are written."""

    to: Annotated[str | None, _option("--to", help="Format or suffix to write; a folder needs it.", panel=WRITES)] = (
        None
    )
    compression: Annotated[str | None, _option("--compression", help="AEDAT 4: lz4, none or zstd.", panel=WRITES)] = (
        None
    )
    layout: Annotated[str | None, _option("--layout", help="HDF5: dsec or rpg.", panel=WRITES)] = None


@dataclass(frozen=True)
class JobOptions:
    """How many outputs come about."""

    workers: Annotated[int | None, _option("--workers", help="Processes; by default one a CPU.", panel=JOBS, min=1)] = (
        None
    )
    shard: Annotated[
        str | None,
        _option(
            "--shard", help="I/N, I from 0: make every N-th output from the I-th on; for many machines.", panel=JOBS
        ),
    ] = None
    overwrite: Annotated[bool, _option("--overwrite", help="Replace a single file that is there.", panel=JOBS)] = False
    as_json: AsJson = False

    def crew(self) -> int:
        """Number of processes."""
        from event_tools.pool import cpu_count

        return self.workers or cpu_count()

    def part(self) -> tuple[int, int]:
        """(I, N) of the shard; raises ValueError."""
        return shard_of(self.shard)


def taking_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each parameter of an options class replaced by the class's fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if hint in (ReadOptions, WriteOptions, JobOptions)}

    @wraps(command)
    def spread(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        command(**values)

    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY))
            continue
        types = get_type_hints(groups[name], include_extras=True)
        for each in fields(groups[name]):
            assert each.default is not MISSING
            parameters.append(
                inspect.Parameter(each.name, parameter.KEYWORD_ONLY, default=each.default, annotation=types[each.name])
            )
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del spread.__wrapped__  # type: ignore[attr-defined]
    return spread


def told(**options: Any) -> dict[str, str]:
    """Those options that were given, as text, for records; groups of options by their fields."""
    texts: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, (ReadOptions, WriteOptions)):
            texts |= told(**{each.name: getattr(value, each.name) for each in fields(value)})
        elif value is True:
            texts[name] = "yes"
        elif value is not None and value is not False and value != []:
            texts["from" if name == "source_format" else name] = (
                " ".join(map(str, value)) if isinstance(value, list) else str(value)
            )
    return texts


def size_of(text: str | None) -> tuple[int, int] | None:
    """(width, height) of WIDTHxHEIGHT; raises ValueError."""
    if text is None:
        return None
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError(f"expected --sensor as WIDTHxHEIGHT, for example 34x34, got {text!r}")
    return int(width), int(height)


def shard_of(text: str | None) -> tuple[int, int]:
    """(I, N) of I/N; raises ValueError."""
    if text is None:
        return 0, 1
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise ValueError(f"expected --shard as I/N with I from 0 to N - 1, for example 0/4, got {text!r}")
    return int(index), int(count)
