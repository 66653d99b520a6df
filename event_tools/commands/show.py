"""`event-tools show` and `to-video`: recordings to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from event_tools.commands.options import ReadOptions, SourceList, taking_options
from event_tools.commands.running import evenly, told_warnings

if TYPE_CHECKING:
    from event_tools.events import Events
    from event_tools.formats.reader import Reading

SHOWN = 12  # recordings of a folder that go on a page


@taking_options
def show(
    sources: SourceList,
    read: ReadOptions,
    out: Annotated[Path, typer.Option(help="A page (.html) or animation (.gif).")],
    count: Annotated[int, typer.Option(min=1, help="How many recordings of a folder or archive.")] = SHOWN,
    start_us: Annotated[int | None, typer.Option(help="Show events from this time on, microseconds.")] = None,
    stop_us: Annotated[int | None, typer.Option(help="Show events before this time, microseconds.")] = None,
) -> None:
    """Make one page that plays recordings in any browser, or a GIF."""
    from event_tools.viewer import write_gif, write_page

    if out.suffix.lower() not in (".html", ".gif"):
        raise ValueError(f"expected --out to end in .html or .gif, got {out.name}")
    with told_warnings():
        titled = [item for source in sources for item in _titled(source, read.reading(start_us, stop_us), count)]
    if out.suffix.lower() == ".gif":
        write_gif(out, titled)
    else:
        write_page(out, titled, title=", ".join(Path(source).name for source in sources))
    typer.echo(str(out))


def _titled(source: str, reading: Reading, count: int) -> list[tuple[str, Events]]:
    """(name, events) of the recordings of a source, `count` at most."""
    from event_tools.sources import events_of, expand

    items = expand([source]).items
    return [(items[i].name, events_of(items[i], reading)) for i in evenly(len(items), count)]
