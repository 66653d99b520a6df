"""SLAYER's three layouts: by hand, round trip, what their bits cannot hold, damage, windows and real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, iterate, read, write
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

# two events of each: ON at 3 us, OFF at 0x012345 us
BS1 = bytes.fromhex("00 07 80 00 03  ff fe 01 23 45")
BS2 = bytes.fromhex("01 f0 80 00 03  ff 02 01 23 45")
BS3 = bytes.fromhex("12 3a bc 01 00 00 03  00 0f ff 00 81 23 45")
TIMES, ON = [3, 0x12345], [1, 0]
BY_HAND = [
    (".bs1", BS1, Events(TIMES, [7, 0xFFFE], [0, 0], ON, (65535, 1))),
    (".bs2", BS2, Events(TIMES, [1, 255], [240, 2], ON, (256, 256))),
    (".bs3", BS3, Events([3, 0x812345], [0x123, 0], [0xABC, 0xFFF], ON, (4096, 4096))),
]


@pytest.mark.parametrize(("suffix", "data", "events"), BY_HAND)
def test_bytes_by_hand_are_read_and_written(tmp_path: Path, suffix: str, data: bytes, events: Events) -> None:
    path = tmp_path / f"one{suffix}"
    path.write_bytes(data)
    assert read(path, sensor_size=events.sensor_size) == events
    write(path, events)
    assert path.read_bytes() == data


@pytest.mark.parametrize(("suffix", "data", "events"), BY_HAND)
def test_bytes_do_not_depend_on_the_parts(tmp_path: Path, suffix: str, data: bytes, events: Events) -> None:
    write(tmp_path / f"one{suffix}", iter([events[:1], events[1:]]))
    assert (tmp_path / f"one{suffix}").read_bytes() == data


@settings(deadline=None, max_examples=40)
@given(st.data())
@pytest.mark.parametrize(("suffix", "last_us", "side"), [(".bs2", (1 << 23) - 1, 256), (".bs3", (1 << 24) - 1, 4096)])
def test_what_is_written_is_read(suffix: str, last_us: int, side: int, data: st.DataObject) -> None:
    events = data.draw(recordings(last_us=last_us, side=side))
    assert written_and_read(events, suffix) == events


@settings(deadline=None, max_examples=40)
@given(recordings(last_us=(1 << 23) - 1, side=65536))
def test_one_dimensional_recordings_return(events: Events) -> None:
    flat = Events(events.t, events.x, np.zeros(len(events), np.uint16), events.p, (events.sensor_size[0], 1))
    assert written_and_read(flat, ".bs1") == flat


def one(t: int, x: int, y: int, size: tuple[int, int]) -> Events:
    return Events([t], [x], [y], [1], size)


@pytest.mark.parametrize(
    ("suffix", "events", "sentence"),
    [
        (".bs1", one(1 << 23, 0, 0, (9, 1)), "bs1 holds times 0 to 8388607 us, got 8388608 to 8388608"),
        (".bs1", one(0, 0, 1, (9, 9)), "bs1 holds x up to 65535 and y up to 0, got 0 and 1"),
        (".bs2", one(-1, 0, 0, (9, 9)), "bs2 holds times 0 to 8388607 us, got -1 to -1"),
        (".bs2", one(0, 256, 0, (257, 9)), "bs2 holds x up to 255 and y up to 255, got 256 and 0"),
        (".bs3", one(1 << 24, 0, 0, (9, 9)), "bs3 holds times 0 to 16777215 us, got 16777216 to 16777216"),
        (".bs3", one(0, 0, 4096, (9, 4097)), "bs3 holds x up to 4095 and y up to 4095, got 0 and 4096"),
    ],
)
def test_what_the_bits_cannot_hold_is_refused(tmp_path: Path, suffix: str, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / f"one{suffix}", events)
    assert list(tmp_path.iterdir()) == []


def test_a_channel_that_is_no_polarity_is_refused_by_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "one.bs3"
    path.write_bytes(BS3[:10] + b"\x02" + BS3[11:])
    with pytest.raises(EventFileError, match=r"at byte 7: expected channel 0 or 1 \(OFF or ON\)"):
        read(path, sensor_size=(4096, 4096))
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, sensor_size=(4096, 4096), tolerant=True).t.tolist() == [3]


@pytest.mark.parametrize(("suffix", "data", "events"), BY_HAND)
def test_cut_at_every_byte_it_is_refused_or_read_up_to_the_cut(suffix: str, data: bytes, events: Events) -> None:
    record = len(data) // 2
    small = bytes(byte if at % record >= record - 3 else 0 for at, byte in enumerate(data))  # all at (0, 0), OFF
    for size in range(len(small)):
        strict, kept = after_damage(small[:size], f"one{suffix}"), after_damage(small[:size], f"one{suffix}", True)
        assert kept is not None and len(kept) == size // record
        assert (strict is None) == bool(size % record)


@pytest.mark.parametrize(("suffix", "record"), [(".bs1", 5), (".bs2", 5), (".bs3", 7)])
def test_a_thousand_mutations_are_survived(suffix: str, record: int) -> None:
    many = np.zeros((200, record), np.uint8)
    many[:, {".bs1": 1, ".bs2": 0, ".bs3": 2}[suffix]] = np.arange(200) % 2
    many[:, -2], many[:, -1] = np.arange(200), 7
    assert survives(many.tobytes(), f"one{suffix}") > 400


def test_a_window_is_found_by_bisection_and_equals_the_mask(tmp_path: Path) -> None:
    t = np.repeat(np.arange(0, 400_000, 100), 3)
    events = Events(t, t % 32, t % 31, t % 2, (34, 34))
    for suffix in (".bs2", ".bs3"):
        write(tmp_path / f"one{suffix}", events)
        for start, stop in ((0, 1), (100, 101), (99_950, 200_000), (399_900, 9_999_999), (400_000, 400_001)):
            expected = events[(t >= start) & (t < stop)]
            assert read(tmp_path / f"one{suffix}", None, start, stop, sensor_size=(34, 34)) == expected
        parts = list(iterate(tmp_path / f"one{suffix}", events=5000, sensor_size=(34, 34)))
        assert [len(part) for part in parts] == [5000, 5000, 2000]


def test_a_real_one_dimensional_recording_has_its_channels_as_x() -> None:
    path = data_path("reader-fixtures/slayer/NTIDIGITS_1.bs1")
    answer = info(path)
    assert (answer.format, answer.sensor_size, answer.events) == ("bs1", (64, 1), 898)
    events = read(path)
    assert (events.x.max(), events.y.max(), events.p.min(), events.t[-1]) == (63, 0, 1, 1079040)


def test_a_real_clip_is_the_same_in_two_layouts(tmp_path: Path) -> None:
    wide = read(data_path("dvs128-gesture/1.bs3"))
    assert (len(wide), wide.sensor_size) == (63471, (128, 128))
    assert read(data_path("dvs128-gesture/1.bs2"), sensor_size=(128, 128)) == wide
    for suffix in (".bs2", ".bs3"):
        write(tmp_path / f"one{suffix}", wide)
        assert (tmp_path / f"one{suffix}").read_bytes() == data_path(f"dvs128-gesture/1{suffix}").read_bytes()
