"""Chains of stock layers compute what their networks compute, number for number."""

from __future__ import annotations

import numpy as np
import pytest

from export.lowering import lower
from export.running import run
from tests.export.zoo import run_chain, spikes, zoo

ZOO = zoo(np.random.default_rng(5))


def test_a_linear_before_a_map_is_never_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.lowering.LARGEST_UNROLLED", 100)
    assert lower(ZOO["from codes"])[0].weight.shape == (4, 10, 4, 4)  # as many numbers as the Linear's


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("loader", ["stock", "extended"])
def test_a_chain_spikes_as_its_network_in_every_layer(name: str, loader: str) -> None:
    network = ZOO[name]
    given = spikes(np.random.default_rng(1), network)
    expected = run(network, given, [layer.name for layer in network.layers])
    links = lower(network, loader)
    found = run_chain(links, given)
    for layer, link in zip(network.layers, links, strict=True):
        assert 0.01 < expected[layer.name].mean() < 0.98, layer.name
        assert np.array_equal(found[layer.name], expected[layer.name].reshape(found[layer.name].shape)), layer.name
        assert link.kind != "convT" or loader == "extended"
