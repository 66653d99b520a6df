"""Prophesee DAT: bytes by hand in both versions, wraps of time, what is refused, damage and a real recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, read, write
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

HEAD = b"% Data file containing CD events.\n% Version 2\n% Width 1280\n% Height 720\n\x0c\x08"
# x 1, y 2, ON at 3 us: place 1 | 2 << 14 | 1 << 28; x 1279, y 719, OFF at 2^32 - 1 us: place 1279 | 719 << 14
RECORDS = bytes.fromhex("03000000 01800010  ffffffff ffc4b300")
EVENTS = Events([3, (1 << 32) - 1], [1, 1279], [2, 719], [1, 0], (1280, 720))


def at(tmp_path: Path, data: bytes, name: str = "one.dat") -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    assert read(at(tmp_path, HEAD + RECORDS)) == EVENTS
    assert read(at(tmp_path, HEAD + RECORDS, "no.suffix")) == EVENTS


def test_bytes_by_hand_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one.dat", EVENTS)
    assert (tmp_path / "one.dat").read_bytes() == HEAD + RECORDS


def test_old_files_have_type_0_and_the_size_of_an_atis(tmp_path: Path) -> None:
    old = b"% Data file containing N9Chronocam7Event2dE events.\n% Version 2\n% Date 2017-10-31 11:29:21\n\x00\x08"
    assert read(at(tmp_path, old + RECORDS[:8])) == Events([3], [1], [2], [1], (304, 240))
    with pytest.raises(EventFileError, match=r"unknown \(largest x, y: 1279, 719\); give sensor_size"):
        read(at(tmp_path, old + RECORDS))


def test_version_1_has_9_bits_of_x_and_8_of_y(tmp_path: Path) -> None:
    head = b"% Data file containing TD events\n% Version 1\n\x00\x08"
    # x 303, y 239, ON: 303 | 239 << 9 | 1 << 17 = 0x3df2f; bits above are not looked at
    path = at(tmp_path, head + bytes.fromhex("07000000 2fdf03ff  08000000 01000000"))
    assert read(path) == Events([7, 8], [303, 1], [239, 0], [1, 0], (304, 240))
    assert info(path).version == "1"


def test_without_a_head_the_format_has_to_be_said(tmp_path: Path) -> None:
    path = at(tmp_path, RECORDS)
    with pytest.raises(EventFileError, match="expected a header of dat"):
        read(path)
    assert read(path, format="dat", sensor_size=(1280, 720)) == EVENTS


def test_a_step_back_by_more_than_2_31_is_a_wrap_of_32_bits(tmp_path: Path) -> None:
    times = [0xFFFFFFF0, 0x10, 0xFFFFFFFF, 0x00]
    data = b"".join(time.to_bytes(4, "little") + bytes(4) for time in times)
    assert read(at(tmp_path, HEAD + data)).t.tolist() == [0xFFFFFFF0, 0x100000010, 0x1FFFFFFFF, 0x200000000]


def test_a_smaller_step_back_is_refused_with_its_byte_or_sorted(tmp_path: Path) -> None:
    path = at(tmp_path, HEAD + bytes.fromhex("00000080 00000000  00000000 00000000"))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 8}: its times decrease at event 1 \(2147483648"):
        read(path)
    assert read(path, order="sort").t.tolist() == [0, 1 << 31]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"\x0c\x08", b"\x0e\x08", r"at byte 72: expected events of type 0x0C or 0x00 \(CD\), got 0x0E"),
        (b"\x0c\x08", b"\x0c\x10", "at byte 73: expected events of 8 bytes, got 16"),
        (b"Version 2", b"Version 3", "expected DAT of version 1 or 2, its head says '3'"),
        (b"Width 1280", b"Width 0", "expected one sensor size of 1 to 65536 pixels a side in its head, got 0x720"),
        (b"% Width", b"& Width", r"at byte 46: expected events of type 0x0C or 0x00 \(CD\), got 0x26"),
        (b"% Version 2", b"% evt 2.0", r"say format='evt2'"),
    ],
)
def test_other_heads_are_refused_with_a_sentence(tmp_path: Path, old: bytes, new: bytes, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(at(tmp_path, (HEAD + RECORDS).replace(old, new)), format="dat")


def test_bits_above_the_polarity_are_named_by_their_byte_and_tolerantly_end_the_file(tmp_path: Path) -> None:
    path = at(tmp_path, HEAD + RECORDS[:8] + RECORDS[8:15] + b"\xf0")
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 8}: expected a polarity of 0 or 1"):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:1]


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (Events([1 << 32], [0], [0], [1], (34, 34)), "DAT holds times 0 to 4294967295 us, got 4294967296"),
        (Events([-1], [0], [0], [1], (34, 34)), "DAT holds times 0 to 4294967295 us, got -1 to -1"),
        (Events([0], [16384], [0], [1], (20000, 34)), "DAT holds x and y up to 16383, got 16384 and 0"),
        (Events([0], [0], [16384], [1], (34, 20000)), "DAT holds x and y up to 16383, got 0 and 16384"),
    ],
)
def test_what_its_bits_cannot_hold_is_refused(tmp_path: Path, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / "one.dat", events)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 32) - 1, side=1 << 14))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".dat") == events


def test_cut_at_every_byte_it_is_refused_or_read_up_to_the_cut() -> None:
    data = HEAD + RECORDS
    for size in range(len(HEAD), len(data)):
        whole, extra = divmod(size - len(HEAD), 8)
        assert after_damage(data[:size], "one.dat") == (None if extra else EVENTS[:whole]), size
        assert after_damage(data[:size], "one.dat", tolerant=True) == EVENTS[:whole], size


def test_a_thousand_mutations_are_survived() -> None:
    assert survives(HEAD + RECORDS[:8] * 20 + RECORDS[8:] * 20, "one.dat") > 500


def test_the_real_sample_holds_what_other_readers_counted() -> None:
    answer = info(data_path("reader-fixtures/tonic/sample_ncars.dat"))
    assert (answer.format, answer.version, answer.events, answer.sensor_size) == ("dat", "2", 2009, (304, 240))
    assert (answer.first_us, answer.last_us) == (0, 99952)
    events = read(data_path("reader-fixtures/tonic/sample_ncars.dat"))
    assert (events.x.min(), events.x.max(), events.y.min(), events.y.max()) == (0, 77, 0, 41)
