"""Cuts, divisions and mergers of files: which events they keep, at which times, and what a failure leaves."""

from __future__ import annotations

from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import EventFileError, Events, info, read, write
from event_tools.convert import Conversion
from event_tools.cutting import FIRST, Cut, Split
from event_tools.files import write_as
from event_tools.formats.reader import Reading
from event_tools.jobs import Task
from event_tools.merging import merge_files
from event_tools.parts import joined
from event_tools.sources import Item

TEN = Events(np.arange(100, 200, 10), np.arange(10), np.arange(10)[::-1].copy(), np.arange(10) % 2, (16, 16))


def cut(change: Cut, *sizes: int) -> list[Events]:
    """The pieces that come of TEN in pieces of so many events."""
    bounds = np.cumsum([0, *(sizes or (10,))])
    return list(change(TEN[a:b] for a, b in pairwise(bounds)))


@pytest.mark.parametrize("sizes", [(10,), (3, 4, 3), (1,) * 10, (5, 0, 5)])
def test_a_cut_is_the_same_in_any_pieces(sizes: tuple[int, ...]) -> None:
    parts = cut(Cut(window=(2, 0, 7, 8), first=1, number=4, zero=True), *sizes)
    # x in 2..8 and y = 9 - x in 0..7 leave events 2 to 8; without the first of them and at most four: 3 to 6
    assert np.concatenate([part.t for part in parts]).tolist() == [0, 10, 20, 30]
    assert np.concatenate([part.x for part in parts]).tolist() == [1, 2, 3, 4]
    assert np.concatenate([part.y for part in parts]).tolist() == [6, 5, 4, 3]
    assert {part.sensor_size for part in parts} == {(7, 8)}


def test_a_cut_that_keeps_nothing_keeps_the_sensor() -> None:
    for change in (Cut(number=0), Cut(first=10), Cut(window=(0, 0, 1, 1))):
        (part,) = cut(change, 4, 6)
        assert (len(part), part.sensor_size) == (0, (1, 1) if change.window else (16, 16))


def test_zero_counts_from_the_windows_start_where_there_is_one() -> None:
    assert cut(Cut(zero=True, start_us=95))[0].t[:2].tolist() == [5, 15]


def divided(tmp_path: Path, reading: Reading = Reading(), **sizes: object) -> list[list[int]]:  # noqa: B008
    """Times of the files that TEN becomes."""
    write(tmp_path / "one.aedat4", TEN)
    work = Split(Conversion("aedat4", reading), **sizes)  # type: ignore[arg-type]
    counted = work(Task(0, Item(tmp_path / "one.aedat4", "one.aedat4"), tmp_path / f"out/one{FIRST}.aedat4"))
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"one-{k:05}.aedat4" for k in range(counted["parts"])]
    found = [read(file).t.tolist() for file in files]
    assert counted["events"] == sum(map(len, found))
    return found


def test_a_recording_is_divided_by_count_and_by_time(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    assert divided(tmp_path / "count", events=4) == [[100, 110, 120, 130], [140, 150, 160, 170], [180, 190]]
    (tmp_path / "time").mkdir()
    assert divided(tmp_path / "time", microseconds=45) == [[100, 110, 120, 130, 140], [150, 160, 170, 180], [190]]


@pytest.mark.parametrize("start", [None, 90])
def test_zero_counts_from_the_start_of_each_part(tmp_path: Path, start: int | None) -> None:
    found = divided(tmp_path, Reading(start_us=start), microseconds=45, zero=True)
    first = [0, 10, 20, 30, 40] if start is None else [10, 20, 30, 40]
    second = [5, 15, 25, 35] if start is None else [5, 15, 25, 35, 40 + 5][:4]
    assert found[:2] == [first, second]
    assert sum(map(len, found)) == 10


def test_zero_counts_from_the_first_event_of_parts_by_count(tmp_path: Path) -> None:
    assert divided(tmp_path, events=6, zero=True) == [[0, 10, 20, 30, 40, 50], [0, 10, 20, 30]]


def test_a_division_that_fails_takes_back_its_parts(tmp_path: Path) -> None:
    data = b"".join(bytes([1, 1, 0, 0, t]) for t in range(8)) + b"cut"
    (tmp_path / "one.bin").write_bytes(data)
    work = Split(Conversion("aedat4"), events=3)
    with pytest.raises(EventFileError, match="at byte 40: expected records of 5 bytes"):
        work(Task(0, Item(tmp_path / "one.bin", "one.bin"), tmp_path / f"out/one{FIRST}.aedat4"))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_part_that_tells_of_the_whole_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def write_and_look(path: Path, *arguments: Any) -> None:
        write_as(path, *arguments)
        seen.append(sorted(file.name for file in path.parent.iterdir() if not file.name.startswith(".")))

    monkeypatch.setattr("event_tools.cutting.write_as", write_and_look)
    assert len(divided(tmp_path, events=4)) == 3
    assert seen == [[], ["one-00001.aedat4"], ["one-00001.aedat4", "one-00002.aedat4"]]


def test_what_the_first_part_cannot_hold_names_its_file(tmp_path: Path) -> None:
    write(tmp_path / "one.aedat4", Events([1 << 24], [0], [0], [0], (16, 16)))
    work = Split(Conversion("nmnist"), events=1)
    with pytest.raises(EventFileError, match=r"out/one-00000\.bin: N-MNIST holds times 0 to"):
        work(Task(0, Item(tmp_path / "one.aedat4", "one.aedat4"), tmp_path / f"out/one{FIRST}.bin"))
    assert list((tmp_path / "out").iterdir()) == []


def test_silent_parts_and_an_empty_recording_are_files_too(tmp_path: Path) -> None:
    write(tmp_path / "one.aedat4", Events([1, 35], [0, 0], [0, 0], [0, 0], (16, 16)))
    task = Task(0, Item(tmp_path / "one.aedat4", "one.aedat4"), tmp_path / f"out/one{FIRST}.aedat4")
    assert Split(Conversion("aedat4"), microseconds=10)(task) == {"events": 2, "parts": 4}
    found = [read(file) for file in sorted((tmp_path / "out").iterdir())]
    assert [events.t.tolist() for events in found] == [[1], [], [], [35]]
    for sizes in ({"events": 3}, {"microseconds": 3}):
        write(tmp_path / "one.aedat4", Events.empty((16, 16)))
        assert Split(Conversion("aedat4"), **sizes)(task) == {"events": 0, "parts": 1}
        assert read(task.out) == Events.empty((16, 16))


def test_parts_are_the_same_however_the_recording_comes(tmp_path: Path) -> None:
    pieces = [TEN[:3], TEN[3:3], TEN[3:9], TEN[9:]]
    for sizes in ({"events": 4}, {"microseconds": 25}):
        split = Split(Conversion("aedat4"), **sizes, zero=True)
        one = {k: list(g) for k, g in groupby(split._numbered(iter([TEN]), tmp_path), itemgetter(0))}
        two = {k: list(g) for k, g in groupby(split._numbered(iter(pieces), tmp_path), itemgetter(0))}
        assert one.keys() == two.keys()
        for k in one:
            assert joined([piece for _, piece in one[k]]) == joined([piece for _, piece in two[k]])


def test_the_last_microseconds_there_are_can_be_divided(tmp_path: Path) -> None:
    last = (1 << 63) - 1
    write(tmp_path / "one.npz", Events([last - 5, last], [0, 0], [0, 0], [0, 0], (16, 16)))
    task = Task(0, Item(tmp_path / "one.npz", "one.npz"), tmp_path / f"out/one{FIRST}.npz")
    assert Split(Conversion("npz"), microseconds=6)(task) == {"events": 2, "parts": 1}


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_tools.cutting.MAX_PARTS", 3)
    with pytest.raises(EventFileError, match="expected up to 3 parts, there are more; take larger ones"):
        divided(tmp_path, events=3)


def items(tmp_path: Path, *recordings: Events) -> list[Item]:
    for k, events in enumerate(recordings):
        write(tmp_path / f"{k}.aedat4", events, provenance={"camera": "left", "seed": k})
    return [Item(tmp_path / f"{k}.aedat4", f"{k}.aedat4") for k in range(len(recordings))]


def test_merged_recordings_are_sorted_and_equal_times_keep_the_order_of_the_files(tmp_path: Path) -> None:
    one = Events([0, 5, 5], [1, 1, 2], [0, 0, 0], [0, 0, 0], (16, 16))
    two = Events([3, 5], [3, 4], [0, 0], [1, 1], (16, 16))
    assert merge_files(items(tmp_path, one, two), tmp_path / "out.h5", Conversion("hdf5", command="merge"), (0, 0)) == 5
    assert read(tmp_path / "out.h5") == Events([0, 3, 5, 5, 5], [1, 3, 1, 2, 4], [0] * 5, [0, 1, 0, 0, 1], (16, 16))
    told = info(tmp_path / "out.h5").provenance
    assert told.pop("history.1").startswith("merge 0.aedat4 and 1 more (event_tools ")
    assert told == {"camera": "left"}


def test_each_recording_may_be_shifted(tmp_path: Path) -> None:
    one, two = TEN[:2], TEN[2:4]
    merge_files(items(tmp_path, one, two), tmp_path / "out.aedat4", Conversion("aedat4"), (7, -120))
    assert read(tmp_path / "out.aedat4").t.tolist() == [0, 10, 107, 117]


def test_what_cannot_be_merged_is_refused(tmp_path: Path) -> None:
    two = items(tmp_path, TEN, Events([0], [0], [0], [0], (8, 8)))
    with pytest.raises(EventFileError, match="expected recordings of one sensor, got 16x16 and 8x8"):
        merge_files(two, tmp_path / "out.h5", Conversion("hdf5"), (0, 0))
    with pytest.raises(EventFileError, match=r"0\.aedat4: expected times that fit 64 bits"):
        merge_files(two[:1], tmp_path / "out.h5", Conversion("hdf5"), ((1 << 63) - 150,))
    with pytest.raises(EventFileError, match="another file to write than the one that is read"):
        merge_files(two, two[1].path, Conversion("aedat4"), (0, 0))
    assert not (tmp_path / "out.h5").exists() and len(list(tmp_path.iterdir())) == 2
