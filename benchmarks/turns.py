"""Variants that take turns, each in a process of its own: load falls on all alike, and each has its own peak memory.

A variant is a function that builds what it needs and returns the work to be timed. Processes are forked, so call
`take_turns` before anything is computed. Linux (/proc).
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

Work = Callable[[], object]


@dataclass
class Turns:
    """What one variant measured in its turns."""

    wall: list[float] = field(default_factory=list)
    """Seconds of each turn."""
    cpu: list[float] = field(default_factory=list)
    """Processor seconds of each turn, all threads together: what a busy machine leaves comparable."""
    peak_mib: float = 0.0
    """Resident memory at its highest above what the process held before its first turn, MiB."""

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return statistics.median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        """Median processor time."""
        return statistics.median(self.cpu)


def take_turns(variants: dict[str, Callable[[], Work]], rounds: int, warm: int) -> dict[str, Turns]:
    """Build every variant in its process, then let them work in turn: `warm` unmeasured rounds, then `rounds`."""
    context = multiprocessing.get_context("fork")
    pipes, processes = {}, []
    for name, build in variants.items():
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=_serve, args=(theirs, build), daemon=True))
        processes[-1].start()
        theirs.close()  # so that a variant that dies is noticed
    found = {name: Turns() for name in variants}
    for turn in range(warm + rounds):
        for name, pipe in pipes.items():
            pipe.send("work")
            wall, cpu, found[name].peak_mib = pipe.recv()
            if turn >= warm:
                found[name].wall.append(wall)
                found[name].cpu.append(cpu)
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send("stop")
        process.join()
    return found


def _serve(pipe: Connection, build: Callable[[], Work]) -> None:
    work = build()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget peaks from before
    while pipe.recv() == "work":
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        pipe.send((wall, cpu, _resident("VmHWM") - before))


def _resident(key: str) -> float:
    """A line of /proc/self/status, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024
