"""The constants of a layer of integrate-and-fire neurons, and its equations one plain step after the other.

    h[t] = v[t-1] + (x[t] - (v[t-1] - r)) / tau   (decay_input)   or   v[t-1] - (v[t-1] - r) / tau + x[t]
    s[t] = h[t] >= threshold
    v[t] = r where s[t] else h[t]  (hard)         or   h[t] - drop s[t]  (soft, r = 0; drop is the threshold)

Without leak h[t] = v[t-1] + x[t]. The plain steps can be differentiated any number of times; the fused ones
(`cpu.py`) must agree with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Constants of a layer. `tau` in time steps, None without leak; `reset` None is a soft reset."""

    tau: float | None
    decay_input: bool
    threshold: float
    reset: float | None
    detach_reset: bool
    surrogate: Callable[[Tensor], Tensor]
    learned: Tensor | None = None
    """Parameter w with 1 / tau = sigmoid(w), in place of `tau`."""
    reset_by: float | None = None
    """What a soft reset subtracts, where that is not the threshold."""

    @property
    def rest(self) -> float:
        """Where the membrane starts and decays to."""
        return 0.0 if self.reset is None else self.reset

    @property
    def drop(self) -> float:
        """What a soft reset subtracts."""
        return self.threshold if self.reset_by is None else self.reset_by

    @property
    def leak(self) -> float:
        """dh[t] / dv[t-1]."""
        return 1.0 if self.tau is None else 1.0 - 1.0 / self.tau

    @property
    def gain(self) -> float:
        """dh[t] / dx[t]."""
        return 1.0 / self.tau if self.tau is not None and self.decay_input else 1.0

    @property
    def share(self) -> Tensor | None:
        """1 / tau where it is learned."""
        return None if self.learned is None else self.learned.sigmoid()


def charged(v: Tensor, current: Tensor, d: Dynamics, share: Tensor | None) -> Tensor:
    """h[t], the membrane that meets the threshold, of v[t-1] and x[t]; share: `Dynamics.share`."""
    if share is None and d.tau is None:
        return v + current
    if d.decay_input:
        inflow = current - (v - d.rest)
        return v + (inflow / d.tau if share is None else inflow * share)
    away = v - d.rest
    return v - (away / d.tau if share is None else away * share) + current


def step_by_step(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) and last membrane (N, ...) of x (T, N, ...) from v (N, ...); None starts at rest."""
    v = torch.full_like(x[0], d.rest) if v is None else v
    spikes, share = [], d.share
    for current in x.unbind():
        h = charged(v, current, d, share)
        s = d.surrogate(h - d.threshold)
        spikes.append(s)
        r = s.detach() if d.detach_reset else s
        v = h - r * d.drop if d.reset is None else (1.0 - r) * h + r * d.reset
    return torch.stack(spikes), v


def backward_step_by_step(
    below: Tensor, grad_s: Tensor | None, grad_v: Tensor | None, grad_below: Tensor | None, d: Dynamics
) -> tuple[Tensor, Tensor]:
    """Gradients of x (T, N, ...) and of the first membrane (N, ...), themselves differentiable.

    below: (T, N, ...) threshold - h. The other three are the gradients of spikes, last membrane and `below`.
    """
    with torch.enable_grad():
        u = -below if below.requires_grad else (-below).requires_grad_()
        s = d.surrogate(u)
        (slope,) = torch.autograd.grad(s, u, torch.ones_like(s), create_graph=True)
    if d.detach_reset:
        s = s.detach()
    carry = torch.zeros_like(below[0]) if grad_v is None else grad_v
    steps = []
    for t in reversed(range(len(below))):
        if d.reset is None:
            through = carry if d.detach_reset else carry - carry * d.drop * slope[t]
        else:
            through = carry * (1.0 - s[t])
            if not d.detach_reset:  # reset - h = below + (reset - threshold)
                through = through + carry * (below[t] + (d.reset - d.threshold)) * slope[t]
        grad_h = through if grad_s is None else through + grad_s[t] * slope[t]
        grad_h = grad_h if grad_below is None else grad_h - grad_below[t]
        steps.append(grad_h * d.gain)
        carry = grad_h * d.leak
    return torch.stack(steps[::-1]), carry
