"""`event-tools show` and `to-video`: recordings to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from event_tools.commands.options import ReadOptions, SourceList, taking_options
from event_tools.commands.running import evenly, told_warnings

if TYPE_CHECKING:
    from event_tools.events import Events
    from event_tools.formats.reader import Reading
    from event_tools.sources import Item

SHOWN, FILMED = 12, 4  # recordings of a folder that go on a page, into a film
PART = 1 << 17  # events of a recording that a film holds

Start = Annotated[int | None, typer.Option(help="Show events from this time on, microseconds.")]
Stop = Annotated[int | None, typer.Option(help="Show events before this time, microseconds.")]
Palette = Annotated[str, typer.Option(help="Colours of ON and OFF; a wrong name lists them.")]
Ground = Annotated[str, typer.Option(help="dark or light.")]


@taking_options
def show(
    sources: SourceList,
    out: Annotated[Path, typer.Option(help="A page (.html) or animation (.gif).")],
    read: ReadOptions,
    count: Annotated[int, typer.Option(min=1, help="How many recordings of a folder or archive.")] = SHOWN,
    start_us: Start = None,
    stop_us: Stop = None,
    palette: Palette = "cyan-pink",
    ground: Ground = "dark",
) -> None:
    """Make one page that plays recordings in any browser, without a network, or a GIF."""
    from event_tools.sources import events_of
    from event_tools.viewer import write_page, write_video

    if out.suffix.lower() not in (".html", ".gif"):
        raise ValueError(f"expected --out to end in .html or .gif, got {out.name}")
    reading = read.reading(start_us, stop_us)
    with told_warnings():
        titled = [(item.name, events_of(item, reading)) for item in _chosen(sources, count, read.member)]
        if out.suffix.lower() == ".gif":
            write_video(out, titled, fps=15, palette=palette, ground=ground)
        else:
            title = ", ".join(Path(source).name for source in sources)
            write_page(out, titled, title=title, palette=palette, ground=ground)
    typer.echo(str(out))


@taking_options
def to_video(
    sources: SourceList,
    out: Annotated[Path, typer.Option(help="A film .mp4, .gif or .apng, or a new folder for numbered .png.")],
    read: ReadOptions,
    count: Annotated[int, typer.Option(min=1, help="How many recordings of a folder or archive.")] = FILMED,
    start_us: Start = None,
    stop_us: Stop = None,
    fps: Annotated[float, typer.Option(min=0.1, help="Pictures per second of the film.")] = 30,
    step_us: Annotated[
        int | None, typer.Option(min=1, help="Recorded microseconds from picture to picture; by default 10,000.")
    ] = None,
    window_us: Annotated[
        int | None, typer.Option(min=1, help="Microseconds that an event stays to be seen; by default five steps.")
    ] = None,
    scale: Annotated[int | None, typer.Option(min=1, help="A sensor's pixel in pixels.")] = None,
    palette: Palette = "cyan-pink",
    ground: Ground = "dark",
) -> None:
    """Make a film of recordings side by side; they may be larger than memory, except for a GIF."""
    from event_tools.sources import events_of
    from event_tools.viewer import write_video

    reading, chosen = read.reading(start_us, stop_us), _chosen(sources, count, read.member)
    with told_warnings(), ExitStack() as stack:
        whole = out.suffix.lower() == ".gif"
        shown: list[tuple[str, Any]] = [
            (item.name, events_of(item, reading) if whole else _walked(item, reading, stack)) for item in chosen
        ]
        write_video(
            out, shown, fps=fps, step_us=step_us, window_us=window_us, scale=scale, palette=palette, ground=ground
        )
    typer.echo(str(out))


def _chosen(sources: list[str], count: int, member: str | None) -> list[Item]:
    """The recordings of all sources, at most `count` of each that holds many."""
    from event_tools.sources import expand

    found = expand(sources, member=member).items
    groups = [expand([source], member=member).items for source in sources] if len(sources) > 1 else [found]
    starts = [sum(len(group) for group in groups[:k]) for k in range(len(groups))]
    return [found[start + i] for start, group in zip(starts, groups, strict=True) for i in evenly(len(group), count)]


def _walked(item: Item, reading: Reading, stack: ExitStack) -> Iterator[Events]:
    """A recording in parts with memory of their own; its file stays open until the stack ends."""
    from event_tools.parts import by_count
    from event_tools.sources import opened_item, parts_of

    _, reader, set_size = stack.enter_context(opened_item(item, reading))
    return by_count(parts_of(item, reader, reading, set_size), PART)
