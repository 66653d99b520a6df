"""Destruction probes."""

from __future__ import annotations

import pytest
import torch

from neurogen.codebook.probes import PROBES

ROWS = torch.arange(1.0, 5.0).view(4, 1, 1, 1, 1).expand(4, 2, 3, 2, 2)


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ("as_they_are", [1, 2, 3, 4]),
        ("reversed", [4, 3, 2, 1]),
        ("last_repeated", [4, 4, 4, 4]),
        ("first_zeroed", [0, 2, 3, 4]),
    ],
)
def test_a_probe_orders_whole_slices(probe: str, expected: list[float]) -> None:
    changed = PROBES[probe](ROWS)
    assert changed.shape == ROWS.shape
    assert [set(step.flatten().tolist()) for step in changed] == [{value} for value in expected]


@pytest.mark.parametrize("steps", [2, 3, 4, 8])
def test_shuffled_slices_all_leave_their_places_the_same_way_each_time(steps: int) -> None:
    rows = torch.arange(float(steps)).view(-1, 1, 1, 1, 1)
    order = PROBES["shuffled"](rows).flatten().tolist()
    assert sorted(order) == list(range(steps))
    assert all(was != now for was, now in enumerate(order))
    assert steps == 2 or order != list(reversed(range(steps)))  # which would be another probe
    assert torch.equal(PROBES["shuffled"](rows), PROBES["shuffled"](rows))


def test_a_single_step_stays() -> None:
    assert torch.equal(PROBES["shuffled"](ROWS[:1]), ROWS[:1])
