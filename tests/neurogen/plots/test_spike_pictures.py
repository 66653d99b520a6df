"""Pictures of codes, time cells and membranes: what is drawn where."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neurogen.codebook import CodeForm
from neurogen.neurons import LIF
from neurogen.plots.activity import Activity
from neurogen.plots.codes import latents_figure
from neurogen.plots.membranes import chosen_neurons, membranes_figure, trajectory
from neurogen.plots.rates import rates_figure
from neurogen.plots.time_cells import peak_order, time_cells_figure

PICTURE = np.zeros((4, 4), np.uint8)


def marks(figure: Any) -> list[list[float]]:
    return np.asarray(figure.axes[0].collections[0].get_offsets()).tolist()


def test_a_code_is_marked_at_its_site_and_at_its_row_by_use() -> None:
    codes = np.array([[[7, 3], [3, 3]], [[7, 3], [0, 0]]])  # row 3 four times, then 0 and 7
    figure = latents_figure(codes, CodeForm(0, 0, 16, 2, 2), [PICTURE, PICTURE], ["shoe", "coat"])
    assert marks(figure) == [[0, 2], [1, 0], [2, 0], [3, 0], [4, 2], [5, 0], [6, 1], [7, 1]]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["shoe", "coat"]
    assert len(figure.axes) == 3  # the raster and a picture of each item


def test_codes_of_steps_lie_step_by_step() -> None:
    codes = np.array([[[[5, 6]], [[6, 6]]]])  # one item, two steps, 1 x 2 sites
    figure = latents_figure(codes, CodeForm(2, 0, 16, 1, 2), [PICTURE], ["shoe"])
    assert marks(figure) == [[0, 1], [1, 0], [2, 0], [3, 0]]


def test_bits_that_are_one_are_marked_at_their_step() -> None:
    codes = np.zeros((2, 2, 3, 1, 2), int)  # items, steps, bits, sites
    codes[0, 1, 2, 0, 1] = codes[1, 0, 0, 0, 0] = 1
    figure = latents_figure(codes, CodeForm(2, 3, 2, 1, 2), [PICTURE, PICTURE], ["shoe", "coat"])
    assert marks(figure) == [[3, 2], [4, 0]]
    assert figure.axes[0].get_ylabel() == "bit"


def test_neurons_are_sorted_by_the_step_of_most_spikes_and_silent_ones_left_out() -> None:
    rates = np.array([[0.1, 0.9, 0.0, 0.0, 0.5], [0.8, 0.1, 0.0, 0.2, 0.6]])
    assert peak_order(rates).tolist() == [1, 4, 0, 3]  # 4 and 0 peak later; 3 fires then alone, but least


def test_the_order_of_some_items_is_kept_on_the_others() -> None:
    spikes = np.zeros((2, 4, 2))
    spikes[0, ::2, 1] = spikes[1, ::2, 0] = 1  # in items 0 and 2: neuron 1 first, then neuron 0
    spikes[0, 1::2, 0] = 1
    figure = time_cells_figure(spikes, "encoder.0.neuron")
    first, second, one = (axis.images[0].get_array().tolist() for axis in figure.axes[:3])
    assert first == [[1, 0], [0, 1]]
    assert second == one == [[0, 0], [1, 0]]
    assert figure.axes[0].get_ylabel().startswith("2 of 2 neurons")


def test_a_silent_layer_has_no_picture_of_time_cells() -> None:
    assert time_cells_figure(np.zeros((2, 4, 3)), "a") is None


def test_each_pattern_of_spikes_has_one_neuron_the_commonest_first() -> None:
    spikes = np.array([[1, 0, 0, 0], [0, 0, 0, 1]])
    lifted = np.array([[1.0, 0.3, 0.1, 0.2], [0.0, 0.0, 0.6, 1.4]])
    assert chosen_neurons(spikes, lifted) == [(1, 0.5), (3, 0.25), (0, 0.25)]


def test_a_membrane_rises_from_where_the_reset_left_it() -> None:
    x, y = trajectory(np.array([0.5, 1.25]), np.array([0.5, 0.0]), rest=0.0)
    assert (x, y) == ([0, 1, 1, 2, 2], [0, 0.5, 0.5, 1.25, 0])


def test_membranes_are_drawn_with_their_threshold_and_a_dot_a_spike() -> None:
    currents = torch.tensor([[0.5, 0.5], [1.0, 0.0]]).view(2, 1, 2)
    layer = LIF(tau=2.0, decay_input=False, v_threshold=1.0)
    figure = membranes_figure(Activity(currents, layer(currents), layer.dynamics()), "decoder.0.neuron")
    drawn = {axis.get_title(): axis for axis in figure.axes}
    assert sorted(drawn) == ["neuron 0 · 50% like it", "neuron 1 · 50% like it"]
    threshold, line, dots = drawn["neuron 0 · 50% like it"].lines
    assert list(threshold.get_ydata()) == [1.0, 1.0]
    assert list(line.get_ydata()) == [0, 0.5, 0.5, 1.25, 0]
    assert dots.get_xydata().tolist() == [[2, 1.25]]


def test_bars_have_the_colour_of_their_part() -> None:
    bars = rates_figure({"encoder.a": 0.1, "encoder.b": 0.2, "decoder.a": 0.3, "prior.a": 0.4}).axes[0].patches
    colours = [bar.get_facecolor() for bar in bars]
    assert colours[0] == colours[1]
    assert len(set(colours)) == 3
