"""`event-tools compare`: how far two sets of recordings lie apart."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

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
    count: Annotated[int | None, typer.Option(min=1, help="At most so many recordings of each, evenly chosen.")] = None,
    as_json: AsJson = False,
) -> None:
    """How far recordings A look from recordings B, beside how far two halves of B look from each other.

    The last three rows compare recordings in pairs, event by event; the others compare the sets.
    """
    from event_tools import distances, realism

    units = realism.UNITS | distances.UNITS

    def all_between(some: list[Events], others: list[Events]) -> dict[str, float]:
        return realism.compare(some, others) | distances.distances(some, others)

    with told_warnings():
        one, two = (_events(source, read.reading(), count) for source in (a, b))
    values = all_between(one, two)
    floors = all_between(two[::2], two[1::2]) if len(two) > 1 else dict.fromkeys(values, math.nan)
    rows = {
        name: {"unit": units[name], "value": _finite(values[name]), "floor": _finite(floors[name])} for name in values
    }
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for name, row in rows.items():
        typer.echo(f"{name:18} {_figure(row['value'])} {_figure(row['floor'])}  {row['unit']}")


def _events(source: str, reading: Reading, count: int | None) -> list[Events]:
    from event_tools.progress import walked
    from event_tools.sources import events_of, expand

    items = expand([source], member=reading.member).items
    chosen = evenly(len(items), count)
    return [events_of(items[i], reading) for i in walked(chosen, len(chosen), f"reading {source}")]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.4f}"
