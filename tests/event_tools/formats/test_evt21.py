"""EVT 2.1: words by hand in both orders of bytes, how the order is found, vectors, what is refused, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, read, write
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import recordings, written_and_read

HEAD = (
    b"% endianness little\n% evt 2.1\n% format EVT21;endianness=little;height=480;width=640\n"
    b"% geometry 640x480\n% end\n"
)
LEGACY = HEAD.replace(b"little", b"legacy")
SILENT = HEAD.replace(b"endianness=little;", b"").replace(b"% endianness little\n", b"")
# TIME_HIGH 0; low 3, y 2: ON at x 1 and 5, bits 1 and 5 from x 0; ON at x 33, bit 1 from x 32; OFF at x 34, bit 2
WORDS = (0x8000000000000000, 0x10C0000200000022, 0x10C1000200000002, 0x00C1000200000004)
EVENTS = Events([3, 3, 3, 3], [1, 5, 33, 34], [2, 2, 2, 2], [1, 1, 1, 0], (640, 480))


def raw(*words: int, head: bytes = HEAD, legacy: bool = False) -> bytes:
    data = np.array(words, "<u8")
    return head + (data.view("<u4").reshape(-1, 2)[:, ::-1] if legacy else data).tobytes()


def at(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "one.raw").write_bytes(data)
    return tmp_path / "one.raw"


def test_the_two_orders_of_bytes_are_those_that_the_vendor_shows() -> None:
    # docs.prophesee.ai, "EVT 2.1 Format": 0x0102030405060708 as an IMX636 and as a GenX320 send it
    assert raw(0x0102030405060708, head=b"", legacy=True).hex() == "0403020108070605"
    assert raw(0x0102030405060708, head=b"").hex() == "0807060504030201"


def test_words_by_hand_are_read_in_both_orders(tmp_path: Path) -> None:
    assert read(at(tmp_path, raw(*WORDS))) == EVENTS
    assert read(at(tmp_path, raw(*WORDS, head=LEGACY, legacy=True))) == EVENTS


def test_words_by_hand_are_written_in_both_orders(tmp_path: Path) -> None:
    write(tmp_path / "one.raw", EVENTS, format="evt21")
    assert (tmp_path / "one.raw").read_bytes() == raw(*WORDS)
    write(tmp_path / "one.raw", EVENTS, format="evt21", endianness="legacy")
    assert (tmp_path / "one.raw").read_bytes() == raw(*WORDS, head=LEGACY, legacy=True)


def test_a_silent_head_is_read_in_the_order_that_makes_sense(tmp_path: Path) -> None:
    assert read(at(tmp_path, raw(*WORDS, head=SILENT))) == EVENTS
    assert read(at(tmp_path, raw(*WORDS, head=SILENT, legacy=True))) == EVENTS


def test_where_both_orders_make_sense_it_is_little(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x80000000_80000000, 0x10C00002_10000022, head=SILENT))
    assert read(path).x.tolist() == [1, 5, 28]


def test_a_head_says_the_order_in_one_of_two_places(tmp_path: Path) -> None:
    line = LEGACY.replace(b"endianness=legacy;", b"")
    assert read(at(tmp_path, raw(*WORDS, head=line, legacy=True))) == EVENTS
    # nothing but a time: both orders would make sense, so only the head can say that it is a time
    assert info(at(tmp_path, raw(0x80000001_00000000, 0xA0000000_00000000, head=line, legacy=True))).streams == {
        "triggers": 1
    }


def test_an_order_that_is_said_is_obeyed_before_the_heads(tmp_path: Path) -> None:
    path = at(tmp_path, raw(*WORDS, legacy=True))
    assert read(path, endianness="legacy") == EVENTS
    with pytest.raises(EventFileError, match="expected a TIME_HIGH word before the first event"):
        read(path)
    with pytest.raises(EventFileError, match="expected endianness to be little, legacy, got 'big'"):
        read(path, endianness="big")


def test_pixels_come_from_the_lowest_bit_up_and_all_32_of_them(tmp_path: Path) -> None:
    events = read(at(tmp_path, raw(WORDS[0], 0x10000000_FFFFFFFF | 64 << 43)))
    assert events.x.tolist() == list(range(64, 96))


def test_only_neighbours_of_one_time_row_polarity_and_rising_x_share_a_word(tmp_path: Path) -> None:
    events = Events([3] * 5 + [4], [1, 5, 5, 4, 6, 7], [2, 2, 2, 2, 3, 3], [1] * 6, (640, 480))
    write(tmp_path / "one.raw", events, format="evt21")
    assert len((tmp_path / "one.raw").read_bytes()) - len(HEAD) == 8 * (1 + 5)  # 1, 5 | 5 | 4 | row 3: 6 | 4 us: 7
    assert read(tmp_path / "one.raw") == events


def test_triggers_and_others_are_counted(tmp_path: Path) -> None:
    words = (WORDS[0], 0xA000010100000000, 0xE000001400000001, 0xF000000000000000, *WORDS[1:])
    assert info(at(tmp_path, raw(*words))).streams == {"triggers": 1, "others": 1}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (0x2000000000000000, "expected a word of EVT 2.1, got type 0x2"),
        (0xD000000000000000, "expected a word of EVT 2.1, got type 0xD"),
        (0xF000000000000000, "expected a word before it that it continues"),
        (0x1000000000000002 | 2047 << 43, "expected x up to 2047, its pixels go on behind that"),
        (0x1000000080000000 | 2017 << 43, "expected x up to 2047, its pixels go on behind that"),
    ],
)
def test_impossible_words_are_refused_with_their_byte(tmp_path: Path, word: int, sentence: str) -> None:
    path = at(tmp_path, raw(*WORDS[:2], word))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 16}: {sentence}"):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:2]


def test_the_last_pixel_of_eleven_bits_is_possible(tmp_path: Path) -> None:
    events = read(at(tmp_path, raw(WORDS[0], 0x1000000000000001 | 2047 << 43)), sensor_size=(2048, 480))
    assert events.x.tolist() == [2047]


def test_events_before_the_first_time_are_refused_unless_a_camera_recorded_them(tmp_path: Path) -> None:
    words = (0x10C0000200000022, *WORDS)
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD)}: expected a TIME_HIGH word before the first event"):
        read(at(tmp_path, raw(*words)))
    path = at(tmp_path, raw(*words, head=HEAD.replace(b"% end", b"% system_ID 59\n% end")))
    assert read(path) == EVENTS
    assert info(path).streams == {"untimed": 2}


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 34) - 1, side=2048), st.sampled_from(["little", "legacy"]))
def test_what_is_written_is_read(events: Events, endianness: str) -> None:
    assert written_and_read(events, ".raw", format="evt21", endianness=endianness) == events


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=2, side=70))
def test_dense_recordings_are_read_in_the_order_they_had(events: Events) -> None:
    assert written_and_read(events, ".raw", format="evt21") == events


@pytest.mark.parametrize(("head", "legacy"), [(HEAD, False), (LEGACY, True), (SILENT, True)])
def test_a_thousand_mutations_are_survived(head: bytes, legacy: bool) -> None:
    ticks = [word for i in range(6) for word in (0x80 << 56 | i << 32, 0x10C0000200000022, 0x00C1000200000004)]
    assert survives(raw(*ticks, head=head, legacy=legacy), "one.raw") > 500
