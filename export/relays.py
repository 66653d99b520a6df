"""Spikes that a later layer than the next one needs: every layer between carries them on in channels of its own.

A relay neuron takes one spike with weight 1, forgets at once and has its threshold below 1, so it copies, a step later.
On a chain of stock layers this is how a skip reaches its neuron; it costs a neuron for each spike and layer crossed.
"""

from __future__ import annotations

import numpy as np

from export.network import INPUT, Conv, Network, Neuron

RELAY = Neuron(leak=1.0, gain=1.0, threshold=0.5)


def carried(network: Network) -> list[list[int]]:
    """For each layer, the earlier ones (or INPUT) whose spikes it carries on for layers after it."""
    sources = [{synapses.source for synapses in layer.synapses} for layer in network.layers]
    return [
        [source for source in range(INPUT, index) if any(source in later for later in sources[index + 1 :])]
        for index in range(len(network.layers))
    ]


def identity(channels: int) -> Conv:
    """Every channel onto itself, with weight 1."""
    return Conv(np.ones((channels, 1, 1, 1)), groups=channels)
