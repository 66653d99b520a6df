"""Running statistics of batch norm per step, measured anew of weights as they are.

A GAN learns by the moments of batches and is sampled by running statistics. Those move T times a batch, so that the
last batch and its last steps outweigh all others, and with averaged weights (`train.average`) they are averages of what
other weights made. Here every batch weighs the same, and its steps nearly so: with m_k = 1 - (1 - 1/k)^(1/T) for batch
k they become a mean over all batches. Shapes: T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from neurogen.blocks.step_norm import StepNorm


@contextmanager
def measured_moments(module: nn.Module, run: Callable[[int], object], batches: int, steps: int) -> Iterator[None]:
    """While the block runs, running statistics of `module` are those of run(0) to run(batches - 1), in training mode.

    run passes a batch through the module. Mode, statistics and momenta are afterwards as before. Every process may do
    this by itself: no moments are exchanged.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, StepNorm)]
    before = [(norm.momentum, norm.shares_statistics) for norm in norms]
    kept = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    training = module.training
    try:
        module.train()
        for k in range(1, batches + 1):
            for norm in norms:
                norm.momentum, norm.shares_statistics = 1 - (1 - 1 / k) ** (1 / steps), False
            with torch.no_grad():
                run(k - 1)
        for norm, (momentum, shares) in zip(norms, before, strict=True):
            norm.momentum, norm.shares_statistics = momentum, shares
        module.train(training)
        yield
    finally:
        module.train(training)
        for norm, (momentum, shares), buffers in zip(norms, before, kept, strict=True):
            norm.momentum, norm.shares_statistics = momentum, shares
            for name, buffer in norm.named_buffers():
                buffer.copy_(buffers[name])
