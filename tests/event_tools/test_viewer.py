"""The page holds exactly the events it was given, and loads nothing; what a browser makes of it is in the next file."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events
from event_tools.viewer import player_html, write_page
from event_tools.viewer.page import describe


def recordings() -> list[tuple[str, Events]]:
    rng = np.random.default_rng(0)

    def random(n: int, width: int, height: int, step: int, start: int) -> Events:
        t = start + np.cumsum(rng.integers(0, step, n))
        return Events(t, rng.integers(0, width, n), rng.integers(0, height, n), rng.integers(0, 2, n), (width, height))

    return [
        ("three & <four>", random(500, 34, 34, 1000, 0)),
        ("late", random(40, 640, 480, 100_000, 1_700_000_000_000_000)),
        ("nothing", Events.empty((5, 7))),
        ("long gaps", random(20, 2, 3, 2**40, 0)),
        ("two chunks", random(70_000, 346, 260, 20, 0)),
        ("wide", random(50, 65536, 2, 1000, -500)),
    ]


def unpack(item: dict) -> Events:
    """The page's coding, read independently: byte by byte."""
    t, x, y, p, now = [], [], [], [], item["start"]
    for chunk in item["chunks"]:
        data = zlib.decompress(base64.b64decode(chunk), -15)
        at, count = 0, min(65536, item["n"] - len(t))
        for _ in range(count):
            value, shift = 0, 0
            while True:
                byte, at = data[at], at + 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            now += value
            t.append(now)
        planes = [data[at + k * count : at + (k + 1) * count] for k in range(5)]
        assert len(data) == at + 5 * count
        for a, b, c, d, e in zip(*planes, strict=True):
            column = a + 256 * b + 65536 * c
            x.append(column // 2)
            p.append(column % 2)
            y.append(d + 256 * e)
    return Events(np.array(t, np.int64), x, y, p, (item["w"], item["h"]))


@pytest.mark.parametrize("index", range(6))
def test_the_page_holds_exactly_the_events(index: int) -> None:
    title, events = recordings()[index]
    assert unpack(json.loads(json.dumps(describe(title, events)))) == events


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    text = write_page(tmp_path / "page.html", recordings(), title="a <title>").read_text()
    assert "default-src 'none'" in text and "<title>a &lt;title&gt;</title>" in text
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(|fetch\(|XMLHttpRequest|import\(", text)


def test_titles_cannot_leave_the_data_block() -> None:
    fragment = player_html([("</script><b>", Events.empty((2, 2)))])
    assert fragment.count("</script>") == 2 and "<b>" not in fragment


def test_a_player_needs_a_recording() -> None:
    with pytest.raises(ValueError, match="at least one"):
        player_html([])


def test_a_sensor_beyond_a_canvas_is_refused() -> None:
    with pytest.raises(ValueError, match="crop"):
        player_html([("huge", Events.empty((65536, 65536)))])


def test_a_page_costs_few_bytes_an_event(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 4000))
    events = Events(t, rng.integers(0, 34, 4000), rng.integers(0, 34, 4000), rng.integers(0, 2, 4000), (34, 34))
    empty = len(player_html([("none", Events.empty((34, 34)))]))
    assert (len(player_html([("some", events)])) - empty) / 4000 < 5


def test_a_recording_longer_than_a_script_can_count_is_refused() -> None:
    with pytest.raises(ValueError, match="cut it"):
        player_html([("ages", Events([0, 2**54], [0, 0], [0, 0], [0, 1], (2, 2)))])


@pytest.mark.parametrize(
    ("look", "told"), [({"palette": "mauve"}, "blue-orange"), ({"ground": "grey"}, "dark or light")]
)
def test_colours_that_are_unknown_are_refused_with_those_there_are(look: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        player_html(recordings(), **look)
