"""One optimiser's step down the gradient of a loss: what every system does with every loss it has.

A batch may come in parts: `accumulate` each part's loss, then `step` once.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from neurogen.config import TrainConfig
from neurogen.training.distributed import average_gradients
from neurogen.training.errors import TrainingError
from neurogen.training.optimisers import learning_rate, make_optimiser
from neurogen.training.precision import SMALLEST_SCALE, loss_scaler


class Descent:
    """A module and the optimiser of its parameters, as `config` says.

    moved: whether the last step changed the weights; one whose fp16 gradients overflowed does not.
    """

    def __init__(self, module: nn.Module, config: TrainConfig) -> None:
        self.module, self.config = module, config
        self.optimiser = make_optimiser(config, module)
        self.scaler = loss_scaler(config.precision, module)
        self.moved, self._begun = False, False
        self.optimiser.register_step_post_hook(self._note)

    def set_rate(self, step: int) -> None:
        """The learning rate of step `step` (from 0)."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, step) * group.get("share", 1.0)

    def take(self, loss: Tensor) -> None:
        """One step from a scalar loss."""
        self.accumulate(loss)
        self.step()

    def accumulate(self, loss: Tensor) -> None:
        """Add the gradients of a scalar loss to those of this step; the caller weighs parts of a batch."""
        if not self._begun:
            self.optimiser.zero_grad(set_to_none=True)
            self._begun = True
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def step(self) -> None:
        """From the gradients so far: their mean over the processes, clipping, optimiser.

        Raises TrainingError where gradients overflow at every scale of the loss.
        """
        self.moved, self._begun = False, False
        average_gradients(self.module)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimiser)
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
        if self.scaler is None:
            self.optimiser.step()
            return
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if not self.moved and self.scaler.get_scale() < SMALLEST_SCALE:
            raise TrainingError(
                "expected gradients that fp16 can hold, they overflow even unscaled; take train.precision=bf16, lower "
                "train.lr or clip with train.clip"
            )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        state = self.optimiser.state_dict()
        return state if self.scaler is None else {**state, "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; raises KeyError where it is of another precision."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.optimiser.load_state_dict({key: value for key, value in state.items() if key != "scaler"})

    def _note(self, *_: Any) -> None:
        self.moved = True


def finite(loss: Tensor, step: int, asked: bool = True) -> dict[str, float]:
    """{"total": value} of a scalar loss at step `step` (from 0); raises TrainingError where it is not a number.

    A GPU runs ahead of us only while nobody asks it for a number: there it is empty unless `asked`.
    """
    if loss.is_cuda and not asked:
        return {}
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(f"the loss became {value} at step {step + 1}; lower train.lr or clip with train.clip")
    return {"total": value}
