"""Blocks of a file, and work on them by several threads, in order and with little ahead."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError

THREADS = min(4, os.cpu_count() or 1)
BLOCK = 1 << 20  # bytes that stay in a core's cache
FARTHEST = 1 << 62

In, Out = TypeVar("In"), TypeVar("Out")


def in_order(function: Callable[[In], Out], items: Iterable[In], threads: int = THREADS) -> Iterator[Out]:
    """function(item) of each item, by threads that are at most a few items ahead; nothing starts for a single item."""
    source = iter(items)
    first = list(_take(source, 2))
    if len(first) < 2 or threads < 2:
        yield from map(function, first)
        yield from map(function, source)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque[Future[Out]] = deque(pool.submit(function, item) for item in first)
        waiting.extend(pool.submit(function, item) for item in _take(source, threads))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in _take(source, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def file_size(file: BinaryIO) -> int:
    """The length in bytes of an opened file."""
    return file.seek(0, os.SEEK_END)


def read_at(file: BinaryIO, at: int, size: int) -> NDArray[np.uint8]:
    """The bytes from `at` on, `size` of them or as many as there are.

    A file on disk is read at the place without going there, so that threads and forks may share it. Nothing is beyond
    the places that a system counts, wherever a damaged file points.
    """
    if at >= FARTHEST:
        return np.empty(0, np.uint8)
    out = np.empty(size, np.uint8)
    view, done = memoryview(out), 0
    if isinstance(file, io.FileIO):
        while done < size and (got := os.preadv(file.fileno(), [view[done:]], at + done)):
            done += got
        return out[:done]
    file.seek(at)
    while done < size and (got := file.readinto(view[done:])):  # type: ignore[attr-defined]
        done += got
    return out[:done]


def record_blocks(
    file: BinaryIO, path: Path, start: int, stop: int, record: int, block: int = BLOCK
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(place in the file, bytes) of blocks of whole records from `start` to `stop`, which lie records apart.

    Raises EventFileError, about `path`, where the file ends before `stop`, since it became shorter meanwhile.
    """
    step = max(record, block // record * record)
    for at in range(start, stop, step):
        data = read_at(file, at, min(step, stop - at))
        if len(data) < min(step, stop - at):
            raise EventFileError(path, f"expected {stop} bytes, it became shorter while it was read", at + len(data))
        yield at, data


def _take(source: Iterator[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), source, strict=False):
        yield item
