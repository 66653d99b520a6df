"""MATLAB's files: bytes by hand, scipy's and h5py's writing, real spike trains, damage."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from event_tools import EventFileError, Events, info, read
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.hostile import survives

scipy_io = pytest.importorskip("scipy.io")

N = 60
RNG = np.random.default_rng(0)
EVENTS = Events(
    np.sort(RNG.integers(0, 99_999, N)), RNG.integers(0, 34, N), RNG.integers(0, 34, N), RNG.integers(0, 2, N), (34, 34)
)


def struct_of(kind: Any = float, p: Any = None) -> dict[str, Any]:
    """As Read_Ndataset.m returns it: pixels from 1, 1 = OFF, 2 = ON."""
    return {
        "x": (EVENTS.x + 1).astype(kind),
        "y": (EVENTS.y + 1).astype(kind)[:, None],
        "p": (EVENTS.p + 1 if p is None else p).astype(kind),
        "ts": EVENTS.t.astype(float),
    }


def train(columns: int = 40) -> np.ndarray[Any, Any]:
    table = np.zeros((101, columns))
    table[RNG.integers(0, 100, columns), np.arange(columns)] = RNG.choice([-1, 1], columns)
    table[100] = np.sort(RNG.random(columns))
    return table


def by_hand() -> bytes:
    """TD with one event at (x 3, y 2), ON, at 7 us; numbers in short elements."""
    numbers = b"".join(
        # matrix: class double, 1x1, no name, one value stored in one or two bytes
        struct.pack("<2I", 14, 48)
        + struct.pack("<4I", 6, 8, 6, 0)
        + struct.pack("<2I2i", 5, 8, 1, 1)
        + struct.pack("<2I", 1, 0)
        + struct.pack("<2HI", 2, 1, value)
        for value in (4, 3, 2, 7)
    )
    names = b"".join(name.ljust(3, b"\0") for name in (b"x", b"y", b"p", b"ts"))
    body = (
        struct.pack("<4I", 6, 8, 2, 0)
        + struct.pack("<2I2i", 5, 8, 1, 1)
        + struct.pack("<2H", 1, 2) + b"TD\0\0"
        + struct.pack("<2Hi", 5, 4, 3)
        + struct.pack("<2I", 1, 12) + names + bytes(4)
        + numbers
    )  # fmt: skip
    head = b"MATLAB 5.0 MAT-file, by hand".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return head + struct.pack("<2I", 14, len(body)) + body


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    (tmp_path / "one.mat").write_bytes(by_hand())
    assert read(tmp_path / "one.mat", sensor_size=(9, 9)) == Events([7], [3], [2], [1], (9, 9))
    assert scipy_io.loadmat(tmp_path / "one.mat")["TD"]["ts"][0, 0] == 7  # an independent reader agrees


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [float, np.float32, np.uint8, np.int32])
def test_structs_that_scipy_wrote_are_read(tmp_path: Path, kind: Any, packed: bool) -> None:
    more = {"note": np.array([1, 2]), "TD": {**struct_of(kind), "meta": {"a": [1, 2], "b": "text"}}}
    scipy_io.savemat(tmp_path / "one.mat", more, do_compression=packed)
    assert read(tmp_path / "one.mat", sensor_size=(34, 34)) == EVENTS
    assert (info(tmp_path / "one.mat").format, info(tmp_path / "one.mat").version) == ("mat", "TD")


@pytest.mark.parametrize("off", [0, -1])
def test_other_polarities_mean_what_they_mean_elsewhere(tmp_path: Path, off: int) -> None:
    p = np.where(EVENTS.p == 1, 1, off)
    scipy_io.savemat(tmp_path / "one.mat", {"events": struct_of(p=p)})
    assert read(tmp_path / "one.mat", sensor_size=(34, 34)) == EVENTS


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("x", 0, "expected x counted from 1, as MATLAB does, got 0"),
        ("y", 70_000, "expected y from 0 to 65535, event 5 has 69999"),
        ("x", 2.5, "expected x as whole pixels, event 5 has 1.5"),
        ("p", 3, "expected p of 1 and 2, or of -1, 0 and 1, got 3"),
        ("p", 0, "expected p of 1 and 2, or of -1, 0 and 1, got both"),
        ("ts", 0.5, "expected a whole number of microseconds, event 5 has 0.5"),
        ("ts", np.nan, "expected a whole number of microseconds, event 5 has nan"),
    ],
)
def test_what_no_event_can_hold_is_refused(tmp_path: Path, field: str, value: float, reason: str) -> None:
    table = struct_of()
    table[field] = table[field].reshape(-1)
    table[field][5] = value
    scipy_io.savemat(tmp_path / "one.mat", {"TD": table})
    with pytest.raises(EventFileError, match=reason):
        read(tmp_path / "one.mat", sensor_size=(65536, 65536))


def test_fields_of_different_lengths_are_refused(tmp_path: Path) -> None:
    scipy_io.savemat(tmp_path / "one.mat", {"TD": {**struct_of(), "p": np.ones(3)}})
    with pytest.raises(
        EventFileError, match=r"expected fields of equal length, got {'x': 60, 'y': 60, 'p': 3, 'ts': 60}"
    ):
        read(tmp_path / "one.mat", sensor_size=(34, 34))


def test_files_of_other_things_say_what_they_hold(tmp_path: Path) -> None:
    scipy_io.savemat(tmp_path / "one.mat", {"LUT": np.zeros((3, 3)), "spiketrain": np.zeros((7, 9))})
    with pytest.raises(
        EventFileError, match=r"expected spiketrain of 101 rows or a struct .*, found 'LUT', 'spiketrain'"
    ):
        read(tmp_path / "one.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_spike_trains_are_read_column_by_column(tmp_path: Path, packed: bool) -> None:
    table = np.zeros((101, 3))
    table[100] = [0.0, 1.5e-6, 0.25]
    table[[13, 99], 0], table[0, 2] = [1, -1], 1  # two taxels at once, none, one
    scipy_io.savemat(tmp_path / "one.mat", {"spiketrain": table}, do_compression=packed)
    assert read(tmp_path / "one.mat") == Events([0, 0, 250_000], [3, 9, 0], [1, 9, 0], [1, 0, 1], (10, 10))


def test_the_real_spike_train_equals_scipys_reading() -> None:
    path = data_path("reader-fixtures/tonic/sample_stmnist.mat")
    table = scipy_io.loadmat(path)["spiketrain"]
    columns, taxels = table[:100].T.nonzero()
    events = read(path)
    assert (len(events), events.sensor_size) == (2346, (10, 10))
    assert np.array_equal(events.x + 10 * events.y, taxels)
    assert np.array_equal(events.p, table[taxels, columns] > 0)
    assert np.abs(events.t - table[100, columns] * 1e6).max() <= 0.5


@pytest.mark.parametrize("upright", [False, True])
def test_version_7_3_is_the_same_in_hdf5(tmp_path: Path, upright: bool) -> None:
    path = tmp_path / "one.mat"
    for name, values in (("TD", struct_of()), ("spiketrain", train())):
        with h5py.File(path, "w", userblock_size=512) as file:
            if name == "spiketrain":
                file.create_dataset(name, data=values.T, compression="gzip")
            else:
                for key, column in values.items():
                    flat = column.reshape(-1)
                    file.create_dataset(f"TD/{key}", data=flat[:, None] if upright else flat[None], compression="gzip")
        data = bytearray(path.read_bytes())
        data[:19] = b"MATLAB 7.3 MAT-file"
        path.write_bytes(data)
        if name == "TD":
            assert read(path, sensor_size=(34, 34)) == EVENTS
        else:
            scipy_io.savemat(tmp_path / "five.mat", {"spiketrain": values})
            assert read(path) == read(tmp_path / "five.mat")


def test_a_cut_file_is_refused_or_read_up_to_the_cut(tmp_path: Path) -> None:
    scipy_io.savemat(tmp_path / "one.mat", {"spiketrain": train(9000)})
    whole = read(tmp_path / "one.mat")
    (tmp_path / "one.mat").write_bytes((tmp_path / "one.mat").read_bytes()[:-3_500_000])
    with pytest.raises(EventFileError, match=r"at byte 128: expected .* bytes more, the file ends"):
        read(tmp_path / "one.mat")
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(tmp_path / "one.mat", tolerant=True) == whole[:4096]


@pytest.mark.parametrize("packed", [False, True])
def test_a_thousand_mutations_are_refused_or_events(tmp_path: Path, packed: bool) -> None:
    scipy_io.savemat(tmp_path / "one.mat", {"TD": struct_of(np.uint8)}, do_compression=packed)
    data = (tmp_path / "one.mat").read_bytes()
    assert survives(data, "one.mat", Reading(sensor_size=(34, 34)), exact=packed) > 500


def test_spike_trains_survive_a_thousand_mutations(tmp_path: Path) -> None:
    scipy_io.savemat(tmp_path / "one.mat", {"spiketrain": train()}, do_compression=True)
    assert survives((tmp_path / "one.mat").read_bytes(), "one.mat", exact=True) > 500


def test_a_chunk_of_version_7_3_that_inflates_to_too_much_is_refused_without_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "one.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name in ("x", "y", "p", "ts"):
            made = file.create_dataset(f"TD/{name}", (1, 100), "f8", chunks=(1, 100), compression="gzip")
            made.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 24), 9))
    path.write_bytes(b"MATLAB 7.3 MAT-file" + path.read_bytes()[19:])
    tracemalloc.start()
    with pytest.raises(EventFileError, match="cannot be decoded from event 0 on, expected a stream of 800 bytes"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
