"""Event Stream 2.0: by hand, round trip, silences, ATIS exposures, refusals, damage and the sample of its author."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, read, write
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

HEAD = b"Event Stream" + bytes([2, 0, 0])
SIZE = bytes.fromhex("4001 f000")  # 320x240
# ON at 3 us (0x07) in the top left corner, two overflows and 1 us: OFF at 258 us at (257, 0) from the bottom
BODY = bytes.fromhex("07 0000 ef00  ff ff 02 0101 0000")
DVS = HEAD + b"\x01" + SIZE + BODY
EVENTS = Events([3, 258], [0, 257], [0, 239], [1, 0], (320, 240))


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "one.es"
    path.write_bytes(data)
    return path


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    assert read(stored(tmp_path, DVS)) == EVENTS


def test_bytes_by_hand_are_written_however_the_recording_is_divided(tmp_path: Path) -> None:
    write(tmp_path / "one.es", EVENTS)
    assert (tmp_path / "one.es").read_bytes() == DVS
    write(tmp_path / "one.es", iter([EVENTS[:0], EVENTS[:1], EVENTS[1:]]))
    assert (tmp_path / "one.es").read_bytes() == DVS


def test_the_format_is_found_by_content(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(DVS)
    answer = info(tmp_path / "one.txt")
    assert (answer.format, answer.version, answer.sensor_size) == ("es", "2.0.0 DVS", (320, 240))


def test_resets_between_events_are_ignored(tmp_path: Path) -> None:
    assert read(stored(tmp_path, DVS[:25] + b"\xfe" * 5 + DVS[25:])) == EVENTS


def test_atis_changes_are_read_and_exposures_are_counted(tmp_path: Path) -> None:
    # ON change after 3 us; a first crossing after 1 us; 3 * 63 us pass, reset; OFF change after 0 us
    body = bytes.fromhex("0e 0500 0000  05 0600 0000  ff fc  00 0000 ef00")
    path = stored(tmp_path, HEAD + b"\x02" + SIZE + body)
    assert read(path) == Events([3, 193], [5, 0], [239, 0], [1, 0], (320, 240))
    assert (info(path).streams, info(path).version) == ({"exposures": 1}, "2.0.0 ATIS")


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=1 << 26, side=65535))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".es") == events


def test_long_silences_are_written_in_pieces_and_read(tmp_path: Path) -> None:
    t = [0, 126, 127 * 3, (1 << 31) + 5, (1 << 31) + 5, (1 << 32) + 131]
    events = Events(t, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 0, 1, 0, 1], (6, 6))
    write(tmp_path / "one.es", events)
    silences = sum((b - a) // 127 for a, b in zip([0, *t], t, strict=False))
    assert (tmp_path / "one.es").stat().st_size == 20 + 6 * 5 + silences
    assert read(tmp_path / "one.es") == events


def test_events_across_blocks_are_read(tmp_path: Path) -> None:
    t = np.arange(300_000) * 40  # every fourth event needs an overflow, so that blocks end anywhere
    events = Events(t, t % 100, t % 99, t % 2, (100, 99))
    write(tmp_path / "one.es", events)
    assert read(tmp_path / "one.es") == events
    assert read(tmp_path / "one.es", None, 5_000_000, 5_000_100).t.tolist() == [5_000_000, 5_000_040, 5_000_080]


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (Events([-1], [0], [0], [1], (9, 9)), "holds times from 0 up, got -1 us"),
        (Events([1 << 36], [0], [0], [1], (9, 9)), "a silence of 68719476736 us is refused; shift the times"),
        (Events([0], [0], [0], [1], (65536, 9)), "sensors up to 65535 pixels a side"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / "one.es", events)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (HEAD + b"\x00\x00", "at byte 15: expected DVS or ATIS events, generic events have no polarity"),
        (HEAD + b"\x04" + SIZE, "at byte 15: expected DVS or ATIS events, colour events have no polarity"),
        (HEAD + b"\x09" + SIZE, "at byte 15: expected DVS or ATIS events, type 9 events"),
        (HEAD[:12] + b"\x01\x02\x03\x01" + SIZE, "at byte 12: expected Event Stream 2, this is 1.2.3"),
        (HEAD + b"\x01" + bytes(4), "at byte 16: expected a sensor of 1 pixel a side or more, got 0x0"),
        (HEAD, "at byte 15: expected a head of 16 bytes, the file has 15"),
        (DVS[:18], "at byte 18: expected a head of 20 bytes, the file has 18"),
        (DVS[:-1], "at byte 27: expected events of 5 bytes, the last one has 4"),
        (DVS[:23] + b"\xf0\x00" + DVS[25:], "at byte 20: expected events within 320x240, got y 240"),
        (DVS[:21] + b"\x40\x01" + DVS[23:], r"at byte 20: expected events within 320x240, event 0 lies at \(320, 0\)"),
    ],
)
def test_a_wrong_file_is_named_by_its_byte(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(stored(tmp_path, data))


def test_cut_at_every_byte_a_beginning_of_the_events_is_kept() -> None:
    for size in range(20, len(DVS)):
        whole = 0 if size < 25 else 1
        assert after_damage(DVS[:size], "one.es", tolerant=True) == EVENTS[:whole], size
        assert (after_damage(DVS[:size], "one.es") is None) == (size not in (20, 25, 26, 27)), size


@pytest.mark.parametrize("kind", [1, 2])
def test_a_thousand_mutations_are_survived(kind: int) -> None:
    rng = np.random.Generator(np.random.Philox(2))
    body = np.zeros((150, 5), np.uint8)
    body[:, 0], body[:, 1], body[:, 3] = rng.integers(0, 252, 150), rng.integers(0, 256, 150), rng.integers(0, 240, 150)
    assert survives(HEAD + bytes([kind]) + SIZE + body.tobytes(), "one.es") > 300


def test_the_authors_sample_is_read_upright_and_written_byte_for_byte(tmp_path: Path) -> None:
    path = data_path("reader-fixtures/faery/dvs.es")
    events = read(path)
    assert (len(events), events.sensor_size, events.t[-1]) == (473225, (320, 240), 999000)
    assert events.x[:4].tolist() == [0, 1, 2, 3] and events.y[:4].tolist() == [0, 0, 0, 0]  # its first row is the top
    write(tmp_path / "one.es", events)
    assert (tmp_path / "one.es").read_bytes() == path.read_bytes()


def test_generic_events_are_refused_as_having_no_polarity() -> None:
    with pytest.raises(EventFileError, match="generic events have no polarity"):
        read(data_path("reader-fixtures/faery/generic.es"))
