"""EVT 3.0: words by hand, vectors, wraps and silences, what is refused, damage, a camera's recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, read, write
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import recordings, written_and_read

HEAD = b"% evt 3.0\n% format EVT3;height=48;width=64\n% geometry 64x48\n% end\n"
CAMERA = HEAD.replace(b"% end", b"% serial_number 00000307\n% end")
WORDS = (
    *(0x8001, 0x6003, 0x0002, 0x2801),  # 0x1003 us, y 2: ON at x 1
    *(0x6004, 0x3003, 0x400F, 0x4000, 0x5080),  # 0x1004 us: OFF at x 3, 4, 5, 6 and 3 + 31, a vector of 32 from x 3
    *(0x8FFF, 0x8000, 0x6000, 0x2000),  # 2^24 us: OFF at x 0
)
EVENTS = Events([0x1003, *[0x1004] * 5, 1 << 24], [1, 3, 4, 5, 6, 34, 0], [2] * 7, [1, 0, 0, 0, 0, 0, 0], (64, 48))


def raw(*words: int, head: bytes = HEAD) -> bytes:
    return head + np.array(words, "<u2").tobytes()


def at(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "one.raw").write_bytes(data)
    return tmp_path / "one.raw"


def words_of(tmp_path: Path, events: Events) -> list[int]:
    write(tmp_path / "written.raw", events, format="evt3")
    data = (tmp_path / "written.raw").read_bytes()
    assert read(tmp_path / "written.raw") == events
    return np.frombuffer(data[data.index(b"% end\n") + 6 :], "<u2").tolist()


def test_words_by_hand_are_read(tmp_path: Path) -> None:
    assert read(at(tmp_path, raw(*WORDS))) == EVENTS


def test_words_by_hand_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one.raw", EVENTS, format="evt3")
    assert (tmp_path / "one.raw").read_bytes() == raw(*WORDS)


def test_a_vector_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    events = Events([0] * 9, [0, 8, 16, 24, 31, 32, 40, 48, 63], [1] * 9, [1] * 9, (64, 48))
    first = (0x4101, 0x4010, 0x5081)  # bits 0, 8; 16 - 12 = 4; 24 - 24 = 0 and 31 - 24 = 7
    assert words_of(tmp_path, events) == [0x8000, 0x6000, 0x0001, 0x3800, *first, *(0x4101, 0x4010, 0x5080)]


def test_vectors_lie_within_the_sensor_and_narrow_ones_have_none(tmp_path: Path) -> None:
    x = [40, 41, 42, 43, 63]
    events = Events([0] * 5, x, [0] * 5, [1] * 5, (64, 48))  # from x 32 = 64 - 32 on: bits 8 to 11 and 31
    assert words_of(tmp_path, events) == [0x8000, 0x6000, 0x0000, 0x3820, 0x4F00, 0x4000, 0x5080]
    narrow = Events([0] * 5, [0, 1, 2, 3, 4], [0] * 5, [1] * 5, (31, 48))
    assert words_of(tmp_path, narrow) == [0x8000, 0x6000, 0x0000, 0x2800, 0x2801, 0x2802, 0x2803, 0x2804]


def test_x_that_does_not_rise_breaks_a_vector(tmp_path: Path) -> None:
    events = Events([0] * 6, [9, 8, 9, 10, 11, 12], [0] * 6, [0] * 6, (64, 48))
    assert words_of(tmp_path, events)[3:] == [0x2009, 0x3008, 0x401F, 0x4000, 0x5000]


def test_every_wrap_of_a_silence_and_before_the_first_event_is_written(tmp_path: Path) -> None:
    wrap = [0x8FFF, 0x8000]
    events = Events([(2 << 24) + 5, (4 << 24) + 0x1000], [0, 0], [0, 0], [0, 0], (64, 48))
    expected = [*wrap, *wrap, 0x6005, 0x0000, 0x2000, *wrap, *wrap, 0x8001, 0x6000, 0x2000]
    assert words_of(tmp_path, events) == expected
    late = Events([(1 << 34) - 1], [0], [0], [0], (64, 48))
    assert len(words_of(tmp_path, late)) == 2 * 1023 + 4


def test_from_0xfff_on_a_wrap_is_one_word(tmp_path: Path) -> None:
    events = Events([(1 << 24) - 1, 1 << 24], [0, 0], [0, 0], [0, 0], (64, 48))
    assert words_of(tmp_path, events) == [0x8FFF, 0x6FFF, 0x0000, 0x2000, 0x8000, 0x6000, 0x2000]


def test_a_new_time_high_begins_at_0_and_a_repeated_one_changes_nothing(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8001, 0x6003, 0x0000, 0x2000, 0x8001, 0x2000, 0x8002, 0x2000))
    assert read(path).t.tolist() == [0x1003, 0x1003, 0x2000]


def test_vectors_of_any_sequence_move_the_base(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8000, 0x0000, 0x3002, 0x5001, 0x4001, 0x0001, 0x4800))
    events = read(path)
    assert (events.x.tolist(), events.y.tolist()) == ([2, 10, 2 + 8 + 12 + 11], [0, 0, 1])


def test_a_step_back_of_time_high_by_half_or_less_is_refused_with_the_byte_of_its_event(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8800, 0x0000, 0x2000, 0x8000, 0x6000, 0x2000))
    with pytest.raises(
        EventFileError, match=rf"at byte {len(HEAD) + 10}: its times decrease at event 1 \(8388608 to 0"
    ):
        read(path)
    assert read(at(tmp_path, raw(0x8801, 0x0000, 0x2000, 0x8000, 0x2000))).t.tolist() == [0x801000, 1 << 24]


def test_an_event_of_a_vector_has_the_byte_of_its_word(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8000, 0x0000, 0x303E, 0x4007))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 6}: .*event 2 lies at \(64, 0\)"):
        read(path)


def test_triggers_and_others_are_counted(tmp_path: Path) -> None:
    path = at(tmp_path, raw(0x8000, 0xA101, 0xE014, 0xF001, 0xF002, 0x7000, 0x0000, 0x2000, 0xA100))
    answer = info(path)
    assert (answer.format, answer.version, answer.events) == ("evt3", "3.0", 1)
    assert answer.streams == {"triggers": 2, "others": 1}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        *((kind << 12, f"expected a word of EVT 3.0, got type 0x{kind:X}") for kind in (1, 9, 11, 12, 13)),
        (0xF000, "expected a word before it that it continues"),
        (0x7000, "expected a word before it that it continues"),
        (0x0802, "expected events of one camera, got a row of a second one"),
        (0x4001, "expected a VECT_BASE_X word before the first vector"),
    ],
)
def test_impossible_words_are_refused_with_their_byte(tmp_path: Path, word: int, sentence: str) -> None:
    path = at(tmp_path, raw(*WORDS[:4], word))
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 8}: {sentence}"):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:1]


def test_a_vector_may_end_at_the_last_pixel_but_not_behind_it(tmp_path: Path) -> None:
    words = (0x8000, 0x0000, 0x37FF, 0x4001)
    assert read(at(tmp_path, raw(*words)), sensor_size=(2048, 48)).x.tolist() == [2047]
    for word in (0x4002, 0x4800):
        path = at(tmp_path, raw(*words[:3], word))
        with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 6}: expected x up to 2047"):
            read(path, sensor_size=(2048, 48))
    path = at(tmp_path, raw(*words, *[0x4000] * 9, 0x5001))  # far behind it
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 26}: expected x up to 2047"):
        read(path, sensor_size=(2048, 48))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((0x0000, 0x2000), "expected a TIME_HIGH word before the first event"),
        ((0x8000, 0x2000), "expected an ADDR_Y word before the first event"),
        ((0x0000, 0x3000, 0x4001), "expected a TIME_HIGH word before the first event"),
    ],
)
def test_events_without_a_time_or_a_row_are_refused_unless_a_camera_recorded_them(
    tmp_path: Path, words: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(EventFileError, match=rf"at byte {len(HEAD) + 2 * len(words) - 2}: {sentence}"):
        read(at(tmp_path, raw(*words, *WORDS)))
    path = at(tmp_path, raw(*words, *WORDS, head=CAMERA))
    assert read(path) == EVENTS
    assert info(path).streams == {"untimed": 1}


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 34) - 1, side=2048))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".raw", format="evt3") == events


@settings(deadline=None, max_examples=100)
@given(recordings(last_us=2, side=70))
def test_dense_recordings_are_read_in_the_order_they_had(events: Events) -> None:
    assert written_and_read(events, ".raw", format="evt3") == events


def test_a_thousand_mutations_are_survived() -> None:
    ticks = [word for i in range(1, 9) for word in (0x8000 + i, 0x6000, i, 0x2801, 0x3003, 0x400F, 0x4000, 0x5080)]
    assert survives(raw(*ticks), "one.raw") > 400


def test_a_cameras_recording_is_read_as_independent_decoders_do() -> None:
    path = data_path("reader-fixtures/expelliarmus/evt3_sample.raw")
    events, oracle = read(path), np.load(data_path("reader-fixtures/expelliarmus/evt3_sample.npy"))
    assert (len(events), events.sensor_size) == (219596, (1280, 720))  # the size by its camera's number
    assert all(np.array_equal(getattr(events, name), oracle[name]) for name in "xyp")
    # The oracle's times grow by 4,096 us too much wherever TIME_LOW steps back (expelliarmus issue 20); the recording
    # spans three values of TIME_HIGH, 12 ms at most. evutils has the times given here.
    excess = oracle["t"] - events.t
    assert set(np.unique(excess)) == set(range(0, 45057, 4096))
    assert (np.diff(excess) >= 0).all()
    assert (events.t[0], events.t[-1]) == (0xB2D000, 0xB2F000 + 609)


def test_a_cameras_recording_keeps_its_events_and_shrinks_when_written_anew(tmp_path: Path) -> None:
    path = data_path("reader-fixtures/expelliarmus/evt3_sample.raw")
    events = read(path)
    write(tmp_path / "one.raw", events, format="evt3")
    assert read(tmp_path / "one.raw") == events
    assert (tmp_path / "one.raw").stat().st_size < path.stat().st_size
