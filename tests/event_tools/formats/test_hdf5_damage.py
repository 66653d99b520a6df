"""HDF5 that is hostile, or met by a full disk: mutations, sizes that lie, ways out of the file; one error, no crash."""

from __future__ import annotations

import errno
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from contextlib import suppress
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from event_tools import EventFileError, Events, read, write
from event_tools.datasets import write_set
from event_tools.formats.hdf5_attributes import attribute
from event_tools.formats.hdf5_output import Disk
from event_tools.formats.reader import Reading
from tests.event_tools.hostile import mutations, survives

N = 300
RNG = np.random.default_rng(0)
EVENTS = Events(
    np.sort(RNG.integers(0, 9000, N)), RNG.integers(0, 34, N), RNG.integers(0, 34, N), RNG.integers(0, 2, N), (34, 34)
)
ELSEWHERE = {"sensor_size": (34, 34)}


def by_h5py(path: Path, **packing: Any) -> Path:
    """As DSEC's files lie, in the oldest structures, which have no checksums."""
    with h5py.File(path, "w", libver="earliest") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            file.create_dataset(f"events/{name}", data=getattr(EVENTS, name).astype(kind), **packing)
    return path


def spikes(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (3,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (3,), h5py.vlen_dtype(np.uint16))
        for i in range(3):
            times[i], units[i] = np.sort(RNG.random(40)).astype("f2"), RNG.integers(0, 700, 40).astype("u2")
        file["labels"], file["extra/keys"] = np.array([0, 1, 1], "u2"), [b"zero", b"one"]
    return path


def a_set(path: Path) -> Path:
    write_set(path, [("a", EVENTS[:100]), ("b", EVENTS[100:])])
    return path


def layout(path: Path, name: str) -> Path:
    write(path, EVENTS, layout=name)
    return path


def test_a_thousand_mutations_are_refused_or_change_nothing(tmp_path: Path) -> None:
    data = layout(tmp_path / "one.h5", "dsec").read_bytes()
    assert survives(data, "one.h5", exact=True) > 800  # all that it holds has checksums


OTHERS = {
    "rpg": (lambda path: layout(path, "rpg"), Reading(), True),
    "set": (a_set, Reading(member=1), True),
    "spikes": (spikes, Reading(member=1), False),
    "deflated": (lambda path: by_h5py(path, compression="gzip", chunks=(64,)), Reading(**ELSEWHERE), False),
    "plain": (by_h5py, Reading(**ELSEWHERE), False),
    "lzf": (lambda path: by_h5py(path, compression="lzf", chunks=(64,)), Reading(**ELSEWHERE), False),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_layouts_survive_a_thousand_mutations(tmp_path: Path, name: str) -> None:
    make, reading, exact = OTHERS[name]
    survives(make(tmp_path / "one.h5").read_bytes(), "one.h5", reading, exact)


@pytest.mark.parametrize("name", OTHERS)
def test_other_layouts_survive_some_mutations(tmp_path: Path, name: str) -> None:
    make, reading, _ = OTHERS[name]
    data = make(tmp_path / "one.h5").read_bytes()
    for kind, mutated in islice(mutations(data), 3, None, 20):
        (tmp_path / "one.h5").write_bytes(mutated)
        try:
            events = read(tmp_path / "one.h5", sensor_size=reading.sensor_size, member=reading.member)
            Events(events.t, events.x, events.y, events.p, events.sensor_size)  # checks what readers promise
        except EventFileError as error:
            assert "\n" not in str(error), kind


@pytest.mark.parametrize("packing", [{"shuffle": True}, {}, {"fletcher32": True}])
def test_a_chunk_that_inflates_to_more_than_it_should_is_refused_without_the_memory(
    tmp_path: Path, packing: dict[str, Any]
) -> None:
    path = tmp_path / "bomb.h5"
    bomb = zlib.compress(bytes(1 << 24), 1) + bytes(4 if "fletcher32" in packing else 0)
    with h5py.File(path, "w") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            made = file.create_dataset(f"events/{name}", (65536,), kind, chunks=(65536,), compression=1, **packing)
            made.id.write_direct_chunk((0,), bomb)
    tracemalloc.start()
    with pytest.raises(EventFileError, match="cannot be decoded from event 0 on, expected a stream of"):
        read(path, **ELSEWHERE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_chunk_that_is_shorter_than_it_should_be_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            made = file.create_dataset(f"events/{name}", (16,), kind, chunks=(16,), compression=1)
            made.id.write_direct_chunk((0,), zlib.compress(bytes(15)))
    with pytest.raises(EventFileError, match="events/t cannot be decoded from event 0 on"):
        read(tmp_path / "one.h5", **ELSEWHERE)


def test_spikes_that_declare_more_than_the_file_has_are_refused_without_the_memory(tmp_path: Path) -> None:
    data = bytearray(spikes(tmp_path / "one.h5").read_bytes())
    with h5py.File(tmp_path / "one.h5") as file:
        place = file["spikes/times"].id.get_offset()
    assert data[place : place + 4] == (40).to_bytes(4, "little")
    data[place : place + 4] = (0x7FFFFFFF).to_bytes(4, "little")
    (tmp_path / "one.h5").write_bytes(data)
    with pytest.raises(EventFileError, match="in recording 0, spikes/times has no such values"):
        read(tmp_path / "one.h5", member=0)
    assert len(read(tmp_path / "one.h5", member=1)) == 40


@pytest.mark.parametrize("user_block", [0, 512])
@pytest.mark.parametrize("structures", ["earliest", "v110"])
def test_a_text_that_declares_more_than_it_can_be_is_not_read(tmp_path: Path, structures: str, user_block: int) -> None:
    with h5py.File(tmp_path / "one.h5", "w", libver=structures, userblock_size=user_block) as file:
        file.attrs["geometry"], file.attrs["other"] = "40x34", "x" * 500
    data = bytearray((tmp_path / "one.h5").read_bytes())
    with open(tmp_path / "one.h5", "rb") as raw, h5py.File(tmp_path / "one.h5") as file:
        assert attribute(raw, file, "geometry") == "40x34"
        assert attribute(raw, file, "absent") is None
    place = data.index((5).to_bytes(4, "little"), data.index(b"geometry") + 8 + 24)
    data[place : place + 4] = (0x7FFFFFFF).to_bytes(4, "little")
    with h5py.File(tmp_path / "one.h5") as file:  # opened before, so that no checksum is compared
        assert attribute(BytesIO(data), file, "geometry") is None


@pytest.mark.parametrize("place", ["events", "events/x"])
@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_refused(tmp_path: Path, place: str, kind: str) -> None:
    by_h5py(tmp_path / "other.h5")
    path = by_h5py(tmp_path / "one.h5")
    with h5py.File(path, "a") as file:
        file.move(place, "elsewhere")
        file[place] = h5py.SoftLink("/elsewhere") if kind == "soft" else h5py.ExternalLink("other.h5", f"/{place}")
    with pytest.raises(EventFileError, match="is a link to elsewhere, which is refused"):
        read(path, **ELSEWHERE)


def test_virtual_columns_and_external_storage_are_refused(tmp_path: Path) -> None:
    by_h5py(tmp_path / "other.h5")
    (tmp_path / "raw").write_bytes(bytes(4 * N))
    virtual = h5py.VirtualLayout((N,), "u4")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "events/t", (N,))
    for external in (False, True):
        path = by_h5py(tmp_path / "one.h5")
        with h5py.File(path, "a") as file:
            del file["events/t"]
            if external:
                file.create_dataset("events/t", (N,), "u4", external=[(str(tmp_path / "raw"), 0, 4 * N)])
            else:
                file.create_virtual_dataset("events/t", virtual)
        with pytest.raises(EventFileError, match="events/t lies outside the file, which is refused"):
            read(path, **ELSEWHERE)


LIMITED = """
import resource, sys, os
import numpy as np
from event_tools import EventFileError, Events, write
from event_tools.datasets import write_set

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
rng = np.random.default_rng(0)
n = 100_000
events = Events(np.arange(n), rng.integers(0, 99, n), rng.integers(0, 99, n), rng.integers(0, 2, n), (99, 99))
parts = [events[at : at + 7000] for at in range(0, n, 7000)]
for name, make in {
    "dsec": lambda path: write(path, iter(parts)),
    "rpg": lambda path: write(path, iter(parts), layout="rpg"),
    "set": lambda path: write_set(path, [("a", events)] * 20),
}.items():
    try:
        make(os.path.join(sys.argv[1], name + ".h5"))
        raise SystemExit("it was written")
    except EventFileError as error:
        assert "it cannot be written, file too large; free space" in str(error), error
"""


@pytest.mark.parametrize("limit", [3000, 150_000])
def test_a_full_disk_is_one_error_and_leaves_neither_a_file_nor_a_crash(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, str(tmp_path), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


class Full:
    """A disk that takes `room` bytes."""

    def __init__(self, room: int) -> None:
        self.data, self.at, self.room = bytearray(), 0, room

    def seek(self, at: int) -> None:
        self.at = at

    def write(self, part: memoryview) -> int:
        if self.at >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = bytes(part[: self.room - self.at])
        self.data[self.at : self.at + len(taken)] = taken
        self.at += len(taken)
        return len(taken)

    def read(self, size: int) -> bytes:
        return bytes(self.data[self.at : self.at + size])


def test_what_a_full_disk_refuses_is_read_back_and_its_error_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    disk = Disk(tmp_path / "file")
    disk.file.close()
    disk.file = Full(room=6)  # type: ignore[assignment]
    assert disk.write(b"abcd") == 4
    disk.check()
    assert disk.write(b"efgh") == 4  # two of them fit
    disk.seek(2)
    assert disk.write(b"CD") == 2  # nothing is written any more
    disk.seek(0)
    back = bytearray(10)
    assert disk.readinto(back) == 10
    assert back == b"abCDefgh\0\0"
    with pytest.raises(OSError, match="No space left on device"):
        disk.check()


def test_a_chunk_whose_checksum_is_cut_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, kind in zip("txyp", ("u4", "u2", "u2", "u1"), strict=True):
            made = file.create_dataset(f"events/{name}", (16,), kind, chunks=(16,), compression=1)
            packed = zlib.compress(bytes(16 * np.dtype(kind).itemsize))
            made.id.write_direct_chunk((0,), packed[:-1] if name == "y" else packed)
    with pytest.raises(
        EventFileError, match="events/y cannot be decoded from event 0 on, expected a stream of 32 bytes"
    ):
        read(tmp_path / "one.h5", **ELSEWHERE)


@pytest.mark.parametrize("packing", [{"compression": "lzf"}, {"compression": 1}, {}])
def test_a_cut_file_of_others_gives_a_beginning_of_its_events_or_none(tmp_path: Path, packing: dict[str, Any]) -> None:
    data = by_h5py(tmp_path / "one.h5", chunks=(32,), **packing).read_bytes()
    kept = set()
    for cut in range(1001, len(data), 97):
        (tmp_path / "one.h5").write_bytes(data[:cut])
        with warnings.catch_warnings(), suppress(EventFileError):
            warnings.simplefilter("ignore")
            events = read(tmp_path / "one.h5", tolerant=True, **ELSEWHERE)
            assert events == EVENTS[: len(events)], cut
            kept.add(len(events))
    assert max(kept) > N // 2


def test_half_an_address_at_the_cut_leads_nowhere(tmp_path: Path) -> None:
    data = by_h5py(tmp_path / "one.h5", chunks=(N,)).read_bytes()
    trees = [at for at in range(len(data)) if data[at : at + 5] == b"TREE\x01"]  # nodes that hold addresses of chunks
    assert len(trees) == 4
    for at in trees:
        for cut in range(at + 24, at + 64, 3):  # the first key, its address and the key after it
            (tmp_path / "one.h5").write_bytes(data[:cut])
            with warnings.catch_warnings(), suppress(EventFileError):
                warnings.simplefilter("ignore")
                assert read(tmp_path / "one.h5", tolerant=True, **ELSEWHERE) in (EVENTS[:0], EVENTS), cut
