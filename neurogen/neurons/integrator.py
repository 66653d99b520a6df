"""A read-out neuron: leaky integration without a threshold ("MP" of arXiv 2305.10246).

    m_t = m_(t-1) + (x_t - m_(t-1)) / tau,   m_0 = 0        m_T = sum_t w_t x_t,   w_t = (1 - 1/tau)^(T-t) / tau

Without decay_input x_t comes in whole, and without leak m_T is a plain sum. m_T is linear in the steps, so a linear
layer in front of it is computed once, on the weighted sum of what it takes. Shapes: T steps, N items.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.config import NeuronConfig
from neurogen.full_precision import wide


class Integrator(nn.Module):
    """Membranes m_t of currents (T, N, ...) -> same; leak and gain are those of the spiking neurons beside it."""

    def __init__(self, neurons: NeuronConfig) -> None:
        super().__init__()
        leaky = neurons.kind != "if"
        self.leak = 1 - 1 / neurons.tau if leaky else 1.0
        self.gain = 1 / neurons.tau if leaky and neurons.decay_input else 1.0

    def extra_repr(self) -> str:
        return f"leak={self.leak:g}, gain={self.gain:g}"

    def forward(self, x: Tensor) -> Tensor:
        membranes = [self.gain * x[0]]
        for current in x[1:]:
            membranes.append(self.leak * membranes[-1] + self.gain * current)
        return torch.stack(membranes)

    def weights(self, steps: int) -> list[float]:
        """w_1 to w_T."""
        return [self.gain * self.leak**t for t in range(steps - 1, -1, -1)]

    def last(self, x: Tensor) -> Tensor:
        """m_T (N, ...) of currents (T, N, ...); 16 bits are summed in 32."""
        x = wide(x).movedim(2, -1)  # in the order of memory, where channels are innermost
        m = x.new_tensor(self.weights(len(x))) @ x.flatten(1)
        return m.view(x.shape[1:]).movedim(-1, 1)

    def last_of(self, layer: nn.Module, x: Tensor) -> Tensor:
        """m_T of the currents layer(x_t): of a linear layer or convolution, computed once; x: (T, N, ...)."""
        y = layer(self.last(x))
        if layer.bias is None:
            return y
        missing = sum(self.weights(len(x))) - 1  # of the bias, which comes in at every step
        return y + missing * layer.bias.view(-1, *[1] * (y.dim() - 2))
