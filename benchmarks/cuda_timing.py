"""Times of work on a GPU: medians of CUDA events, eager or as the replay of a graph. On the CPU a plain clock."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

Work = Callable[[], object]
LEAST, MOST = 5, 200  # measurements of a figure


class Clock:
    """Measures on `device`, for about `seconds` a figure."""

    def __init__(self, device: torch.device, seconds: float) -> None:
        self.device, self.seconds = device, seconds
        self.cuda = device.type == "cuda"
        self.name = torch.cuda.get_device_name(device) if self.cuda else "CPU"

    def once(self, work: Work) -> float:
        """Seconds of one call, launches and compilation included."""
        self._wait()
        start = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - start

    def eager(self, works: Sequence[Work]) -> float:
        """Median seconds of one work, the works taking turns, after two rounds."""
        for work in (*works, *works):
            work()
        return self._median(works)

    def replayed(self, works: Sequence[Work]) -> float:
        """Median seconds of one work in a graph of all of them; on the CPU as `eager`."""
        if not self.cuda:
            return self.eager(works)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for work in works:
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for work in works:
                work()
        for _ in range(2):
            graph.replay()
        seconds = self._median([graph.replay]) / len(works)
        del graph
        return seconds

    def peak(self, work: Work) -> float:
        """Bytes at the height of one work above what was held before it."""
        if not self.cuda:
            work()
            return 0.0
        self._wait()
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        self._wait()
        return torch.cuda.max_memory_allocated(self.device) - before

    @contextmanager
    def freed(self) -> Iterator[None]:
        """What the block held is given back after it."""
        try:
            yield
        finally:
            gc.collect()
            if self.cuda:
                torch.cuda.empty_cache()

    def _median(self, works: Sequence[Work]) -> float:
        taken: list[float] = []
        self._wait()
        began = time.perf_counter()
        while len(taken) < LEAST or (time.perf_counter() - began < self.seconds and len(taken) < MOST):
            work = works[len(taken) % len(works)]
            if self.cuda:
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record()
                work()
                end.record()
                end.synchronize()
                taken.append(start.elapsed_time(end) / 1e3)
            else:
                start_at = time.perf_counter()
                work()
                taken.append(time.perf_counter() - start_at)
        return statistics.median(taken)

    def _wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)
