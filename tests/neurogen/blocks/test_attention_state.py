"""What the recurrence remembers: equal to sums over all positions so far."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.blocks.attention_state import CountMatrix, SpikeList

LENGTH, SHAPE = 6, (2, 3, 4, 5)  # positions; T, N, heads, head width


def spikes(seed: int) -> Tensor:
    """(L, T, N, h, d) zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(LENGTH, *SHAPE, generator=generator) < 0.5).double()


def by_hand(q: Tensor, k: Tensor, v: Tensor, gains: Tensor, i: int) -> Tensor:
    """sum over j <= i of gain_ij (q_i . k_j) v_j, head by head."""
    mixed = torch.zeros(SHAPE, dtype=torch.float64)
    for j in range(i + 1):
        mixed += gains[:, i, j, None] * (q[i] * k[j]).sum(-1, keepdim=True) * v[j]
    return mixed


def test_the_count_matrix_gives_the_sum_over_all_positions_exactly() -> None:
    q, k, v, state = spikes(1), spikes(2), spikes(3), CountMatrix()
    for i in range(LENGTH):
        mixed = state.mix(q[i], k[i], v[i])
        assert torch.equal(mixed, by_hand(q, k, v, torch.ones(4, LENGTH, LENGTH).double(), i))  # counts are integers


def test_the_count_matrix_counts_how_often_key_and_value_fired_together() -> None:
    q, k, v, state = spikes(1), spikes(2), spikes(3), CountMatrix()
    for i in range(LENGTH):
        state.mix(q[i], k[i], v[i])
        assert state.counts is not None
        assert state.counts.shape == (*SHAPE, 5)  # whatever the position
    assert float(state.counts[1, 2, 3, 0, 4]) == float((k[:, 1, 2, 3, 0] * v[:, 1, 2, 3, 4]).sum())


def test_the_spike_list_weighs_every_pair_by_its_gain() -> None:
    gains = torch.rand(4, LENGTH, LENGTH, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    q, k, v, state = spikes(1), spikes(2), spikes(3), SpikeList(gains)
    for i in range(LENGTH):
        assert torch.allclose(state.mix(q[i], k[i], v[i]), by_hand(q, k, v, gains, i), atol=1e-12, rtol=0)


def test_the_spike_list_keeps_binary_keys_and_values_and_no_matrix() -> None:
    q, k, v, state = spikes(1), spikes(2), spikes(3), SpikeList(torch.ones(4, LENGTH, LENGTH).double())
    for i in range(LENGTH):
        state.mix(q[i], k[i], v[i])
    assert state.keys is not None
    assert state.values is not None
    assert torch.equal(state.keys, k.permute(1, 2, 3, 0, 4))
    assert torch.equal(state.values, v.permute(1, 2, 3, 0, 4))


@pytest.mark.parametrize("kind", [CountMatrix, lambda: SpikeList(torch.ones(4, LENGTH, LENGTH).double())])
def test_an_empty_memory_gives_the_position_itself(kind: type) -> None:
    q, k, v = spikes(1)[0], spikes(2)[0], spikes(3)[0]
    assert torch.equal(kind().mix(q, k, v), (q * k).sum(-1, keepdim=True) * v)
