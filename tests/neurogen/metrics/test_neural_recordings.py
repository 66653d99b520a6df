"""Neural recordings are read, and compared with the rates of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurogen.config import NeuronConfig
from neurogen.metrics.errors import MetricError
from neurogen.metrics.neural_recordings import compared, layer_rates, read_recordings
from neurogen.metrics.similarity import linear_cka, representational_similarity
from neurogen.neurons import make_neuron

RNG = np.random.default_rng(0)
STIMULI = RNG.integers(0, 256, (6, 1, 4, 4)).astype(np.uint8)
RESPONSES = RNG.random((6, 9))


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = make_neuron(NeuronConfig()), make_neuron(NeuronConfig(threshold=1e6))

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.first, self.second):
            layer.reset()
        return self.second(self.first(2 * x.expand(5, *x.shape)))


def test_stimuli_become_what_models_take(tmp_path: Path) -> None:
    whole = read_recordings(write(tmp_path / "a.npz", stimuli=STIMULI, responses=RESPONSES))
    torch.testing.assert_close(whole.stimuli, torch.from_numpy(STIMULI).float() / 127.5 - 1)
    shares = read_recordings(write(tmp_path / "b.npz", stimuli=STIMULI / 255, responses=RESPONSES))
    torch.testing.assert_close(shares.stimuli, whole.stimuli)
    np.testing.assert_array_equal(whole.responses, RESPONSES)
    assert whole.ceiling() is None


def test_repeats_are_averaged_and_have_a_ceiling(tmp_path: Path) -> None:
    repeats = np.stack([RESPONSES, RESPONSES + 0.2 * RNG.random((6, 9))])
    data = read_recordings(write(tmp_path / "a.npz", stimuli=STIMULI, responses=repeats))
    np.testing.assert_allclose(data.responses, repeats.mean(0))
    ceiling = data.ceiling()
    assert ceiling is not None and 0 < ceiling.lower < ceiling.upper <= 1


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"stimuli": STIMULI}, "expected arrays stimuli and responses, responses is missing; add it"),
        (
            {"stimuli": STIMULI[0], "responses": RESPONSES},
            r"expected stimuli \(M, C, H, W\), 4 or more, got \(1, 4, 4\)",
        ),
        ({"stimuli": STIMULI[:3], "responses": RESPONSES[:3]}, r"4 or more, got \(3, 1, 4, 4\)"),
        ({"stimuli": STIMULI.astype(float), "responses": RESPONSES}, r"as uint8, or float in \[0, 1\], got float64"),
        ({"stimuli": STIMULI, "responses": RESPONSES[0]}, r"expected responses \(M, F\) or \(R, M, F\)"),
        ({"stimuli": STIMULI, "responses": RESPONSES.astype("U9")}, "numbers, got <U9"),
        ({"stimuli": STIMULI, "responses": RESPONSES[:5]}, "responses to each of 6 stimuli, got 5"),
        ({"stimuli": STIMULI, "responses": RESPONSES * np.nan}, "expected finite responses"),
    ],
)
def test_another_file_is_refused(arrays: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=sentence):
        read_recordings(write(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(MetricError, match=r"expected an .npz of stimuli and responses, .*; write one by np.savez"):
        read_recordings(tmp_path / "a.npz")
    with pytest.raises(MetricError, match=r"expected an .npz"):
        read_recordings(tmp_path / "absent.npz")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", stimuli=STIMULI, responses=np.array([{}] * 6))
    with pytest.raises(MetricError, match=r"expected an .npz"):
        read_recordings(path)


def test_rates_of_layers_are_means_over_steps_of_every_stimulus() -> None:
    network, x = TwoLayers().eval(), torch.rand(40, 3)  # more than a batch
    rates = layer_rates(network, network, x)
    with torch.no_grad():
        network.first.reset()
        expected = network.first(2 * x.expand(5, 40, 3)).mean(0)
    np.testing.assert_allclose(rates["first"], expected.numpy())
    assert 0 < rates["first"].mean() < 1
    assert not rates["second"].any() and rates["second"].shape == (40, 3)


def test_layers_are_compared_and_a_silent_one_has_no_figure() -> None:
    rates = {"first": RNG.random((6, 4)).astype(np.float32), "silent": np.zeros((6, 4), np.float32)}
    first, silent = compared(rates, RESPONSES)
    assert first.rsa == representational_similarity(rates["first"], RESPONSES)
    assert first.cka == linear_cka(rates["first"], RESPONSES)
    assert first.cka_debiased == linear_cka(rates["first"], RESPONSES, debiased=True)
    assert (silent.layer, silent.rsa, silent.cka, silent.cka_debiased) == ("silent", None, None, None)


def test_layers_of_other_stimuli_are_refused() -> None:
    with pytest.raises(MetricError, match="expected features of the 6 stimuli, got 5 of first"):
        compared({"first": np.ones((5, 2), np.float32)}, RESPONSES)
