"""N-MNIST's five bytes an event, by hand, round trip, damage and real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, read, write
from event_tools.datasets import open_recordings
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

# x 1, y 2, ON at 3 us; x 33, y 0, OFF at 0x012345 us; x 0, y 33, ON at 0x7fffff us
BYTES = bytes.fromhex("01 02 80 00 03  21 00 01 23 45  00 21 ff ff ff")
EVENTS = Events([3, 0x12345, 0x7FFFFF], [1, 33, 0], [2, 0, 33], [1, 0, 1], (34, 34))


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(BYTES)
    assert read(path) == EVENTS


def test_bytes_by_hand_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", EVENTS)
    assert (tmp_path / "one.bin").read_bytes() == BYTES


def test_row_240_is_no_event_but_8192_us_on_all_later_times(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(bytes.fromhex("01 01 80 00 01  00 f0 00 00 00  01 01 80 00 01  00 f0 00 00 00  01 01 80 00 02"))
    assert read(path).t.tolist() == [1, 8193, 16386]


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 23) - 1, side=240))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".bin") == events


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (Events([1 << 23], [0], [0], [1], (34, 34)), "holds times 0 to 8388607 us, got 8388608 to 8388608"),
        (Events([-1], [0], [0], [1], (34, 34)), "holds times 0 to 8388607 us, got -1 to -1"),
        (Events([0], [0], [240], [1], (256, 256)), "x up to 255 and y up to 239, got 0 and 240"),
        (Events([0], [256], [0], [1], (257, 34)), "x up to 255 and y up to 239, got 256 and 0"),
    ],
)
def test_what_40_bits_cannot_hold_is_refused_not_wrapped(tmp_path: Path, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / "one.bin", events)
    assert list(tmp_path.iterdir()) == []


def test_cut_at_every_byte_it_is_refused_or_read_up_to_the_cut() -> None:
    for size in range(len(BYTES)):
        whole = size // 5
        assert after_damage(BYTES[:size], "one.bin") == (EVENTS[:whole] if size % 5 == 0 else None), size
        assert after_damage(BYTES[:size], "one.bin", tolerant=True) == EVENTS[:whole], size


def test_a_thousand_mutations_are_survived() -> None:
    many = np.random.Generator(np.random.Philox(1)).integers(0, 34, (300, 5), np.uint8)
    many[:, 2] = np.arange(300) >> 8 | many[:, 2] % 2 << 7
    many[:, 3] = np.arange(300) & 0xFF
    assert survives(many.tobytes(), "one.bin") > 500


def test_the_bytes_do_not_depend_on_the_parts(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", iter([EVENTS[:1], EVENTS[1:1], EVENTS[1:]]))
    assert (tmp_path / "one.bin").read_bytes() == BYTES


def test_a_cut_record_is_named_by_its_byte_and_a_tolerant_reader_is_warned(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(BYTES[:-1])
    with pytest.raises(
        EventFileError, match=r"one\.bin at byte 10: expected records of 5 bytes, the last one has 4"
    ) as e:
        read(path)
    assert e.value.offset == 10
    with pytest.warns(UserWarning, match="at byte 10: .*; kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:2]


def test_an_altered_byte_that_leaves_the_sensor_or_the_order_is_named_by_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(BYTES[:5] + b"\x22" + BYTES[6:])
    with pytest.raises(EventFileError, match=r"at byte 5: expected events within 34x34, event 1 lies at \(34, 0\)"):
        read(path, sensor_size=(34, 34))
    path.write_bytes(BYTES[:12] + b"\x80" + BYTES[13:])  # the last time becomes 0x00ffff
    with pytest.raises(EventFileError, match=r"at byte 10: its times decrease at event 2 \(74565 to 65535 us\)"):
        read(path)


def test_bytes_of_errors_count_overflow_records(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(bytes.fromhex("00 f0 00 00 00") + BYTES[:5] + bytes.fromhex("40 00 80 00 04"))
    with pytest.raises(EventFileError, match=r"at byte 10: .*event 1 lies at \(64, 0\)"):
        read(path, sensor_size=(34, 34))


def test_the_real_sample_holds_what_other_readers_counted() -> None:
    answer = info(data_path("reader-fixtures/tonic/sample_nmnist.bin"))
    assert (answer.format, answer.sensor_size, answer.events) == ("nmnist", (34, 34), 4325)
    assert (answer.first_us, answer.last_us) == (654, 311175)


def test_a_real_recording_of_another_sensor_asks_for_its_size() -> None:
    path = data_path("reader-fixtures/event-vision-library/faces_easy_0001.bin")
    with pytest.raises(EventFileError, match=r"unknown \(largest x, y: 150, 172\); give sensor_size"):
        read(path)
    events = read(path, sensor_size=(240, 180))
    assert (len(events), events.t[0], events.t[-1]) == (67445, 6, 299364)


def test_real_recordings_are_written_byte_for_byte(tmp_path: Path) -> None:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    for i, data in zip(range(0, 100, 10), list(recordings.raw_bytes())[::10], strict=True):
        write(tmp_path / "one.bin", recordings[i])
        assert (tmp_path / "one.bin").read_bytes() == data


def test_the_real_thousand_have_the_statistics_that_were_published() -> None:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"))
    lengths, shares = [], []
    for events in recordings:
        lengths.append(len(events))
        shares.append(events.p.mean())
    assert (len(lengths), min(lengths), max(lengths), round(np.mean(lengths))) == (1100, 1069, 7152, 4108)
    assert round(np.mean(shares), 4) == 0.4997
