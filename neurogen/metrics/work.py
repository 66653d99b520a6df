"""What a layer or its neurons did, added up over all that they were given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class LayerWork:
    """Of one layer, summed over all that it was given.

    connections: of all inputs; reached: of those inputs that are not 0; spikes_only: whether none was but 0 and 1;
    added, multiplied: what a layer does whatever it is fed; once: products of a dense machine beside `connections`;
    frames: how often the layer ran, T times an item or once.
    """

    connections: int = 0
    reached: int = 0
    spikes_only: bool = True
    added: int = 0
    multiplied: int = 0
    once: int = 0
    frames: int = 0

    @property
    def accumulates(self) -> int:
        """Additions of a weight for a spike."""
        return self.added + (self.reached if self.spikes_only else 0)

    @property
    def multiplies(self) -> int:
        """Multiplications with an addition."""
        return self.multiplied + (0 if self.spikes_only else self.connections)

    @property
    def nonzero_multiplies(self) -> int:
        """Those of them whose input is not 0."""
        return self.multiplied + (0 if self.spikes_only else self.reached)

    def dense(self, items: int) -> float:
        """Multiplications of `items` items where the layer has real inputs and one time step."""
        return (self.connections + self.once) * items / self.frames if self.frames else 0.0

    def feed(self, x: Tensor, connections: int, reached: int, frames: int) -> None:
        """Take in an input of so many connections, of which `reached` begin at one that is not 0."""
        self.connections += connections
        self.reached += reached
        self.spikes_only = self.spikes_only and bool(((x == 0) | (x == 1)).all())
        self.frames += frames


@dataclass
class NeuronWork:
    """Of one layer of neurons, summed: updates of a neuron by a time step, and spikes."""

    updates: int = 0
    spikes: int = 0

    @property
    def rate(self) -> float:
        """Spikes of a neuron and step, as `neurogen.rates` has it for one batch."""
        return self.spikes / self.updates if self.updates else 0.0
