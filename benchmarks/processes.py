"""Samples per second of two processes of one thread against one process of one thread, on the CPU.

    python benchmarks/processes.py [--network NAME] [--seconds 10] [--rounds 2]

spiking, spiking-128: tts_vqvae/digits, whose eleven batch norms exchange moments in every step, at its batch of 32 and
at 128; gated: a small network of the published kind on the same recordings, which exchanges gradients alone. One JSON
line each.
Every process learns from its share of the configuration's own batch, data loading and exchange of gradients included,
nothing written. Both are measured in turn, `rounds` times; the best of each counts. Aim: 1.8x. `work` is processor
time a sample of all processes together, which a busy machine changes little: the ratio cannot exceed 2 x one / two.
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
from neurogen.config import StageOneConfig, load_config
from neurogen.neurons import tune_allocator
from neurogen.processes import summed
from neurogen.training.distributed import any_process, processes, rank, world
from neurogen.training.engine import one_step
from neurogen.training.stage1 import StageOneSystem
from train import find_config

WARM = 5  # steps before the clock
NETWORKS = {
    "spiking": [],
    "spiking-128": ["train.batch_size=128"],
    "gated": [
        "model.kind=gated",
        "model.output=linear",
        "model.gated={width: 32, multipliers: [1, 2], blocks: 1, attention: [16], latent: 32}",
        "codebook.learning=gradient",
        "losses={reconstruction: l1}",
        "train.batch_size=8",
    ],
}


def main() -> None:
    """Measure both ways and print a JSON line for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), action="append")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    if "RANK" in os.environ:
        worker(load_config(find_config("tts_vqvae/digits"), NETWORKS[given.network[0]]), given.seconds)
        return
    for network in given.network or NETWORKS:
        best = {1: (0.0, 0.0), 2: (0.0, 0.0)}
        figures = {"network": network, "cores": os.cpu_count(), "load before": round(os.getloadavg()[0], 2)}
        for _ in range(given.rounds):
            for count in best:
                best[count] = max(best[count], measured(count, ["--network", network, "--seconds", str(given.seconds)]))
        for count, name in ((1, "one process"), (2, "two processes")):
            figures |= {
                f"{name}, samples/s": round(best[count][0], 1),
                f"{name}, work ms": round(best[count][1] * 1e3, 3),
            }
        print(json.dumps(figures | {"ratio": round(best[2][0] / best[1][0], 3)}), flush=True)


def measured(count: int, arguments: list[str]) -> tuple[float, float]:
    """Samples per second, and processor seconds a sample, of `count` processes of one thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    shared |= {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments]
    started = [
        subprocess.Popen(command, env=shared | {"RANK": str(i), "LOCAL_RANK": str(i)}, stdout=subprocess.PIPE)
        for i in range(count)
    ]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process failed; what it said stands above")
    speed, work = json.loads(answers[0])
    return speed, work


def worker(config: StageOneConfig, seconds: float) -> None:
    """Take steps for that long; process 0 prints samples per second and processor seconds a sample, over all."""
    torch.set_num_threads(1)
    tune_allocator()
    with processes(torch.device("cpu")) as device, tempfile.TemporaryDirectory() as run:
        torch.manual_seed(config.seed)
        system = StageOneSystem(config, device, Path(run))
        if world() > 1:
            for module in system.modules.values():
                share_statistics(module)
        step, began, worked, late = 0, 0.0, 0.0, False
        while not late:
            if step == WARM:
                began, worked = time.perf_counter(), time.process_time()
            one_step(system, step, False)
            step += 1
            (late,) = any_process(step > WARM and time.perf_counter() - began > seconds)
        spent = time.perf_counter() - began
        work, samples = summed(torch.tensor(time.process_time() - worked)), (step - WARM) * config.train.batch_size
        if rank() == 0:
            print(json.dumps((samples / spent, float(work) / samples)))


if __name__ == "__main__":
    main()
