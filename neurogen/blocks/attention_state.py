"""What the recurrence of softmax-free attention remembers of the positions so far.

    CountMatrix   S_i = S_{i-1} + k_i^T v_i,  q_i S_i = sum_{j <= i} (q_i . k_j) v_j      constant size, constant cost
    SpikeList     all keys and values, weighed by a gain per pair of positions            size and cost grow with i

Shapes: T steps, N batch, h heads, d head width, L positions; q, k, v: (T, N, h, d) spikes of one position.
"""

from __future__ import annotations

from torch import Tensor


class CountMatrix:
    """One d x d matrix per step, sample and head: how often key a and value b fired together."""

    def __init__(self) -> None:
        self.counts: Tensor | None = None  # (T, N, h, d, d)

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Take in the next position and return its attention (T, N, h, d), unscaled."""
        if self.counts is None:
            self.counts = k.unsqueeze(-1) * v.unsqueeze(-2)
        else:
            self.counts.addcmul_(k.unsqueeze(-1), v.unsqueeze(-2))
        return (q.unsqueeze(-2) @ self.counts).squeeze(-2)


class SpikeList:
    """Keys and values of every position; gains (h, L, L) weigh position j at position i."""

    def __init__(self, gains: Tensor) -> None:
        self.gains = gains
        self.length = 0
        self.keys: Tensor | None = None  # (T, N, h, L, d), filled up to length
        self.values: Tensor | None = None

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Take in the next position and return its attention (T, N, h, d), unscaled."""
        if self.keys is None or self.values is None:
            room = (*k.shape[:-1], self.gains.shape[-1], k.shape[-1])
            self.keys, self.values = k.new_empty(room), v.new_empty(room)
        here, self.length = self.length, self.length + 1
        self.keys[..., here, :], self.values[..., here, :] = k, v
        scores = q.unsqueeze(-2) @ self.keys[..., : self.length, :].mT  # (T, N, h, 1, i + 1)
        weighed = scores * self.gains[:, here, None, : self.length]
        return (weighed @ self.values[..., : self.length, :]).squeeze(-2)


class FixedSpikeList:
    """A `SpikeList` of one size whose position is a number on the device, so that a graph of `mix` serves them all."""

    def __init__(self, gains: Tensor, position: Tensor, steps: int, rows: int, width: int) -> None:
        self.gains, self.position = gains, position  # (h, L, L), (1,) int64
        self.keys, self.values = gains.new_zeros((2, steps, rows, *gains.shape[:2], width))

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `SpikeList.mix`; positions that are yet to come have gain 0."""
        self.keys.index_copy_(-2, self.position, k.unsqueeze(-2))
        self.values.index_copy_(-2, self.position, v.unsqueeze(-2))
        weighed = (q.unsqueeze(-2) @ self.keys.mT) * self.gains.index_select(1, self.position)
        return (weighed @ self.values).squeeze(-2)


AttentionState = CountMatrix | SpikeList | FixedSpikeList
