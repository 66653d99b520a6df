"""Recordings that are the same frames again after to_events.

    python benchmarks/exactness.py n-mnist-1100.zip

Every recording of a set (folder or .zip) becomes frames by time and by count, T = 4, 10, 16 and 40; the frames become a
recording, with N-MNIST's refractory time, and that becomes frames again: between the same edges (`equal`), and by the
same rule without being told the edges, after anchoring (`equal_anchored`). One JSON line per rule and T; `refused`
counts frames that no recording can give, such as a bin of several events in no time. The exit status is 1 where any
other differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from event_tools import Events, to_events, to_frames
from event_tools.datasets import open_recordings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    recordings = [events for split in ("train", "test") for events in open_recordings(data, split)]
    lines = [compared(recordings, by, steps) for by in ("time", "count") for steps in (4, 10, 16, 40)]
    whole = [min(line["equal"], line["equal_anchored"]) + line["refused"] == len(recordings) for line in lines]
    return 0 if all(whole) else 1


def compared(recordings: list[Events], by: str, steps: int) -> dict[str, int]:
    """How many of the recordings come back."""
    line = {"equal": 0, "equal_anchored": 0, "refused": 0}
    for i, events in enumerate(recordings):
        frames = to_frames(events, steps, by)
        try:
            again = to_events(frames, seed=i, refractory_us=1700)
            line["equal"] += to_frames(again, edges=frames.edges) == frames
            again = to_events(frames, seed=i, refractory_us=1700, anchor=by)
            line["equal_anchored"] += to_frames(again, steps, by) == frames
        except ValueError:
            line["refused"] += 1
    told = {"benchmark": "exactness", "by": by, "steps": steps, "recordings": len(recordings)}
    print(json.dumps(told | line), flush=True)
    return line


if __name__ == "__main__":
    sys.exit(main())
