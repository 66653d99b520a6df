"""The gate x * LIF(x): real-valued where the neuron fires, zero elsewhere (arXiv 2405.14474, its activation)."""

from __future__ import annotations

from torch import Tensor, nn

from neurogen.neurons.backend import choose_backend
from neurogen.neurons.lif import IF, LIF, PLIF


class Gate(nn.Module):
    """x: (T, N, ...) real -> x * neuron(x), same shape; the neuron's membrane goes on from call to call.

    On a fused backend only x is kept for the backward.
    """

    def __init__(self, neuron: LIF | IF | PLIF) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        neuron = self.neuron
        # A hook on the neuron (a monitor) wants to see its spikes, which the fused gate never makes.
        hooked = neuron._forward_hooks or neuron._forward_pre_hooks
        if neuron.step_mode != "m" or hooked:
            return x * neuron(x)
        backend = choose_backend(neuron.backend, neuron, x)
        if backend is None:
            return x * neuron(x)
        y, neuron.v = backend.gate(x, neuron.membrane(x), neuron.dynamics())
        return y
