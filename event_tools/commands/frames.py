"""`event-tools frames` and `unframe`: recordings to counts in time bins, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from event_tools.commands.options import JobOptions, Out, ReadOptions, SourceList, WriteOptions, taking_options, told
from event_tools.commands.running import Order, carry_out

FrameList = Annotated[
    list[str],
    typer.Argument(metavar="FRAMES", help="Files .npz or .npy, folders, patterns.", show_default=False),
]


@taking_options
def frames(
    sources: SourceList,
    out: Annotated[Path, typer.Argument(help="File .npz or .npy; a folder for many recordings.", show_default=False)],
    read: ReadOptions,
    job: JobOptions,
    steps: Annotated[int | None, typer.Option(min=1, help="How many frames, T.")] = None,
    by: Annotated[str, typer.Option(help="Equal time or count, or published (the paper's lossy rule).")] = "time",
    duration_us: Annotated[int | None, typer.Option(min=1, help="Frames of so many microseconds instead.")] = None,
    edges: Annotated[str | None, typer.Option(help="Frames between these microseconds instead: 0,5000,9000.")] = None,
    start_us: Annotated[int | None, typer.Option(help="Count events from this time on, microseconds.")] = None,
    stop_us: Annotated[int | None, typer.Option(help="Count events before this time, microseconds.")] = None,
    to: Annotated[str | None, typer.Option(help="npz (as SpikingJelly's, with edges) or npy.")] = None,
) -> None:
    """Count the events of recordings in time bins: arrays (T, 2, height, width), channel 0 OFF and 1 ON."""
    from event_tools.binning import RULES
    from event_tools.frame_files import SUFFIXES
    from event_tools.framing import Framing
    from event_tools.sources import expand

    if (steps is not None) + (duration_us is not None) + (edges is not None) != 1:
        raise ValueError("expected one of --steps, --duration-us and --edges")
    rules = [rule for rule in RULES if rule != "duration"]
    if by not in rules:
        raise ValueError(f"expected --by to be {', '.join(rules)}, got {by!r}")
    found = expand(sources, member=read.member)
    wanted = to or (None if found.many or out.is_dir() else out.suffix) or "npz"
    suffix = f".{wanted.lstrip('.').lower()}"
    if suffix not in SUFFIXES:
        raise ValueError(f"expected frames to go into {' or '.join(SUFFIXES)}, got {wanted!r}")
    if not (found.many or out.is_dir()) and out.suffix.lower() != suffix:
        raise ValueError(f"expected a name that ends in {suffix}, got {out.name}")
    options = told(
        read=read, steps=steps, by=by, duration_us=duration_us, edges=edges, start_us=start_us, stop_us=stop_us
    )
    work = Framing(
        read.reading(start_us, stop_us),
        duration_us or steps,
        "duration" if duration_us else by,
        None if edges is None else _times(edges),
        options,
    )
    carry_out(Order("frames", sources, out, suffix, {**options, "to": suffix[1:]}), found, work, job)


@taking_options
def unframe(
    sources: FrameList,
    out: Out,
    write: WriteOptions,
    job: JobOptions,
    bin_us: Annotated[
        int | None, typer.Option(min=1, help="Length of a frame, where the file has no edges or others are wanted.")
    ] = None,
    start_us: Annotated[int, typer.Option(help="With --bin-us: where the first frame begins, microseconds.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the times; file k of many takes seed + k.")] = 0,
    placement: Annotated[str, typer.Option(help="uniform, linear, or profile (needs --profile).")] = "uniform",
    profile: Annotated[
        str | None, typer.Option(help="Real recordings whose rate over time is followed: folder, archive, pattern.")
    ] = None,
    refractory_us: Annotated[int, typer.Option(min=0, help="Least time between events of a pixel.")] = 0,
    anchor: Annotated[
        str | None, typer.Option(help="time or count: binning by that rule finds the edges by itself.")
    ] = None,
    unique: Annotated[bool, typer.Option("--unique", help="No two events at one microsecond.")] = False,
) -> None:
    """Make recordings of frames of counts: binned between the same edges, they give the same frames again."""
    from event_tools.convert import refuse_misnomer, target_of
    from event_tools.errors import EventFileError
    from event_tools.formats.writer import Writing
    from event_tools.frame_files import SUFFIXES
    from event_tools.framing import Unframing
    from event_tools.placing import PLACEMENTS
    from event_tools.sources import expand

    if placement not in PLACEMENTS:
        raise ValueError(f"expected --placement to be {', '.join(PLACEMENTS)}, got {placement!r}")
    if (placement == "profile") != (profile is not None):
        raise ValueError("expected --placement profile and --profile RECORDINGS together")
    if anchor not in (None, "time", "count"):
        raise ValueError(f"expected --anchor to be time or count, got {anchor!r}")
    found = expand(sources, SUFFIXES)
    if write.to is None and (found.many or out.is_dir()):
        raise EventFileError(out, "expected --to with a format or suffix, since it is a folder that is written")
    target, suffix = target_of(write.to, out)
    if not (found.many or out.is_dir()):
        refuse_misnomer(out, target)
    options = told(
        compression=write.compression,
        layout=write.layout,
        bin_us=bin_us,
        start_us=start_us or None,
        seed=seed,
        placement=placement,
        profile=Path(profile).name if profile else None,
        refractory_us=refractory_us or None,
        anchor=anchor,
        unique=unique,
    )
    work = Unframing(
        target,
        Writing(write.compression, write.layout),
        seed,
        placement,
        refractory_us,
        anchor,
        unique,
        None if profile is None else _rate_curve(profile),
        bin_us,
        start_us,
        options,
    )
    carry_out(Order("unframe", sources, out, suffix, {**options, "to": target}), found, work, job)


def _times(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(item) for item in text.split(","))
    except ValueError:
        raise ValueError(f"expected --edges as microseconds, for example 0,5000,9000, got {text!r}") from None


def _rate_curve(source: str):  # type: ignore[no-untyped-def]  # RateCurve, which would load numpy here
    from event_tools.formats.reader import Reading
    from event_tools.profile import RateCurve
    from event_tools.progress import walked
    from event_tools.sources import events_of, expand

    items = expand([source]).items
    return RateCurve.measure(events_of(item, Reading()) for item in walked(items, len(items), "measuring the rate"))
