"""What a network for chips makes of its samples, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import export


def check_layers(network: Any, samples: Mapping[str, np.ndarray]) -> None:
    """Simulating the network on samples["spikes"] gives each layer's samples["layer<i>"], bit for bit."""
    found = export.simulate(network, samples["spikes"], [layer.name for layer in network.layers])
    for index, layer in enumerate(network.layers):
        frames = samples[f"layer{index}"]
        own = frames.reshape(*frames.shape[:2], -1)[:, :, layer.layout.places()]
        assert np.array_equal(own.reshape(found[layer.name].shape), found[layer.name])
