"""`event-tools compare`: how far two sets of recordings lie apart, or two single ones."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from event_tools.command import tell
from event_tools.commands.options import AsJson, ReadOptions, taking_options
from event_tools.commands.running import evenly, told_warnings

if TYPE_CHECKING:
    from event_tools.events import Events
    from event_tools.formats.reader import Reading

One = Annotated[str, typer.Argument(help="Recordings: a file, folder, quoted pattern or archive.", show_default=False)]


@taking_options
def compare(
    a: One,
    b: One,
    read: ReadOptions,
    floor: Annotated[
        str | None,
        typer.Option(help="Real recordings whose distance to B is the floor, such as the training set; else B halved."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="At most so many recordings of each, evenly chosen.")] = None,
    as_json: AsJson = False,
) -> None:
    """How far recordings A look from recordings B, beside the floor: how far real ones look from B.

    Columns: value, floor, value / floor, unit. The last five rows compare recordings in pairs, event by event; the
    others compare the sets. A set may be a single recording.
    """
    from event_tools import distances, realism

    units = realism.UNITS | distances.UNITS

    def all_between(some: list[Events], others: list[Events]) -> dict[str, float]:
        return realism.compare(some, others) | distances.distances(some, others)

    with told_warnings():
        one, two = (_events(source, read.reading(), count) for source in (a, b))
        real = None if floor is None else _events(floor, read.reading(), count)
    values = all_between(one, two)
    if real is not None:
        floors = all_between(real, two)
    elif len(two) > 1:
        floors = all_between(two[::2], two[1::2])
    else:
        floors = dict.fromkeys(values, math.nan)
        tell("event-tools", f"no floor: {b} is one recording; give --floor RECORDINGS, real ones to set beside it")
    rows = {name: _row(units[name], value, floors[name]) for name, value in values.items()}
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for name, row in rows.items():
        typer.echo(f"{name:18} {_figure(row['value'])} {_figure(row['floor'])} {_figure(row['ratio'])}  {row['unit']}")


def _events(source: str, reading: Reading, count: int | None) -> list[Events]:
    """The recordings of a source; raises EventFileError where there is no event in any of them."""
    from event_tools.errors import EventFileError
    from event_tools.progress import walked
    from event_tools.sources import events_of, expand

    items = expand([source], member=reading.member).items
    chosen = evenly(len(items), count)
    found = [events_of(items[i], reading) for i in walked(chosen, len(chosen), f"reading {source}")]
    if not any(len(events) for events in found):
        raise EventFileError(source, "expected recordings with events to compare, found none")
    return found


def _row(unit: str, value: float, floor: float) -> dict[str, str | float | None]:
    ratio = value / floor if floor > 0 else math.nan
    return {"unit": unit, "value": _finite(value), "floor": _finite(floor), "ratio": _finite(ratio)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.4f}"
