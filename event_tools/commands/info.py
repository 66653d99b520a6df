"""`event-tools info`: what recordings hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from event_tools.command import tell
from event_tools.commands.options import AsJson, ReadOptions, SourceList, taking_options

if TYPE_CHECKING:
    from event_tools.formats.reader import Reading
    from event_tools.sources import Item

FEW = 16  # recordings that are looked at without processes for it
COLUMNS = ("path", "format", "sensor_size", "events", "duration_us", "rate_hz", "on_share")


@taking_options
def info(
    sources: SourceList,
    read: ReadOptions,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a CPU.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what recordings hold: format, sensor, events, times, share of ON events, other streams, provenance."""
    from event_tools.pool import answers, cpu_count
    from event_tools.progress import progress
    from event_tools.sources import expand

    items = expand(sources, member=read.member).items
    crew = workers or (1 if len(items) <= FEW else cpu_count())
    found: dict[int, dict[str, Any]] = {}
    errors: list[str] = []
    with progress(len(items), "info") as shown:
        for answer in answers(Describe(read.reading()), items, crew):
            for warning in answer.warnings:
                shown.tell(warning)
            if answer.value is not None:
                found[answer.index] = answer.value
            elif answer.error is not None:
                errors.append(answer.error)
            shown.step()
    if errors and not found:
        raise ValueError(errors[0] if len(errors) == 1 else f"{errors[0]} (and {len(errors) - 1} more like it)")
    for error in errors:
        tell("event-tools", error)
    _print([found[index] for index in sorted(found)], len(items), as_json)
    if errors:
        raise typer.Exit(2)


@dataclass(frozen=True)
class Describe:
    """Work of a process: the description of one recording."""

    reading: Reading

    def __call__(self, item: Item) -> dict[str, Any]:
        """Raises EventFileError."""
        from dataclasses import asdict

        from event_tools.describing import describe
        from event_tools.sources import opened_item

        with opened_item(item, self.reading) as (name, reader, set_size):
            return asdict(describe(name, reader, item.place, self.reading, set_size))


def _print(found: list[dict[str, Any]], asked: int, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found[0] if asked == 1 else found))
    elif asked == 1:
        width = max(map(len, found[0]))
        typer.echo("\n".join(f"{name:{width}}  {_text(value)}" for name, value in found[0].items()))
    else:
        rows = [COLUMNS, *([_text(one[name]) for name in COLUMNS] for one in found)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        for row in rows:
            typer.echo("  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "-"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return "-" if value is None or value == "" else f"{value:.4f}" if isinstance(value, float) else str(value)
