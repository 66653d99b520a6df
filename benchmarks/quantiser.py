"""The temporal codebook's nearest rows: one chunked matrix product beside the broadcast table of differences.

    python benchmarks/quantiser.py [--allocator tuned default] [--threads 2] [--rounds 3]

1024 codes of width 1024 (T = 4 steps of 256). `large`: latents (4, 32, 256, 16, 16), 8192 sites, for which the
broadcast form would need 32 GiB; `small`: (4, 1, 256, 8, 8), 64 sites, which it survives. One JSON line per figure:
`seconds` (median, the variants taking turns) and `peak`, MiB above inputs and outputs, each variant in its own process.
Variants: assign, codes of latents; train, forward + backward learning by gradient; train ema, the same by running
means; broadcast, codes by argmin_k sum (z - e_k)^2. `within_limit`: whether our peak stays within 256 MiB.
"""

from __future__ import annotations

import argparse
import json
from functools import partial

import torch
from torch import Tensor
from turns import Work, take_turns

from neurogen.codebook import TemporalCodebook
from neurogen.config import CodebookConfig
from neurogen.neurons import tune_allocator

STEPS, WIDTH, CODES = 4, 256, 1024
SIZES = {"large": (STEPS, 32, WIDTH, 16, 16), "small": (STEPS, 1, WIDTH, 8, 8)}
VARIANTS = {"large": ("assign", "train", "train ema"), "small": ("assign", "broadcast")}
LIMIT_MIB = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allocator", nargs="+", choices=("tuned", "default"), default=["tuned", "default"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for size, names in VARIANTS.items():
        for allocator in options.allocator:
            settings = {"size": size, "allocator": allocator, "threads": options.threads}
            found = take_turns({name: partial(build, name, **settings) for name in names}, options.rounds, warm=2)
            for name, turns in found.items():
                report("seconds", turns.seconds, "s", {"variant": name, **settings}, cpu=turns.cpu_seconds)
                peak = turns.peak_mib - output_mib(name, size)
                more = {} if name == "broadcast" else {"within_limit": peak <= LIMIT_MIB}
                report("peak", peak, "MiB", {"variant": name, **settings}, **more)
            if "broadcast" in found:
                a, b = found["assign"], found["broadcast"]
                report("speedup", b.seconds / a.seconds, "1", settings, cpu=b.cpu_seconds / a.cpu_seconds)


def build(name: str, size: str, allocator: str, threads: int) -> Work:
    """In a variant's own process: its codebook, latents and gradients."""
    torch.set_num_threads(threads)
    if allocator == "tuned":
        tune_allocator()
    torch.manual_seed(0)
    learning = "ema" if name == "train ema" else "gradient"
    codebook = TemporalCodebook(CodebookConfig(size=CODES, width=WIDTH, learning=learning, revive_every=0), STEPS)
    codebook.table.data.normal_()
    if learning == "ema":  # past its start from data
        codebook.step += 1
        codebook.counts.fill_(8.0)
        codebook.sums.copy_(codebook.table * 8.0)
    codebook.assign(torch.randn(STEPS, 1, WIDTH, 1, 1))  # loads the code, whose pages are no tensors
    z, up = torch.randn(SIZES[size]), torch.randn(SIZES[size] if name.startswith("train") else 1)

    def train() -> None:
        out = codebook(z.detach().requires_grad_())
        torch.autograd.backward((out.values, out.loss), (up, torch.ones(())))
        codebook.zero_grad(set_to_none=True)

    def assign() -> Tensor:
        return codebook.assign(z)

    def broadcast() -> Tensor:
        sites = z.permute(1, 3, 4, 0, 2).reshape(-1, 1, STEPS * WIDTH)
        return (sites - codebook.table.detach()).square().sum(-1).argmin(1)

    return {"assign": assign, "broadcast": broadcast}.get(name, train)


def output_mib(name: str, size: str) -> float:
    """Memory of what the caller gets: codes, and in training quantised values and the gradients of z and table."""
    sites = torch.Size(SIZES[size]).numel() // (STEPS * WIDTH)
    latents = 2 * sites * STEPS * WIDTH * 4 if name.startswith("train") else 0
    table = CODES * STEPS * WIDTH * 4 if name == "train" else 0
    return (sites * 8 + latents + table) / 2**20


def report(figure: str, value: float, unit: str, settings: dict[str, object], **more: float | bool) -> None:
    line = {"benchmark": "quantiser", "figure": figure, **settings, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line | {k: v if isinstance(v, bool) else float(f"{v:.4g}") for k, v in more.items()}), flush=True)


if __name__ == "__main__":
    main()
