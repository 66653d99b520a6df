"""`event-tools convert`: recordings in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from event_tools.commands.options import JobOptions, Out, ReadOptions, SourceList, WriteOptions, taking_options, told
from event_tools.commands.running import Order, carry_out

if TYPE_CHECKING:
    from event_tools.convert import Change, Conversion
    from event_tools.sources import Sources

Start = Annotated[int | None, typer.Option(help="Keep events from this time on, microseconds.")]
Stop = Annotated[int | None, typer.Option(help="Keep events before this time, microseconds.")]


@taking_options
def convert(
    sources: SourceList,
    out: Out,
    read: ReadOptions,
    write: WriteOptions,
    job: JobOptions,
    start_us: Start = None,
    stop_us: Stop = None,
) -> None:
    """Write recordings in another format; an interrupted job goes on where it stopped when it is started again.

    Recordings larger than memory are fine, unless they have to be sorted.
    """
    rewrite("convert", sources, out, read, write, job, start_us=start_us, stop_us=stop_us)


def rewrite(
    command: str,
    given: list[str],
    out: Path,
    read: ReadOptions,
    write: WriteOptions,
    job: JobOptions,
    start_us: int | None = None,
    stop_us: int | None = None,
    change: Change | None = None,
    options: dict[str, str] | None = None,
) -> None:
    """Read recordings, change them, write them: what convert, filter and cut do. Raises ValueError, OSError."""
    found, order, work = prepare(command, given, out, read, write, start_us, stop_us, change, options)
    carry_out(order, found, work, job)


def prepare(
    command: str,
    given: list[str],
    out: Path,
    read: ReadOptions,
    write: WriteOptions,
    start_us: int | None = None,
    stop_us: int | None = None,
    change: Change | None = None,
    options: dict[str, str] | None = None,
    to_folder: bool = False,
) -> tuple[Sources, Order, Conversion]:
    """The recordings, what is to be made of them, and the work on each. Raises EventFileError, ValueError."""
    from event_tools.convert import Conversion, refuse_misnomer, target_of
    from event_tools.errors import EventFileError
    from event_tools.formats.writer import Writing
    from event_tools.sources import expand

    found = expand(given, member=read.member)
    if write.to is None and (found.many or to_folder or out.is_dir()):
        raise EventFileError(out, "expected --to with a format or suffix, since it is a folder that is written")
    target, suffix = target_of(write.to, out)
    if not (found.many or to_folder or out.is_dir()):
        refuse_misnomer(out, target)
    shaping = told(read=read, write=write, start_us=start_us, stop_us=stop_us, **(options or {}))
    work = Conversion(
        target,
        read.reading(start_us, stop_us, sided=True),
        Writing(write.compression, write.layout),
        read.both(),
        command,
        {name: value for name, value in shaping.items() if name != "to"},
        change,
        shown=not found.many,
    )
    return found, Order(command, given, out, suffix, {**shaping, "to": target}), work
