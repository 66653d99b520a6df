"""Connections, cores and headroom, against counts by hand, a connection matrix, and the published full-size decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from export.chip import ChipLayer, Kind, Layout
from export.cost import connections, cores, reach
from export.limits import LOIHI2
from export.network import Shape


def _layer(kind: Kind, shape: Shape, weight: np.ndarray, **options: object) -> ChipLayer:
    given: dict[str, object] = {"v_threshold": 10, "v_decay": 0, "layout": Layout(shape)} | options
    return ChipLayer("layer", kind, shape, weight.astype(np.int32), **given)  # type: ignore[arg-type]


def _matrix(layer: ChipLayer, source: Shape) -> torch.Tensor:
    """Which inputs (columns) reach which outputs (rows): torch's own layer, one input at a time."""
    weight = torch.from_numpy(layer.weight != 0).double()
    each = torch.eye(int(np.prod(source))).double().reshape(-1, *source)
    if layer.kind == "convT":
        sizes = layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
        return F.conv_transpose2d(each, weight, None, *sizes).flatten(1).T
    return F.conv2d(each, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups).flatten(1).T


def test_a_dense_layer_counts_its_non_zero_weights() -> None:
    found = connections(_layer("dense", (2,), np.array([[1, 0, -3], [0, 0, 5]])), (3,))
    assert (found.weights, found.synapses, found.fan_in) == (3, 3, 2)
    assert found.fan_out.tolist() == [1, 0, 2]


def test_a_kernel_reaches_less_at_the_border() -> None:
    found = connections(_layer("conv", (1, 3, 3), np.ones((1, 1, 3, 3)), padding=(1, 1)), (1, 3, 3))
    assert (found.weights, found.synapses, found.fan_in) == (9, 49, 9)  # 4 corners of 4, 4 edges of 6, a middle of 9
    assert found.fan_out[0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


@pytest.mark.parametrize(
    ("kind", "source", "shape", "kernel", "options"),
    [
        ("conv", (4, 7, 6), (6, 4, 3), (6, 2, 3, 3), {"stride": (2, 2), "padding": (1, 1), "groups": 2}),
        ("conv", (2, 9, 9), (3, 2, 4), (3, 2, 3, 2), {"stride": (3, 2), "dilation": (2, 2)}),
        ("convT", (4, 3, 3), (6, 6, 6), (4, 3, 4, 4), {"stride": (2, 2), "padding": (1, 1), "groups": 2}),
        ("convT", (2, 3, 4), (2, 6, 8), (2, 2, 3, 3), {"stride": (2, 2), "padding": (1, 1), "output_padding": (1, 1)}),
    ],
)
def test_every_connection_is_counted_once(
    kind: Kind, source: Shape, shape: Shape, kernel: Shape, options: dict[str, object]
) -> None:
    weight = np.random.default_rng(0).integers(-1, 2, kernel)
    layer = _layer(kind, shape, weight, **options)
    matrix = _matrix(layer, source)
    assert matrix.shape[0] == layer.neurons
    found = connections(layer, source)
    assert found.weights == np.count_nonzero(weight)
    assert (found.synapses, found.fan_in) == (int(matrix.sum()), int(matrix.sum(1).max()))
    assert np.array_equal(found.fan_out.ravel(), matrix.sum(0).numpy())


def test_the_first_layer_of_the_full_size_decoder_has_the_synapses_that_were_counted_for_it() -> None:
    layer = _layer(
        "convT", (128, 8, 8), np.ones((256, 128, 4, 4)), stride=(2, 2), padding=(1, 1)
    )  # 4x4 -> 8x8, kernel 4
    found = connections(layer, (256, 4, 4))
    assert (found.weights, found.synapses) == (524_288, 6_422_528)


def test_cores_are_bounded_by_shared_weights_and_by_synapses_written_out() -> None:
    layer = _layer("convT", (128, 8, 8), np.ones((256, 128, 4, 4)), stride=(2, 2), padding=(1, 1))
    bounds = cores(layer, connections(layer, (256, 4, 4)), LOIHI2)
    assert bounds.at_least == 4  # 524,288 x 8 bits = 4 x 2^20
    assert bounds.at_most == 74  # 6,422,528 x 12 / 2^20 = 73.5


def test_a_layer_takes_a_core_of_its_own_and_more_for_its_neurons() -> None:
    small = _layer("dense", (1,), np.ones((1, 1)))
    assert cores(small, connections(small, (1,)), LOIHI2).at_least == 1
    wide = _layer("dense", (8193,), np.ones((8193, 1)))
    assert cores(wide, connections(wide, (1,)), LOIHI2).at_least == 2


def test_a_neuron_passes_its_threshold_by_one_step_s_input_and_falls_for_as_long_as_there_are_steps() -> None:
    layer = _layer("dense", (1,), np.array([[30, 20, -7]]), v_threshold=100, bias=np.array([4]))
    found = reach(layer, (3,), steps=3)
    assert (found.u, found.v) == (50, 154)  # 100 + 30 + 20 + 4; downwards 3 x 7
    assert reach(layer, (3,), steps=2).v == 108  # it cannot have come to the threshold yet: 2 x 54
    falling = _layer("dense", (1,), np.array([[30, 20, -60]]), v_threshold=10)
    assert reach(falling, (3,), steps=3).v == 180
    assert reach(_layer("dense", (1,), np.array([[-60]]), v_decay=2048), (1,), steps=3).v == 105  # 60 + 30 + 15


def test_a_membrane_that_never_fires_adds_up_without_a_threshold() -> None:
    layer = _layer("dense", (1,), np.array([[100]]), v_threshold=131071, output="membrane")
    assert reach(layer, (1,), steps=8).v == 800


def test_integers_as_input_may_have_both_signs() -> None:
    assert reach(_layer("dense", (1,), np.array([[3, -4]])), (2,), steps=1, largest_input=10).u == 70


def test_headroom_counts_bits_below_two_to_the_17() -> None:
    layer = _layer("dense", (1,), np.full((1, 1024), 64), v_threshold=0)
    assert reach(layer, (1024,), steps=1).u_headroom_bits == 1  # 65,536
