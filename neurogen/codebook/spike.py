"""Spikes as codes: m neurons a site end the encoder, and their pattern over T steps is the code. No table, no search.

    s     = LIF(z) in {0, 1}^{T x m} of each site: 2^(T m) codes that nobody lists
    loss  = entropy mean_b max(0, target - H(p_b)),   p_b = mean of bit b over batch and sites, H in bits

The spikes themselves go to the decoder; their gradient is the neuron's surrogate, straight through. The loss wakes bits
that say nothing because they are always 0 or always 1 (as LFQ of MAGVIT-v2, arXiv 2310.05737, does for signs). p_b is
kept off 0 and 1 by a little, where the entropy's slope has no end.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurogen.codebook.form import CodeForm, Quantised
from neurogen.config import CodebookConfig, NeuronConfig
from neurogen.neurons import make_neuron
from neurogen.processes import shared_mean

KEPT_OFF = 0.01  # bits that never fire count as ones that do so rarely


class SpikeCodebook(nn.Module):
    """neuron: the m neurons of each site; codes (T, N, m, h, w) uint8."""

    learns_from_batches = False

    def __init__(self, config: CodebookConfig, steps: int, neurons: NeuronConfig) -> None:
        super().__init__()
        self.config, self.steps = config, steps
        self.neuron = make_neuron(neurons)

    def form(self, height: int, width: int) -> CodeForm:
        """What the codes of an item are on a map of height x width sites."""
        return CodeForm(self.steps, self.config.width, 2, height, width)

    def set_run_length(self, steps: int, seed: int) -> None:
        """Nothing here depends on it."""
        del steps, seed

    def forward(self, z: Tensor, codes: Tensor | None = None) -> Quantised:
        """z: (T, N, m, h, w), input current of fresh neurons; values are their spikes."""
        del codes  # they follow from z
        spikes = self.neuron(z)
        loss = z.new_zeros(())
        if self.training and self.config.entropy:
            short = self.config.entropy_target - bit_entropy(shared_mean(spikes.mean((1, 3, 4))))
            loss = self.config.entropy * short.clamp_min(0).mean()
        return Quantised(spikes, spikes.detach().to(torch.uint8), loss)

    def assign(self, z: Tensor) -> Tensor:
        """Codes of latents (T, N, m, h, w)."""
        return self.neuron(z).detach().to(torch.uint8)

    def lookup(self, codes: Tensor) -> Tensor:
        """Spikes (T, N, m, h, w) of codes (T, N, m, h, w) of any dtype; raises ValueError for other values."""
        spikes = codes.to(torch.get_default_dtype())
        if not torch.equal(spikes, spikes.bool().to(spikes)):
            raise ValueError(f"expected bits 0 and 1, got values from {codes.min()} to {codes.max()}")
        return spikes

    def extra_repr(self) -> str:
        return f"{self.config.width} bits a step"


def bit_entropy(rates: Tensor) -> Tensor:
    """Entropy in bits of a bit that is 1 at these rates, which are first kept off 0 and 1; same shape."""
    p = KEPT_OFF + (1 - 2 * KEPT_OFF) * rates
    return -(p * p.log() + (1 - p) * (1 - p).log()) / math.log(2)
