"""How a judging classifier is trained: AdamW, one warm-up and a cosine to zero, items shifted by chance.

The same for the shipped weights and for the classification accuracy score, and a function of data and seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurogen.data.augment import augmented
from neurogen.metrics.classifier import Classifier, Form, Inputs, network_input

BATCH = 128
PEAK = 3e-3  # learning rate
WARM_UP = 0.1  # share of the steps
SHIFT = 2  # pixels, at most


def new_classifier(form: Form, seed: int) -> Classifier:
    """A classifier whose first weights are a function of the seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(form)


def fit(
    network: Classifier,
    form: Form,
    inputs: Inputs,
    labels: NDArray[np.int64],
    steps: int,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> Classifier:
    """Trains the network on inputs (N, ...) of `form` and labels (N,), and returns it in eval mode.

    Batches run through one shuffle of the items after another. progress: called with the step and its loss.
    """
    draws = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), PEAK, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, steps))
    target, order = torch.from_numpy(labels), torch.empty(0, dtype=torch.int64)
    network.train()
    for step in range(steps):
        while len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(labels), generator=draws)])
        index, order = order[:BATCH], order[BATCH:]
        x = augmented(network_input(inputs[index.numpy()], form), SHIFT, False, 0.0, draws)
        loss = nn.functional.cross_entropy(network(x)[1], target[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step, float(loss.detach()))
    return network.eval()


def rate(step: int, steps: int) -> float:
    """Of the peak learning rate: rises over WARM_UP of the steps, then half a cosine."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
