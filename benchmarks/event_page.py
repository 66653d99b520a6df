"""How smoothly the page plays in headless Chromium: milliseconds to draw a frame, by window and direction.

    python benchmarks/event_page.py [--recordings 8] [--events 200000] [--sensor 640x480] [--seeks 300]

The recordings are made: a cloud of events that goes round in two seconds. One JSON line each: writing the page
(seconds, bytes an event), opening it until it plays, drawing by `seek` (mean, median and 99th percentile over the
seeks, script and canvas without the screen), and the time between frames while it plays, which a screen of 60 Hz holds
at 16.7 ms.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from event_tools import Events
from event_tools.viewer import write_page
from tests.event_tools.browser import browsing, find_browser

SPAN_US = 2_000_000
SEEKS = """(async () => {{
  const player = eventPlayers[0], times = [];
  player.pause();
  player.window.value = "{window}";
  player.seek({forward} ? 0 : player.end);
  for (let k = 0; k < {seeks}; k++) {{
    const share = k / {seeks}, began = performance.now();
    player.seek(player.end * ({forward} ? share : 1 - share));
    times.push(performance.now() - began);
    if (k % 20 === 0) await new Promise(requestAnimationFrame);
  }}
  return times;
}})()"""
FRAMES = """(async () => {{
  const player = eventPlayers[0], times = [];
  player.window.value = "{window}";
  player.speed.value = "0.2";
  player.seek(0);
  player.play();
  let last = await new Promise(requestAnimationFrame);
  for (let k = 0; k < 120; k++) {{
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }}
  player.pause();
  return times;
}})()"""


def main() -> None:
    """Print a JSON line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=8)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--sensor", default="640x480")
    parser.add_argument("--seeks", type=int, default=300)
    options = parser.parse_args()
    program = find_browser()
    if program is None:
        raise SystemExit("expected chromium or google-chrome on the PATH, found none")
    size = tuple(map(int, options.sensor.split("x")))
    shown = [(f"{k}", cloud(k, options.events, size)) for k in range(options.recordings)]
    common = {"recordings": options.recordings, "events": options.events, "sensor": options.sensor}
    with TemporaryDirectory() as folder, browsing(program, Path(folder)) as page:
        path = Path(folder) / "page.html"
        began = time.perf_counter()
        write_page(path, shown)
        wrote, total = time.perf_counter() - began, options.recordings * options.events
        tell(common, what="write", seconds=round(wrote, 2), bytes_an_event=round(path.stat().st_size / total, 2))
        page.size(1240, 900)
        began = time.perf_counter()
        page.open(path)
        tell(common, what="open", seconds=round(time.perf_counter() - began, 2))
        for window in ("10", "50", "500", "Infinity"):
            for forward in ("true", "false"):
                times = page.do(SEEKS.format(window=window, forward=forward, seeks=options.seeks))
                tell(common, what="draw", window_ms=window, forward=forward == "true", **spread(times))
        for window in ("50", "Infinity"):
            tell(common, what="between frames", window_ms=window, **spread(page.do(FRAMES.format(window=window))))


def cloud(seed: int, count: int, size: tuple[int, ...]) -> Events:
    """Events around a point that goes round twice."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, SPAN_US, count))
    turn = t / SPAN_US * 4 * np.pi + seed
    places = (
        np.clip(side / 2 + 0.3 * side * wave(turn) + rng.normal(0, side / 10, count), 0, side - 1).astype(np.int64)
        for side, wave in zip(size, (np.cos, np.sin), strict=True)
    )
    return Events(t, *places, rng.integers(0, 2, count), (size[0], size[1]))


def spread(times: list[float]) -> dict[str, float]:
    """Mean, median and 99th percentile in ms."""
    found = {"mean": np.mean(times), "median": np.median(times), "p99": np.quantile(times, 0.99)}
    return {f"{name}_ms": round(float(value), 2) for name, value in found.items()}


def tell(common: dict[str, Any], **figures: Any) -> None:
    """One line."""
    print(json.dumps({**common, **figures}), flush=True)


if __name__ == "__main__":
    main()
