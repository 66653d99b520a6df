"""Samples per second of two processes of one thread against one process of one thread, on the CPU.

    python -m benchmarks.processes [--config tts_vqvae/digits] [--seconds 15] [--rounds 2] [section.key=value ...]

Every process learns from its share of the configuration's own batch, data loading and exchange of gradients included,
nothing written. Both are measured in turn, `rounds` times; the best of each counts. Aim: 1.8x.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from neurogen.blocks.shared_norm import share_statistics
from neurogen.config import Config, PriorConfig, load_config
from neurogen.neurons import tune_allocator
from neurogen.training.distributed import any_process, processes, rank, world
from neurogen.training.engine import _step
from neurogen.training.prior import PriorSystem
from neurogen.training.stage1 import StageOneSystem
from train import find_config

WARM = 5  # steps before the clock


def main() -> None:
    """Measure both ways and print a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tts_vqvae/digits")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    if "RANK" in os.environ:
        worker(load_config(find_config(given.config), given.overrides), given.seconds)
        return
    best = {1: 0.0, 2: 0.0}
    for _ in range(given.rounds):
        for count in best:
            best[count] = max(best[count], measured(count, sys.argv[1:]))
    figures = {"config": given.config, "cores": os.cpu_count(), "load before": os.getloadavg()[0]}
    figures |= {"one process, samples/s": round(best[1], 1), "two processes, samples/s": round(best[2], 1)}
    print(json.dumps(figures | {"ratio": round(best[2] / best[1], 3)}))


def measured(count: int, arguments: list[str]) -> float:
    """Samples per second of `count` processes of one thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    shared |= {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.processes", *arguments]
    started = [
        subprocess.Popen(command, env=shared | {"RANK": str(i), "LOCAL_RANK": str(i)}, stdout=subprocess.PIPE)
        for i in range(count)
    ]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process failed; what it said stands above")
    return float(answers[0])


def worker(config: Config, seconds: float) -> None:
    """Take steps for that long; process 0 prints samples per second over all processes."""
    torch.set_num_threads(1)
    tune_allocator()
    kind = PriorSystem if isinstance(config, PriorConfig) else StageOneSystem
    with processes(torch.device("cpu")) as device, tempfile.TemporaryDirectory() as run:
        torch.manual_seed(config.seed)
        system = kind(config, device, Path(run))
        if world() > 1:
            for module in system.modules.values():
                share_statistics(module)
        step, began, late = 0, 0.0, False
        while not late:
            if step == WARM:
                began = time.perf_counter()
            _step(system, step, False)
            step += 1
            (late,) = any_process(step > WARM and time.perf_counter() - began > seconds)
        spent = time.perf_counter() - began
        if rank() == 0:
            print((step - WARM) * config.train.batch_size / spent)


if __name__ == "__main__":
    main()
