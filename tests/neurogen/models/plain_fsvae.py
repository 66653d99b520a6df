"""FSVAE (Kamata et al., AAAI 2022) once more, plainly: every layer step by step, the latent by growing windows.

An independent check, written from the equations alone; nothing here is shared with the package. Lists of T tensors
(N, ...). u = u / 4 (1 - o) + x, o = [u > 0.2], no part of it detached; tdBN over the window; z_t is one of the k
neurons of a group, at a given index; the posterior is run from scratch on the steps 1..t for every t.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

THRESHOLD, DECAY, READOUT_DECAY, SYNAPSE = 0.2, 0.25, 0.8, 2.0
Steps = list[Tensor]


class _Spike(torch.autograd.Function):
    """Box of width and height 1 around `centre`."""

    @staticmethod
    def forward(ctx, u: Tensor, centre: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(u)
        ctx.centre = centre
        return (u > THRESHOLD).to(u.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (u,) = ctx.saved_tensors
        return grad * ((u - ctx.centre).abs() < 0.5).to(grad.dtype), None


def lif(xs: Steps, centre: float) -> Steps:
    u = o = torch.zeros_like(xs[0])
    spikes = []
    for x in xs:
        u = DECAY * u * (1 - o) + x
        o = _Spike.apply(u, centre)
        spikes.append(o)
    return spikes


class Normed(nn.Module):
    """Synapses with a bias, tdBN over (batch, time, space), neurons."""

    def __init__(self, synapses: nn.Module, channels: int, alpha: float, centre: float) -> None:
        super().__init__()
        self.synapses, self.alpha, self.centre = synapses, alpha, centre
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, xs: Steps) -> Steps:
        return lif(self.norm([self.synapses(x) for x in xs]), self.centre)

    def norm(self, xs: Steps) -> Steps:
        shape = (-1, *[1] * (xs[0].dim() - 2))
        mean, var = self.mean, self.var
        if self.training:
            together = torch.stack(xs)
            over = [d for d in range(together.dim()) if d != 2]
            var, mean = torch.var_mean(together, over, correction=0)
            count = together.numel() // len(mean)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.1)
                self.var.lerp_(var * count / (count - 1), 0.1)
        scale = self.alpha * THRESHOLD / torch.sqrt(var + 1e-5)
        gain = (scale * self.weight).view(shape)
        return [(x - mean.view(shape)) * gain + self.bias.view(shape) for x in xs]


def through(layers: nn.ModuleList, xs: Steps) -> Steps:
    for layer in layers:
        xs = layer(xs)
    return xs


class PlainFSVAE(nn.Module):
    def __init__(
        self,
        channels: int = 1,
        size: int = 32,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        latent: int = 128,
        hidden: tuple[int, ...] = (256, 512),
        choices: int = 20,
        steps: int = 16,
        centre: float = 0.0,
    ) -> None:
        super().__init__()
        self.steps, self.latent, self.choices = steps, latent, choices
        self.edge, self.top = size >> len(widths), widths[-1]
        flat = self.top * self.edge**2
        self.encoder = nn.ModuleList(
            Normed(nn.Conv2d(a, b, 3, 2, 1), b, 1.0, centre)
            for a, b in zip((channels, *widths[:-1]), widths, strict=True)
        )
        self.bottleneck = Normed(nn.Linear(flat, latent), latent, 1.0, centre)
        inner = (*hidden, latent * choices)
        self.posterior, self.prior = (
            nn.ModuleList(Normed(nn.Linear(a, b), b, 2.0, centre) for a, b in zip((start, *hidden), inner, strict=True))
            for start in (2 * latent, latent)
        )
        self.lift = Normed(nn.Linear(latent, flat), flat, 1.0, centre)
        down = widths[::-1]
        self.decoder = nn.ModuleList(
            Normed(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), b, 1.0, centre)
            for a, b in zip(down, (*down[1:], down[-1]), strict=True)
        )
        self.output = nn.ConvTranspose2d(down[-1], channels, 3, 1, 1)

    def encode(self, x: Tensor) -> Steps:
        """(N, C, H, W), the same at every step -> spikes (N, latent)."""
        return self.bottleneck([h.flatten(1) for h in through(self.encoder, [x] * self.steps)])

    def decode(self, zs: Steps) -> Tensor:
        hs = [h.view(len(h), self.top, self.edge, self.edge) for h in self.lift(zs)]
        u = torch.zeros(())
        for h in through(self.decoder, hs):
            u = READOUT_DECAY * u + self.output(h)
        return torch.tanh(u)

    def groups(self, out: Tensor) -> Tensor:
        return out.view(len(out), self.latent, self.choices)

    def chosen(self, out: Tensor, index: Tensor) -> Tensor:
        """One entry of each group; index: (N, latent)."""
        return self.groups(out).gather(2, index[..., None])[..., 0]

    def posterior_inputs(self, drive: Steps, indices: Tensor) -> Steps:
        """z_0 = 0, z_1, ..., z_(T-1), each from the whole window before it; indices: (T, N, latent)."""
        zs = [torch.zeros_like(drive[0])]
        with torch.no_grad():
            for t in range(self.steps - 1):
                window = [torch.cat(pair, 1) for pair in zip(drive[: t + 1], zs, strict=True)]
                zs.append(self.chosen(through(self.posterior, window)[-1], indices[t]))
        return zs

    def posterior_pass(self, drive: Steps, inputs: Steps, indices: Tensor) -> tuple[Steps, Steps]:
        """Latents and neurons (N, latent * k) of all T steps, given what is fed back."""
        out = through(self.posterior, [torch.cat(pair, 1) for pair in zip(drive, inputs, strict=True)])
        return [self.chosen(o, i) for o, i in zip(out, indices, strict=True)], out

    def prior_inputs(self, zs: Steps, replaced: tuple[int, ...] = (), noise: Tensor | None = None) -> Steps:
        """z_0 = 0, z_1, ..., z_(T-1); at steps in `replaced` (from 0) the prior's own guess. noise: (T, N, latent)."""
        inputs = [torch.zeros_like(zs[0])]
        with torch.no_grad():
            for t in range(self.steps - 1):
                if t in replaced:
                    mean = self.groups(through(self.prior, inputs)[-1]).mean(2)
                    inputs.append((mean + (0 if noise is None else noise[t]) > 0.5).to(mean.dtype))
                else:
                    inputs.append(zs[t].detach())
        return inputs

    def forward(
        self, x: Tensor, indices: Tensor, replaced: tuple[int, ...] = (), distance: str = "psp_mmd"
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As released: image, squared error, distance of posterior and prior. indices: (T, N, latent) int64."""
        drive = self.encode(x)
        zs, out = self.posterior_pass(drive, self.posterior_inputs(drive, indices), indices)
        guesses = 1e-3 * torch.randn(indices.shape, dtype=x.dtype)
        p = through(self.prior, self.prior_inputs(zs, replaced, guesses))
        image = self.decode(zs)
        return image, F.mse_loss(image, x), self.distance(out, p, distance)

    def distance(self, q: Steps, p: Steps, name: str) -> Tensor:
        """Of neurons (N, latent * k) of posterior and prior."""
        return DISTANCES[name]([self.groups(o).mean(2) for o in q], [self.groups(o).mean(2) for o in p])

    @torch.no_grad()
    def sample(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (T, N, latent) and images from the prior, a growing window again."""
        zs = [torch.zeros(indices.shape[1:], dtype=self.lift.weight.dtype)]
        for index in indices:
            zs.append(self.chosen(through(self.prior, zs)[-1], index))
        return torch.stack(zs[1:]), self.decode(zs[1:])


def psp(xs: Steps) -> Steps:
    """Postsynaptic potentials."""
    trace, out = torch.zeros_like(xs[0]), []
    for x in xs:
        trace = trace + (x - trace) / SYNAPSE
        out.append(trace)
    return out


def psp_mmd(q: Steps, p: Steps) -> Tensor:
    return mmd(psp(q), psp(p))


def mmd(q: Steps, p: Steps) -> Tensor:
    return sum((a - b).square().mean() for a, b in zip(q, p, strict=True)) / len(q)  # type: ignore[return-value]


def kld(q: Steps, p: Steps) -> Tensor:
    total = torch.zeros((), dtype=q[0].dtype)
    for a, b in zip(q, p, strict=True):
        on = a * torch.log((a + 0.01) / (b + 0.01))
        off = (1 - a) * torch.log((1 - a + 0.01) / (1 - b + 0.01))
        total = total + (on + off).sum(1).mean()
    return 1e-4 * total


DISTANCES = {"psp_mmd": psp_mmd, "mmd": mmd, "kld": kld}
