"""Work on single files: a recording to a file of frames, and a file of frames back to a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import to_frames
from event_tools.errors import EventFileError
from event_tools.events import Frames
from event_tools.files import write_as
from event_tools.finding import FORMATS
from event_tools.formats.reader import Reading
from event_tools.formats.writer import Writing
from event_tools.frame_files import read_frames, write_frames
from event_tools.history import with_step
from event_tools.jobs import Task
from event_tools.placing import crowded_cells, to_events
from event_tools.profile import RateCurve
from event_tools.settling import settle
from event_tools.sources import opened_item

LONGEST = 20_000  # characters of edges that go into a recording's provenance


@dataclass(frozen=True)
class Framing:
    """Bins `task.item` into `task.out`; answers with events and frames. steps, by, edges: as `to_frames` has them."""

    reading: Reading
    steps: int | None
    by: str
    edges: tuple[int, ...] | None
    options: Mapping[str, str]

    def __call__(self, task: Task) -> dict[str, int]:
        """Raises EventFileError."""
        with opened_item(task.item, self.reading) as (_, reader, set_size):
            events = settle(reader, task.item.place, self.reading, set_size)
            kept = with_step(reader.provenance, "frames", task.item.name, self.options, task.out)
        try:
            frames = to_frames(events, self.steps, self.by, None if self.edges is None else np.array(self.edges))
        except ValueError as error:
            raise EventFileError(task.item.place, str(error)) from None
        task.out.parent.mkdir(parents=True, exist_ok=True)
        write_frames(task.out, frames, kept)
        return {"events": int(frames.counts.sum(dtype=np.int64)), "frames": frames.steps}


@dataclass(frozen=True)
class Unframing:
    """Places the counts of `task.item` in `task.out`; answers with events, frames and cells too full for refractory_us.

    bin_us, start_us: bins of equal width, instead of the file's edges; seed: task k is drawn with seed + k, so that
    the recordings of a set differ. The rest is as `to_events` has it.
    """

    target: str
    writing: Writing
    seed: int = 0
    placement: str = "uniform"
    refractory_us: int = 0
    anchor: str | None = None
    unique: bool = False
    profile: RateCurve | None = None
    bin_us: int | None = None
    start_us: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, task: Task) -> dict[str, int]:
        """Raises EventFileError."""
        path, seed = task.item.path, self.seed + task.index
        found = read_frames(path)
        steps = len(found.counts)
        if found.edges is None and self.bin_us is None:
            raise EventFileError(path, "it has no edges; give --bin-us, the length of a frame in microseconds")
        try:
            edges = found.edges if found.edges is not None and self.bin_us is None else self._even(steps)
            frames = Frames(found.counts, edges)
            events = to_events(
                frames, seed, self.placement, self.refractory_us, self.anchor or False, self.profile, self.unique
            )
        except ValueError as error:
            raise EventFileError(path, str(error)) from None
        writing = self.writing
        if "provenance" in FORMATS[self.target].WRITES:
            kept = {**found.provenance, "seed": seed}
            if len(told := ",".join(map(str, edges.tolist()))) <= LONGEST:  # as `frames --edges` takes them
                kept["edges"] = told
            writing = replace(
                writing,
                provenance=with_step(kept, "unframe", task.item.name, {**self.options, "seed": str(seed)}, task.out),
            )
        task.out.parent.mkdir(parents=True, exist_ok=True)
        write_as(task.out, events, self.target, writing)
        return {"events": len(events), "frames": steps, "crowded_cells": crowded_cells(frames, self.refractory_us)}

    def _even(self, steps: int) -> NDArray[np.int64]:
        """Edges of bins of bin_us from start_us on; raises ValueError where they leave 62 bits."""
        width = self.bin_us or 1
        last = self.start_us + width * steps
        if max(abs(self.start_us), abs(last)) >= 1 << 62:
            raise ValueError(f"expected edges that fit 62 bits, got {self.start_us} to {last} us")
        return self.start_us + width * np.arange(steps + 1, dtype=np.int64)
