"""The halves of a first stage that go to a chip: with the host's part around them they are the first stage."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from torch import Tensor

import export
from export.network import Network
from neurogen.config import StageOneConfig, parse_config
from neurogen.exporting import settled
from neurogen.models.on_chip import Half, decoder_half, encoder_half, whole
from neurogen.models.tts_vqvae import TTSVQVAE
from tests.neurogen.tiny import image_config


@functools.cache
def _stage(readout: str, coding: str = "direct", steps: int = 4, kind: str = "temporal") -> tuple[TTSVQVAE, Tensor]:
    """A first stage whose batch norms have seen data, and items for it."""
    torch.manual_seed(0)
    values = image_config().model_dump(mode="json")
    values["model"] |= {"readout": readout, "coding": coding, "steps": steps}
    values["codebook"] |= {"kind": kind}
    if kind == "spike":  # so that an untrained decoder fires too
        values["neurons"] |= {"threshold": 0.3}
    if coding == "event":
        values["data"] |= {"name": "digits", "channels": 2, "fit": "crop"}
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    stage = TTSVQVAE(config).train()
    shape = (6, steps, 2, 16, 16) if coding == "event" else (6, 1, 16, 16)
    x = torch.rand(shape) * 2 - 1
    with torch.no_grad():
        for _ in range(25):
            stage(x)
    if kind != "spike":
        stage.codebook.table.normal_(0, 2)
    return stage.eval(), x


def _network(half: Half, x: Tensor) -> tuple[Network, np.ndarray]:
    with torch.no_grad():
        inputs = half.inputs(x).clone()
        return settled(export.read(half.module, inputs), half), inputs.numpy()


def _made(half: Half, network: Network, given: np.ndarray) -> Tensor:
    with torch.no_grad():
        return half.finish(torch.from_numpy(export.run(network, given)[network.layers[-1].name]).float())


@pytest.mark.parametrize("last", ["host", "membrane", "sigma"])
@pytest.mark.parametrize("readout", ["mean", "sum", "last", "decay", "step"])
def test_the_decoder_s_half_and_the_host_make_what_the_decoder_makes(readout: str, last: str) -> None:
    stage, x = _stage(readout, coding="event" if readout == "step" else "direct")
    half = decoder_half(stage, "host", last)  # type: ignore[arg-type]
    network, given = _network(half, x)
    with torch.no_grad():
        expected = stage.decode(stage.encode(x))
    assert expected.std() > 0.01
    assert torch.allclose(_made(half, network, given), expected, atol=1e-5)


@pytest.mark.parametrize("readout", ["mean", "decay", "step"])
@pytest.mark.parametrize("last", ["membrane", "sigma"])
def test_the_chip_s_read_out_of_its_spikes_is_the_host_s_but_for_8_bit_weights(readout: str, last: str) -> None:
    stage, x = _stage(readout, coding="event" if readout == "step" else "direct")
    half = decoder_half(stage, "host", last)  # type: ignore[arg-type]
    network, given = _network(half, x)
    chip = export.quantise(network, given, readout=last)  # type: ignore[arg-type]
    spiking, linear = chip.layers[-2:]
    assert linear.output == last
    found = export.simulate(chip, given, [spiking.name])
    with torch.no_grad():
        expected = stage.decoder[1](torch.from_numpy(found[spiking.name]).float())
        made = half.finish(torch.from_numpy(found[linear.name]).float())
    assert expected.std() > 0.01
    assert float((made - expected).square().mean().sqrt()) < 0.02 * float(expected.std())


def test_codes_as_spikes_make_the_same_values() -> None:
    stage, x = _stage("mean")
    half = decoder_half(stage, "chip", "host")
    network, given = _network(half, x)
    assert np.isin(given, (0, 1)).all()
    assert given.sum() == 6 * 16  # one spike a site
    with torch.no_grad():
        expected = stage.decode(stage.encode(x))
    assert torch.allclose(_made(half, network, given), expected, atol=1e-5)


def test_codes_as_spikes_leave_nothing_before_the_chip() -> None:
    stage, x = _stage("mean")
    network, given = _network(decoder_half(stage, "chip", "membrane"), x)
    chip = export.quantise(network, given, readout="membrane")
    assert chip.encoder is None
    assert chip.readout is None
    assert chip.message_bits == 0


@pytest.mark.parametrize("coding", ["direct", "event"])
def test_the_encoder_s_half_makes_the_codes_and_the_trained_decoder_shows_them(coding: str) -> None:
    stage, x = _stage("mean" if coding == "direct" else "all", coding)
    half = encoder_half(stage)
    network, given = _network(half, x)
    with torch.no_grad():
        expected = stage.decode(stage.encode(x))
    assert torch.allclose(_made(half, network, given), expected, atol=1e-5)


def test_frames_that_see_all_steps_are_read_out_on_the_host_only() -> None:
    stage, _ = _stage("all", "event")
    with pytest.raises(ValueError, match="expected --readout host: every frame of this model sees the spikes of all"):
        decoder_half(stage, "host", "membrane")
    assert dataclasses.is_dataclass(decoder_half(stage, "host", "host"))


PARTS = {"encoder": encoder_half, "decoder": lambda stage: decoder_half(stage, "host", "host")}
PARTS |= {"whole": lambda stage: whole(stage, "host"), "membrane": lambda stage: whole(stage, "membrane")}


@pytest.mark.parametrize("coding", ["direct", "event"])
@pytest.mark.parametrize("part", PARTS)
def test_a_stage_of_spike_codes_is_one_network_and_so_are_its_halves(part: str, coding: str) -> None:
    stage, x = _stage("mean" if coding == "direct" else "step", coding, kind="spike")
    half = PARTS[part](stage)
    network, given = _network(half, x)
    with torch.no_grad():
        expected = stage.decode(stage.encode(x))
    assert 0.05 < float(stage.encode(x).float().mean()) < 0.95
    assert expected.std() > 0.01
    assert torch.allclose(_made(half, network, given), expected, atol=1e-5)


@pytest.mark.parametrize("part", PARTS)
def test_the_chip_spikes_as_the_quantised_network_of_spike_codes(part: str) -> None:
    stage, x = _stage("step", "event", kind="spike")
    half = PARTS[part](stage)
    network, given = _network(half, (x > 0.2).float())
    chip = export.quantise(network, given, readout="membrane" if part == "membrane" else "host")
    assert chip.encoder is None  # counts and bits enter the chip as they are
    report = export.report(chip, given, network)
    assert report.agreement.spikes > 1000
    assert report.agreement.quantised_simulated == 0
    assert 0 < report.agreement.float_simulated < report.agreement.spikes  # 8-bit weights of an untrained network


def test_the_bits_that_enter_a_decoder_are_the_codes_and_need_no_playback() -> None:
    stage, x = _stage("step", "event", kind="spike")
    for codes in ("host", "chip"):
        half = decoder_half(stage, codes, "host")  # type: ignore[arg-type]
        with torch.no_grad():
            assert torch.equal(half.inputs(x), stage.encode(x).float())
        assert half.module is stage.decoder[0]


def test_the_encoder_s_last_neurons_leave_the_codes() -> None:
    stage, x = _stage("mean", kind="spike")
    network, given = _network(encoder_half(stage), x)
    bits = export.run(network, given)[network.layers[-1].name]
    with torch.no_grad():
        assert np.array_equal(bits, stage.encode(x).numpy())


def test_a_table_between_the_halves_is_the_host_s() -> None:
    with pytest.raises(ValueError, match=r"expected --part decoder or encoder for codebook.kind=temporal, whose table"):
        whole(_stage("mean")[0], "host")
    for kind in ("per_step", "repeated"):
        with pytest.raises(ValueError, match=r"expected --codes host for this codebook; rows of codebook"):
            decoder_half(_stage("mean", kind=kind)[0], "chip", "host")


@pytest.mark.parametrize("kind", ["per_step", "repeated"])
def test_the_halves_of_other_tables_make_what_the_stage_makes(kind: str) -> None:
    stage, x = _stage("mean", kind=kind)
    with torch.no_grad():
        expected = stage.decode(stage.encode(x))
    for half in (encoder_half(stage), decoder_half(stage, "host", "host")):
        assert torch.allclose(_made(half, *_network(half, x)), expected, atol=1e-5)
