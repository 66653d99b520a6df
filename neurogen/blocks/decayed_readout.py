"""The Fully Spiking VAE's last convolution and its read-out: neurons that add up and never fire.

    u_t = 0.8 u_(t-1) + y_t,   y_t = W s_t + b,   image = tanh(u_T) = tanh(W sum_t 0.8^(T-t) s_t + b sum_t 0.8^(T-t))

The convolution is linear, so an image takes it once, on the decayed sum of spikes. Of recordings frame t is u_t.
Shapes: T steps, N items, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.blocks.fold import fold
from neurogen.coding import DECAY
from neurogen.full_precision import full_precision, wide


class DecayedReadOut(nn.Module):
    """Spikes (T, N, C, H, W) -> images (N, out, H, W) in [-1, 1], or where `event` recordings (N, T, out, H, W)."""

    def __init__(self, channels: int, out: int, event: bool) -> None:
        super().__init__()
        self.event = event
        self.conv = nn.ConvTranspose2d(channels, out, 3, 1, 1)

    def forward(self, spikes: Tensor) -> Tensor:
        with full_precision(spikes):
            if self.event:
                return torch.stack(running_sums(fold(self.conv, wide(spikes))), 1)
            return self.image(decayed_sum(spikes), len(spikes))

    def image(self, total: Tensor, steps: int) -> Tensor:
        """The image (N, out, H, W) of a decayed sum (N, C, H, W) over so many steps."""
        assert self.conv.bias is not None
        shares = (1 - DECAY**steps) / (1 - DECAY)  # sum of 0.8^(T-t)
        bias = self.conv.bias * shares
        return torch.tanh(nn.functional.conv_transpose2d(total, self.conv.weight, bias, padding=1))


def running_sums(y: Tensor, decay: float = DECAY) -> list[Tensor]:
    """u_t = decay u_(t-1) + y_t of the y_t, (T, N, ...)."""
    sums = [y[0]]
    for frame in y[1:]:
        sums.append(decay * sums[-1] + frame)
    return sums


def decayed_sum(spikes: Tensor, decay: float = DECAY) -> Tensor:
    """sum_t decay^(T-t) s_t: (T, N, C, H, W) -> (N, C, H, W), in the order of memory."""
    x = spikes.movedim(2, -1)  # channels are innermost, or no harm is done
    weights = decay ** torch.arange(len(x) - 1, -1, -1, dtype=torch.float64)
    rows = wide(x).flatten(1)
    return (weights.to(rows) @ rows).view(x.shape[1:]).movedim(-1, 1)
