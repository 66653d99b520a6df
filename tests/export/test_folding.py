"""Layers folded into one map give the numbers of torch's layers one after another, in float64."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn
from torch.nn import functional as F

import export
from export.network import Conv, ConvTranspose, Dense, Map
from tests.export.networks import folded, lif, outputs, prepared, spikes
from tests.export.test_reader import Written

ROUNDING = 1e-12  # float64: sums in another order


def relay() -> nn.Module:
    """Spikes in, the same spikes out."""
    return neuron.IFNode(v_threshold=1.0, step_mode="m")


def assert_same_values(*layers: nn.Module, shape: tuple[int, ...], seed: int = 0) -> Map:
    """Reads the layers behind a layer of relays and compares the real values that come out; returns the one map."""
    torch.manual_seed(seed)
    module, x = prepared(nn.Sequential(relay(), folded(*layers))), spikes(*shape)
    network = export.read(module, x)
    assert len(network.layers) == 2 and network.layers[1].neuron is None
    ours = export.run(network, x)[network.layers[1].name]
    np.testing.assert_allclose(ours, outputs(module, x).numpy(), rtol=0, atol=ROUNDING)
    return network.layers[1].synapses[0].map


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_folds_into_convolutions(groups: int, bias: bool) -> None:
    conv = nn.Conv2d(4, 6, 3, 2, 1, groups=groups, bias=bias)
    assert isinstance(assert_same_values(conv, nn.BatchNorm2d(6), shape=(4, 7, 7)), Conv)
    transposed = nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=groups, bias=bias)
    assert isinstance(assert_same_values(transposed, nn.BatchNorm2d(6), shape=(4, 4, 4)), ConvTranspose)


def test_batch_norm_folds_into_dense_layers_and_after_their_views() -> None:
    assert isinstance(assert_same_values(nn.Linear(5, 8), nn.BatchNorm1d(8), shape=(5,)), Dense)
    layers = nn.Linear(5, 12, bias=False), nn.Unflatten(1, (3, 2, 2)), nn.BatchNorm2d(3)
    assert isinstance(assert_same_values(*layers, shape=(5,)), Dense)


def test_batch_norms_without_weights_or_twice_fold_too() -> None:
    norms = nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3, eps=0.1)
    assert_same_values(nn.Conv2d(2, 3, 3), *norms, shape=(2, 5, 5))


def test_batch_norm_before_a_padded_convolution_gives_each_neuron_its_bias() -> None:
    assert_same_values(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1), shape=(2, 5, 5))


POOLS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 2, "stride": 1},
    {"kernel_size": (1, 3), "stride": (1, 2)},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "count_include_pad": False},
    {"kernel_size": 2, "ceil_mode": True},
    {"kernel_size": 2, "divisor_override": 3},
]
CONVS = [
    {"kernel_size": 1},
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2, "stride": 2, "padding": 1},
    {"kernel_size": 2, "dilation": 2, "groups": 2},
]


@pytest.mark.parametrize("size", [8, 9])
def test_average_pools_fold_into_the_next_convolution_or_are_refused(size: int) -> None:
    refused = []
    pools = [(i, pool) for i, pool in enumerate(POOLS) if size == 9 or i in (0, 6)]
    for (i, pool), (j, conv) in itertools.product(pools, enumerate(CONVS)):
        try:
            assert_same_values(nn.AvgPool2d(**pool), nn.Conv2d(4, 6, **conv), shape=(4, size, size))
        except AssertionError:  # left to the host
            torch.manual_seed(0)
            module = nn.Sequential(relay(), folded(nn.AvgPool2d(**pool), nn.Conv2d(4, 6, **conv)), lif())
            with pytest.raises(export.Refusal, match=r"fewer pixels at the border|padding follows a pool"):
                export.read(prepared(module), spikes(4, size, size))
            refused.append((i, j))
    # Padding after windows that overlap reaches pixels that are not zero in the whole, and so where pixels are left
    # over at the end; border windows that divide by fewer pixels have no kernel of their own.
    overlapping = {(i, j) for i in (1, 2, 3) for j in (2, 3)} if size == 9 else set()
    left_over = {(0, 2), (0, 3), (4, 2), (7, 2), (7, 3)} if size == 9 else set()
    uneven = {(i, j) for i in (5, 6) for j in range(5)} if size == 9 else set()
    assert set(refused) == {*overlapping, *left_over, *uneven}


def test_padding_before_a_pooled_map_needs_windows_that_do_not_overlap() -> None:
    above = nn.ZeroPad2d((1, 0, 1, 0))
    assert_same_values(nn.AvgPool2d(2), above, nn.Conv2d(2, 3, 3), shape=(2, 9, 9))  # left-over pixels are never met
    module = prepared(nn.Sequential(relay(), folded(nn.AvgPool2d(3, 2), above, nn.Conv2d(2, 3, 3)), lif()))
    with pytest.raises(export.Refusal, match="padding follows a pool that overlaps"):
        export.read(module, spikes(2, 9, 9))


@pytest.mark.parametrize("pool", POOLS[:4])
def test_average_pools_fold_into_the_convolution_or_dense_layer_before(pool: dict[str, object]) -> None:
    assert_same_values(nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.AvgPool2d(**pool), shape=(4, 12, 12))
    layers = nn.Linear(5, 48), nn.Unflatten(1, (3, 4, 4)), nn.AvgPool2d(**pool)
    assert_same_values(*layers, shape=(5,))


def test_average_pools_fold_into_the_next_dense_layer() -> None:
    assert_same_values(nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(48, 5), shape=(3, 8, 8))
    assert_same_values(nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Linear(6, 5), shape=(3, 8, 8))


def test_global_means_are_pools() -> None:
    torch.manual_seed(0)
    layers = {"r": relay(), "fc": nn.Linear(3, 5)}
    module, x = prepared(Written(lambda m, s: m.fc(m.r(s).mean((3, 4))), **layers)), spikes(3, 4, 4)
    network = export.read(module, x)
    np.testing.assert_allclose(export.run(network, x)["fc"], outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("scale", [2, (1, 3), (3, 2)])
def test_nearest_upsampling_and_padding_fold_into_the_next_convolution(scale: object) -> None:
    conv = nn.Conv2d(2, 3, 3, padding=1)
    assert assert_same_values(nn.Upsample(scale_factor=scale), conv, shape=(2, 3, 4)).upsample != (1, 1)
    padded = nn.ZeroPad2d((2, 0, 1, 3))
    assert_same_values(padded, nn.Upsample(scale_factor=scale), nn.Conv2d(2, 3, 3, 2), shape=(2, 3, 4))
    assert_same_values(nn.Upsample(scale_factor=scale), padded, nn.Conv2d(2, 3, 3, 2), shape=(2, 3, 4))


def test_a_strided_convolution_after_padding_right_and_bottom() -> None:
    linear = assert_same_values(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(2, 3, 3, 2), shape=(2, 6, 6))
    assert linear.padding == (0, 1, 0, 1)


def test_same_padding_of_an_even_kernel_is_larger_at_the_end() -> None:
    def forward(m: Written, x: Tensor) -> Tensor:
        return F.conv2d(m.r(x).flatten(0, 1), m.conv.weight, padding="same").unflatten(0, x.shape[:2])

    torch.manual_seed(0)
    module, x = prepared(Written(forward, r=relay(), conv=nn.Conv2d(2, 3, 4))), spikes(2, 5, 5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel", UserWarning)
        network = export.read(module, x)
        wanted = outputs(module, x).numpy()
    assert network.layers[1].synapses[0].map.padding == (1, 2, 1, 2)
    ours = export.run(network, x)[network.layers[1].name]
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, 2, ceil_mode=True)])
def test_max_pooling_of_spikes_is_or(pool: nn.Module) -> None:
    torch.manual_seed(0)
    module, x = prepared(nn.Sequential(relay(), folded(pool), folded(nn.Conv2d(3, 2, 2)))), spikes(3, 7, 7, rate=0.1)
    network = export.read(module, x)
    assert [layer.neuron is None for layer in network.layers] == [False, False, True]
    ours = export.run(network, x, probes=[network.layers[1].name])
    np.testing.assert_array_equal(ours[network.layers[1].name], folded(pool)(x).numpy())
    np.testing.assert_allclose(ours["2.0"], outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_max_pooling_of_a_real_valued_input_is_refused() -> None:
    module = prepared(nn.Sequential(folded(nn.MaxPool2d(2), nn.Conv2d(2, 3, 1)), lif()))
    with pytest.raises(export.Refusal, match=r"^0.0: MaxPool2d: the maximum of real values"):
        export.read(module, torch.rand(6, 3, 2, 4, 4, dtype=torch.float64))
    assert len(export.read(module, spikes(2, 4, 4)).layers) == 2


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, -0.5, 0.2])
def test_a_membrane_is_measured_from_its_reset_value(decay_input: bool, v_reset: float) -> None:
    torch.manual_seed(0)
    node = lif(tau=4.0, threshold=0.7, v_reset=v_reset, decay_input=decay_input)
    module, x = prepared(nn.Sequential(nn.Linear(8, 30), node)), spikes(8, steps=40)
    network = export.read(module, x)
    assert network.layers[0].neuron.threshold == pytest.approx(0.7 - v_reset)
    assert network.layers[0].neuron.gain == (0.25 if decay_input else 1.0)
    wanted = outputs(module, x).numpy()
    assert 0.01 < wanted.mean() < 0.99
    np.testing.assert_array_equal(export.run(network, x)["1"], wanted)


def test_factors_sums_and_differences_with_constants_fold() -> None:
    torch.manual_seed(0)
    constants = torch.rand(3, 1, 1, dtype=torch.float64) + 0.5

    def forward(m: Written, x: Tensor) -> Tensor:
        h = m.conv(2.0 * m.r(x).flatten(0, 1))
        return (1.0 - (h - constants) * constants / 3.0).unflatten(0, x.shape[:2])

    module, x = prepared(Written(forward, r=relay(), conv=nn.Conv2d(2, 3, 3))), spikes(2, 5, 5)
    module.constants = constants
    network = export.read(module, x)
    ours = export.run(network, x)["conv"]
    np.testing.assert_allclose(ours, outputs(module, x).numpy(), rtol=0, atol=ROUNDING)
    assert network.host == ()


def test_a_skip_keeps_its_gain_as_a_second_synapse() -> None:
    torch.manual_seed(0)
    gain = nn.Parameter(torch.rand(2, 1, 1, dtype=torch.float64))
    layers = {"r": relay(), "a": nn.Conv2d(2, 2, 3, padding=1), "m": relay(), "n": relay()}

    def forward(m: Written, x: Tensor) -> Tensor:
        s = m.m(x)
        return m.n(m.a(s.flatten(0, 1)).unflatten(0, x.shape[:2]) + gain * m.r(x))

    module, x = prepared(Written(forward, **layers)), spikes(2, 5, 5)
    module.gain = gain
    network = export.read(module, x)
    first, second = network.layers[-1].synapses
    assert first.map.weight.shape == (2, 2, 3, 3) and second.map.groups == 2
    np.testing.assert_array_equal(second.map.weight.ravel(), gain.detach().numpy().ravel())
    np.testing.assert_array_equal(export.run(network, x)["n"], outputs(module, x).numpy())
