"""The gate x * LIF(x): real-valued where the neuron fires, zero elsewhere (arXiv 2405.14474, its activation)."""

from __future__ import annotations

from torch import Tensor, nn

from neurogen.neurons import cpu
from neurogen.neurons.backend import choose_backend


class Gate(nn.Module):
    """x: (T, N, ...) real -> x * neuron(x), same shape.

    On the fused path the gate keeps x and boolean spikes for its backward (5 bytes an element); it always starts
    from rest there, so a neuron that carries a membrane from an earlier call takes the plain path.
    """

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        neuron = self.neuron
        fresh = not isinstance(neuron.v, Tensor)
        watched = neuron._forward_hooks or neuron._forward_pre_hooks
        if fresh and not watched and choose_backend(neuron.backend, neuron, x) == "torch":
            return cpu.gate(x, neuron.dynamics())
        return x * neuron(x)
