"""From images and recordings to steps, and from steps to what is read out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.coding import aggregate, coded, first_spikes, rate_spikes, to_steps


def test_direct_coding_shows_the_image_at_every_step_without_copies() -> None:
    x = torch.rand(2, 1, 4, 4)
    steps = to_steps(x, "direct", 3)
    assert steps.shape == (3, 2, 1, 4, 4)
    assert all(torch.equal(step, x) for step in steps)
    assert steps.data_ptr() == x.data_ptr()


def test_event_coding_shows_frame_t_at_step_t() -> None:
    x = torch.rand(2, 3, 2, 4, 4)
    steps = to_steps(x, "event", 3)
    assert all(torch.equal(steps[t], x[:, t]) for t in range(3))


@pytest.mark.parametrize(
    ("coding", "shape", "expected"),
    [
        ("direct", (2, 3, 1, 4, 4), r"images \(N, C, H, W\) for direct coding, got \(2, 3, 1, 4, 4\)"),
        ("event", (2, 2, 4, 4), r"recordings \(N, 3, C, H, W\) for event coding, got \(2, 2, 4, 4\)"),
        ("event", (2, 4, 2, 4, 4), r"recordings \(N, 3, C, H, W\) for event coding, got \(2, 4, 2, 4, 4\)"),
    ],
)
def test_another_shape_is_answered_with_the_right_one(coding: str, shape: tuple[int, ...], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        to_steps(torch.zeros(shape), coding, 3)


def test_rate_spikes_come_with_the_probability_of_the_value() -> None:
    x = torch.tensor([0.0, 0.3, 1.0])
    uniforms = torch.tensor([[0.0, 0.2, 0.99], [0.5, 0.3, 0.0]])
    assert rate_spikes(x, uniforms).tolist() == [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    drawn = coded(x.double(), "rate", 4000).mean(0)
    assert drawn[[0, 2]].tolist() == [0.0, 1.0]
    assert drawn[1].item() == pytest.approx(0.3, abs=0.04)  # more than five standard deviations


def test_the_first_spike_comes_the_sooner_the_larger_the_value() -> None:
    x = torch.tensor([0.0, 0.1, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0])
    third = pytest.approx(1 / 3)
    assert first_spikes(x, 4).T.tolist() == [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.25],
        [0.0, 0.0, 0.0, 0.25],
        [0.0, 0.0, third, 0.0],
        [0.0, 0.0, third, 0.0],
        [0.0, 0.5, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
    ]


def test_gradients_pass_straight_through_spikes() -> None:
    x = torch.tensor([0.3, 0.8], requires_grad=True)
    rate_spikes(x, torch.rand(5, 2)).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [5.0, 5.0]
    x.grad = None
    weights = torch.arange(8.0).view(4, 2)
    (first_spikes(x, 4) * weights).sum().backward()
    assert x.grad.tolist() == [4.0, 1.0]  # of the steps that spike, 2 and 0


def test_what_is_shown_at_every_step_stays_one_image() -> None:
    x = torch.rand(2, 1, 4, 4)
    assert coded(x, "direct", 3) is x


@pytest.mark.parametrize(
    ("readout", "expected"),
    [("mean", 7 / 3), ("sum", 7.0), ("last", 4.0), ("decay", 0.64 * 1 + 0.8 * 2 + 4)],
)
def test_images_are_read_from_all_steps(readout: str, expected: float) -> None:
    assert aggregate(steps_of(1.0, 2.0, 4.0), readout).item() == pytest.approx(expected)


def test_step_leaves_every_step_as_it_is() -> None:
    x = torch.rand(3, 2, 5, 4, 4)
    assert aggregate(x, "step") is x


def test_all_lays_the_steps_side_by_side_time_before_channel() -> None:
    x = torch.rand(3, 2, 5, 4, 4)
    together = aggregate(x, "all")
    assert together.shape == (2, 15, 4, 4)
    assert all(torch.equal(together[:, 5 * t + c], x[t, :, c]) for t in range(3) for c in range(5))


def steps_of(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1, 1)
