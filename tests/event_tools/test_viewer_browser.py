"""What Chromium makes of a page: every event decoded, every pixel drawn, every key obeyed, nothing loaded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, read
from event_tools.viewer import player_html, write_page
from event_tools.viewer.colours import colours, rgb
from tests.data import data_path
from tests.event_tools.browser import Page, browsing, find_browser
from tests.event_tools.test_viewer import recordings

SECOND = "second & last"
DECODED = """eventPlayers[{player}].recordings.map(({{ title, w, h, start, t, address }}) => {{
  let text = "";
  for (const byte of new Uint8Array(new Float64Array([...t, ...address]).buffer)) text += String.fromCharCode(byte);
  return {{ title, w, h, start, data: btoa(text) }};
}})"""
PIXELS = """(() => {{
  const {{ context, w, h }} = eventPlayers[0].recordings[{index}];
  let text = "";
  for (const byte of context.getImageData(0, 0, w, h).data) text += String.fromCharCode(byte);
  return btoa(text);
}})()"""

RESET = """eventPlayers.forEach((player) => {
  Object.assign(player.speed, { value: 0.2 });
  Object.assign(player.window, { value: 50 });
  Object.assign(player.palette, { value: "cyan-pink" });
  Object.assign(player.ground, { value: "dark" });
  player.pause();
  player.recolour();
  player.seek(0);
}), eventPlayers.active = null, document.activeElement.blur(), 0"""


@contextmanager
def a_browser(folder: Path) -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here to open the page with")
    with browsing(program, folder) as page:
        yield page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with a_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def opened(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page of all recordings, and under them a second player."""
    path = write_page(tmp_path_factory.mktemp("page") / "page.html", recordings(), title="all of them")
    path.write_text(path.read_text().replace("</body>", player_html(recordings()[:1], SECOND) + "</body>"))
    for domain in ("Network", "Runtime", "Log"):
        browser.call(f"{domain}.enable")
    browser.size(1000, 700)
    browser.open(path)
    return browser


@pytest.fixture
def page(opened: Page) -> Page:
    """The same, as it was when it opened, but paused at 0."""
    opened.do(RESET)
    return opened


def state(page: Page, name: str) -> Any:
    return page.do(f"eventPlayers[0].{name}")


def drawn(page: Page, index: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 4) bytes of a canvas."""
    data = base64.b64decode(page.do(PIXELS.format(index=index)))
    return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 4)


def expected(events: Events, start: int, now: int, window: float, palette: str, ground: str) -> np.ndarray:
    """(H, W, 3): event after event, with 16 shades from 0.3 to all of its colour."""
    look = colours(palette, ground)
    width, height = events.sensor_size
    picture = np.empty((height, width, 3))
    picture[:] = behind = np.array(rgb(look.ground), float)
    for t, x, y, p in zip(events.t - start, events.x, events.y, events.p, strict=True):
        if now - window < t <= now:
            shade = 15 if window == np.inf else int(np.ceil((t - (now - window)) * 16 / window)) - 1
            share = 0.3 + 0.7 * shade / 15
            picture[y, x] = behind + share * (np.array(rgb(look.on if p else look.off)) - behind)
    return picture


@pytest.mark.parametrize(("player", "shown"), [(0, slice(None)), (1, slice(1))])
def test_every_event_is_decoded(page: Page, player: int, shown: slice) -> None:
    assert decoded(page, player) == recordings()[shown]


def decoded(page: Page, player: int = 0) -> list[tuple[str, Events]]:
    """What the page's scripts hold, as recordings."""
    found = []
    for item in page.do(DECODED.format(player=player)):
        values = np.frombuffer(base64.b64decode(item["data"]), np.float64).astype(np.int64)
        t, address = values[: len(values) // 2], values[len(values) // 2 :]
        pixel, size = address // 2, (item["w"], item["h"])
        found.append((item["title"], Events(t + item["start"], pixel % size[0], pixel // size[0], address % 2, size)))
    return found


def test_real_recordings_are_decoded_as_their_files_hold_them_and_an_empty_one_plays(tmp_path: Path) -> None:
    digits, gesture = data_path("reader-fixtures/tonic/sample_nmnist.bin"), data_path("dvs128-gesture/1.bs2")
    real = [
        ("digit", read(digits, sensor_size=(34, 34))),
        ("gesture", read(gesture, format="nmnist", sensor_size=(128, 128))),
    ]
    with a_browser(tmp_path) as page:
        page.open(write_page(tmp_path / "real.html", real))
        assert decoded(page) == real and len(real[1][1]) == 63_471
        page.open(write_page(tmp_path / "empty.html", [("nothing", Events.empty((3, 2)))]))
        assert decoded(page) == [("nothing", Events.empty((3, 2)))]
        assert (drawn(page, 0, (3, 2))[..., :3] == rgb(colours().ground)).all()


@pytest.mark.parametrize("index", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("now", "window", "palette", "ground"),
    [
        (0, 50_000, "cyan-pink", "dark"),
        (200_000, 50_000, "blue-orange", "light"),
        (123_456, 1_000, "green-red", "dark"),
        (150_000, np.inf, "white-black", "light"),
    ],
)
def test_every_pixel_is_drawn(page: Page, index: int, now: int, window: float, palette: str, ground: str) -> None:
    events = recordings()[index][1]
    start = 1_700_000_000_000_000 if index == 1 else 0
    start = int(events.t[0]) if index == 1 else start
    value = "Infinity" if window == np.inf else int(window / 1000)
    state(page, f"palette.value = {palette!r}")
    state(page, f"ground.value = {ground!r}")
    page.do("eventPlayers[0].recolour()")
    state(page, f"window.value = {value!r}")
    state(page, f"seek({now})")
    found = drawn(page, index, events.sensor_size)
    assert (found[..., 3] == 255).all()
    assert np.abs(found[..., :3] - expected(events, start, now, window, palette, ground)).max() <= 0.5


def test_an_endless_window_shows_the_same_by_steps_and_at_once(page: Page) -> None:
    state(page, "window.value = 'Infinity'")
    events = recordings()[4][1]
    for now in (0, 1, 1_000, 90_000, 90_001, 400_000):
        state(page, f"seek({now})")
    by_steps = drawn(page, 4, events.sensor_size)
    state(page, "seek(eventPlayers[0].end)")
    state(page, "seek(400000)")
    assert np.array_equal(drawn(page, 4, events.sensor_size), by_steps)
    assert (by_steps[..., :3] != rgb(colours().ground)).any(2).sum() == len(
        {(x, y) for t, x, y in zip(events.t, events.x, events.y, strict=True) if t <= 400_000}
    )


def test_an_endless_window_forgets_what_another_window_or_palette_drew(page: Page) -> None:
    size = recordings()[4][1].sensor_size
    state(page, "window.value = 'Infinity'")
    state(page, "seek(400000)")
    everything = drawn(page, 4, size)
    state(page, "window.value = 10")
    state(page, "seek(400000)")
    assert not np.array_equal(drawn(page, 4, size), everything)
    state(page, "window.value = 'Infinity'")
    state(page, "seek(400000)")
    assert np.array_equal(drawn(page, 4, size), everything)
    state(page, "palette.value = 'green-red'")
    state(page, "recolour()")
    look = colours("green-red")
    found = set(map(tuple, drawn(page, 4, size)[..., :3].reshape(-1, 3).tolist()))
    assert found == {rgb(look.on), rgb(look.off), rgb(look.ground)}


def test_seeking_counts_the_events_in_the_window(page: Page) -> None:
    state(page, "seek(100000)")
    counts = [
        int(((t > 50_000) & (t <= 100_000)).sum())
        for _, events in recordings()
        for t in [events.t - (events.t[0] if len(events) and not 0 <= events.t[0] < 1_000_000 else 0)]
    ]
    assert state(page, "shown") == sum(counts) > 1000


def test_keys_play_step_and_choose(page: Page) -> None:
    seen: list[Any] = []

    def press(key: str, asked: str, shift: bool = False) -> None:
        page.key(key, shift)
        seen.append(state(page, asked))

    press("ArrowRight", "now")
    press("ArrowRight", "now", shift=True)
    press("ArrowLeft", "now")
    press("End", "now === eventPlayers[0].end")
    press("Home", "now")
    press("]", "window.value")
    press("[", "window.value")
    press("+", "speed.value")
    press("-", "speed.value")
    press("c", "palette.value")
    press("l", "ground.value")
    press(" ", "playing")
    press(" ", "playing")
    assert seen == [
        *(1_000, 11_000, 10_000, True, 0),
        *("100", "50", "0.5", "0.2", "blue-orange", "light"),
        *(True, False),
    ]


def test_keys_go_to_the_player_under_the_pointer(page: Page) -> None:
    page.do("eventPlayers[1].root.scrollIntoView()")
    x, y = page.do("(({ x, y }) => [x + 5, y + 5])(eventPlayers[1].root.getBoundingClientRect())")
    page.mouse("mouseMoved", x, y)
    page.key("ArrowRight")
    assert page.do("eventPlayers.map((player) => player.now)") == [0, 1000]
    page.do("scrollTo(0, 0)")


def test_a_chosen_control_keeps_its_own_keys(page: Page) -> None:
    page.do("eventPlayers[0].speed.focus()")
    page.key("End")
    assert state(page, "now") == 0
    page.do("eventPlayers[0].button.focus()")
    page.key(" ")
    assert state(page, "playing") is True  # once, by the button itself


def test_it_plays_at_the_speed_that_is_chosen_and_begins_again_at_the_end(page: Page) -> None:
    frames = (
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
    )
    state(page, "speed.value = 0.01")
    state(page, "seek(10000)")
    state(page, "play()")
    page.do(f"{frames}.then(() => 0)")
    assert 10_000 < state(page, "now") < 1_000_000
    state(page, "seek(eventPlayers[0].end)")
    page.do(f"{frames}.then(() => 0)")
    assert state(page, "now") < 1_000_000
    state(page, "pause()")


def test_dragging_a_rate_strip_scrubs(page: Page) -> None:
    box = page.do("(({ x, y, width, height }) => [x, y, width, height])"
                  "(eventPlayers[0].recordings[0].strip.getBoundingClientRect())")  # fmt: skip
    x, y, width, height = box
    page.mouse("mousePressed", x + width / 4, y + height / 2, buttons=1)
    pressed = state(page, "now / eventPlayers[0].end")
    page.mouse("mouseMoved", x + width / 2, y + height / 2, buttons=1)
    moved = state(page, "now / eventPlayers[0].end")
    page.mouse("mouseReleased", x + width / 2, y + height / 2)
    page.mouse("mouseMoved", x + width, y + height / 2)
    assert [pressed, moved] == pytest.approx([0.25, 0.5], abs=2 / width)  # a pixel on either side
    assert state(page, "now / eventPlayers[0].end") == moved


def until(page: Page, condition: str) -> None:
    """Wait, for ten seconds at most, until it holds for the first player."""
    page.do(f"""(async () => {{
      const began = performance.now(), player = eventPlayers[0];
      while (!({condition})) {{
        if (performance.now() - began > 10000) throw new Error("waited in vain for " + {condition!r});
        await new Promise(requestAnimationFrame);
      }}
    }})()""")


def test_what_is_out_of_sight_is_drawn_when_it_comes_into_sight(page: Page) -> None:
    page.size(1000, 200)
    page.do("scrollTo(0, 0)")
    until(page, "!player.recordings[4].visible")
    state(page, "seek(100000, false)")
    assert state(page, "recordings[4].stale") is True
    page.do("eventPlayers[0].recordings[4].view.scrollIntoView()")
    until(page, "!player.recordings[4].stale")
    events = recordings()[4][1]
    lit = (drawn(page, 4, events.sensor_size)[..., :3] != rgb(colours().ground)).any(2)
    shown = (events.t > 50_000) & (events.t <= 100_000)
    assert lit.sum() == len(set(zip(events.x[shown], events.y[shown], strict=True)))
    page.size(1000, 700)
    page.do("scrollTo(0, 0)")


def test_everything_is_named_for_those_who_do_not_see_it(page: Page) -> None:
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node["ignored"]}
    assert {("button", "play"), ("slider", "time"), ("combobox", "speed"), ("combobox", "window")} <= named
    assert {("image", "three & <four>"), ("region", "all of them"), ("region", SECOND)} <= named
    assert {("combobox", "colours"), ("combobox", "ground"), ("heading", "all of them")} <= named


def test_nothing_is_wider_than_a_narrow_screen(page: Page) -> None:
    page.size(360, 640)
    until(page, "player.root.querySelector('.grid').style.getPropertyValue('--columns') === '1'")
    assert page.do("document.documentElement.scrollWidth") == 360
    page.size(1000, 700)


def test_nothing_is_loaded_and_nothing_fails(opened: Page) -> None:
    asked = [e["params"] for e in opened.events if e.get("method") == "Network.requestWillBeSent"]
    assert [request["type"] for request in asked] == ["Document"]
    failed = [e for e in opened.events if e.get("method") == "Runtime.exceptionThrown"]
    logged = [
        e for e in opened.events if e.get("method") == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"
    ]
    assert failed == logged == []
