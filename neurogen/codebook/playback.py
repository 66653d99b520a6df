"""A decoder's first layer that takes codes as spikes: one spike a site, which neurons on the chip play back.

    neuron (t, k)    IF: one input, from code k, of weight A_t = 1 - (t + 1/2) b, and at every step the bias b = 1 / 2T

A code's spike at step 0 lifts neuron (t, k) so far that the biases bring it over the threshold 1 at step t and not
before; without one, T biases come to 1/2. Its one spike at step t stands for row k of the codebook at that step: the
next convolution's weights are those that the row meets, W'[o, (t, k)] = sum_d W[o, d] e_k[t, d], exact for any row.
All numbers are multiples of 1 / 4T, so that a chip keeps them as they are up to T = 31.
"""

from __future__ import annotations

import torch
from spikingjelly.activation_based.neuron import IFNode
from torch import Tensor, nn

from neurogen.blocks import ConvBNLIF, Folded
from neurogen.codebook.temporal import TemporalCodebook


class Playback(nn.Sequential):
    """Codes as spikes (T, N, K, h, w) -> spikes (T, N, T * K, h, w), one a site and step."""

    def __init__(self, codes: int, steps: int) -> None:
        conv = nn.Conv2d(codes, steps * codes, 1)
        bias = 1 / (2 * steps)
        with torch.no_grad():
            lift = 1 - (torch.arange(steps) + 0.5) * bias
            conv.weight.copy_(torch.kron(lift[:, None], torch.eye(codes))[:, :, None, None])
            conv.bias.fill_(bias)  # type: ignore[union-attr]
        super().__init__(Folded(conv), IFNode(v_threshold=1.0, v_reset=0.0, step_mode="m"))


def as_spikes(codes: Tensor, size: int, steps: int) -> Tensor:
    """Codes (N, h, w) -> (T, N, K, h, w): at step 0 a spike in the channel of each site's code, then nothing."""
    spikes = torch.zeros(steps, len(codes), size, *codes.shape[1:])
    spikes[0].scatter_(1, codes[:, None], 1.0)
    return spikes


def played_back(codebook: TemporalCodebook, decoder: nn.Sequential) -> nn.Sequential:
    """A decoder whose first block takes code rows, as one that takes codes `as_spikes`; it shares the other blocks."""
    first = decoder[0]
    assert isinstance(first, ConvBNLIF)
    table = codebook.table.detach()
    rows = table.view(len(table), codebook.steps, -1)  # (K, T, D)
    weight = torch.einsum("odyx,ktd->otkyx", first.conv.weight.detach(), rows).flatten(1, 2)
    conv = nn.Conv2d(weight.shape[1], len(weight), first.conv.kernel_size, 1, first.conv.padding, bias=False)
    with torch.no_grad():
        conv.weight.copy_(weight)
    entrance = nn.Sequential(Folded(conv), Folded(first.norm), first.neuron)
    return nn.Sequential(Playback(len(table), codebook.steps), entrance, *list(decoder)[1:]).eval()
