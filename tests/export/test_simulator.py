"""The simulator against the chip's rules written down a second time, and what it takes and gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from export.chip import Chip, ChipLayer, Layout
from export.quantising import quantise
from export.simulator import simulate
from export.synapses import sums
from tests.export.reference import lava_steps, synapses
from tests.export.zoo import spikes, zoo

ZOO = zoo(np.random.default_rng(5))


def own(layer: ChipLayer, frames: np.ndarray) -> np.ndarray:
    """A layer's own values, by the sentence in the sidecar, from frames (T, N, *chip shape)."""
    layout = layer.layout
    (r, q), channels = layout.blocks, layout.shape[0]
    image = layout.shape if len(layout.shape) == 3 else (channels, 1, 1)
    flat = frames.reshape(*frames.shape[:2], -1)
    result = np.empty((*frames.shape[:2], *image))
    grid = image[1] // r, image[2] // q
    for c, y, x in np.ndindex(image):
        channel = (c * r + y % r) * q + x % q
        result[:, :, c, y, x] = flat[:, :, layout.start + (channel * grid[0] + y // r) * grid[1] + x // q]
    return result.reshape(*frames.shape[:2], *layout.shape)


@pytest.mark.parametrize("name", ZOO)
def test_every_layer_of_every_kind_of_network_follows_the_rules(name: str) -> None:
    chip = quantise(ZOO[name])
    given = spikes(np.random.default_rng(2), ZOO[name], steps=4, samples=2)
    found = simulate(chip, given, [layer.name for layer in chip.layers])
    for layer, frames in zip(chip.layers, lava_steps(chip, given), strict=True):
        assert np.array_equal(found[layer.name].ravel(), own(layer, frames).ravel()), layer.name


def random_layer(rng: np.random.Generator, name: str, before: tuple[int, ...]) -> ChipLayer:
    """Any kind, any parameters: leaks of u and v, one a channel, sums that overflow, membranes that saturate."""
    size = int(rng.choice([3, 30, 127, 20000]))
    kind = "dense" if len(before) == 1 else str(rng.choice(["conv", "convT"]))
    if kind == "dense":
        shape: tuple[int, ...] = (int(rng.integers(3, 8)),)
        weight, options = rng.integers(-size, size + 1, (*shape, *before)), {}
    else:
        groups = int(rng.choice([1, 2]))
        stride, padding, dilation = (tuple(rng.integers(low, 3, 2).tolist()) for low in (1, 0, 1))
        kernel = tuple(rng.integers(2, 4, 2).tolist())
        inputs, outputs = before[0] // groups, int(rng.choice([2, 4])) // groups
        if kind == "conv":
            weight = rng.integers(-size, size + 1, (outputs * groups, inputs, *kernel))
            grown = [before[1 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1 for i in (0, 1)]
            if min(grown) < 0:
                return random_layer(rng, name, before)
            shape = (outputs * groups, *(grown[i] // stride[i] + 1 for i in (0, 1)))
        else:
            weight = rng.integers(-size, size + 1, (before[0], outputs, *kernel))
            shape = (outputs * groups, *(
                (before[1 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)
            ))  # fmt: skip
            if min(shape) < 1:
                return random_layer(rng, name, before)
        options = {"groups": groups, "stride": stride, "padding": padding, "dilation": dilation}
    each = (lambda low, high: rng.integers(low, high, shape[0]).astype(np.int32)) if rng.random() < 0.5 else (
        lambda low, high: int(rng.integers(low, high))
    )  # fmt: skip
    bias = rng.integers(-size, size + 1, shape[0] if rng.random() < 0.5 else shape).astype(np.int32)
    return ChipLayer(
        name,
        kind,  # type: ignore[arg-type]
        shape,
        weight.astype(np.int32),
        v_threshold=each(0, 3 * size),
        v_decay=each(0, 4097),
        layout=Layout(shape),
        i_decay=4096 if rng.random() < 0.5 else each(0, 4097),
        bias=bias if rng.random() < 0.7 else None,
        **options,
    )


@pytest.mark.parametrize("seed", range(70))
def test_70_random_chips_follow_the_rules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape: tuple[int, ...] = (2, 5, 4) if seed % 2 else (6,)
    layers: list[ChipLayer] = []
    for number in range(3):
        layers.append(random_layer(rng, str(number), layers[-1].shape if layers else shape))
        if number == 1 and seed % 4 == 1:
            flat = (int(np.prod(layers[-1].shape)),)
            layers.append(random_layer(rng, "dense", flat))
            break
    chip = Chip(shape, tuple(layers), layers[-1].shape)
    given = (rng.random((7, 3, *shape)) < 0.5).astype(np.int64)
    found = simulate(chip, given, [layer.name for layer in layers])
    for layer, frames in zip(layers, lava_steps(chip, given), strict=True):
        assert np.array_equal(found[layer.name], frames), layer.name


def test_rows_that_repeat_their_zeros_are_summed_exactly() -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, (32, 16, 3, 3))
    for row in range(32):
        weight[row][rng.permuted(np.arange(16 * 9).reshape(16, 3, 3) % 4 != row % 4)] = 0
        weight[row, row % 4 :: 4, ::2] = 0
    sparse = np.where(rng.random(weight.shape) < 0.1, weight, 0).astype(np.int32)
    layer = ChipLayer("a", "conv", (32, 6, 6), sparse, 1, 0, Layout((32, 6, 6)), padding=(1, 1))
    frames = rng.integers(0, 2, (3, 16, 6, 6))
    expected = np.stack([synapses(layer, frame) for frame in frames])
    assert np.array_equal(sums(layer, torch.from_numpy(frames)).numpy(), expected)


@pytest.mark.parametrize(("groups", "dilation"), [(1, 1), (2, 1), (2, 2)])
def test_a_kernel_larger_than_the_pixels_is_summed_exactly(groups: int, dilation: int) -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(-127, 128, (4, 4 // groups, 20, 30))
    padding = {1: (13, 17), 2: (24, 34)}[dilation]
    sizes = {"stride": (5, 7), "padding": padding, "dilation": (dilation, dilation), "groups": groups}
    frames = torch.from_numpy(rng.integers(0, 2, (5, 4, 3, 4)))
    expected = F.conv2d(frames.double(), torch.from_numpy(weight).double(), None, **sizes)
    shape = tuple(expected.shape[1:])
    layer = ChipLayer("0", "conv", shape, weight, v_threshold=1, v_decay=0, layout=Layout(shape), **sizes)
    assert weight[0, 0].size > 3 * 4 * shape[1] * shape[2] > 12  # one for any two pixels, and more than one pixel
    assert torch.equal(sums(layer, frames), expected.to(torch.int64))


def test_sums_past_float32_are_exact() -> None:
    weight = np.full((1, 300), 65537, np.int32)
    weight[0, 0] = 2  # an odd sum past 2^24, which float32 does not have
    layer = ChipLayer("a", "dense", (1,), weight, 0, 0, Layout((1,)))
    assert int(sums(layer, torch.ones(1, 300, dtype=torch.int64))) == 299 * 65537 + 2


def test_a_convolution_sum_wraps_at_24_bits_and_a_dense_one_does_not() -> None:
    weight = np.full((1, 1, 1, 1), (1 << 23) + 5, np.int32)
    layer = ChipLayer("a", "conv", (1, 1, 1), weight, 0, 0, Layout((1, 1, 1)))
    assert int(sums(layer, torch.ones(1, 1, 1, 1, dtype=torch.int64))) == 5 - (1 << 23)
    dense = ChipLayer("a", "dense", (1,), weight.reshape(1, 1), 0, 0, Layout((1,)))
    assert int(sums(dense, torch.ones(1, 1, dtype=torch.int64))) == (1 << 23) + 5


def membrane(values: list[int], **neuron: int) -> list[float]:
    """One neuron with weight 1 and graded input: its membrane, in 1/64 of a weight unit."""
    settings = {"v_threshold": 131071, "v_decay": 0} | neuron
    layer = ChipLayer("a", "dense", (1,), np.ones((1, 1), np.int32), layout=Layout((1,)), output="membrane", **settings)
    chip = Chip((1,), (replace(layer, scale=1 / 64),), (1,), message_bits=30)
    return simulate(chip, np.array(values).reshape(-1, 1, 1))["a"].ravel().tolist()


def test_a_membrane_decays_towards_zero_by_cutting() -> None:
    # 64 * 3 = 192; 192 * 3072 / 4096 = 144, 108, 81, 60.75 -> 60, 45, 33.75 -> 33; and the same below zero
    assert membrane([3, 0, 0, 0, 0, 0, 0], v_decay=1024) == [192, 144, 108, 81, 60, 45, 33]
    assert membrane([-3, 0, 0, 0, 0, 0, 0], v_decay=1024) == [-192, -144, -108, -81, -60, -45, -33]


def test_a_current_wraps_and_a_membrane_stops() -> None:
    assert membrane([131072]) == [0]  # 2^23 as it is, stopped at 2^23 - 1, is above 64 * 131071: fires, and is 0
    assert membrane([131073]) == [64 - (1 << 23) + 0]  # once around
    assert membrane([-131071, -131071]) == [-64 * 131071, 1 - (1 << 23)]


def test_a_neuron_fires_above_its_threshold_only_and_starts_again_at_zero() -> None:
    layer = ChipLayer("a", "dense", (1,), np.full((1, 1), 5, np.int32), 10, 0, Layout((1,)))
    chip = Chip((1,), (layer,), (1,))
    assert simulate(chip, np.ones((7, 1, 1)))["a"].ravel().tolist() == [0, 0, 1, 0, 0, 1, 0]


def test_samples_do_not_know_of_each_other_nor_of_how_many_there_are() -> None:
    chip = quantise(ZOO["skip"])
    given = spikes(np.random.default_rng(3), ZOO["skip"], samples=5)
    together = simulate(chip, given)["3"]
    for n in range(5):
        assert np.array_equal(simulate(chip, given[:, n : n + 1])["3"][:, 0], together[:, n])


def test_many_samples_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = quantise(ZOO["conv"])
    given = spikes(np.random.default_rng(3), ZOO["conv"], samples=5)
    whole = simulate(chip, given, ["0"])
    monkeypatch.setattr("export.simulator._TOGETHER", 2 * 6 * 256)
    monkeypatch.setattr("export.synapses._COLUMNS", 3000)
    parts = simulate(chip, given, ["0"])
    assert all(np.array_equal(whole[name], parts[name]) for name in ("0", "1"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((3, 1, 2, 8, 7)), "takes spikes of shape"),
        (np.zeros((2, 8, 8)), "takes spikes of shape"),
        (np.zeros((3, 1, 8, 8, 2)), "takes spikes of shape"),
        (np.full((3, 1, 2, 8, 8), 0.5), "0 or 1"),
        (np.full((3, 1, 2, 8, 8), 2), "0 or 1"),
        (np.full((3, 1, 2, 8, 8), np.nan), "0 or 1"),
        (np.zeros((0, 1, 2, 8, 8)), "at least one step"),
    ],
)
def test_an_input_that_the_chip_cannot_take_is_refused_in_a_sentence(given: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        simulate(quantise(ZOO["conv"]), given)
    assert "\n" not in str(caught.value)


def test_a_flat_input_is_the_same_input() -> None:
    given = spikes(np.random.default_rng(3), ZOO["conv"])
    chip = quantise(ZOO["conv"])
    assert np.array_equal(simulate(chip, given)["1"], simulate(chip, given.reshape(*given.shape[:2], -1))["1"])


def test_real_values_for_the_host_s_first_layer_are_finite() -> None:
    given = np.full((3, 1, 2, 8, 8), 0.5)
    chip = quantise(ZOO["conv"], given)
    assert chip.encoder is not None
    with pytest.raises(ValueError, match="not finite"):
        simulate(chip, given * np.nan)


def test_integers_beyond_the_message_bits_are_refused() -> None:
    chip = replace(quantise(ZOO["conv"]), message_bits=3)
    simulate(chip, np.full((1, 1, 2, 8, 8), -7))
    for bad in (8, 0.5):
        with pytest.raises(ValueError, match="integers of 3 bits, below 8"):
            simulate(chip, np.full((1, 1, 2, 8, 8), bad))


def test_a_probe_that_is_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="'2' is none of them"):
        simulate(quantise(ZOO["conv"]), np.zeros((1, 1, 2, 8, 8)), ["2"])
