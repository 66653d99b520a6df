"""The page holds exactly the events it was given, loads nothing, and a browser decodes and plays them; GIFs."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events
from event_tools.viewer import player_html, write_gif, write_page
from event_tools.viewer.page import describe

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,700",
    "--virtual-time-budget=2000",
)
PROBE = """<script>
Promise.all(eventPlayers.map((player) => player.ready)).then((players) => {
  const press = (key, shiftKey = false) =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  const plain = ({ title, w, h, start, t, address }) => ({ title, w, h, start, t: [...t], address: [...address] });
  const decoded = players.map((player) => player.recordings.map(plain));
  const first = players[0], seen = [];
  first.pause(); first.seek(0); seen.push(first.playing);
  press("ArrowRight"); seen.push(first.now);
  press("ArrowRight", true); seen.push(first.now);
  press("ArrowLeft"); seen.push(first.now);
  press("End"); seen.push(first.now === first.end);
  press("Home"); seen.push(first.now);
  press(" "); seen.push(first.playing);
  press("]"); seen.push(first.window.value);
  press("-"); seen.push(first.speed.value);
  const { t, address, w, context } = first.recordings[0], last = address[t.length - 1] >>> 1;
  first.pause(); first.seek(t[t.length - 1]);
  const pixel = [...context.getImageData(last % w, Math.floor(last / w), 1, 1).data];
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify({ decoded, seen, pixel });
  document.body.append(result);
});
</script>"""


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
    ]


def unpack(item: dict) -> Events:
    """The page's coding, read independently: byte by byte."""
    data = zlib.decompress(base64.b64decode(item["data"]), -15)
    t, at, now = [], 0, item["start"]
    for _ in range(item["n"]):
        value, shift = 0, 0
        while True:
            byte, at = data[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        now += value
        t.append(now)
    address = np.frombuffer(data, "<u4", offset=at).astype(np.int64)
    pixel = address >> 1
    return Events(np.array(t, np.int64), pixel % item["w"], pixel // item["w"], address & 1, (item["w"], item["h"]))


@pytest.mark.parametrize("index", range(4))
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


def test_a_browser_decodes_the_events_and_obeys_the_keys(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium here to open the page with")
    shown, more = recordings(), recordings()[:1]
    page = write_page(tmp_path / "page.html", shown)
    page.write_text(page.read_text().replace("</html>", player_html(more, "second") + PROBE + "</html>"))
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="result">(.*?)</pre>', dom, re.S)
    assert found, dom[-2000:]
    result = json.loads(html.unescape(found[1]))
    assert len(result["decoded"]) == 2
    for player, expected in zip(result["decoded"], (shown, more), strict=True):
        for item, (title, events) in zip(player, expected, strict=True):
            pixel = np.array(item["address"], np.int64) >> 1
            t = np.array(item["t"], np.int64) + item["start"]
            p = np.array(item["address"], np.int64) & 1
            decoded = Events(t, pixel % item["w"], pixel // item["w"], p, (item["w"], item["h"]))
            assert item["title"] == title and decoded == events
    # paused; one step, ten more, one back; end, start; playing; window one up from 50 ms; speed one down from 0.2
    assert result["seen"] == [False, 1000, 11000, 10000, True, 0, True, "100", "0.1"]
    assert result["pixel"] == ([76, 201, 240, 255] if shown[0][1].p[-1] else [247, 37, 133, 255])


def test_a_gif_shows_each_event_once_in_its_window(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    events = Events([5_000, 25_000], [0, 1], [0, 2], [1, 0], (3, 4))
    scale = 26  # 102 pixels over the longer side, 4
    places = {}
    with image_module.open(write_gif(tmp_path / "one.gif", events, step_us=10_000, window_us=10_000)) as image:
        assert image.n_frames == 3 and image.info["loop"] == 0
        for frame in range(3):
            image.seek(frame)
            pixels = np.asarray(image.convert("RGB"))[8::scale, 8::scale][:4, :3]
            lit = zip(*np.nonzero(pixels.max(2) > 60), strict=True)
            places[frame] = [(int(y), int(x), int(np.argmax(pixels[y, x]))) for y, x in lit]
    assert places == {0: [(0, 0, 2)], 1: [], 2: [(2, 1, 0)]}  # ON is bluest, OFF is reddest


def test_a_gif_holds_recordings_of_different_length_side_by_side(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    one = Events([0, 40_000], [0, 1], [0, 1], [1, 0], (34, 34))
    late = Events([1_700_000_000_000_000], [0], [0], [1], (34, 34))
    path = write_gif(tmp_path / "many.gif", [("a", one), ("b", late), ("c", Events.empty((34, 34)))])
    with image_module.open(path) as image:
        delays = []
        for frame in range(image.n_frames):  # equal pictures are stored once, for longer
            image.seek(frame)
            delays.append(image.info["duration"])
    assert sum(delays) == 5 * 70


def test_a_long_recording_makes_at_most_300_pictures(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    t = np.arange(1000) * 60_000
    events = Events(t, np.arange(1000) % 2, np.arange(1000) // 2 % 2, np.arange(1000) % 2, (2, 2))
    with image_module.open(write_gif(tmp_path / "long.gif", events)) as image:
        assert image.n_frames <= 301


def test_a_gif_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_gif(tmp_path / "bad.gif", [("a", Events.empty((3, 3)))], fps=0)
    assert not list(tmp_path.iterdir())
