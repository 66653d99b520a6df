"""The autoencoders of this repository: the spiking kind is read part by part, the gated kind refused layer by layer."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

import export
from neurogen.config import NeuronConfig, StageOneConfig, parse_config
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import make_neuron
from tests.export.networks import prepared, spikes

ROUNDING = 1e-12  # float64: folded batch norms add up in another order


@functools.cache
def model(kind: str, coding: str, readout: str) -> TTSVQVAE:
    torch.manual_seed(0)
    grey = {"name": "digits", "resolution": 8}
    config = parse_config(
        {
            "system": "tts_vqvae",
            "data": grey if coding == "event" else {"name": "images", "resolution": 8, "channels": 3},
            "model": {
                "kind": kind,
                "steps": 4,
                "coding": coding,
                "readout": readout,
                "gated": {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [4], "latent": 8},
                "spiking": {"widths": [6, 8]},
            },
            "neurons": {"threshold": 0.5, "alpha": 2.0, "decay_input": kind == "gated"},
            "codebook": {"size": 16, "width": 4},
        }
    )
    assert isinstance(config, StageOneConfig)
    return prepared(TTSVQVAE(config))


def rows(parts: TTSVQVAE, width: int) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(4, 2, width, *parts.code_shape, dtype=torch.float64)


def frames(parts: TTSVQVAE, coding: str) -> Tensor:
    torch.manual_seed(1)
    steps, channels = (1, 3) if coding == "direct" else (4, 2)
    return torch.rand(steps, 2, channels, 8, 8, dtype=torch.float64).expand(4, -1, -1, -1, -1)


@pytest.mark.parametrize("coding", ["direct", "event"])
def test_the_spiking_encoder_gives_the_same_latents(coding: str) -> None:
    parts = model("spiking", coding, "mean" if coding == "direct" else "step")
    x = frames(parts, coding)
    network = export.read(parts.encoder, x)
    functional.reset_net(parts)
    wanted = parts.encoder(x).detach().numpy()
    assert [len(layer.synapses) for layer in network.layers] == [1, 1, 1, 1, 2, 1]
    assert network.layers[-1].name == "head.0" and wanted.std() > 0.1
    np.testing.assert_allclose(export.run(network, x)["head.0"], wanted, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(("coding", "readout"), [("direct", "mean"), ("direct", "decay"), ("event", "step")])
def test_the_spiking_decoder_ends_in_its_read_out_and_the_rest_is_told(coding: str, readout: str) -> None:
    parts = model("spiking", coding, readout)
    x = rows(parts, 4)
    network = export.read(parts.decoder, x)
    functional.reset_net(parts)
    with torch.no_grad():
        wanted = parts.decoder(x)
    assert network.layers[-1].name == "1.conv" and network.layers[-1].neuron is None
    assert any("pixel_shuffle" in words for words in network.host)
    y = torch.from_numpy(export.run(network, x)["1.conv"])
    if readout == "step":
        frames_of = torch.nn.functional.pixel_shuffle(y, 2).transpose(0, 1)
    else:
        weights = torch.full((4,), 0.25) if readout == "mean" else 0.8 ** torch.arange(3, -1, -1)
        frames_of = torch.nn.functional.pixel_shuffle(torch.einsum("t,tnchw->nchw", weights.double(), y), 2)
    torch.testing.assert_close(frames_of, wanted, rtol=0, atol=1e-6 if readout == "decay" else ROUNDING)


def test_a_read_out_of_all_steps_at_once_stays_with_the_host() -> None:
    parts = model("spiking", "event", "all")
    x = rows(parts, 4)
    network = export.read(parts.decoder, x)
    functional.reset_net(parts)
    wanted = parts.decoder[0](x).detach().numpy()
    assert network.layers[-1].neuron is not None and any("1.conv: Conv2d" in words for words in network.host)
    np.testing.assert_array_equal(export.run(network, x)[network.layers[-1].name], wanted)


@pytest.mark.parametrize("kind", ["lif", "if", "plif"])
def test_our_neurons_are_read_as_spikingjelly_s(kind: str) -> None:
    torch.manual_seed(0)
    node = make_neuron(NeuronConfig(kind=kind, tau=3.0, threshold=0.3, reset=-0.1))
    module, x = prepared(torch.nn.Sequential(torch.nn.Linear(6, 12), node)), spikes(6, steps=12)
    network = export.read(module, x)
    functional.reset_net(module)
    wanted = module(x).detach().numpy()
    assert 0.05 < wanted.mean() < 0.95
    np.testing.assert_array_equal(export.run(network, x)["1"], wanted)


def _refused(part: torch.nn.Module, x: Tensor) -> dict[str, str]:
    with pytest.raises(export.Refusal) as caught:
        export.read(part, x)
    return dict(line.split(": ", 1) for line in str(caught.value).splitlines())


def test_the_gated_decoder_is_refused_layer_by_layer() -> None:
    parts = model("gated", "event", "step")
    said = _refused(parts.decoder, rows(parts, 8))
    assert "GroupNorm" in said["0.1.norm1"] and "x * LIF(x)" in said["0.1.gate1"]
    assert "a sum of real values" in said["0.1"] and "attention" in said["0.2"]
    named = dict(parts.decoder.named_modules())
    kinds = {type(named[name]).__name__ for name in said}
    assert kinds == {"GroupNorm", "Gate", "GatedResidual", "SpikingAttention"}
    for name, module in named.items():  # and none of them is missing
        if type(module).__name__ in kinds:
            assert name in said


def test_the_gated_encoder_is_refused_layer_by_layer() -> None:
    parts = model("gated", "event", "step")
    said = _refused(parts.encoder, frames(parts, "event"))
    named = dict(parts.encoder.named_modules())
    kinds = ("GroupNorm", "Gate", "GatedResidual", "SpikingAttention")
    assert set(said) == {name for name, module in named.items() if type(module).__name__ in kinds}
