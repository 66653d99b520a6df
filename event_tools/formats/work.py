"""Work that is handed over piece by piece, done by threads, and comes back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from event_tools.formats.blocks import THREADS

In, Out = TypeVar("In"), TypeVar("Out")


class Work(Generic[In, Out]):
    """A few items are under way at a time; no thread starts for a single item."""

    def __init__(self, function: Callable[[In], Out], threads: int = THREADS) -> None:
        self.function, self.threads = function, threads
        self.first: list[In] = []
        self.pool: ThreadPoolExecutor | None = None
        self.waiting: deque[Future[Out]] = deque()

    def put(self, item: In) -> Iterator[Out]:
        """Take an item; yields results for which it is time. Has to be walked to its end."""
        if self.pool is None:
            self.first.append(item)
            if len(self.first) < 2:
                return
            self.pool = ThreadPoolExecutor(self.threads)
            self.waiting.extend(self.pool.submit(self.function, held) for held in self.first)
            self.first = []
        else:
            self.waiting.append(self.pool.submit(self.function, item))
        while len(self.waiting) > self.threads + 1:
            yield self.waiting.popleft().result()

    def rest(self) -> Iterator[Out]:
        """The results of all that was taken."""
        for item in self.first:
            yield self.function(item)
        self.first = []
        while self.waiting:
            yield self.waiting.popleft().result()

    def close(self) -> None:
        """Ends the threads."""
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
