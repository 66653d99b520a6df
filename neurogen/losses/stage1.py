"""The first stage's objective.

    nll   = reconstruction + perceptual weight * LPIPS
    total = nll + quantiser loss + lambda * generator loss        lambda: adaptive weight, once the discriminator runs
    disc  = hinge(D(x), D(x^)) + r1 / 2 mean |dD/dx|^2             the last, if wanted, every few batches

Recordings are judged frame by frame with T folded into the batch, images once. The discriminator's start counts
batches; before it nothing of it is computed. Source: arXiv 2405.14474 and its release.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.config import LossConfig
from neurogen.losses.adversarial import PatchDiscriminator, adaptive_weight, hinge_loss, squared_slope
from neurogen.losses.perceptual import LPIPS
from neurogen.losses.reconstruction import normalised_loss

Parts = dict[str, Tensor]


class StageOneObjective(nn.Module):
    """Owns the discriminator (None without adversarial loss) and LPIPS (None when off).

    Raises ValueError for LPIPS without its weights, or of anything but grey or RGB images.
    """

    def __init__(self, config: LossConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        if config.perceptual == "lpips" and channels not in (1, 3):
            raise ValueError(f"expected images of 1 or 3 channels for LPIPS, got {channels}; set losses.perceptual=off")
        self.perceptual = LPIPS(config.vgg_path, config.lpips_path) if config.perceptual == "lpips" else None
        self.discriminator = None
        if config.adversarial:
            self.discriminator = PatchDiscriminator(
                channels, config.discriminator_width, config.discriminator_layers, config.discriminator_norm
            )

    def adversarial_runs(self, batch: int) -> bool:
        """Whether the discriminator takes part in batch number `batch` (from 0)."""
        return self.discriminator is not None and batch >= self.config.adversarial_start

    def autoencoder_loss(
        self,
        x: Tensor,
        values: Tensor,
        quantiser_loss: Tensor,
        last_layer: Tensor,
        batch: int,
        whole: Tensor | None = None,
    ) -> tuple[Tensor, Parts]:
        """Loss of encoder, codebook and decoder; x, values: (N, C, H, W) or (N, T, 2, H, W).

        whole: this process's share of the batch where x is a part of it.
        """
        config = self.config
        nll = normalised_loss(config.reconstruction, x, values, config.normalise, whole)
        if self.perceptual is not None:
            nll = nll + config.perceptual_weight * self.perceptual(_images(x), _images(values)).mean()
        total = nll + quantiser_loss
        parts = {"nll": nll, "quant": quantiser_loss}
        if self.adversarial_runs(batch):
            assert self.discriminator is not None
            self.discriminator.requires_grad_(False)  # its gradients are its own step's business
            generator_loss = -self.discriminator(_images(values)).mean()
            self.discriminator.requires_grad_(True)
            weight = adaptive_weight(nll, generator_loss, last_layer, config.adversarial_weight)
            total = total + weight * generator_loss
            parts |= {"gen": generator_loss, "disc_weight": weight}
        return total, {"total": total} | parts

    def discriminator_loss(self, x: Tensor, values: Tensor, batch: int) -> tuple[Tensor | None, Parts]:
        """Loss of the discriminator on detached reconstructions; None before its start."""
        if not self.adversarial_runs(batch):
            return None, {}
        assert self.discriminator is not None
        penalised = self.config.r1 > 0 and (batch + 1) % self.config.r1_every == 0
        images = _images(x).detach().requires_grad_(penalised)
        both = self.discriminator(torch.cat((images, _images(values).detach())))
        real, fake = both.chunk(2)
        loss = hinge_loss(real, fake)
        parts = {"disc": loss, "logits_real": real.mean(), "logits_fake": fake.mean()}
        if penalised:
            parts["r1"] = squared_slope(real, images)
            loss = loss + self.config.r1 / 2 * self.config.r1_every * parts["r1"]
        return loss, parts


def _images(x: Tensor) -> Tensor:
    """Recordings (N, T, 2, H, W) as N T frames; images as they are."""
    return x.flatten(0, 1) if x.dim() == 5 else x
