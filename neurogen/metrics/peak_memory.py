"""Peak memory of drawing a batch of samples, above what the loaded model holds.

On a GPU torch knows its own peak. On the CPU it is resident memory: a process of its own loads the model, draws one
item so that libraries have set themselves up, gives back what it can, and then draws the batch; inside a process that
has drawn before, freed memory that the allocator keeps would hide the peak.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from neurogen.metrics.drawing_time import draw_alone, draw_batch
from neurogen.model import Model, load

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PATIENCE = 600  # seconds


def peak_memory(model: Model) -> tuple[int | None, str]:
    """Bytes, and how they were measured; None and why where they could not be."""
    if model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(model.device)
        before = torch.cuda.memory_allocated(model.device)
        draw_batch(model)
        return torch.cuda.max_memory_allocated(model.device) - before, "torch's allocations on the GPU"
    if not STATUS.is_file():
        return None, "not measured: this system has no /proc"
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        command = [sys.executable, "-m", "neurogen.metrics.peak_memory", folder, str(torch.get_num_threads())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            answer = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=environment, check=True)
            return int(json.loads(answer.stdout)), "resident memory of a process of its own"
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            return None, f"not measured: the process that should have did not answer ({type(error).__name__})"


def _measure(folder: str, threads: int) -> int:
    """Bytes of resident memory that drawing a batch takes at its peak, above those before it."""
    torch.set_num_threads(threads)
    model = load(folder)
    draw_alone(model)
    return resident_peak(partial(draw_batch, model))


def resident_peak(work: Callable[[], object]) -> int:
    """Bytes of resident memory at the peak of `work`, above those before it; needs Linux."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # another C library keeps what was freed
        ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")  # the peak is from now on
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _resident(what: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"expected {what} in {STATUS}, found none")


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]))))
