"""Optimisers and learning rates from a configuration."""

from __future__ import annotations

import math

import torch
from torch import nn

from neurogen.config import TrainConfig

FINAL_SHARE = 0.02  # of lr, at the end of the cosine
DECAYED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def make_optimiser(config: TrainConfig, module: nn.Module) -> torch.optim.Optimizer:
    """Adam, or AdamW that decays the weights of linear layers and convolutions only."""
    if config.optimiser == "adam":
        return torch.optim.Adam(module.parameters(), config.lr, betas=config.betas)
    decayed = {id(layer.weight) for layer in module.modules() if isinstance(layer, DECAYED)}
    groups = [
        {"params": [p for p in module.parameters() if id(p) in decayed], "weight_decay": config.weight_decay},
        {"params": [p for p in module.parameters() if id(p) not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], config.lr, betas=config.betas)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of step `step` (from 0): linear warm-up, then constant or cosine to 2 %."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "constant":
        return config.lr * warm
    progress = min(1.0, step / max(config.steps, 1))
    return config.lr * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress)))
