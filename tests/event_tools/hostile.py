"""What damaged files may do to a reader: nothing but an EventFileError or events, in bounded time and memory.

Mutations are seeded: every truncation of a small file, then flipped bits, inserted, deleted and overwritten bytes,
copies of one stretch over another, and numbers of four and eight bytes set to their extremes.
"""

from __future__ import annotations

import faulthandler
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events
from event_tools.finding import open_reader
from event_tools.formats.reader import Reading
from event_tools.settling import settle

MUTATIONS = 1000
TRUNCATIONS = 400  # at most so many, evenly spread; every one of a file of as many bytes
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
HEADROOM = 100 << 20
BYTES_AN_EVENT = 40
SECONDS = 120


def survives(data: bytes, name: str, reading: Reading | None = None, exact: bool = False, seed: int = 0) -> int:
    """Read MUTATIONS mutated copies of a file, strictly and tolerantly; returns how many were refused when strict.

    data: a whole file that can be read; name: of the file, with its suffix; exact: the format has checksums, so strict
    reading has to give the same events or refuse, and tolerant reading a beginning of them. Every truncation gives a
    beginning of the events in any format.
    """
    reading = reading or Reading()
    original = _read(data, name, reading, tolerant=False)
    assert original is not None, "the file itself has to be readable"
    refused, most = 0, len(original)
    with _bounded() as used:
        for kind, mutated in mutations(data, seed):
            strict = _read(mutated, name, reading, tolerant=False)
            kept = _read(mutated, name, reading, tolerant=True)
            refused += strict is None
            most = max(most, *(len(events) for events in (strict, kept) if events is not None), 0)
            if exact and strict is not None:
                assert _same(strict, original), f"{kind}: other events without an error"
            if (exact or kind.startswith("cut")) and kept is not None:
                assert _same(kept, original[: len(kept)]), f"{kind}: not a beginning of the events"
    peak = used()
    assert peak <= HEADROOM + BYTES_AN_EVENT * most, f"{peak >> 20} MiB for at most {most} events"
    return refused


def mutations(data: bytes, seed: int = 0, count: int = MUTATIONS) -> Iterator[tuple[str, bytes]]:
    """(what was done, the bytes) of `count` mutations; the same ones for the same seed."""
    rng = np.random.Generator(np.random.Philox(seed))
    cuts = np.unique(np.linspace(0, len(data), min(TRUNCATIONS, len(data)), endpoint=False, dtype=np.int64))
    for cut in cuts[:count]:
        yield f"cut at {cut}", data[:cut]
    kinds = (_flip, _insert, _delete, _overwrite, _copy, _extreme)
    for i in range(max(0, count - len(cuts))):
        # Heads are short and decide most, so every other mutation falls into the first part.
        span = len(data) if i % 2 else min(len(data), 512)
        yield kinds[i % len(kinds)](data, int(rng.integers(span)), rng)


def _flip(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    bit = int(rng.integers(8))
    return f"flip bit {bit} at {at}", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def _insert(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    new = rng.bytes(int(rng.integers(1, 9)))
    return f"insert {new.hex()} at {at}", data[:at] + new + data[at:]


def _delete(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    size = int(rng.integers(1, 33))
    return f"delete {size} at {at}", data[:at] + data[at + size :]


def _overwrite(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    new = rng.bytes(int(rng.integers(1, 33)))[: len(data) - at]
    return f"overwrite {new.hex()} at {at}", data[:at] + new + data[at + len(new) :]


def _copy(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    start = int(rng.integers(len(data)))
    part = data[start : start + int(rng.integers(1, 65))][: len(data) - at]
    return f"copy {len(part)} from {start} to {at}", data[:at] + part + data[at + len(part) :]


def _extreme(data: bytes, at: int, rng: np.random.Generator) -> tuple[str, bytes]:
    value = EXTREMES[int(rng.integers(len(EXTREMES)))]
    order = "<>"[int(rng.integers(2))]
    number = struct.pack(order + "Q", value) if rng.integers(2) else struct.pack(order + "I", value & 0xFFFFFFFF)
    number = number[: len(data) - at]
    return f"set {number.hex()} at {at}", data[:at] + number + data[at + len(number) :]


def _read(data: bytes, name: str, reading: Reading, tolerant: bool) -> Events | None:
    """The events, None where they are refused; any other error, and events that are none, fail the test."""
    path = Path(name)
    chosen = Reading(**{**reading.__dict__, "tolerant": tolerant})
    try:
        with warnings.catch_warnings():
            if tolerant:
                warnings.simplefilter("ignore")
            events = settle(open_reader(BytesIO(data), path, chosen)[1], path, chosen)
    except EventFileError as error:
        assert str(error).startswith(name) and "\n" not in str(error)
        return None
    return Events(events.t, events.x, events.y, events.p, events.sensor_size)  # checks what readers promise


def _same(one: Events, two: Events) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("t", "x", "y", "p"))


@contextmanager
def _bounded() -> Iterator[object]:
    """Ends the process, with a trace, when it hangs; yields a function that says how many bytes were used on top."""
    status = Path("/proc/self/status")
    reset = Path("/proc/self/clear_refs")

    def field(key: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(key))
        return int(line.split()[1]) << 10

    if not reset.exists():
        pytest.skip("memory is measured by Linux's /proc")
    reset.write_text("5")  # the high-water mark starts anew
    before = field("VmRSS")
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        yield lambda: field("VmHWM") - before
    finally:
        faulthandler.cancel_dump_traceback_later()
