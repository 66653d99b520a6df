"""Codes as spikes: neurons play each code's row back, one spike a step, and the decoder spikes as it did."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional

import export
from neurogen.codebook.playback import Playback, as_spikes, played_back
from neurogen.models.tts_vqvae import TTSVQVAE
from tests.neurogen.tiny import event_config


@pytest.mark.parametrize("steps", [1, 2, 4, 16])
def test_a_code_s_neurons_fire_once_each_at_their_step_and_others_never(steps: int) -> None:
    codes = torch.tensor([[[2, 0]]])
    played = Playback(3, steps)(as_spikes(codes, 3, steps))  # (T, 1, T * 3, 1, 2)
    assert played.shape == (steps, 1, steps * 3, 1, 2)
    played = played[:, 0, :, 0].unflatten(1, (steps, 3))  # (T, T, 3, 2)
    for t in range(steps):
        expected = torch.zeros(steps, 3, 2)
        expected[t, 2, 0] = expected[t, 0, 1] = 1
        assert torch.equal(played[t], expected)


@pytest.mark.parametrize("steps", [2, 4, 31])
def test_the_chip_plays_back_to_the_spike(steps: int) -> None:
    codes = torch.tensor([[[1, 0], [2, 2]], [[0, 0], [1, 2]]])
    module, spikes = Playback(3, steps).eval(), as_spikes(codes, 3, steps)
    with torch.no_grad():
        chip = export.quantise(export.read(module, spikes), spikes.numpy())
        functional.reset_net(module)
        expected = module(spikes).numpy()
    (simulated,) = export.simulate(chip, spikes.numpy()).values()
    assert (simulated == expected).all()


def test_the_decoder_spikes_as_with_the_rows_themselves() -> None:
    torch.manual_seed(0)
    stage = TTSVQVAE(event_config()).eval()
    stage.codebook.table.normal_(0, 3)
    codes = torch.randint(32, (2, 4, 4))
    with torch.no_grad():
        for layer in stage.decoder[0].modules():
            if hasattr(layer, "running_var"):
                layer.running_var.fill_(0.02)  # so that an untrained network spikes
        expected = stage.decoder[0](stage.codebook.lookup(codes))
        functional.reset_net(stage)
        found = played_back(stage.codebook, stage.decoder[0])(as_spikes(codes, 32, 4))
    assert 0.02 < expected.mean() < 0.98
    assert torch.equal(found, expected)
