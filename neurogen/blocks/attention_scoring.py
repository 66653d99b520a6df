"""Frames of T steps to one: a memory that each new frame is blended into (SGAD, arXiv 2305.10246).

    v_1 = x_1,   v_t = (1 - a_t) v_(t-1) + a_t x_t

    grey, rgb   a_t = softmax(<q, K v_(t-1)> / sqrt(d), <q, K x_t> / sqrt(d)) of x_t,   q = Q v_(t-1)
    mlp         a_t = s(x_t) / (s(v_(t-1)) + s(x_t)),   s = sigmoid(w . sigmoid(W x + b) + c)
    weights     a_t such that v_T = sum_t softmax(w)_t x_t, w learned

rgb passes memory and frame through one ReLU layer before Q and K. The first map of each is affine and 1 - a_t and a_t
sum to 1, so it commutes with blending: all frames pass it at once, the recurrence runs on what it gives, and frames are
blended once, at the end. Shapes: T steps, N items, F features.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Scoring(nn.Module):
    """Frames (T, N, C, H, W) -> memory v_T (N, C, H, W)."""

    project: nn.Module
    """The first, affine map, of flat frames (T, N, C H W) -> (T, N, F)."""

    def share(self, memory: Tensor, frame: Tensor) -> Tensor:
        """a_t (N,) of features (N, F)."""
        raise NotImplementedError

    def shares(self, frames: Tensor) -> list[Tensor]:
        """a_2 to a_T, each (N,)."""
        features = self.project(frames.flatten(2))
        memory, shares = features[0], []
        for frame in features[1:]:
            shares.append(self.share(memory, frame))
            memory = torch.lerp(memory, frame, shares[-1][:, None])
        return shares

    def forward(self, frames: Tensor) -> Tensor:
        return torch.einsum("tn,tnchw->nchw", self.coefficients(frames)[-1], frames)

    def memories(self, frames: Tensor) -> Tensor:
        """v_1 to v_T, (T, N, C, H, W)."""
        steps = [nn.functional.pad(c, (0, 0, 0, len(frames) - len(c))) for c in self.coefficients(frames)]
        return torch.einsum("stn,tnchw->snchw", torch.stack(steps), frames)

    def coefficients(self, frames: Tensor) -> list[Tensor]:
        """How much of each frame is in v_1 to v_T: (1, N) to (T, N), each summing to 1."""
        now = frames.new_ones(1, frames.shape[1])
        steps = [now]
        for share in self.shares(frames):
            now = torch.cat(((1 - share) * now, share[None]))
            steps.append(now)
        return steps


class AttentionScoring(Scoring):
    """Kinds grey and rgb: rows of Q, then of K; values: C H W of a frame; reduced: width of the shared layer, or 0."""

    def __init__(self, values: int, width: int, reduced: int = 0) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(values, reduced or 2 * width)
        self.attend = nn.Sequential(nn.ReLU(), nn.Linear(reduced, 2 * width)) if reduced else nn.Identity()

    def share(self, memory: Tensor, frame: Tensor) -> Tensor:
        query, of_memory = self.attend(memory).split(self.width, -1)
        of_frame = self.attend(frame)[:, self.width :]
        return torch.sigmoid((query * (of_frame - of_memory)).sum(-1) / math.sqrt(self.width))


class ScoringNet(Scoring):
    """Kind mlp."""

    def __init__(self, values: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(values, width)
        self.last = nn.Linear(width, 1)

    def share(self, memory: Tensor, frame: Tensor) -> Tensor:
        scores = torch.sigmoid(self.last(torch.sigmoid(torch.stack((memory, frame)))))[..., 0]
        return scores[1] / scores.sum(0)


class StepWeights(Scoring):
    """Kind weights: learned weights of the steps, equal at first."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(steps))

    def shares(self, frames: Tensor) -> list[Tensor]:
        shares = (self.weight - torch.logcumsumexp(self.weight, 0)).exp()
        return [share.expand(frames.shape[1]) for share in shares[1:]]


def make_scoring(kind: str, values: int, width: int, steps: int) -> Scoring:
    """A fresh scoring of that kind for frames of so many values."""
    if kind == "weights":
        return StepWeights(steps)
    if kind == "mlp":
        return ScoringNet(values, width)
    return AttentionScoring(values, width, 4 * width if kind == "rgb" else 0)
