"""Walking a recording in parts, and writing it from parts: the same events and the same bytes as in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.parts import by_count, by_time, joined
from tests.event_tools.recordings import recordings

EVENTS = Events([5, 7, 7, 90, 91, 300], [1, 33, 0, 7, 7, 2], [2, 0, 33, 7, 7, 1], [1, 0, 1, 0, 1, 1], (34, 34))
LARGE = 450_000  # events of five bytes: more than two blocks


def divided(events: Events, cuts: list[int]) -> Iterator[Events]:
    """The recording in parts that end at these events, some of them empty."""
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    for start, stop in pairwise(bounds):
        yield events[start:stop]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Events]:
    """A recording that is read in several pieces."""
    rng = np.random.default_rng(0)
    x, y, p = (rng.integers(0, top, LARGE) for top in (34, 34, 2))
    events = Events(np.sort(rng.integers(0, 1 << 22, LARGE)), x, y, p, (34, 34))
    path: Path = tmp_path_factory.mktemp("large") / "one.bin"
    write(path, events)
    return path, events


def test_parts_of_so_many_events(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", EVENTS)
    parts = list(iterate(tmp_path / "one.bin", events=4))
    assert [len(part) for part in parts] == [4, 2]
    assert joined(parts) == EVENTS
    assert [len(part) for part in iterate(tmp_path / "one.bin", 3)] == [3, 3]


def test_windows_begin_at_the_first_event_and_silent_ones_come_too(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", EVENTS)
    # [5, 90) [90, 175) [175, 260) [260, 345)
    parts = list(iterate(tmp_path / "one.bin", microseconds=85))
    assert [part.t.tolist() for part in parts] == [[5, 7, 7], [90, 91], [], [300]]
    assert {part.sensor_size for part in parts} == {(34, 34)}


def test_windows_begin_at_the_start_that_is_given(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", EVENTS)
    parts = list(iterate(tmp_path / "one.bin", microseconds=50, start_us=0, stop_us=100))
    assert [part.t.tolist() for part in parts] == [[5, 7, 7], [90, 91]]
    assert [part.t.tolist() for part in iterate(tmp_path / "one.bin", microseconds=3, start_us=6, stop_us=9)] == [
        [7, 7]
    ]


def test_a_recording_without_events_is_one_empty_part(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", Events.empty((5, 6)))
    assert list(iterate(tmp_path / "one.h5", events=10)) == [Events.empty((5, 6))]
    assert list(iterate(tmp_path / "one.h5", microseconds=10)) == [Events.empty((5, 6))]


def test_a_silence_of_a_million_windows_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", Events([0, 1 << 31], [0, 0], [0, 0], [0, 0], (1, 1)))
    with pytest.raises(EventFileError, match=r"one\.h5: expected no silence of 2147483646 windows; give more"):
        list(iterate(tmp_path / "one.h5", microseconds=1))
    assert sum(len(part) for part in iterate(tmp_path / "one.h5", microseconds=1 << 20)) == 2


def test_one_size_of_a_part_has_to_be_given(tmp_path: Path) -> None:
    for sizes in ({}, {"events": 1, "microseconds": 1}, {"events": 0}, {"microseconds": -1}, {"microseconds": 1e5}):
        with pytest.raises(ValueError, match="expected events or microseconds, one of them, whole and 1 or more"):
            iterate(tmp_path / "one.bin", **sizes)
    with pytest.raises(ValueError, match="read it whole to sort it"):
        iterate(tmp_path / "one.bin", events=1, order="sort")


@given(recordings(last_us=10_000, side=50), st.integers(1, 40), st.lists(st.integers(0, 30), max_size=5))
def test_parts_by_count_do_not_depend_on_the_pieces(events: Events, count: int, cuts: list[int]) -> None:
    parts = list(by_count(divided(events, cuts), count))
    assert joined(parts) == events
    assert all(len(part) == count for part in parts[:-1])
    assert len(parts) == 1 or 0 < len(parts[-1]) <= count


@given(recordings(last_us=10_000, side=50), st.integers(50, 5000), st.lists(st.integers(0, 30), max_size=5))
def test_parts_by_time_do_not_depend_on_the_pieces(events: Events, window: int, cuts: list[int]) -> None:
    parts = list(by_time(divided(events, cuts), window, Path("one"), start_us=0))
    assert joined(parts) == events
    for k, part in enumerate(parts):
        assert all(k * window <= t < (k + 1) * window for t in part.t.tolist())


def test_a_large_file_is_walked_to_the_same_events_as_it_is_read(large: tuple[Path, Events]) -> None:
    path, events = large
    assert read(path) == events
    assert joined(list(iterate(path, events=100_000))) == events
    assert joined(list(iterate(path, microseconds=1 << 20, start_us=0))) == events


def test_an_error_in_a_later_piece_names_event_and_byte(large: tuple[Path, Events], tmp_path: Path) -> None:
    path, _ = large
    data = bytearray(path.read_bytes())
    data[5 * 440_000] = 40  # x outside 34 pixels
    (tmp_path / "wide.bin").write_bytes(data)
    with pytest.raises(EventFileError, match=r"at byte 2200000: expected events within 34x34, event 440000 lies at"):
        read(tmp_path / "wide.bin", sensor_size=(34, 34))
    walked = iterate(tmp_path / "wide.bin", events=100_000, sensor_size=(34, 34))
    assert len(next(walked)) == 100_000
    with pytest.raises(EventFileError, match="event 440000"):
        list(walked)


def test_a_step_back_between_two_pieces_is_seen(large: tuple[Path, Events], tmp_path: Path) -> None:
    block = (1 << 20) // 5  # records
    data = bytearray(large[0].read_bytes())
    data[5 * block + 2 : 5 * block + 5] = bytes(3)  # the first record of the second piece is at 0 us
    (tmp_path / "back.bin").write_bytes(data)
    with pytest.raises(EventFileError, match=rf"at byte {5 * block}: its times decrease at event {block} "):
        read(tmp_path / "back.bin")


def test_a_window_is_cut_across_pieces(large: tuple[Path, Events]) -> None:
    path, events = large
    for start, stop in ((None, 1000), (1 << 20, 3 << 20), (4_000_000, None)):
        inside = (events.t >= (start or 0)) & (events.t < (stop or 1 << 30))
        assert read(path, start_us=start, stop_us=stop) == events[inside]


def test_what_is_said_of_a_large_file_is_said_of_the_whole(large: tuple[Path, Events]) -> None:
    path, events = large
    answer = info(path)
    assert (answer.events, answer.first_us, answer.last_us) == (LARGE, int(events.t[0]), int(events.t[-1]))
    assert answer.on_share == np.mean(events.p)
    assert answer.rate_hz == pytest.approx(LARGE / answer.duration_us * 1e6)
    assert answer.peak_rate_hz == np.bincount(events.t // 10_000).max() * 100


@pytest.mark.parametrize("suffix", [".bin", ".aedat4", ".h5"])
def test_parts_make_the_same_bytes_as_the_whole(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"whole{suffix}", EVENTS)
    write(tmp_path / f"parts{suffix}", divided(EVENTS, [0, 1, 1, 4]))
    assert (tmp_path / f"parts{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_a_file_can_be_copied_from_its_own_parts(large: tuple[Path, Events], tmp_path: Path) -> None:
    write(tmp_path / "two.bin", iterate(large[0], events=70_000))
    assert (tmp_path / "two.bin").read_bytes() == large[0].read_bytes()


def test_parts_that_do_not_follow_each_other_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="expected parts in order of time, 5 us follows 7 us"):
        write(tmp_path / "one.bin", [EVENTS[:2], EVENTS[:1]])
    with pytest.raises(EventFileError, match=r"expected parts of one sensor, got \(34, 34\) and then \(5, 5\)"):
        write(tmp_path / "one.bin", [EVENTS, Events.empty((5, 5))])
    with pytest.raises(EventFileError, match="expected a recording in parts, got none"):
        write(tmp_path / "one.bin", [])
    assert list(tmp_path.iterdir()) == []


def test_a_failing_source_leaves_the_old_file(tmp_path: Path) -> None:
    def failing() -> Iterator[Events]:
        yield EVENTS
        raise RuntimeError("the camera is gone")

    write(tmp_path / "one.bin", EVENTS[:1])
    with pytest.raises(RuntimeError, match="the camera is gone"):
        write(tmp_path / "one.bin", failing())
    assert read(tmp_path / "one.bin") == EVENTS[:1]
    assert [path.name for path in tmp_path.iterdir()] == ["one.bin"]
