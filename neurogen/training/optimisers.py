"""Optimisers and learning rates from a configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from neurogen.config import TrainConfig
from neurogen.training.errors import TrainingError

FINAL_SHARE = 0.02  # of lr, at the end of the cosine
DECAYED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
MUON_SHARE = 3.0  # of lr, for Muon's matrices: orthogonal updates bear longer steps than AdamW's


class Together:
    """Optimisers of different parameters as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """All groups; a change of one is a change of the part's."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        """A step of each."""
        for part in self.parts:
            part.step()

    def register_step_post_hook(self, hook: Callable[..., None]) -> None:
        """Call hook after each step of all."""
        self.parts[-1].register_step_post_hook(hook)

    def state_dict(self) -> dict[str, Any]:
        """The parts' states, in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; raises KeyError for one of a single optimiser."""
        for part, own in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(own)


def make_optimiser(config: TrainConfig, module: nn.Module) -> torch.optim.Optimizer | Together:
    """Adam; RMSprop with torch's constants; AdamW that decays the weights of linear layers and convolutions only; muon.

    muon: matrices of linear layers, but the one that reads out, are moved by Muon (Jordan et al. 2024), with updates
    scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982) and MUON_SHARE times lr; all else by AdamW.
    """
    if config.optimiser == "adam":
        return torch.optim.Adam(_by_share([{"params": list(module.parameters())}]), config.lr, betas=config.betas)
    if config.optimiser == "rmsprop":
        groups = _by_share([{"params": list(module.parameters())}])
        return torch.optim.RMSprop(groups, config.lr, alpha=0.99, eps=1e-8)
    matrices = _matrices(module) if config.optimiser == "muon" else []
    taken = {id(matrix) for matrix in matrices}
    decayed = {id(layer.weight) for layer in module.modules() if isinstance(layer, DECAYED)}
    rest = [p for p in module.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if id(p) in decayed], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if id(p) not in decayed], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(_by_share(groups), config.lr, betas=config.betas)
    if not matrices:
        return adamw
    group = {"params": matrices, "share": MUON_SHARE}
    muon = torch.optim.Muon([group], config.lr, config.weight_decay, adjust_lr_fn="match_rms_adamw")
    return Together(muon, adamw)


def _by_share(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups whose parameters all learn at one share of lr: their attribute `rate_share`, where they have it."""
    split: list[dict[str, Any]] = []
    for group in groups:
        shares = [getattr(p, "rate_share", 1.0) for p in group["params"]]
        for share in dict.fromkeys(shares):
            chosen = [p for p, own in zip(group["params"], shares, strict=True) if own == share]
            split.append({**group, "params": chosen, "share": share})
    return split


def _matrices(module: nn.Module) -> list[nn.Parameter]:
    """What Muon moves. Raises TrainingError where there is nothing for it, or torch has no Muon."""
    if not hasattr(torch.optim, "Muon"):
        raise TrainingError(
            f"expected torch 2.9 or newer for train.optimiser=muon, got {torch.__version__}; update it, or take adamw"
        )
    found = [p.weight for name, p in module.named_modules() if isinstance(p, nn.Linear) and name != "head"]
    if not found:
        raise TrainingError("expected linear layers for train.optimiser=muon, this network has none; take adamw")
    return found


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of step `step` (from 0): linear warm-up, then constant or cosine to 2 %."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.lr * warm
    progress = min(1.0, step / max(config.steps, 1))
    return config.lr * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress)))
