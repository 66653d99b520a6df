"""The player: recordings side by side in one HTML page that needs no server, no network and no library.

Events travel in chunks of up to 65,536, each as base64 of raw deflate of: the time steps between events as LEB128,
seven bits a byte, lowest first (the first from where the recording's clock begins or the chunk before ended); then for
all its events the lowest byte of 2x + p, for all the middle one, for all the highest; then the low and the high bytes
of y. Three to four and a half bytes an event.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.atomic import replacing
from event_tools.events import Events
from event_tools.viewer.clock import clock_start
from event_tools.viewer.colours import colours, for_the_page

FOLDER = Path(__file__).parent
SCRIPTS = ("unpacking.js", "drawing.js", "controls.js", "player.js")
CHUNK = 1 << 16
MAX_PIXELS = 1 << 24  # what a canvas and 32 bits of address surely hold
MAX_US = 1 << 53  # what a script's numbers hold exactly, 285 years


def write_page(
    path: str | Path,
    recordings: Sequence[tuple[str, Events]],
    title: str = "Event recordings",
    *,
    palette: str = "cyan-pink",
    ground: str = "dark",
) -> Path:
    """Write a page that plays the (title, events) recordings side by side; returns its path.

    palette, ground: what the page begins with, see `colours`; both can be changed in it. Raises ValueError for names
    that are unknown, for no recordings or a sensor too large for a page.
    """
    path = Path(path)
    player = player_html(recordings, title, palette=palette, ground=ground)
    text = Template(_asset("page.html")).substitute(
        title=html.escape(title), player=player, scheme=ground, page=colours(palette, ground).page
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def player_html(
    recordings: Sequence[tuple[str, Events]],
    name: str = "recordings",
    *,
    palette: str = "cyan-pink",
    ground: str = "dark",
) -> str:
    """The player as a fragment for the body of any page; several may stand in one page.

    recordings: (title, events), shown in this order; name: what screen readers and scripts call it; palette and ground
    as in `write_page`, and so is what is raised.
    """
    if not recordings:
        raise ValueError("expected at least one recording to show, got none")
    colours(palette, ground)  # refuses unknown names
    look = {"palette": palette, "ground": ground, **for_the_page()}
    described = [describe(title, events) for title, events in recordings]
    data = json.dumps({"look": look, "recordings": described}, separators=(",", ":"))
    script = "".join(_asset(file) for file in SCRIPTS)
    return (
        f'<section class="event-player" tabindex="0" aria-label="{html.escape(name)}">\n'
        f"<style>{_asset('player.css')}</style>\n<noscript>Playing recordings needs JavaScript.</noscript>\n"
        f'<script type="application/json">{data.replace("<", chr(92) + "u003c")}</script>\n'
        f'<script>(() => {{\n"use strict";\n{script}}})();</script>\n</section>'
    )


def describe(title: str, events: Events) -> dict[str, Any]:
    """One recording as the page holds it: title, n events, w and h, where its clock begins in us, packed chunks."""
    width, height = events.sensor_size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"expected a sensor of up to {MAX_PIXELS} pixels for a page, got {width}x{height}; crop the recording"
        )
    start = clock_start(int(events.t[0]) if len(events) else 0)
    if len(events) and int(events.t[-1]) - start > MAX_US:
        raise ValueError(f"expected a recording of up to {MAX_US} us for a page, got {events.duration_us}; cut it")
    steps = np.diff(events.t, prepend=start)
    chunks = [_packed(events[at : at + CHUNK], steps[at : at + CHUNK]) for at in range(0, len(events), CHUNK)]
    return {"title": title, "n": len(events), "w": width, "h": height, "start": start, "chunks": chunks}


def _packed(events: Events, steps: NDArray[np.int64]) -> str:
    column = 2 * events.x.astype(np.uint32) + events.p
    # Bytes of one kind stand together, since deflate counts how often a byte occurs over the thousands that follow.
    planes = (column & 255, column >> 8 & 255, column >> 16, events.y & 255, events.y >> 8)
    held = [plane.astype(np.uint8).tobytes() for plane in planes]
    packer = zlib.compressobj(5, zlib.DEFLATED, -15, 9, zlib.Z_FILTERED)  # 9 is ten times slower and saves 1 %
    packed = packer.compress(_leb128(steps)) + packer.compress(b"".join(held)) + packer.flush()
    return base64.b64encode(packed).decode()


def _leb128(values: NDArray[np.int64]) -> bytes:
    """Non-negative integers, seven bits a byte, lowest first, the high bit set on all but a number's last byte."""
    lengths = np.ones(len(values), np.int64)
    for bits in range(7, 63, 7):
        lengths += values >> bits > 0
    ends = np.cumsum(lengths)
    out = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    for k in range(int(lengths.max(initial=0))):
        has = lengths > k
        more = (lengths[has] > k + 1).astype(np.int64) << 7
        out[(ends - lengths)[has] + k] = values[has] >> 7 * k & 127 | more
    return out.tobytes()


@cache
def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
