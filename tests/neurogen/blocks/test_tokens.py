"""The order of tokens: by hand on small maps."""

from __future__ import annotations

import pytest
import torch

from neurogen.blocks.tokens import TokenOrder
from neurogen.codebook.form import CodeForm

FORMS = {
    "map": TokenOrder("map", CodeForm(0, 0, 9, 2, 3)),
    "step": TokenOrder("step", CodeForm(4, 0, 9, 2, 3)),
    "joint": TokenOrder("joint", CodeForm(4, 0, 9, 2, 3)),
    "step of bits": TokenOrder("step", CodeForm(4, 5, 2, 2, 3)),
    "joint of bits": TokenOrder("joint", CodeForm(4, 5, 2, 2, 3)),
}


def test_all_steps_of_a_site_come_before_the_next_site() -> None:
    order = TokenOrder("joint", CodeForm(2, 0, 99, 2, 3))
    steps = torch.tensor([[[0, 1, 2], [3, 4, 5]], [[10, 11, 12], [13, 14, 15]]])
    assert order.tokens(steps[None]).tolist() == [[0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15]]


def test_each_step_is_a_sequence_of_its_own() -> None:
    order = TokenOrder("step", CodeForm(2, 0, 99, 1, 3))
    items = torch.tensor([[[[0, 1, 2]], [[3, 4, 5]]], [[[6, 7, 8]], [[9, 10, 11]]]])  # (N 2, T 2, h 1, w 3)
    assert order.tokens(items).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]


def test_the_bits_of_a_token_are_those_of_its_site_and_step() -> None:
    order = TokenOrder("joint", CodeForm(2, 3, 2, 1, 2))
    items = torch.randint(2, (2, 2, 3, 1, 2))  # (N, T, m, h, w)
    tokens = order.tokens(items)
    assert tokens.shape == (2, 4, 3)
    for site in range(2):
        for step in range(2):
            assert torch.equal(tokens[:, 2 * site + step], items[:, step, :, 0, site])


@pytest.mark.parametrize("name", FORMS)
def test_items_come_back_from_their_tokens(name: str) -> None:
    order = FORMS[name]
    items = torch.randint(order.form.size, (3, *order.form.item_shape))
    tokens = order.tokens(items)
    assert tokens.shape == (3 * order.sequences, order.length, *order.token_shape)
    assert torch.equal(order.items(tokens), items)
    assert order.uniforms * 3 == tokens.numel()


def test_a_position_reads_the_same_step_around_it_and_the_past_of_its_site() -> None:
    order = TokenOrder("joint", CodeForm(3, 0, 9, 2, 3))
    here = (1 * 3 + 1) * 3 + 2  # row 1, column 1, step 2
    left, above, above_right, above_left, before, two_before = (order.sources(delay)[here] for delay in order.delays)
    assert [left, above, above_right, above_left] == [11, 5, 8, 2]  # sites 3, 1, 2, 0 at step 2
    assert [before, two_before] == [here - 1, here - 2]
    assert [order.sources(delay)[0] for delay in order.delays] == [-1] * 6


@pytest.mark.parametrize("name", ["map", "joint"])
def test_nothing_that_is_read_lies_ahead(name: str) -> None:
    order = FORMS[name]
    assert len(order.delays) == (4 if name == "map" else 7)
    for delay in order.delays:
        assert all(source < i for i, source in enumerate(order.sources(delay)))


def test_offsets_are_told_apart_by_rows_columns_and_steps() -> None:
    order = FORMS["joint"]
    shape, flat = order.offsets()
    assert shape == (2, 5, 7)
    seen: dict[int, tuple[int, int, int]] = {}
    for i in range(order.length):
        for j in range(i + 1):
            (a, s), (b, t) = divmod(i, 4), divmod(j, 4)
            offset = (a // 3 - b // 3, a % 3 - b % 3, s - t)
            assert int(flat[i, j]) == (offset[0] * 5 + offset[1] + 2) * 7 + offset[2] + 3
            assert seen.setdefault(int(flat[i, j]), offset) == offset


def test_a_training_batch_over_steps_is_one_random_step_of_every_item() -> None:
    order = FORMS["step"]
    items = torch.arange(4)[None, :, None, None].expand(5, 4, 2, 3)
    seen = set()
    for seed in range(30):
        tokens = order.training_tokens(items, torch.Generator().manual_seed(seed))
        assert tokens.shape == (5, 6)
        assert len(tokens.unique()) == 1
        seen.add(int(tokens[0, 0]))
    assert seen == {0, 1, 2, 3}
