"""Sampling with the spiking prior: the exact recurrence beside a full forward for every code.

    python benchmarks/prior.py [--size published|small] [--batch 1 16] [--threads 2] [--allocator tuned|default]

One JSON line per figure. `sample`: seconds for all codes, and per sample. `code_at_position`: seconds for the one code
at that position (median of 9 around it), by the recurrence and by running the network over all codes so far.
`weights_read`: bytes of weights over seconds per code, beside the speed at which this machine reads memory: the bound
for one sample. `linear` says which product ran: thin (ours for few rows) or torch. Weights are untrained, which changes
no figure: nothing is skipped where neurons are silent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from neurogen.blocks import thin_linear
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.models.drawing import draw
from neurogen.models.prior import SpikingPrior
from neurogen.neurons import tune_allocator

SIZES = {
    "published": PriorModelConfig(codes=1024, height=16, width=16, block_size=512),
    "small": PriorModelConfig(codes=256, height=16, width=16, steps=2, dim=128, layers=4, heads=4),
}
POSITIONS = (16, 64, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="published")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--allocator", choices=("tuned", "default"), default="tuned")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tuned = options.allocator == "tuned" and tune_allocator()
    torch.manual_seed(0)
    prior = SpikingPrior(SIZES[options.size], NeuronConfig()).eval()
    common = {"size": options.size, "threads": options.threads, "allocator": "tuned" if tuned else "default"}
    report("parameters", sum(p.numel() for p in prior.parameters()), "1", common)
    report("memory_read", reading_speed(), "GB/s", common)
    for batch in options.batch:
        for linear in ("thin", "torch"):
            if linear == "thin" and batch * prior.steps > thin_linear.THIN:
                continue
            thin_linear.THIN, before = (thin_linear.THIN if linear == "thin" else 0), thin_linear.THIN
            recurrence(prior, batch, {**common, "batch": batch, "linear": linear})
            thin_linear.THIN = before
        full_forward(prior, batch, {**common, "batch": batch})


def report(figure: str, value: float, unit: str, settings: dict[str, object], **more: object) -> None:
    line = {"benchmark": "prior", "figure": figure, **settings, **more, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line), flush=True)


def recurrence(prior: SpikingPrior, batch: int, settings: dict[str, object]) -> None:
    """Time every step of one complete sampling, after a short one that compiles and warms."""
    sample(prior, batch, 4)
    seconds = sample(prior, batch, prior.length)
    report("sample", sum(seconds), "s", settings, codes=prior.length)
    report("sample_each", sum(seconds) / batch, "s per sample", settings, codes=prior.length)
    for position in POSITIONS:
        near = seconds[max(position - 5, 0) : position + 4][-9:]
        value = statistics.median(near)
        report("code_at_position", value, "s", settings, position=position, by="recurrence")
    weights = sum(p.numel() * p.element_size() for p in prior.blocks.parameters())
    report("weights_read", weights / statistics.median(seconds) / 1e9, "GB/s", settings)


def sample(prior: SpikingPrior, batch: int, length: int) -> list[float]:
    """Seconds of each step; the loop of `SpikingPrior.sample` with a clock."""
    uniforms = torch.rand(batch, length, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    codes, states = torch.zeros(batch, prior.length, dtype=torch.int64), prior.start()

    def one(i: int) -> None:
        codes[:, i] = draw(prior.step(codes, i, None, states), uniforms[:, i])

    return [clock(lambda i=i: one(i)) for i in range(length)]


@torch.no_grad()
def full_forward(prior: SpikingPrior, batch: int, settings: dict[str, object]) -> None:
    """The alternative without a recurrence: the whole network over the first codes, for each new code."""
    codes = torch.randint(prior.config.codes, (batch, prior.length), generator=torch.Generator().manual_seed(2))
    for position in POSITIONS:
        part: Tensor = codes[:, :position]
        prior(part)
        value = min(clock(lambda part=part: prior(part)) for _ in range(2))
        report("code_at_position", value, "s", settings, position=position, by="full forward")


def reading_speed(megabytes: int = 512) -> float:
    """How fast this machine reads memory, GB/s: the best of five sums over a large array."""
    large = torch.ones(megabytes << 18)
    return large.numel() * 4 / min(clock(large.sum) for _ in range(5)) / 1e9


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
