"""Threshold-dependent batch norm before neurons of tau 4/3, as the Fully Spiking VAE has them: y = scale w x^ + b."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn

import export
from tests.export.networks import folded, outputs, prepared, spikes


class ScaledNorm(nn.BatchNorm2d):
    """A batch norm whose weight counts for `scale` times as much, of features or of maps."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__(channels)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        moments = self.running_mean, self.running_var
        return nn.functional.batch_norm(x, *moments, self.weight * self.scale, self.bias, self.training, 0.1, self.eps)


def quick() -> nn.Module:
    """u_t = u_(t-1) / 4 + x_t, fires at 0.2, and starts again at 0."""
    return neuron.LIFNode(tau=4 / 3, decay_input=False, v_threshold=0.2, step_mode="m")


def decoder() -> nn.Module:
    """A Linear whose outputs are maps, then maps twice as large, biases in front of the norms."""
    parts = [folded(nn.Linear(9, 24), ScaledNorm(24, 0.2), nn.Unflatten(1, (6, 2, 2))), quick()]
    parts += [folded(nn.ConvTranspose2d(6, 5, 3, 2, 1, 1), ScaledNorm(5, 0.4)), quick()]
    return nn.Sequential(*parts, folded(nn.ConvTranspose2d(5, 4, 4, 2, 1), ScaledNorm(4, 0.2)), quick())


def test_the_scale_and_the_bias_in_front_fold_into_the_weights() -> None:
    torch.manual_seed(0)
    module, x = prepared(decoder()), spikes(9)
    network = export.read(module, x)
    wanted = outputs(module, x).numpy()
    assert 0.1 < wanted.mean() < 0.9
    np.testing.assert_array_equal(export.run(network, x)["5"], wanted)
    linear, norm = module[2][0], module[2][1]
    factor = 0.4 * norm.weight / (norm.running_var + norm.eps).sqrt()
    weight, bias = network.layers[1].synapses[0].map.weight, network.layers[1].bias
    np.testing.assert_allclose(weight, (linear.weight * factor[None, :, None, None]).detach(), rtol=1e-12)
    np.testing.assert_allclose(bias, ((linear.bias - norm.running_mean) * factor + norm.bias).detach(), atol=1e-12)


def test_a_membrane_that_keeps_a_quarter_keeps_1024_of_4096() -> None:
    torch.manual_seed(0)
    module, x = prepared(decoder()), spikes(9)
    chip = export.quantise(export.read(module, x), x.numpy())
    assert [one.v_decay for one in chip.layers] == [3072, 3072, 3072]
    for one in chip.layers:  # "fires at 0.2" is "fires above v_threshold", a 64th of a step below
        assert one.scale * 0.2 == pytest.approx(one.v_threshold + 1 / 64, rel=1e-9)


def test_a_neuron_on_the_chip_s_grid_spikes_as_integers_say_and_as_its_module() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(8, 50, bias=False), quick()).double()
    module[0].weight.data = torch.randint(-40, 41, (50, 8)).double() * 0.2 / (100 + 1 / 64)
    x = spikes(8, steps=12, rate=0.6)
    chip = export.quantise(export.read(module, x), x.numpy())
    (one,) = chip.layers
    found = export.simulate(chip, x.numpy())["1"]
    wanted = np.zeros(found.shape)
    for n, o in np.ndindex(*found.shape[1:]):
        v = 0
        for t in range(len(x)):
            v = int(v * 1024 / 4096) + 64 * int(one.weight[o] @ x[t, n].numpy().astype(int))  # towards zero
            if v > 64 * one.v_threshold:
                wanted[t, n, o], v = 1, 0
    assert 0.02 < wanted.mean() < 0.5
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(found[:4], outputs(module, x).numpy()[:4])  # 64 = 4^3: exact for four steps


def test_training_on_the_grid_refuses_a_norm_that_does_more_than_its_weight_says() -> None:
    module = prepared(nn.Sequential(folded(nn.Linear(9, 5), ScaledNorm(5, 0.2)), quick()))
    with pytest.raises(ValueError, match=r"^0\.1: expected a batch norm that scales by its weight, got ScaledNorm"):
        export.prepare(module, spikes(9))
