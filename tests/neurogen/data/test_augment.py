"""Shifts and flips."""

from __future__ import annotations

import torch

from neurogen.data.augment import augmented, shifted


def test_an_item_moves_down_and_right_and_background_moves_in() -> None:
    x = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    moved = shifted(x, torch.tensor([[1, 2]]), -1.0)
    assert moved[0, 0].tolist() == [[-1, -1, -1], [-1, -1, 1], [-1, -1, 4]]


def test_each_item_has_its_own_move() -> None:
    x = torch.rand(3, 2, 4, 5, 6)
    moves = torch.tensor([[0, 0], [-2, 1], [1, 0]])
    moved = shifted(x, moves, 0.0)
    assert torch.equal(moved[0], x[0])
    assert torch.equal(moved[1, ..., :3, 1:], x[1, ..., 2:, :5]) and not moved[1, ..., 3:, :].any()
    assert torch.equal(moved[2, ..., 1:, :], x[2, ..., :4, :]) and not moved[2, ..., 0, :].any()


def test_moves_reach_every_offset_up_to_the_largest_and_none_beyond() -> None:
    x = torch.zeros(600, 1, 9, 9)
    x[:, 0, 4, 4] = 1
    places = augmented(x, 2, False, 0.0, torch.Generator().manual_seed(0))[:, 0].nonzero()[:, 1:] - 4
    assert places.unique(dim=0).tolist() == [[dy, dx] for dy in range(-2, 3) for dx in range(-2, 3)]


def test_about_half_of_the_items_are_flipped() -> None:
    x = torch.rand(400, 1, 4, 4)
    out = augmented(x, 0, True, 0.0, torch.Generator().manual_seed(0))
    flipped = (out == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(out[~flipped], x[~flipped])
    assert 150 < int(flipped.sum()) < 250


def test_the_generator_alone_decides() -> None:
    x = torch.rand(16, 2, 8, 8)
    outs = []
    for seed in (3, 3, 4):
        torch.rand(seed)  # torch's own state must not matter
        outs.append(augmented(x, 2, True, 0.0, torch.Generator().manual_seed(seed)))
    assert torch.equal(outs[0], outs[1]) and not torch.equal(outs[0], outs[2])


def test_nothing_is_drawn_when_nothing_is_asked() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    x = torch.rand(2, 1, 4, 4)
    assert augmented(x, 0, False, 0.0, generator) is x
    assert torch.equal(generator.get_state(), before)
