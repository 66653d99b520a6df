"""`event-tools filter`, `cut` and `merge`: recordings changed, shortened, divided, put together."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from event_tools.commands.convert import Start, Stop, prepare, rewrite
from event_tools.commands.options import (
    AsJson,
    JobOptions,
    Out,
    ReadOptions,
    SourceList,
    WriteOptions,
    taking_options,
    told,
)
from event_tools.commands.running import Order, carry_out, check_out, told_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from event_tools.events import Events

One = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A file, folder, quoted pattern or archive.", show_default=False)
]
WINDOW = re.compile(r"(\d+)x(\d+)\+(\d+)\+(\d+)")


def _list_filters(wanted: bool) -> None:
    if wanted:
        from event_tools.filtering import describe_filters

        typer.echo(describe_filters())
        raise typer.Exit


@taking_options
def filter(
    source: One,
    out: Out,
    filters: Annotated[list[str], typer.Argument(metavar="FILTER", help="name:key=value,...", show_default=False)],
    read: ReadOptions,
    write: WriteOptions,
    job: JobOptions,
    start_us: Start = None,
    stop_us: Stop = None,
    listing: Annotated[
        bool, typer.Option("--list", callback=_list_filters, is_eager=True, help="List filters with their parameters.")
    ] = False,
) -> None:
    """Send recordings through filters, one after the other; --list says which there are."""
    from event_tools.filtering import parse_filter

    chain = [str(parse_filter(text)) for text in filters]
    rewrite(
        "filter", [source], out, read, write, job, start_us, stop_us, Chain(tuple(chain)), {"filters": " ".join(chain)}
    )


@dataclass(frozen=True)
class Chain:
    """Filters by their text; chance is drawn anew for each recording, by its name."""

    filters: tuple[str, ...]

    def __call__(self, parts: Iterator[Events], name: str) -> Iterator[Events]:
        """The filtered pieces. Raises ValueError."""
        from event_tools.filtering import filter_parts, parse_filter

        return filter_parts(parts, [parse_filter(text).for_recording(name) for text in self.filters])


@taking_options
def cut(
    source: One,
    out: Out,
    read: ReadOptions,
    write: WriteOptions,
    job: JobOptions,
    start_us: Start = None,
    stop_us: Stop = None,
    crop: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT+LEFT+TOP: keep this window of the sensor.")] = None,
    skip_events: Annotated[int, typer.Option(min=0, help="Leave out so many events at the start.")] = 0,
    max_events: Annotated[int | None, typer.Option(min=0, help="Keep so many events at most.")] = None,
    every_events: Annotated[int | None, typer.Option(min=1, help="Divide into files of so many events.")] = None,
    every_us: Annotated[int | None, typer.Option(min=1, help="Divide into files of so many microseconds.")] = None,
    zero: Annotated[
        bool, typer.Option("--zero", help="Count times from --start-us, else from the first event; of each part.")
    ] = False,
) -> None:
    """Keep a window of time, of the sensor, or so many events; or divide recordings into many files."""
    from event_tools.cutting import FIRST, Cut, Split

    if every_events and every_us:
        raise ValueError("expected one of --every-events and --every-us, got both")
    window = None if crop is None else _window(crop)
    options = told(
        crop=crop,
        skip_events=skip_events or None,
        max_events=max_events,
        every_events=every_events,
        every_us=every_us,
        zero=zero,
    )
    split = every_events is not None or every_us is not None
    change = Cut(window, skip_events, max_events, zero and not split, start_us)
    if not split:
        rewrite("cut", [source], out, read, write, job, start_us, stop_us, change, options)
        return
    found, order, work = prepare("cut", [source], out, read, write, start_us, stop_us, change, options, to_folder=True)
    order = Order(order.command, order.given, out, order.suffix, order.options, FIRST, True)
    carry_out(order, found, Split(work, every_events, every_us, zero), job)


@taking_options
def merge(
    sources: SourceList,
    out: Out,
    read: ReadOptions,
    write: WriteOptions,
    start_us: Start = None,
    stop_us: Stop = None,
    shift_us: Annotated[
        str | None, typer.Option(help="Microseconds added to the times of each source, with commas: 0,1000.")
    ] = None,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="All recordings of a labelled folder or archive as one HDF5 set.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put recordings of one sensor together into one, by time; of equal times the first source's come first."""
    from event_tools.convert import Conversion, refuse_misnomer, target_of
    from event_tools.formats.writer import Writing
    from event_tools.jobs import sweep
    from event_tools.merging import merge_files
    from event_tools.sources import expand

    if labelled:
        answer = _merged_set(sources, out, read, write, start_us, stop_us, shift_us, overwrite)
    else:
        items = expand(sources, member=read.member).items
        target, _ = target_of(write.to, out)
        refuse_misnomer(out, target)
        check_out(out, overwrite)
        sweep([out])
        options = told(read=read, write=write, start_us=start_us, stop_us=stop_us, shift_us=shift_us)
        options.pop("to", None)
        reading, writing = read.reading(start_us, stop_us, sided=True), Writing(write.compression, write.layout)
        work = Conversion(target, reading, writing, read.both(), "merge", options)
        with told_warnings():
            events = merge_files(items, out, work, _shifts(shift_us, len(items)))
        answer = {"out": str(out), "recordings": len(items), "events": events}
    typer.echo(json.dumps(answer) if as_json else str(out))


def _merged_set(
    sources: list[str],
    out: Path,
    read: ReadOptions,
    write: WriteOptions,
    start_us: int | None,
    stop_us: int | None,
    shift_us: str | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Write a labelled set; what is printed of it. Raises ValueError."""
    from event_tools.errors import EventFileError
    from event_tools.jobs import sweep
    from event_tools.merging import merge_set

    if len(sources) != 1 or shift_us is not None or read.sort or write.layout or write.compression:
        raise ValueError("expected --labelled with one folder or archive, without --shift-us, --sort and ways to write")
    if out.suffix.lower() not in (".h5", ".hdf5") or write.to not in (None, "hdf5", "h5", ".h5"):
        raise EventFileError(out, "expected a name that ends in .h5 for a labelled set")
    check_out(out, overwrite)
    sweep([out])
    options = told(read=read, start_us=start_us, stop_us=stop_us, labelled=True)
    with told_warnings():
        recordings, events = merge_set(Path(sources[0]), out, read.reading(start_us, stop_us), options)
    return {"out": str(out), "recordings": recordings, "events": events}


def _window(text: str) -> tuple[int, int, int, int]:
    """(left, top, width, height) of WIDTHxHEIGHT+LEFT+TOP; raises ValueError."""
    match = WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f"expected --crop as WIDTHxHEIGHT+LEFT+TOP, for example 28x28+3+3, got {text!r}")
    width, height, left, top = map(int, match.groups())
    return left, top, width, height


def _shifts(text: str | None, count: int) -> tuple[int, ...]:
    """The shift of each source; raises ValueError."""
    if text is None:
        return (0,) * count
    try:
        shifts = tuple(int(item) for item in text.split(","))
    except ValueError:
        raise ValueError(f"expected --shift-us as microseconds, for example 0,1000, got {text!r}") from None
    if len(shifts) != count:
        raise ValueError(f"expected --shift-us with a number for each of {count} recordings, got {len(shifts)}")
    return shifts
