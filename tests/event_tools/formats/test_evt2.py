"""EVT 2.0: words by hand, wraps of time, words of other kinds, what is refused, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, read, write
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import recordings, written_and_read

HEAD = b"% evt 2.0\n% format EVT2;height=480;width=640\n% geometry 640x480\n% end\n"
CAMERA = HEAD.replace(b"% end", b"% system_ID 41\n% end")
# TIME_HIGH 0; ON, low 3, x 1, y 2: 1 << 28 | 3 << 22 | 1 << 11 | 2; OFF, low 3, x 639, y 479;
# TIME_HIGH 2^28 - 1; ON, low 63, x 0, y 0
WORDS = (0x80000000, 0x10C00802, 0x00D3F9DF, 0x8FFFFFFF, 0x1FC00000)
EVENTS = Events([3, 3, (1 << 34) - 1], [1, 639, 0], [2, 479, 0], [1, 0, 1], (640, 480))


def raw(*words: int, head: bytes = HEAD) -> bytes:
    return head + np.array(words, "<u4").tobytes()


def at(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "one.raw").write_bytes(data)
    return tmp_path / "one.raw"


def test_words_by_hand_are_read(tmp_path: Path) -> None:
    assert read(at(tmp_path, raw(*WORDS))) == EVENTS


def test_words_by_hand_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one.raw", EVENTS, format="evt2")
    assert (tmp_path / "one.raw").read_bytes() == raw(*WORDS)


def test_a_step_back_of_time_high_by_more_than_half_is_a_wrap(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8FFFFFFF, 0x10000000, 0x80000000, 0x10000000, 0x8FFFFFFE, 0x80000001, 0x10000000))
    assert read(path).t.tolist() == [(1 << 34) - 64, 1 << 34, (2 << 34) + 64]


def test_a_smaller_step_back_is_refused_with_the_byte_of_its_event(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x88000000, 0x10000000, 0x80000000, 0xA0000000, 0x10000000))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 16}: its times decrease at event 1"):
        read(path)
    assert read(path, order="sort").t.tolist() == [0, 1 << 33]


def test_triggers_and_others_are_counted(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x80000000, 0xA0000101, 0xE0000014, 0xF0000001, 0xF0000002, 0x10000000, 0xA0000100))
    answer = info(path)
    assert (answer.format, answer.version, answer.events) == ("evt2", "2.0", 1)
    assert answer.streams == {"triggers": 2, "others": 1}


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6, 7, 9, 11, 12])
def test_a_type_that_the_format_does_not_have_is_refused_with_its_byte(tmp_path: Path, kind: int) -> None:
    path = at(tmp_path, raw(*WORDS[:2], kind << 28))
    with pytest.raises(
        EventFileError, match=rf"at byte {len(HEAD) + 8}: expected a word of EVT 2.0, got type 0x{kind:X}"
    ):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:1]


def test_a_continued_word_needs_one_that_it_continues(tmp_path: Path) -> None:
    path = at(tmp_path, raw(*WORDS[:2], 0xF0000000))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 8}: expected a word before it that it continues"):
        read(path)


def test_events_before_the_first_time_are_refused_unless_a_camera_recorded_them(tmp_path: Path) -> None:
    words = (WORDS[1], *WORDS)
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD)}: expected a TIME_HIGH word before the first event"):
        read(at(tmp_path, raw(*words)))
    path = at(tmp_path, raw(0xF0000000, *words, head=CAMERA))  # the first word may belong to one before it
    assert read(path) == EVENTS
    assert info(path).streams == {"untimed": 1}


def test_a_word_that_is_cut_is_named_by_its_byte(tmp_path: Path) -> None:
    path = at(tmp_path, raw(*WORDS)[:-1])
    with pytest.raises(
        EventFileError, match=rf"at byte {len(HEAD) + 16}: expected words of 4 bytes, the last one has 3"
    ):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:2]


@pytest.mark.parametrize("format", ["evt2", "evt21", "evt3"])
@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (Events([1 << 34], [0], [0], [1], (34, 34)), "holds times 0 to 17179869183 us, got 17179869184"),
        (Events([-1], [0], [0], [1], (34, 34)), "holds times 0 to 17179869183 us, got -1 to -1"),
        (Events([0], [2048], [0], [1], (4000, 34)), "holds x and y up to 2047, got 2048 and 0; crop it"),
        (Events([0], [0], [2048], [1], (34, 4000)), "holds x and y up to 2047, got 0 and 2048; crop it"),
    ],
)
def test_what_its_bits_cannot_hold_is_refused(tmp_path: Path, format: str, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / "one.raw", events, format=format)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 34) - 1, side=2048))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".raw", format="evt2") == events


def test_a_thousand_mutations_are_survived() -> None:
    ticks = [word for i in range(8) for word in (0x80000000 + i, *(0x10000000 + k * 0x400801 for k in range(4)))]
    assert survives(raw(*ticks), "one.raw") > 500
