"""The player: recordings side by side in one HTML page that needs no server, no network and no library.

Events travel as base64 of raw deflate: the time steps between events as LEB128, seven bits a byte, lowest first, then
the addresses (y * width + x) * 2 + p as little-endian 32-bit words. About four bytes an event.
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

FOLDER = Path(__file__).parent
MAX_PIXELS = 1 << 24  # what a canvas and 32 bits of address surely hold
SETTLED_US = 1_000_000  # a recording that begins within its first second is shown from 0, others from their first event


def write_page(path: str | Path, recordings: Sequence[tuple[str, Events]], title: str = "Event recordings") -> Path:
    """Write a page that plays the (title, events) recordings side by side; returns its path. Raises ValueError."""
    path = Path(path)
    text = Template(_asset("page.html")).substitute(title=html.escape(title), player=player_html(recordings, title))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def player_html(recordings: Sequence[tuple[str, Events]], name: str = "recordings") -> str:
    """The player as a fragment for the body of any page; several may stand in one page.

    recordings: (title, events), shown in this order; name: what screen readers and scripts call it. Raises ValueError
    for no recordings or a sensor too large for a page.
    """
    if not recordings:
        raise ValueError("expected at least one recording to show, got none")
    data = json.dumps([describe(title, events) for title, events in recordings], separators=(",", ":"))
    return (
        f'<section class="event-player" tabindex="0" aria-label="{html.escape(name)}">\n'
        f"<style>{_asset('player.css')}</style>\n<noscript>Playing recordings needs JavaScript.</noscript>\n"
        f'<script type="application/json">{data.replace("<", chr(92) + "u003c")}</script>\n'
        f"<script>{_asset('player.js')}</script>\n</section>"
    )


def describe(title: str, events: Events) -> dict[str, Any]:
    """One recording as the page holds it: title, n events, w and h, first time in us, packed events."""
    width, height = events.sensor_size
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"expected a sensor of up to {MAX_PIXELS} pixels for a page, got {width}x{height}; crop the recording"
        )
    first = int(events.t[0]) if len(events) else 0
    start = 0 if 0 <= first < SETTLED_US else first
    address = ((events.y.astype(np.uint32) * width + events.x) * 2 + events.p).astype("<u4")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(_leb128(np.diff(events.t, prepend=start)) + address.tobytes()) + packer.flush()
    return {
        "title": title,
        "n": len(events),
        "w": width,
        "h": height,
        "start": start,
        "data": base64.b64encode(packed).decode(),
    }


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
