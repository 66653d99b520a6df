"""SGAN, SWGAN and SGAD (arXiv 2305.10246) once more, plainly: every layer, norm, read-out and score step by step.

An independent check, written from the equations alone; nothing here is shared with the package. Lists of T tensors
(N, ...), images in [0, 1]. h = v + (x - v) / 2, s = [h > 1], v = h (1 - s) with s detached; arctan surrogate.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Steps = list[Tensor]


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(h)
        return (h > 1).to(h.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        (h,) = ctx.saved_tensors
        return grad / (1 + (math.pi * (h - 1)) ** 2)


def lif(xs: Steps) -> Steps:
    v, spikes = torch.zeros_like(xs[0]), []
    for x in xs:
        h = v + (x - v) / 2
        s = _Spike.apply(h)
        v = h * (1 - s.detach())
        spikes.append(s)
    return spikes


def membranes(xs: Steps) -> Steps:
    """The neuron without a threshold."""
    m, out = torch.zeros_like(xs[0]), []
    for x in xs:
        m = m + (x - m) / 2
        out.append(m)
    return out


def rate(x: Tensor, uniforms: Tensor) -> Steps:
    """Bernoulli of the value at every step; uniforms: (T, *x.shape)."""
    return [(u < x).to(x.dtype) for u in uniforms]


def ttfs(x: Tensor, steps: int) -> Steps:
    """One spike of 1 / (i + 1) at the step i where x T lies in (T - i - 1, T - i]."""
    return [
        torch.where((x * steps > steps - i - 1) & (x * steps <= steps - i), 1 / (i + 1), 0.0).to(x.dtype)
        for i in range(steps)
    ]


class Stepped(nn.Module):
    """Synapses, batch norm of each step for itself, neurons, pooling: each step on its own."""

    def __init__(self, synapses: nn.Module, norm: nn.Module | None = None, pool: int = 1) -> None:
        super().__init__()
        self.synapses, self.norm, self.pool = synapses, norm, pool

    def forward(self, xs: Steps) -> Steps:
        hs = [self.synapses(x) for x in xs]
        spikes = lif([self.norm(h) for h in hs] if self.norm is not None else hs)
        return [F.avg_pool2d(s, self.pool) for s in spikes] if self.pool > 1 else spikes


def up(a: int, b: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(a, b, 4, 2, 1)


class PlainGenerator(nn.Module):
    """`stage`: spikes (SGAN), membrane (SWGAN) or attention (SGAD); `widths`: maps, the start's first."""

    def __init__(
        self,
        channels: int = 1,
        start: int = 7,
        widths: tuple[int, ...] = (128, 64),
        hidden: int = 1024,
        latent: int = 100,
        steps: int = 16,
        stage: str = "spikes",
        scoring: nn.Module | None = None,
        event: bool = False,
    ) -> None:
        super().__init__()
        self.steps, self.stage, self.start, self.top, self.event = steps, stage, start, widths[0], event
        flat = self.top * start**2
        self.first = Stepped(nn.Linear(latent, hidden), nn.BatchNorm1d(hidden))
        self.second = Stepped(nn.Linear(hidden, flat), nn.BatchNorm1d(flat))
        self.maps = nn.ModuleList(Stepped(up(a, b), nn.BatchNorm2d(b)) for a, b in pairwise(widths))
        self.last = up(widths[-1], channels)
        self.scoring = scoring

    def forward(self, z: Tensor) -> tuple[Steps, Tensor]:
        """The frames that a discriminator sees, one a step, and the image; z: (N, latent), shown at every step."""
        return self.run([z] * self.steps)

    def run(self, zs: Steps) -> tuple[Steps, Tensor]:
        hs = [h.view(len(h), self.top, self.start, self.start) for h in self.second(self.first(zs))]
        for layer in self.maps:
            hs = layer(hs)
        ys = [self.last(h) for h in hs]
        if self.stage == "spikes":
            spikes = lif(ys)
            return spikes, torch.stack(spikes).mean(0)
        if self.stage == "membrane":
            image = torch.sigmoid(membranes(ys)[-1] / self.steps)
            return [image] * self.steps, image
        assert self.scoring is not None
        memories = remember([torch.sigmoid(y) for y in ys], self.scoring)
        return (memories if self.event else memories[-1:] * self.steps), memories[-1]


def remember(frames: Steps, scoring: nn.Module) -> Steps:
    """v_1 = x_1; v_t = a_m v_(t-1) + a_x x_t, the two weights being the score's."""
    memory, out = frames[0], [frames[0]]
    for frame in frames[1:]:
        a_m, a_x = scoring(memory, frame)
        shape = (-1, 1, 1, 1)
        memory = a_m.view(shape) * memory + a_x.view(shape) * frame
        out.append(memory)
    return out


class Attention(nn.Module):
    """Query of the memory, keys of memory and frame; `reduced`: width of a shared map before both (RGB), 0 for none."""

    def __init__(self, values: int, width: int = 256, reduced: int = 0) -> None:
        super().__init__()
        self.reduce = nn.Linear(values, reduced) if reduced else None
        self.query, self.key = (nn.Linear(reduced or values, width) for _ in range(2))

    def forward(self, memory: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        m, x = memory.flatten(1), frame.flatten(1)
        if self.reduce is not None:
            m, x = torch.relu(self.reduce(m)), torch.relu(self.reduce(x))
        q, of_memory, of_frame = self.query(m), self.key(m), self.key(x)
        scores = torch.stack([(q * of_memory).sum(1), (q * of_frame).sum(1)], 1) / math.sqrt(q.shape[1])
        a = torch.softmax(scores, 1)
        return a[:, 0], a[:, 1]


class ScoringNet(nn.Module):
    """Memory and frame scored apart by two layers of sigmoids; the weights are their shares."""

    def __init__(self, values: int, width: int = 256) -> None:
        super().__init__()
        self.hidden, self.last = nn.Linear(values, width), nn.Linear(width, 1)

    def forward(self, memory: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        m, x = (torch.sigmoid(self.last(torch.sigmoid(self.hidden(v.flatten(1)))))[:, 0] for v in (memory, frame))
        return m / (m + x), x / (m + x)


class PlainDiscriminator(nn.Module):
    """Convolutions of 5x5, batch norm per step, neurons, average pooling; two linear layers; a membrane. No bound."""

    def __init__(
        self, channels: int = 1, size: int = 28, widths: tuple[int, int] = (32, 64), hidden: int = 1024
    ) -> None:
        super().__init__()
        a, b = widths
        edge = ((size - 4) // 2 - 4) // 2
        self.convs = nn.ModuleList(
            Stepped(nn.Conv2d(m, n, 5), nn.BatchNorm2d(n), pool=2) for m, n in ((channels, a), (a, b))
        )
        self.hidden = Stepped(nn.Linear(b * edge**2, hidden))
        self.last = nn.Linear(hidden, 1)

    def forward(self, xs: Steps) -> Tensor:
        """Scores (N,) of T frames."""
        for layer in self.convs:
            xs = layer(xs)
        hs = self.hidden([x.flatten(1) for x in xs])
        return membranes([self.last(h)[:, 0] for h in hs])[-1] / len(hs)


class PlainLinearDiscriminator(nn.Module):
    """SGAN's: probabilities (N,) that frames are real."""

    def __init__(self, values: int = 784, hidden: int = 400) -> None:
        super().__init__()
        self.hidden = Stepped(nn.Linear(values, hidden))
        self.last = nn.Linear(hidden, 1)

    def forward(self, xs: Steps) -> Tensor:
        hs = self.hidden([x.flatten(1) for x in xs])
        return torch.sigmoid(membranes([self.last(h)[:, 0] for h in hs])[-1] / len(hs))


def bce(real: Tensor, fake: Tensor) -> Tensor:
    """SGAN's discriminator: summed, halved."""
    return -(torch.log(real).sum() + torch.log(1 - fake).sum()) / 2


def bce_generator(fake: Tensor) -> Tensor:
    return -torch.log(fake).sum()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """The release's sign: the discriminator makes real scores small."""
    return real.mean() - fake.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    return fake.mean()
