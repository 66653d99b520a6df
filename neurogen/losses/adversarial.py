"""PatchGAN discriminator, hinge losses and the adaptive weight of VQGAN (Esser et al. 2021), as in arXiv 2405.14474.

Published, the discriminator soon tells real from reconstructed with logits that grow, and the adaptive weight falls to
nothing. Against that: spectral norm (Miyato et al. 2018) bounds its slope, R1 (Mescheder et al. 2018) costs it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from neurogen.processes import averaged

Norm = Literal["batch", "group", "spectral"]


class PatchDiscriminator(nn.Module):
    """4x4 convolutions with stride 2 (`layers` of them), then two with stride 1: (N, C, H, W) to a map of logits.

    No bias before a norm; leaky ReLU of slope 0.2; weights N(0, 0.02), those of norms N(1, 0.02). norm=spectral divides
    every convolution by its largest singular value instead of normalising what leaves it.
    """

    def __init__(self, channels: int, width: int = 64, layers: int = 3, norm: Norm = "batch") -> None:
        super().__init__()
        self.layers = layers
        parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        now = width
        for i in range(1, layers + 1):
            after, stride = width * min(2**i, 8), 2 if i < layers else 1
            parts += [
                nn.Conv2d(now, after, 4, stride, 1, bias=norm == "spectral"),
                *_normalisation(norm, after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            now = after
        self.body = nn.Sequential(*parts, nn.Conv2d(now, 1, 4, 1, 1))
        self.apply(_published_init)
        if norm == "spectral":
            for layer in self.body:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 1, h, w); raises ValueError for images too small to leave any."""
        smallest = 2 ** (self.layers + 2) - 2**self.layers  # one logit is left from here on
        if min(x.shape[-2:]) < smallest:
            raise ValueError(
                f"expected images of at least {smallest} pixels for {self.layers} discriminator layers, got "
                f"{tuple(x.shape[-2:])}; set losses.discriminator_layers lower or losses.adversarial=false"
            )
        return self.body(x)


def _normalisation(norm: Norm, channels: int) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.GroupNorm(32 if channels % 32 == 0 else 1, channels)] if norm == "group" else []


def _published_init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Discriminator: half of mean relu(1 - real) + mean relu(1 + fake)."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def squared_slope(logits: Tensor, images: Tensor) -> Tensor:
    """R1: mean over images of |d sum of an image's logits / d image|^2, which can be differentiated.

    logits: (N, ...) of a discriminator that judges each image by itself; images: (N, C, H, W), or frames
    (T, N, C, H, W), which require gradients.
    """
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.square().sum() / len(logits)


def adaptive_weight(nll: Tensor, generator_loss: Tensor, last_layer: Tensor, factor: float) -> Tensor:
    """factor * clamp(|d nll / d W| / (|d generator / d W| + 1e-4), 0, 1e4), detached; W the decoder's last weight.

    Both gradients are those of the whole batch, over all processes.
    """
    (of_nll,) = torch.autograd.grad(nll, last_layer, retain_graph=True)
    (of_generator,) = torch.autograd.grad(generator_loss, last_layer, retain_graph=True)
    of_nll, of_generator = averaged(torch.stack((of_nll, of_generator)))
    ratio = of_nll.norm() / (of_generator.norm() + 1e-4)
    return factor * ratio.clamp(0, 1e4).detach()
