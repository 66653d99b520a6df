"""Operations of models of one network, against counts made another way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.config_system import SystemConfig
from neurogen.config_vae import VAEConfig
from neurogen.latent_model import LatentModel
from neurogen.metrics import cost as cost_module
from neurogen.metrics.cost import cost
from neurogen.metrics.parts import work_of
from neurogen.model_folder import DataInfo, StoredModel
from neurogen.models.gan import Generator
from neurogen.models.latent_network import LatentNetwork
from neurogen.models.making import make_network
from tests.neurogen.models.awake import STEPS, autoencoder, fsvae_config, generator, generator_config, items, sae_config


def model_of(config: SystemConfig, network: LatentNetwork) -> LatentModel:
    info = DataInfo(("a", "b", "c"), (10, 30, 60))
    return LatentModel(StoredModel(config, network.eval(), None, info, None, None, {}, "0" * 64))


def fsvae(coding: str = "direct") -> LatentModel:
    config = fsvae_config(coding)
    return model_of(config, autoencoder(config))


def images(count: int = 3) -> Tensor:
    return items(fsvae_config())[:count]


def taps(layer: nn.Module, fed: Tensor) -> int:
    """Connections that begin at a place of `fed` which is not 0: what a layer of ones makes of ones there."""
    ones = (fed != 0).double()
    weight = torch.ones_like(layer.weight, dtype=torch.float64)
    if isinstance(layer, nn.Linear):
        return int(nn.functional.linear(ones, weight).sum())
    if isinstance(layer, nn.ConvTranspose2d):
        how = (layer.stride, layer.padding, layer.output_padding)
        return int(nn.functional.conv_transpose2d(ones, weight, None, *how).sum())
    return int(nn.functional.conv2d(ones, weight, None, layer.stride, layer.padding).sum())


def fed(model: LatentModel, name: str, seen: list[Tensor]) -> None:
    """Collect what a layer is given."""
    layer = model.network.get_submodule(name)
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))


@pytest.mark.parametrize("name", ["encoder.stages.1.layer", "encoder.last.layer"])
def test_a_layer_behind_spikes_accumulates_at_every_connection_of_every_spike(name: str) -> None:
    model, seen = fsvae(), list[Tensor]()
    fed(model, name, seen)
    layer = work_of(model, images())["encoder"].layers[name]
    assert layer.accumulates == sum(taps(model.network.get_submodule(name), x) for x in seen) > 0
    assert layer.multiplies == 0


def test_a_constant_image_meets_the_first_layer_once_and_a_recording_at_every_step() -> None:
    for coding, times in (("direct", 1), ("event", STEPS)):
        model, name = fsvae(coding), "encoder.stages.0.layer"
        x = items(fsvae_config(coding))[:2]
        layer = model.network.get_submodule(name)
        everywhere = torch.ones(2 * times, *x.shape[-3:])
        assert work_of(model, x)["encoder"].layers[name].multiplies == taps(layer, everywhere)


def test_the_last_convolution_multiplies_once_behind_the_weighted_sum_of_spikes() -> None:
    model, seen = fsvae(), list[Tensor]()
    model.network.decoder.register_forward_hook(lambda _, __, spikes: seen.append(spikes.detach().clone()))
    work = work_of(model, images())["decoder"].layers["readout.conv"]
    (spikes,) = seen
    assert work.accumulates == int(spikes.sum()) > 0
    assert work.multiplies == taps(model.network.readout.conv, torch.ones_like(spikes[0]))
    assert work.nonzero_multiplies == taps(model.network.readout.conv, spikes.sum(0))
    assert work.dense(3) == work.multiplies


def test_frames_of_a_recording_take_the_last_convolution_each_and_a_leak() -> None:
    layers = work_of(fsvae("event"), items(fsvae_config("event"))[:2])["decoder"].layers
    assert layers["readout.conv"].multiplies == 0
    assert layers["readout.leak"].multiplies == 2 * STEPS * 2 * 8 * 8


def test_posterior_and_prior_run_at_each_step_and_multiply_nothing() -> None:
    parts = work_of(fsvae(), images())
    candidates = 5 * 4
    assert parts["encoder"].neurons["latent.posterior.stages.0.neuron"].updates == 3 * STEPS * candidates
    assert parts["prior"].layers["latent.prior.stages.0.layer"].dense(3) == 3 * 5 * candidates
    assert parts["encoder"].multiplying() == "encoder.stages.0.layer"
    assert (parts["prior"].multiplying(), parts["decoder"].multiplying()) == ("", "readout.conv")


def test_a_network_without_spikes_multiplies_at_every_connection_once() -> None:
    config = VAEConfig.model_validate(
        {
            "system": "vae",
            "data": {"name": "mnist", "resolution": 8, "channels": 1},
            "model": {"widths": (6, 8), "channels": 5},
        }
    )
    model, shapes = model_of(config, make_network(config)), dict[str, Tensor]()
    weighed = {n: m for n, m in model.network.named_modules() if hasattr(m, "weight") and m.weight.dim() > 1}
    for name, layer in weighed.items():
        layer.register_forward_pre_hook(lambda _, inputs, name=name: shapes.update({name: inputs[0]}))
    parts = work_of(model, images())
    assert list(parts) == ["encoder", "decoder"]  # normal numbers are drawn by no layer
    for part in parts.values():
        assert part.figures()["multiplies"] == part.figures()["ann_multiplies"]
        for name, layer in part.layers.items():
            assert layer.multiplies == taps(weighed[name], torch.ones_like(shapes[name]))


@pytest.mark.parametrize(
    ("system", "multiplying"),
    [
        ("sgan", "first.layer"),
        ("swgan", "first.layer, output.layer"),  # linear behind a weighted sum: once
        ("sgad", "first.layer, output.blending"),
    ],
)
def test_a_generator_multiplies_its_latent_and_where_its_output_does(system: str, multiplying: str) -> None:
    model = model_of(generator_config(system), generator(system)[0])
    (part,) = work_of(model, images()).items()
    assert part[0] == "generator"
    assert part[1].multiplying() == multiplying
    assert part[1].layers["first.layer"].multiplies == 3 * 4 * 12  # once for all steps


def test_attention_scoring_counts_frames_features_and_blending() -> None:
    config = generator_config("sgad", scoring="grey")
    width = config.model.scoring_width
    layers = work_of(model_of(config, Generator(config)), images())["generator"].layers
    assert layers["output.scoring.project"].multiplies == 3 * STEPS * 64 * 2 * width
    assert layers["output.scoring.project"].dense(3) == 3 * 64 * 2 * width
    assert layers["output.blending"].multiplies == 3 * (STEPS * 64 + (STEPS - 1) * (2 * width + width))


def test_a_density_is_part_of_drawing() -> None:
    config = sae_config("lif")
    network = autoencoder(config)
    network.settle([(items(config), torch.zeros(6, dtype=torch.int64))], 0)
    parts = work_of(model_of(config, network), images())
    assert parts["prior"].layers["density"].multiplies == 3 * (5 * STEPS) ** 2
    assert parts["decoder"].multiplying() == "readout.conv"


def test_an_autoencoder_without_a_density_has_no_prior_and_decodes_what_it_encodes() -> None:
    config = sae_config("lif")
    parts = work_of(model_of(config, autoencoder(config)), images())
    assert list(parts) == ["encoder", "decoder"]


def test_figures_of_a_generator_are_those_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_module, "peak_memory", lambda _model: (None, "not here"))
    config = generator_config("sgad")
    found = cost(model_of(config, Generator(config)), images())
    assert found["sample_is"] == "generator"
    assert found["sample/accumulates"] == found["generator/accumulates"]
    assert "rate/stages.0.neuron" in found and "seconds_per_encoded_item" not in found
    assert found["parameters/total"] == sum(
        value for name, value in found.items() if name.startswith("parameters/") and name != "parameters/total"
    )
