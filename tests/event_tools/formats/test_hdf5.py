"""HDF5 in DSEC's layout: files made by h5py alone, round trips, the millisecond index, damage and false sizes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from event_tools import EventFileError, Events, info, read, write
from event_tools.formats.hdf5_output import CHUNK
from tests.event_tools.recordings import after_damage, recordings, written_and_read

EVENTS = Events([5, 1000, 1000, 2500], [1, 33, 0, 7], [2, 0, 33, 7], [1, 0, 1, 0], (34, 34))


def made(path: Path, events: Events = EVENTS, offset: int | None = None, sized: bool = True, **packing: Any) -> Path:
    """The recording as DSEC's own files lie, by h5py alone."""
    with h5py.File(path, "w") as file:
        if sized:
            file.attrs["width"], file.attrs["height"] = events.sensor_size
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            file.create_dataset(f"events/{name}", data=getattr(events, name).astype(kind), **packing)
        if offset is not None:
            file["t_offset"] = np.int64(offset)
    return path


def many(n: int) -> Events:
    rng = np.random.default_rng(n)
    t = np.sort(rng.integers(0, 1 << 22, n))
    return Events(t, rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n), (34, 34))


@pytest.mark.parametrize("packing", [{}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf"}])
def test_files_of_h5py_are_read(tmp_path: Path, packing: dict[str, Any]) -> None:
    assert read(made(tmp_path / "one.h5", **packing)) == EVENTS


def test_h5py_reads_what_is_written_and_needs_no_plugin(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", EVENTS)
    with h5py.File(tmp_path / "one.h5") as file:
        group = file["events"]
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            assert group[name].dtype == kind
            assert group[name][:].tolist() == getattr(EVENTS, name).tolist()
            assert (group[name].compression, group[name].compression_opts, group[name].shuffle) == ("gzip", 1, True)
        assert file["t_offset"][()] == 0 and file["t_offset"].dtype == np.int64
        assert (file.attrs["width"], file.attrs["height"]) == (34, 34)


def test_the_millisecond_index_by_hand(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", EVENTS)
    with h5py.File(tmp_path / "one.h5") as file:
        # t = 5, 1000, 1000, 2500: first events at or after 0, 1, 2, 3 ms; ceil(2.5) + 1 entries
        assert file["ms_to_idx"][:].tolist() == [0, 1, 3, 4]
        assert file["ms_to_idx"].dtype == np.uint64


def test_dsecs_rule_holds_at_every_millisecond_and_reaches_the_end(tmp_path: Path) -> None:
    events = many(3000)
    write(tmp_path / "one.h5", events)
    with h5py.File(tmp_path / "one.h5") as file:
        index: NDArray[np.uint64] = file["ms_to_idx"][:]
        t = file["events/t"][:].astype(np.int64)
    assert len(index) == -(-int(t[-1]) // 1000) + 1
    for ms, at in enumerate(index.astype(int)):
        assert at == len(t) or t[at] >= 1000 * ms
        assert at == 0 or t[at - 1] < 1000 * ms


@pytest.mark.parametrize(
    ("first", "offset"), [(0, 0), ((1 << 32) - 2501, 0), (-5, -5), (1_700_000_000_000_000, 1_700_000_000_000_000)]
)
def test_the_offset_is_zero_unless_times_are_negative_or_beyond_32_bits(
    tmp_path: Path, first: int, offset: int
) -> None:
    events = Events(EVENTS.t - 5 + first, EVENTS.x, EVENTS.y, EVENTS.p, (34, 34))
    write(tmp_path / "one.h5", events)
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["t_offset"][()] == offset
        assert file["events/t"].dtype == np.uint32
    assert read(tmp_path / "one.h5") == events


def test_an_offset_of_others_is_honoured(tmp_path: Path) -> None:
    assert read(made(tmp_path / "one.h5", offset=1 << 40)).t.tolist() == [(1 << 40) + t for t in EVENTS.t]


@settings(deadline=None, max_examples=15)
@given(recordings(first_us=-(1 << 35), last_us=1 << 35, side=65536))
def test_what_is_written_is_read(events: Events) -> None:
    # A length that needs an index of many entries is refused; see below.
    assert len(events) < 2 or written_and_read(events[:1], ".h5") == events[:1]
    near = Events(events.t // 1000, events.x, events.y, events.p, events.sensor_size)
    assert written_and_read(near, ".h5") == near


def test_events_of_several_chunks_are_read(tmp_path: Path) -> None:
    events = many(2 * CHUNK + 1)
    write(tmp_path / "one.h5", events)
    assert read(tmp_path / "one.h5") == events
    with h5py.File(tmp_path / "one.h5") as file:
        assert np.array_equal(file["events/t"][:], events.t)


@pytest.mark.parametrize("layout", ["dsec", "rpg"])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 31, 32, 33, 100])
def test_the_bytes_do_not_depend_on_how_a_recording_was_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, n: int
) -> None:
    monkeypatch.setattr("event_tools.formats.hdf5_writer.CHUNK", 8)
    monkeypatch.setattr("event_tools.formats.hdf5_writer.BATCH_CHUNKS", 2)
    events = many(n)
    write(tmp_path / "one.h5", events, layout=layout)
    data = (tmp_path / "one.h5").read_bytes()
    assert read(tmp_path / "one.h5") == events
    for step in (1, 7, 16, 50):
        write(tmp_path / "two.h5", (events[at : at + step] for at in range(0, max(n, 1), step)), layout=layout)
        assert (tmp_path / "two.h5").read_bytes() == data, step


@pytest.mark.parametrize("late", [0, 10_000, 40_000])
def test_times_beyond_32_bits_widen_the_column_wherever_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    monkeypatch.setattr("event_tools.formats.hdf5_writer.CHUNK", 1 << 13)
    monkeypatch.setattr("event_tools.formats.hdf5_writer.BATCH_CHUNKS", 2)
    t = np.arange(50_000) + np.where(np.arange(50_000) < late, 0, 1 << 32)
    events = Events(t, t % 34, t % 33, t % 2, (34, 34))
    write(tmp_path / "one.h5", events)
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["events/t"].dtype == (np.uint32 if late == 0 else np.int64)
        assert (file["events/t"][:] + file["t_offset"][()]).tolist() == t.tolist()
        assert file["t_offset"][()] == (t[0] if late == 0 else 0)
        index = file["ms_to_idx"][:]
        assert np.array_equal(index, np.searchsorted(t - file["t_offset"][()], np.arange(len(index)) * 1000))
    assert read(tmp_path / "one.h5") == events


def test_rpgs_layout_is_what_event_utils_and_e2vid_look_for(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", Events(EVENTS.t, EVENTS.x, EVENTS.y, EVENTS.p, (40, 34)), layout="rpg")
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["events/ts"][:].tolist() == [5e-6, 1e-3, 1e-3, 2.5e-3]
        assert file["events/ps"][:].tolist() == [True, False, True, False]
        assert (file["events/xs"][:].tolist(), file["events/ys"][:].tolist()) == ([1, 33, 0, 7], [2, 0, 33, 7])
        told = {name: file.attrs[name] for name in ("num_events", "num_pos", "num_neg", "t0", "tk", "duration")}
        assert told == {"num_events": 4, "num_pos": 2, "num_neg": 2, "t0": 5e-6, "tk": 2.5e-3, "duration": 2.495e-3}
        assert file.attrs["sensor_resolution"].tolist() == [34, 40]  # height first
    assert (info(tmp_path / "one.h5").version, read(tmp_path / "one.h5").sensor_size) == ("rpg", (40, 34))


@settings(deadline=None, max_examples=15)
@given(recordings(first_us=-(1 << 51) + 1, last_us=(1 << 51) - 1, side=65536))
def test_what_is_written_in_rpgs_layout_is_read(events: Events) -> None:
    assert written_and_read(events, ".h5", layout="rpg") == events


def test_times_that_seconds_do_not_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        EventFileError, match="holds times below 2251799813685248 us exactly, got 0 to 2251799813685248"
    ):
        write(tmp_path / "one.h5", Events([0, 1 << 51], [0, 0], [0, 0], [1, 1], (34, 34)), layout="rpg")
    with pytest.raises(EventFileError, match="expected layout to be dsec, rpg, got 'm3ed'"):
        write(tmp_path / "one.h5", EVENTS, layout="m3ed")
    assert list(tmp_path.iterdir()) == []


def test_a_recording_over_18_hours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="indexes every millisecond, 67108865 of them are too many"):
        write(tmp_path / "one.h5", Events([0, (1 << 26) * 1000 + 1], [0, 0], [0, 0], [1, 1], (34, 34)))
    assert list(tmp_path.iterdir()) == []


def test_provenance_comes_back_with_its_types(tmp_path: Path) -> None:
    told = {"seed": 7, "placement": "uniform ö", "rate": 0.25, "anchored": True}
    write(tmp_path / "one.h5", EVENTS, provenance=told)
    answer = info(tmp_path / "one.h5").provenance
    assert answer == told
    assert {key: type(value) for key, value in answer.items()} == {key: type(value) for key, value in told.items()}


def test_without_width_and_height_the_size_has_to_be_given(tmp_path: Path) -> None:
    made(tmp_path / "one.h5", sized=False)
    with pytest.raises(EventFileError, match=r"unknown \(largest x, y: 33, 33\); give sensor_size"):
        read(tmp_path / "one.h5")
    assert read(tmp_path / "one.h5", sensor_size=(34, 34)) == EVENTS


@pytest.mark.parametrize("step", [101, pytest.param(1, marks=pytest.mark.slow)])
def test_cut_anywhere_it_is_refused(tmp_path: Path, step: int) -> None:
    write(tmp_path / "one.h5", EVENTS)
    data = (tmp_path / "one.h5").read_bytes()
    for cut in range(0, len(data), step):
        assert after_damage(data[:cut], "one.h5") is None, cut
        assert after_damage(data[:cut], "one.h5", tolerant=True) in (None, EVENTS[:0], EVENTS), cut


def test_a_chunk_that_was_never_written_holds_no_events(tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            file.create_dataset(f"events/{name}", (8,), kind, chunks=(4,))[:4] = getattr(EVENTS, name)
    with pytest.raises(EventFileError, match="events/t has no bytes for its events from 4 on"):
        read(path, sensor_size=(34, 34))
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, sensor_size=(34, 34), tolerant=True) == EVENTS


def test_a_cut_file_says_how_many_bytes_were_expected(tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    write(path, EVENTS)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(EventFileError, match=f"at byte {size - 10}: expected {size} bytes of HDF5, the file ends"):
        read(path)


def test_a_tolerant_reader_keeps_the_whole_chunks_of_a_cut_file(tmp_path: Path) -> None:
    events = many(5 * CHUNK)
    write(tmp_path / "one.h5", events)
    with h5py.File(tmp_path / "one.h5") as file:
        parts = [file[f"events/{name}"].id.get_chunk_info_by_coord for name in "txyp"]
        ends = [max(part.byte_offset + part.size for part in (of((k * CHUNK,)) for of in parts)) for k in range(5)]
    data = (tmp_path / "one.h5").read_bytes()
    for k, end in enumerate(ends):
        assert after_damage(data[: end - 1], "one.h5", tolerant=True) == events[: k * CHUNK]
        kept = after_damage(data[: end + 512], "one.h5", tolerant=True)  # HDF5's index of a chunk follows it closely
        assert kept == events[: (k + 1) * CHUNK]


def test_a_tolerant_reader_makes_no_events_of_what_is_missing_from_uncompressed_columns(tmp_path: Path) -> None:
    data = made(tmp_path / "one.h5", many(5000)).read_bytes()
    for cut in range(2000, len(data), 997):
        tolerated = after_damage(data[:cut], "one.h5", tolerant=True)
        assert tolerated is None or tolerated == many(5000)[: len(tolerated)], cut


def test_an_altered_chunk_is_noticed_by_its_checksum_and_named_by_its_place(tmp_path: Path) -> None:
    events = many(2 * CHUNK)
    path = tmp_path / "one.h5"
    write(path, events)
    with h5py.File(path) as file:
        place = file["events/x"].id.get_chunk_info_by_coord((CHUNK,)).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 500] ^= 1
    path.write_bytes(data)
    with pytest.raises(EventFileError, match=f"at byte {place}: events/x cannot be decoded from event 65536 on"):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == events[:CHUNK]


def test_altered_bytes_are_event_file_errors_or_recordings(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", EVENTS)
    data = (tmp_path / "one.h5").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 60):
        altered = bytearray(data)
        altered[place] ^= 1 << rng.integers(8)
        after_damage(bytes(altered), "one.h5")


@pytest.mark.parametrize("chunks", [None, (1 << 16,), (1 << 27,)])
def test_a_declared_length_without_bytes_is_refused_before_allocating(
    tmp_path: Path, chunks: tuple[int] | None
) -> None:
    path = tmp_path / "lie.h5"
    with h5py.File(path, "w") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            file.create_dataset(f"events/{name}", (1 << 33,), kind, chunks=chunks)
    tracemalloc.start()
    with pytest.raises(EventFileError, match="events/t declares 8589934592 events in 0 bytes, which cannot be"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_superblock_that_declares_more_than_can_be_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", EVENTS)
    data = bytearray((tmp_path / "one.h5").read_bytes())
    data[40:48] = (1 << 50).to_bytes(8, "little")
    (tmp_path / "one.h5").write_bytes(data)
    for tolerant in (False, True):
        with pytest.raises(EventFileError, match="expected an HDF5 file, "):
            read(tmp_path / "one.h5", tolerant=tolerant)


def test_columns_of_other_kinds_or_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    made(path)
    with h5py.File(path, "a") as file:
        del file["events/t"]
        file["events/t"] = [b"a", b"b", b"c", b"d"]
    with pytest.raises(EventFileError, match="expected events/t to be a row of numbers"):
        read(path)
    with h5py.File(path, "a") as file:
        del file["events/t"]
        file["events/t"] = np.array([5, 1000], np.uint32)
    with pytest.raises(EventFileError, match=r"columns of equal length, got {'events/t': 2, 'events/x': 4, "):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS[:2]


def test_links_and_columns_outside_the_file_are_refused(tmp_path: Path) -> None:
    made(tmp_path / "other.h5")
    (tmp_path / "raw").write_bytes(bytes(16))
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        file["events"] = h5py.ExternalLink("other.h5", "/events")
    with pytest.raises(EventFileError, match="events is a link to elsewhere, which is refused"):
        read(path)
    made(path)
    with h5py.File(path, "a") as file:
        del file["events/t"]
        file.create_dataset("events/t", (4,), "u4", external=[(str(tmp_path / "raw"), 0, 16)])
    with pytest.raises(EventFileError, match="events/t lies outside the file, which is refused"):
        read(path)
