"""An exponential average of a module's weights, used in its place for validation and in the model folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """average <- decay average + (1 - decay) weights, over floating parameters and buffers; decay 0 is off."""

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
        for name, tensor in self.module.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - self.decay)
            else:
                self.state[name].copy_(tensor)

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
