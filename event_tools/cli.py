"""The `event-tools` command, also mounted as `neurogen events`: info, convert, show, compare.

Answers go to stdout, talk to stderr; an error that a person can mend is one sentence and exit status 2. Everything
but typer is imported inside the command that needs it, so that --help is instant.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from event_tools.command import run_command, tell

if TYPE_CHECKING:
    from event_tools.datasets import Recordings
    from event_tools.events import Events

app = typer.Typer(
    name="event-tools",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Event recordings: info, convert, show, compare.",
    epilog="Example: event-tools info 00002.bin",
)

SHOWN = 12  # recordings of a folder that go on a page
Source = Annotated[Path, typer.Argument(help="A recording, or a folder or .zip of them.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Format = Annotated[str | None, typer.Option(help="nmnist, aedat2, aedat4 or hdf5; otherwise by content, then suffix.")]
Sensor = Annotated[str | None, typer.Option("--sensor", help="WIDTHxHEIGHT in pixels; wins over what a file says.")]
Convention = Annotated[str | None, typer.Option(help="How AEDAT 2.0 is read: jaer, spikingjelly, tonic or raw.")]
Tolerant = Annotated[bool, typer.Option("--tolerant", help="Keep what precedes a damage, with a warning.")]


def main() -> None:
    """Run the command line; exits 2 with one sentence for anything a person can mend."""
    run_command(app, "event-tools")


@app.command(epilog="Example: event-tools info 00002.bin --json")
def info(
    files: Annotated[list[Path], typer.Argument(help="Recordings.", show_default=False)],
    format: Format = None,
    convention: Convention = None,
    tolerant: Tolerant = False,
    as_json: AsJson = False,
) -> None:
    """Say what files hold: format, sensor, events, times, share of ON events, other streams, provenance."""
    from dataclasses import asdict

    from event_tools.files import info as describe

    with _told_warnings():
        answers = [asdict(describe(path, format, tolerant=tolerant, convention=convention)) for path in files]
    if as_json:
        typer.echo(json.dumps(answers[0] if len(answers) == 1 else answers))
        return
    for answer in answers:
        width = max(map(len, answer))
        typer.echo("\n".join(f"{name:{width}}  {_text(value)}" for name, value in answer.items()))


@app.command(epilog="Example: event-tools convert 00002.bin 00002.aedat4")
def convert(
    source: Source,
    out: Annotated[Path, typer.Argument(help="File to write; for a folder or .zip a new folder.", show_default=False)],
    to: Annotated[
        str | None, typer.Option(help="bin, aedat4 or h5: the suffix of what is written; a folder needs it.")
    ] = None,
    format: Format = None,
    sensor: Sensor = None,
    start_us: Annotated[int | None, typer.Option(help="Keep events from this time on, microseconds.")] = None,
    stop_us: Annotated[int | None, typer.Option(help="Keep events before this time, microseconds.")] = None,
    sort: Annotated[bool, typer.Option("--sort", help="Sort times that decrease instead of refusing them.")] = False,
    tolerant: Tolerant = False,
    convention: Convention = None,
    compression: Annotated[str | None, typer.Option(help="AEDAT 4: lz4, none or zstd.")] = None,
) -> None:
    """Write a recording, or every recording of a data set, in another format."""
    from event_tools.convert import convert_all, convert_file
    from event_tools.formats.reader import Reading

    order = "sort" if sort else "refuse"
    reading = Reading(format, _size(sensor), start_us, stop_us, order, tolerant, convention)
    with _told_warnings():
        if _is_set(source):
            convert_all(source, out, to, reading, compression, _progress)
        else:
            convert_file(source, out, to, reading, compression)
    typer.echo(str(out))


@app.command(epilog="Example: event-tools show recordings --out page.html")
def show(
    sources: Annotated[list[Path], typer.Argument(help="Recordings, folders or .zip files.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A page (.html) or animation (.gif).")],
    count: Annotated[int, typer.Option(min=1, help="How many recordings of a folder or .zip.")] = SHOWN,
    sensor: Sensor = None,
) -> None:
    """Make one page that plays recordings in any browser, or a GIF."""
    from event_tools.viewer import write_gif, write_page

    if out.suffix.lower() not in (".html", ".gif"):
        raise ValueError(f"expected --out to end in .html or .gif, got {out.name}")
    titled = [item for source in sources for item in _titled(source, _size(sensor), count)]
    if out.suffix.lower() == ".gif":
        write_gif(out, titled)
    else:
        write_page(out, titled, title=", ".join(source.name for source in sources))
    typer.echo(str(out))


@app.command(epilog="Example: event-tools compare generated real --json")
def compare(
    a: Source,
    b: Source,
    count: Annotated[int | None, typer.Option(min=1, help="At most so many recordings of each, evenly chosen.")] = None,
    sensor: Sensor = None,
    as_json: AsJson = False,
) -> None:
    """How far recordings A look from recordings B, beside how far two halves of B look from each other."""
    from event_tools.realism import UNITS
    from event_tools.realism import compare as distances

    size = _size(sensor)
    one, two = (_events(source, size, count) for source in (a, b))
    values = distances(one, two)
    floors = distances(two[::2], two[1::2]) if len(two) > 1 else dict.fromkeys(values, math.nan)
    rows = {
        name: {"unit": UNITS[name], "value": _finite(values[name]), "floor": _finite(floors[name])} for name in values
    }
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for name, row in rows.items():
        typer.echo(f"{name:12} {_figure(row['value'])} {_figure(row['floor'])}  {row['unit']}")


def _is_set(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


def _set(path: Path) -> Recordings:
    from event_tools.datasets import open_recordings

    return open_recordings(path)


def _events(path: Path, size: tuple[int, int] | None, count: int | None = None) -> list[Events]:
    from event_tools.files import read
    from event_tools.formats.reader import Reading

    if not _is_set(path):
        return [read(path, sensor_size=size)]
    recordings = _set(path)
    return [
        recordings.events(i, Reading(sensor_size=size))
        for i in _progress(_evenly(len(recordings), count), f"reading {path.name}")
    ]


def _titled(path: Path, size: tuple[int, int] | None, count: int) -> list[tuple[str, Events]]:
    from event_tools.files import read
    from event_tools.formats.reader import Reading

    if not _is_set(path):
        return [(path.name, read(path, sensor_size=size))]
    recordings = _set(path)
    return [
        (recordings.names[i], recordings.events(i, Reading(sensor_size=size))) for i in _evenly(len(recordings), count)
    ]


def _evenly(total: int, count: int | None) -> list[int]:
    """At most `count` of range(total), evenly spread, so that every label of a sorted set has its share."""
    if count is None or count >= total:
        return list(range(total))
    return [i * total // count for i in range(count)]


def _progress(items: Sequence[Any], title: str) -> Iterator[Any]:
    """The items, with a bar on stderr where that is a terminal."""
    from tqdm import tqdm

    yield from tqdm(items, desc=title, file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True)


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Warnings as plain sentences on stderr, without a place in the source."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        tell("event-tools", str(warning.message))


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise ValueError(f"expected --sensor as WIDTHxHEIGHT, for example 34x34, got {text!r}")
    return int(width), int(height)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "-"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return "-" if value is None or value == "" else f"{value:.4f}" if isinstance(value, float) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.4f}"
