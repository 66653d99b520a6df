"""One optimiser's step down the gradient of a loss: what every system does with every loss it has."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from neurogen.config import TrainConfig
from neurogen.training.distributed import average_gradients
from neurogen.training.errors import TrainingError
from neurogen.training.optimisers import learning_rate, make_optimiser


class Descent:
    """A module and the optimiser of its parameters, as `config` says."""

    def __init__(self, module: nn.Module, config: TrainConfig) -> None:
        self.module, self.config = module, config
        self.optimiser = make_optimiser(config, module)

    def set_rate(self, step: int) -> None:
        """The learning rate of step `step` (from 0)."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, step)

    def take(self, loss: Tensor) -> None:
        """One step from a scalar loss: gradients, their mean over the processes, clipping, optimiser."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.module)
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
        self.optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return self.optimiser.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self.optimiser.load_state_dict(state)


def finite(loss: Tensor, step: int) -> float:
    """The value of a scalar loss at step `step` (from 0); raises TrainingError where it is not a number."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(f"the loss became {value} at step {step + 1}; lower train.lr or clip with train.clip")
    return value
