"""An exponential average of a module's weights, used in its place for validation and in the model folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """average <- decay average + (1 - decay) weights, over floating parameters and buffers; decay 0 is off.

    A buffer that comes, goes or changes its size (what a codebook gathers before its start) is taken as it is.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        self.state: dict[str, Tensor] = {}
        if decay:
            self.state = {name: t.detach().clone() for name, t in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of this step in."""
        if not self.decay:
            return
        state = self.module.state_dict()
        for name, tensor in state.items():
            if name not in self.state or self.state[name].shape != tensor.shape or not tensor.is_floating_point():
                self.state[name] = tensor.detach().clone()
            else:
                self.state[name].lerp_(tensor, 1 - self.decay)
        self.state = {name: self.state[name] for name in state}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averaged weights are the module's while the block runs."""
        if not self.decay:
            yield
            return
        own = {name: t.detach().clone() for name, t in self.module.state_dict().items()}
        self.module.load_state_dict(self.state)
        try:
            yield
        finally:
            self.module.load_state_dict(own)
