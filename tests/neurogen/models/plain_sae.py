"""The spiking autoencoder of snnTorch's tutorial (A. Loeffler) once more, plainly: every layer step by step.

An independent check, written from the equations alone; nothing here is shared with the package. Lists of T tensors
(N, ...), images in [0, 1]. u_t = u_(t-1) / 2 + x_t - theta [u_(t-1) > theta], the reset a step late and detached;
s = [u > theta], strictly: one spike alone does not reach a threshold of one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BETA, NEVER = 0.5, 20000.0
Steps = list[Tensor]


class _Spike(torch.autograd.Function):
    """`slope` 0 for the arctangent of alpha 2, else of a fast sigmoid."""

    @staticmethod
    def forward(ctx, above: Tensor, slope: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(above)
        ctx.slope = slope
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (above,) = ctx.saved_tensors
        if ctx.slope:
            return grad / (ctx.slope * above.abs() + 1) ** 2, None
        return grad / (1 + (math.pi * above) ** 2), None


def leaky(xs: Steps, theta: float = 1.0, slope: float = 0.0) -> tuple[Steps, Steps]:
    """Spikes and membranes."""
    u = torch.zeros_like(xs[0])
    spikes, potentials = [], []
    for x in xs:
        late = (u > theta).to(u.dtype).detach()
        u = BETA * u + x - theta * late
        spikes.append(_Spike.apply(u - theta, slope))
        potentials.append(u)
    return spikes, potentials


class PlainSAE(nn.Module):
    def __init__(
        self,
        channels: int = 1,
        size: int = 32,
        widths: tuple[int, ...] = (32, 64, 128),
        latent: int = 32,
        steps: int = 5,
        slope: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps, self.slope = steps, slope
        self.top, self.edge = widths[-1], size >> len(widths)
        flat = self.top * self.edge**2
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in zip((channels, *widths[:-1]), widths, strict=True)
        )
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(b) for b in widths)
        self.bottleneck, self.lift = nn.Linear(flat, latent), nn.Linear(latent, flat)
        back = (*widths[::-1], channels)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1) for a, b in pairwise(back))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(b) for b in back[1:-1])

    def spikes(self, xs: Steps) -> Steps:
        return leaky(xs, slope=self.slope)[0]

    def encode(self, x: Tensor) -> Steps:
        """(N, C, H, W) -> spikes (N, latent)."""
        hs = [x] * self.steps
        for conv, norm in zip(self.down, self.down_norms, strict=True):
            hs = self.spikes([norm(conv(h)) for h in hs])
        return self.spikes([self.bottleneck(h.flatten(1)) for h in hs])

    def decode(self, zs: Steps) -> Steps:
        """Membranes (N, C, H, W) of the last neurons at every step; the last of them is the image."""
        hs = self.spikes([self.lift(z) for z in zs])
        hs = self.spikes([h.view(len(h), self.top, self.edge, self.edge) for h in hs])
        for conv, norm in zip(self.up, self.up_norms, strict=False):
            hs = self.spikes([norm(conv(h)) for h in hs])
        return leaky([self.up[-1](h) for h in hs], theta=NEVER, slope=self.slope)[1]

    def forward(self, x: Tensor) -> Steps:
        return self.decode(self.encode(x))

    def loss(self, x: Tensor, over: str = "last") -> Tensor:
        """Squared error of the last step, or the mean of all steps'."""
        errors = [F.mse_loss(membrane, x) for membrane in self(x)]
        return errors[-1] if over == "last" else torch.stack(errors).mean()
