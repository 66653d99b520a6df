"""AEDAT 2.0: addresses by hand under every convention, time that wraps, headers, damage and real recordings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, read
from tests.data import data_path
from tests.event_tools.recordings import after_damage

MAGIC = b"#!AER-DAT2.0\r\n"
DAVIS = MAGIC + b"# AEChip: eu.seebetter.ini.chips.davis.Davis346red\r\n#End Of ASCII Header\r\n"


def records(*events: tuple[int, int]) -> bytes:
    """(address, microseconds) big-endian."""
    return b"".join(struct.pack(">Ii", address, t) for address, t in events)


def test_one_address_under_each_convention(tmp_path: Path) -> None:
    # 0x6bea: polarity bit 0, xf = 0x75 = 117, yf = 0x6b = 107: the chip's pixel (10, 20) from the top left, ON
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0x6BEA, 7)))
    expected = {"jaer": (10, 20, 1), "spikingjelly": (20, 10, 1), "tonic": (107, 117, 0), "raw": (117, 107, 0)}
    for convention, place in expected.items():
        assert read(path, convention=convention) == Events([7], *([value] for value in place), (128, 128)), convention
    assert read(path) == read(path, convention="jaer")


def test_an_unknown_convention_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.aedat").write_bytes(MAGIC)
    with pytest.raises(EventFileError, match="convention to be jaer, spikingjelly, tonic, raw, got 'jear'"):
        read(tmp_path / "one.aedat", convention="jear")


def test_special_events_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0x8000, 1), (0x0001, 2)))
    assert read(path) == Events([2], [127], [127], [0], (128, 128))


def test_time_wraps_at_31_bits_and_only_a_great_step_back_is_a_wrap(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0, 0x7FFFFFFF), (0, -0x80000000), (0, -1), (0, 5)))
    assert read(path).t.tolist() == [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) + 5]
    path.write_bytes(MAGIC + records((0, 2_000_000_000), (0, 100)))  # a reset of the clock
    with pytest.raises(EventFileError, match=r"at byte 22: its times decrease at event 1 \(2000000000 to 100 us\)"):
        read(path)
    assert read(path, order="sort").t.tolist() == [100, 2_000_000_000]


def test_davis_addresses_have_their_own_layout_and_rows_from_the_bottom(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    on = 259 << 22 | 3 << 12 | 1 << 11
    path.write_bytes(DAVIS + records((on, 1), (1 << 31 | on, 2), (on | 1 << 10, 3), (0, 4)))
    assert read(path) == Events([1, 4], [342, 345], [0, 259], [1, 0], (346, 260))
    assert read(path, convention="raw") == Events([1, 4], [3, 0], [259, 0], [1, 0], (346, 260))
    with pytest.raises(EventFileError, match="convention jaer or raw for a DAVIS recording, got 'tonic'"):
        read(path, convention="tonic")


def test_a_first_record_that_looks_like_a_comment_is_an_event(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(DAVIS + records((0x23000A00, 9)))  # begins with '#', holds a line feed
    assert read(path).t.tolist() == [9]


def test_another_chip_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + b"# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n" + records((0, 1)))
    with pytest.raises(EventFileError, match="its chip is CochleaAMS1c; it is not read yet"):
        read(path)


def test_wide_addresses_without_a_chip_are_refused_by_place(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0, 1), (0x10000, 2)))
    with pytest.raises(EventFileError, match=r"at byte 22: expected addresses of 16 bits.*got 0x10000; name the chip"):
        read(path)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 0x7FFF), st.integers(0, (1 << 31) - 1)), max_size=20))
def test_every_address_is_a_pixel_and_conventions_are_turns_of_one_picture(
    tmp_path_factory: pytest.TempPathFactory, addresses: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("aedat2") / "one.aedat"
    path.write_bytes(MAGIC + records(*addresses))
    jaer, jelly, tonic, raw = (
        read(path, convention=name, order="sort") for name in ("jaer", "spikingjelly", "tonic", "raw")
    )
    assert len(jaer) == len(addresses)
    assert np.array_equal(jelly.x, jaer.y) and np.array_equal(jelly.y, jaer.x) and np.array_equal(jelly.p, jaer.p)
    assert np.array_equal(raw.x, 127 - jaer.x) and np.array_equal(raw.y, 127 - jaer.y)
    assert np.array_equal(tonic.x, raw.y) and np.array_equal(tonic.y, raw.x) and np.array_equal(tonic.p, 1 - jaer.p)


def test_cut_at_every_byte_it_is_refused_or_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    header = MAGIC + b"# This is a raw AE data file - do not edit\r\n"
    data = header + records((0x6BEA, 7), (0x6BEB, 8), (0x2200, 9))
    path.write_bytes(data)
    events = read(path)
    for size in range(len(data)):
        whole, extra = divmod(size - len(header), 8)
        ends_a_line = data[:size].endswith(b"\n")
        if size < len(header):
            expected = tolerated = events[:0] if ends_a_line else None
        else:
            expected, tolerated = events[:whole] if extra == 0 else None, events[:whole]
        assert after_damage(data[:size], "one.aedat") == expected, size
        assert after_damage(data[:size], "one.aedat", tolerant=True) == tolerated, size


def test_a_real_header_without_events_is_an_empty_recording_of_its_chip() -> None:
    answer = info(data_path("reader-fixtures/tonic/sample_aedat_header.aedat"))
    assert (answer.format, answer.events, answer.sensor_size) == ("aedat2", 0, (346, 260))
    assert answer.provenance["chip"] == "Davis346red"


def test_real_recordings_are_read_record_by_record() -> None:
    path = data_path("mnist-dvs/mnist_0_scale04_0001.aedat")
    data = path.read_bytes()
    at = 0
    while data[at] == ord("#"):
        at = data.index(b"\n", at) + 1
    expected = [struct.unpack_from(">Ii", data, place) for place in range(at, len(data), 8)]
    events = read(path, convention="raw")
    assert len(events) == len(expected) > 10_000
    assert events.t.tolist() == [t for _, t in expected]
    assert events.x.tolist() == [address >> 1 & 127 for address, _ in expected]
    assert events.y.tolist() == [address >> 8 & 127 for address, _ in expected]
    assert events.p.tolist() == [address & 1 for address, _ in expected]
