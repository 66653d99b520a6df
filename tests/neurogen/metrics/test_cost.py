"""What a model costs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from neurogen.config import parse_config
from neurogen.metrics import cost as cost_module
from neurogen.metrics import parts as parts_module
from neurogen.metrics.cost import cost, energies
from neurogen.metrics.errors import MetricError
from neurogen.metrics.operations import LayerWork, NeuronWork
from neurogen.metrics.parts import PartWork, work_of
from neurogen.metrics.peak_memory import CLEAR, peak_memory, resident_peak
from neurogen.model import Model
from neurogen.models.prior import SpikingPrior
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.rates import firing_rates
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import awake, event_model, image_model


def images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def recordings(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 4, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 3


def without_prior(model: Model) -> Model:
    return TwoStageModel(dataclasses.replace(model.stored, prior=None, prior_config=None))


def test_the_layers_that_multiply_are_those_with_real_inputs() -> None:
    parts = work_of(awake(image_model()), images())
    assert parts["encoder"].multiplying() == "encoder.stem.conv, codebook"
    assert parts["decoder"].multiplying() == "decoder.0.0.conv, decoder.1.conv"  # code rows; a mean over the steps
    block = ["norm1", "attention.qkv", "attention.products", "attention.proj", "norm2", "expand"]
    names = [f"blocks.{i}.{name}" for i in (0, 1) for name in block]
    assert parts["prior"].multiplying().split(", ") == [*names, "norm", "head"]


def test_a_read_out_of_all_steps_has_spikes_for_inputs() -> None:
    assert work_of(awake(event_model()), recordings())["decoder"].multiplying() == "decoder.0.0.conv"


def test_a_constant_image_meets_the_first_convolution_once_and_the_search_every_row() -> None:
    layers = work_of(image_model(), images(2))["encoder"].layers
    row = 3 + 6 * 5 + 4  # of 8 outputs 2 apart and 5 wide, the first and the last reach beyond the 16 inputs
    assert layers["encoder.stem.conv"].multiplies == 2 * 8 * row**2
    assert layers["codebook"].multiplies == 2 * (4 * 4) * 32 * (2 * 4)  # sites, rows, two steps of four


def test_rates_are_those_of_neurogen_rates() -> None:
    model = without_prior(awake(image_model()))
    parts = work_of(model, images())
    found = {name: each.rate for part in parts.values() for name, each in part.neurons.items()}
    assert found == pytest.approx(firing_rates(model.stored.network, images()), rel=1e-6)


def test_figures_are_of_one_item() -> None:
    two = PartWork(
        {"a": LayerWork(connections=80, reached=20, frames=8), "b": LayerWork(10, 4, spikes_only=False, frames=2)},
        {"n": NeuronWork(updates=60, spikes=6)},
        items=2,
        runs=2,
    )
    assert two.figures() == {
        "accumulates": 10,
        "multiplies": 5,
        "nonzero_multiplies": 2,
        "neuron_updates": 30,
        "spikes": 3,
        "ann_multiplies": (80 / 4 + 10) / 2,
    }


def changed(stage1: dict[str, Any], prior: dict[str, Any] | None = None) -> Model:
    """The tiny model of recordings with other settings, by section."""
    stored = event_model().stored
    values, of_prior = stored.config.model_dump(), stored.prior_config.model_dump()
    config = parse_config(values | {name: values[name] | more for name, more in stage1.items()})
    network = TTSVQVAE(config).eval()
    if prior is None:
        return TwoStageModel(dataclasses.replace(stored, config=config, network=network, prior=None, prior_config=None))
    second = parse_config(of_prior | {"model": of_prior["model"] | prior})
    own = SpikingPrior(second.model, second.neurons).eval()
    return TwoStageModel(dataclasses.replace(stored, config=config, network=network, prior=own, prior_config=second))


def test_with_spikes_for_codes_only_the_recording_is_multiplied() -> None:
    prior = {"codes": 2, "bits": 4, "bits_in_turn": True, "code_steps": 4, "over": "joint", "neighbours": True}
    parts = work_of(awake(changed({"codebook": {"kind": "spike"}}, prior)), recordings(2))
    assert parts["encoder"].multiplying() == "encoder.stem.conv"
    assert parts["decoder"].multiplying() == ""
    assert "codebook.neuron" in parts["encoder"].neurons
    assert {"in_turn", "in_turn.enter"} <= set(parts["prior"].multiplying().split(", "))
    assert parts["prior"].layers["head"].multiplies == 2 * 64 * 16 * 4  # items, tokens, features, bits


def test_a_prior_of_single_steps_is_counted_for_every_step_of_an_item() -> None:
    prior = {"code_steps": 4, "over": "step"}
    parts = work_of(awake(changed({"codebook": {"kind": "per_step"}}, prior)), recordings(2))
    head = parts["prior"].layers["head"]
    assert head.multiplies == 2 * 4 * 16 * 16 * 32  # items, steps, sites, features, rows
    assert head.dense(parts["prior"].runs) == head.multiplies  # its own time steps are one
    assert parts["encoder"].layers["codebook"].multiplies == 2 * 4 * 16 * 32 * 4  # latents of a step have 4 numbers


def test_a_gated_model_multiplies_in_every_convolution() -> None:
    gated = {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [8], "latent": 8}
    model = {"kind": "gated", "readout": "step", "gated": gated}
    for part, work in work_of(changed({"model": model}), recordings(1)).items():
        weighed = [name for name, layer in work.layers.items() if layer.connections]
        assert weighed and not any(work.layers[name].accumulates for name in weighed), part
        assert work.figures()["ann_multiplies"] < work.figures()["multiplies"]


def test_energy_is_09_picojoules_an_accumulate_and_46_a_multiplication() -> None:
    found = energies({"accumulates": 2e6, "multiplies": 1e6, "neuron_updates": 1e6, "ann_multiplies": 3e6})
    assert found["energy_uj"] == pytest.approx(1.8 + 4.6)
    assert found["energy_with_neurons_uj"] == pytest.approx(1.8 + 4.6 + 4.6)
    assert found["ann_energy_uj"] == pytest.approx(13.8)


def test_counts_do_not_depend_on_how_items_are_cut_into_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model = without_prior(awake(event_model()))
    whole = {part: work.figures() for part, work in work_of(model, recordings(5)).items()}
    monkeypatch.setattr(parts_module, "CHUNK", 2)
    assert {part: work.figures() for part, work in work_of(model, recordings(5)).items()} == whole


def test_the_same_seed_counts_the_same() -> None:
    first, again = (work_of(image_model(), images(2), seed=3)["prior"].figures() for _ in range(2))
    assert first == again


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is measured by a process that takes seconds to start."""
    monkeypatch.setattr(cost_module, "peak_memory", lambda _model: (3 << 20, "here"))


@pytest.mark.usefixtures("quick")
def test_all_figures_are_flat_and_a_sample_is_prior_and_decoder() -> None:
    model = image_model()
    found = cost(model, images())
    assert all(isinstance(value, (int, float, str)) for value in found.values())
    assert found["sample/accumulates"] == found["prior/accumulates"] + found["decoder/accumulates"]
    assert found["sample/energy_uj"] == pytest.approx(found["prior/energy_uj"] + found["decoder/energy_uj"])
    assert (
        found["parameters/total"]
        == sum(p.numel() for part in (model.stored.network, model.stored.prior) for p in part.parameters()) + 32 * 2 * 4
    )  # the table of a codebook of means
    assert "rate/prior.blocks.0.attention.neuron" in found
    assert "45 nm (Horowitz, ISSCC 2014)" in str(found["energy_constants"])
    assert min(found[f"seconds_{which}"] for which in ("per_sample", "alone", "per_encoded_item")) > 0
    assert found["peak_memory_mib"] == 3


@pytest.mark.usefixtures("quick")
def test_without_a_prior_a_sample_is_the_decoder_alone() -> None:
    found = cost(without_prior(event_model()), recordings())
    assert (found["sample_is"], found["parameters/prior"]) == ("decoder", 0)
    assert found["sample/multiplies"] == found["decoder/multiplies"]


@pytest.mark.parametrize("shape", [(0, 1, 16, 16), (2, 3, 16, 16), (2, 1, 32, 32), (2, 16, 16)])
def test_items_that_are_not_the_models_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MetricError, match=r"expected items of shape \(N, 1, 16, 16\) to count operations on, got"):
        cost(image_model(), torch.zeros(shape))


@pytest.mark.skipif(not CLEAR.exists(), reason="resident memory is known on Linux")
def test_a_peak_of_memory_is_seen_after_it_is_gone() -> None:
    found = resident_peak(lambda: float(np.ones(4 << 20).sum()))  # 32 MiB of float64
    assert 30 << 20 < found < 48 << 20


@pytest.mark.slow
@pytest.mark.skipif(not CLEAR.exists(), reason="resident memory is known on Linux")
def test_a_process_of_its_own_measures_the_memory_of_a_model() -> None:
    found, how = peak_memory(image_model())
    assert found is not None and 0 < found < 1 << 30
    assert how == "resident memory of a process of its own"
