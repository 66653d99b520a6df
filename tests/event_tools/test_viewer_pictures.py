"""Films and pictures of recordings: what each shows, that all show the same, that none holds what it need not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from event_tools import Events, write
from event_tools.viewer import gif, png, write_gif, write_video
from event_tools.viewer.colours import GROUNDS, PALETTES, colours, rgb
from event_tools.viewer.rendering import Film

KINDS = ("film.gif", "film.apng", "film")
PIXELS = (8, 8)  # where a tile without a title begins


def random(n: int, size: tuple[int, int] = (7, 5), last: int = 200_000, seed: int = 0) -> Events:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, last, n))
    return Events(t, rng.integers(0, size[0], n), rng.integers(0, size[1], n), rng.integers(0, 2, n), size)


def pictures(path: Path, fps: float) -> list[np.ndarray]:
    """What a person sees at every picture's time: (H, W, 3) each, as Pillow decodes them."""
    image_module = pytest.importorskip("PIL.Image")
    if path.is_dir():
        return [np.asarray(image_module.open(file).convert("RGB")) for file in sorted(path.iterdir())]
    shown, until = [], 0.0
    with image_module.open(path) as image:
        for k in range(image.n_frames):
            image.seek(k)
            until += image.info["duration"] / 1000
            while (len(shown) + 0.5) / fps < until:
                shown.append(np.asarray(image.convert("RGB")))
    return shown


def tile(picture: np.ndarray, size: tuple[int, int], scale: int) -> np.ndarray:
    """The only recording of a picture, a pixel for each of its sensor's."""
    part = picture[PIXELS[0] :: scale, PIXELS[1] :: scale][: size[1], : size[0]]
    assert np.array_equal(
        part.repeat(scale, 0).repeat(scale, 1),
        picture[PIXELS[0] : PIXELS[0] + scale * size[1], PIXELS[1] : PIXELS[1] + scale * size[0]],
    )
    return part


@pytest.mark.parametrize("name", KINDS)
def test_each_picture_shows_the_events_of_its_window_the_latest_on_top(tmp_path: Path, name: str) -> None:
    # Steps of 10 ms, windows of 20 ms: 4 ms (pixel 0), 12 ms OFF (pixel 1), 12 ms and 15 ms (pixel 2), 20 ms (pixel 0).
    events = Events([4_000, 12_000, 12_000, 15_000, 20_000], [0, 1, 2, 2, 0], [0] * 5, [1, 0, 1, 0, 0], (3, 1))
    options: dict[str, Any] = {"fps": 10, "step_us": 10_000, "window_us": 20_000, "scale": 2}
    shown = pictures(write_video(tmp_path / name, events, **options), 10)
    ground, off, on = (np.array(rgb(colour), float) for colour in ("#05070c", "#f72585", "#4cc9f0"))

    def shade(colour: np.ndarray, age: int) -> list[int]:  # of 16, from 0.3 of the colour to all of it
        place = (20_000 - age) * 16 // 20_000
        return (ground + (0.3 + 0.7 * place / 15) * (colour - ground)).round().tolist()

    none = ground.tolist()
    expected = [
        [shade(on, 6_000), none, none],
        [shade(on, 16_000), shade(off, 8_000), shade(off, 5_000)],
        [shade(off, 10_000), shade(off, 18_000), shade(off, 15_000)],
    ]
    assert [tile(picture, (3, 1), 2)[0].tolist() for picture in shown] == expected


def test_all_kinds_show_the_same(tmp_path: Path) -> None:
    t = np.array([1, 2, 3, 30, 31, 90, 91, 92]) * 5_000  # with pauses, in which pictures do not change
    still = Events(t, np.arange(8) % 4, np.arange(8) // 4, np.arange(8) % 2, (4, 2))
    films = {}
    for name in KINDS:
        write_video(
            tmp_path / name, [("a", still), ("b", random(300))], fps=20, step_us=5_000, window_us=5_000, scale=3
        )
        films[name] = pictures(tmp_path / name, 20)
    assert len(films["film"]) == 93
    for name in KINDS:
        assert np.array_equal(films[name], films["film"]), name


@pytest.mark.parametrize("name", KINDS)
def test_a_film_does_not_depend_on_how_a_recording_is_divided(tmp_path: Path, name: str) -> None:
    events = random(2_000, (34, 34))

    def parts() -> Iterator[Events]:
        for start, stop in ((0, 0), (0, 1), (1, 700), (700, 700), (700, 2_000)):
            yield events[start:stop]

    write(tmp_path / "file.bin", events)
    sources = {"whole": events, "parts": parts(), "list": list(parts()), "file": tmp_path / "file.bin"}
    made = {}
    for key, source in sources.items():
        path = write_video(tmp_path / f"{key}{Path(name).suffix}", source, step_us=10_000, scale=1)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        made[key] = [file.read_bytes() for file in files]
    assert made["parts"] == made["list"] == made["file"] == made["whole"]


def test_parts_are_asked_for_only_when_their_time_has_come() -> None:
    asked = []

    def parts() -> Iterator[Events]:
        for k in range(100):
            asked.append(k)
            yield Events([k * 10_000], [0], [0], [1], (2, 2))

    film = iter(Film(parts(), 10_000, 10_000, 1, colours()))
    next(film)
    next(film)
    assert len(asked) == 3  # the part that says that the second picture is complete


def test_a_recording_on_another_clock_begins_with_its_first_event(tmp_path: Path) -> None:
    t = np.array([0, 25_000])
    one = write_video(tmp_path / "one", Events(t, [0, 1], [0, 1], [1, 0], (2, 2)), scale=1)
    late = write_video(tmp_path / "late", Events(t + 1_700_000_000_000_000, [0, 1], [0, 1], [1, 0], (2, 2)), scale=1)
    assert [file.read_bytes() for file in sorted(one.iterdir())] == [
        file.read_bytes() for file in sorted(late.iterdir())
    ]
    assert [file.name for file in sorted(one.iterdir())] == ["000000.png", "000001.png", "000002.png"]


def test_a_recording_without_events_is_one_picture_of_ground(tmp_path: Path) -> None:
    (picture,) = pictures(write_video(tmp_path / "film", Events.empty((3, 2)), scale=1, ground="light"), 30)
    assert (tile(picture, (3, 2), 1) == 255).all()
    assert picture[0, 0].tolist() == list(rgb(colours(ground="light").page))


def test_recordings_stand_in_rows_each_with_its_title(tmp_path: Path) -> None:
    shown = [("a title that is much too long", random(9)), ("b", random(9)), ("c", random(9)), ("d", random(9))]
    film = Film(shown, 10_000, 10_000, 10, colours())
    # 2 columns of 7 x 10 pixels and 2 rows of 5 x 10, titles 16 high, gaps of 8 all round
    assert film.size == (8 + 2 * (70 + 8), 8 + 2 * (50 + 16 + 8))
    picture = next(iter(film))
    places = np.argwhere(picture == 2)  # text
    lines = {(int(y) // 74, int(x - 8) // 78) for y, x in places}
    assert lines == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(8 <= x < 78 or 86 <= x < 156 for _, x in places)


def test_files_are_titled_with_their_names(tmp_path: Path) -> None:
    paths = [tmp_path / "one.aedat4", tmp_path / "two.aedat4"]
    for seed, path in enumerate(paths):
        write(path, random(50, seed=seed))
    by_name = write_video(tmp_path / "a.apng", [str(paths[0]), paths[1]], scale=9)
    by_title = write_video(tmp_path / "b.apng", [(path.name, path) for path in paths], scale=9)
    assert by_name.read_bytes() == by_title.read_bytes()


@pytest.mark.parametrize(("tiles", "columns"), [(1, 1), (2, 2), (5, 3), (8, 4), (12, 4), (40, 8)])
def test_tiles_leave_no_gap_where_they_can(tiles: int, columns: int) -> None:
    assert Film([("", random(1))] * tiles, 1, 1, 1, colours()).columns == columns


def test_video_needs_even_sides() -> None:
    assert Film(random(3, (5, 3)), 1, 1, 1, colours()).size == (22, 20)  # 21 and 19 with their gaps


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # imageio-ffmpeg's reader leaves a pipe
def test_a_video_shows_the_pictures(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    events = random(300, (6, 4), last=100_000)
    options: dict[str, Any] = {"step_us": 10_000, "window_us": 10_000, "scale": 16, "palette": "white-black"}
    stills = pictures(write_video(tmp_path / "stills", events, **options), 30)
    reader = ffmpeg.read_frames(str(write_video(tmp_path / "film.mp4", events, fps=25, **options)))
    head = next(reader)
    frames = [np.frombuffer(frame, np.uint8).reshape(*head["size"][::-1], 3) for frame in reader]
    assert head["fps"] == 25 and head["codec"] == "h264" and len(frames) == len(stills) == 10
    for frame, still in zip(frames, stills, strict=True):
        middles = slice(16, None, 16)  # a lossy codec blurs edges; grey spares us its thinned-out colour
        assert np.abs(frame[middles, middles].astype(int) - still[middles, middles])[:4, :6].max() < 24


def test_a_missing_package_is_named_with_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name, line in (("film.mp4", "pip install imageio-ffmpeg"), ("film.gif", "pip install pillow")):
        with pytest.raises(ImportError, match=line):
            write_video(tmp_path / name, random(9))
    with pytest.raises(ImportError, match="pip install pillow"):
        write_video(tmp_path / "film", [("with a title", random(9))])
    assert not list(tmp_path.iterdir())
    write_video(tmp_path / "film", random(9))  # needs neither


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("film.avi", {}, ".mp4, .gif or .apng"),
        ("film.gif", {"fps": 51}, "fps from 1 to 50"),
        ("film.apng", {"fps": 0}, "fps from 1 to 1000"),
        ("film.apng", {"step_us": 0}, "1 or more"),
        ("film.apng", {"window_us": 0}, "1 or more"),
        ("film.apng", {"scale": 0}, "1 or more"),
        ("film.apng", {"scale": 3_000}, "smaller scale"),
        ("film.apng", {"palette": "mauve"}, "cyan-pink"),
        ("film.apng", {"step_us": 1}, "no silence"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(tmp_path: Path, name: str, options: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        write_video(tmp_path / name, Events([0, 200_000], [0, 6], [0, 4], [0, 1], (7, 5)), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], "at least one recording"),
        (iter([]), "give one empty part"),
        ([random(5), random(5, (6, 6))], "parts of one sensor"),
        ([random(5), random(5)], "in order of time"),
        ([random(5), ("a", random(5))], "got Events"),
    ],
)
def test_parts_that_are_no_recording_are_refused(tmp_path: Path, parts: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        write_video(tmp_path / "film", parts)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="another name"):
        write_video(tmp_path, random(5))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_gif_keeps_time_to_a_hundredth_of_a_second(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    with image_module.open(write_gif(tmp_path / "film.gif", random(400), fps=30)) as image:
        delays = []
        for frame in range(image.n_frames):
            image.seek(frame)
            delays.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert set(delays) == {30, 40} and sum(delays) == 670  # 20 pictures, 1/30 s each


def test_a_long_recording_makes_at_most_301_pictures_of_a_gif(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    t = np.arange(1000) * 60_000
    events = Events(t, np.arange(1000) % 2, np.arange(1000) // 2 % 2, np.arange(1000) % 2, (2, 2))
    with image_module.open(write_gif(tmp_path / "long.gif", events)) as image:
        duration = 0
        for frame in range(image.n_frames):  # equal pictures are stored once, for longer
            image.seek(frame)
            duration += image.info["duration"]
    assert duration == 20_070  # at 15 fps 301 pictures: 59.94 s in steps of 0.1998 s, and one for its last event


def test_a_gif_is_named_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.gif"):
        write_gif(tmp_path / "film.mp4", random(5))


@pytest.mark.parametrize("kind", [gif, png])
def test_what_does_not_change_for_long_loses_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: ModuleType
) -> None:
    monkeypatch.setattr(kind, "MAX_DELAY", 200)  # instead of what 16 bits hold
    quiet = Events([0, 5_000_000], [0, 1], [0, 0], [1, 1], (2, 1))
    path = tmp_path / ("film.gif" if kind is gif else "film.apng")
    shown = pictures(write_video(path, quiet, fps=50, step_us=10_000, window_us=10_000, scale=1), 50)
    assert len(shown) == 501
    lit = [k for k, picture in enumerate(shown) if (tile(picture, (2, 1), 1) != rgb("#05070c")).any()]
    assert lit == [0, 500]


@pytest.mark.parametrize(
    ("pictures", "fps", "seconds"),
    [(1, 30, (1, 30)), (65535, 1, (65535, 1)), (7, 2.5, (14, 5)), (3, 29.97, (100, 999))],
)
def test_an_animated_png_counts_time_exactly(pictures: int, fps: float, seconds: tuple[int, int]) -> None:
    assert png.seconds_of(pictures, fps) == seconds


def test_a_time_that_two_numbers_of_16_bits_cannot_tell_is_told_as_near_as_they_can() -> None:
    numerator, denominator = png.seconds_of(65535, 29.97)
    assert max(numerator, denominator) <= 65535 and numerator / denominator == pytest.approx(65535 / 29.97, abs=0.02)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_can_be_read_and_events_be_told_apart(palette: str, ground: str) -> None:
    def brightness(colour: str) -> float:  # WCAG 2.2, relative luminance
        shares = np.array(rgb(colour)) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    def contrast(a: str, b: str) -> float:
        low, high = sorted((brightness(a), brightness(b)))
        return (high + 0.05) / (low + 0.05)

    look = colours(palette, ground)
    assert contrast(look.text, look.page) > 7 and contrast(look.pale, look.page) > 4.5
    assert min(contrast(look.on, look.ground), contrast(look.off, look.ground)) > 2.5
    assert look.on != look.off


@pytest.mark.parametrize("palette", ["blue-orange", "white-black"])
@pytest.mark.parametrize("ground", GROUNDS)
def test_two_palettes_are_told_apart_by_any_eye(palette: str, ground: str) -> None:
    # What dichromats see, in linear light: Vienot, Brettel and Mollon 1999, protanopes and deuteranopes.
    red_blind = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    green_blind = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    look = colours(palette, ground)
    for eye in (red_blind, green_blind):
        on, off = (eye @ (np.array(rgb(colour)) / 255) ** 2.2 for colour in (look.on, look.off))
        assert np.abs(on.clip(0) ** (1 / 2.2) - off.clip(0) ** (1 / 2.2)).max() > 0.5
