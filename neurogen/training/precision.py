"""Mixed precision: convolutions and products in 16 bits, everything that decides or adds up in float32.

    network       autocast: convolutions, linear layers and products in bf16 or fp16, norms in float32
    neurons       float32 membranes whatever comes in
    codebook, last convolution, losses, discriminator, LPIPS, optimiser, weights: float32

fp16 has few exponents, so its loss is scaled up before the backward and gradients are scaled down again; a step whose
gradients overflowed is left out and the scale halved (Micikevicius et al. 2018). bf16 needs none of this, and is
the one that CPUs with instructions for it (AVX512-BF16, AMX) compute faster than float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from neurogen.training.errors import TrainingError

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SMALLEST_SCALE = 1.0  # of the loss; gradients that overflow unscaled are the training's fault, not fp16's


def check_precision(precision: str, device: torch.device) -> None:
    """Raises TrainingError where such a precision would only cost time or accuracy."""
    if precision == "float32":
        return
    if device.type == "cpu" and precision == "bf16" and computes_bf16():
        return
    if device.type != "cuda":
        other = "float32 or bf16" if device.type == "cpu" and computes_bf16() else "float32"
        raise TrainingError(
            f"expected train.precision={other} on this {device.type}, where other 16-bit convolutions are many times "
            f"slower or missing, got {precision}; leave it out, or train on CUDA"
        )
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise TrainingError(
            f"expected a GPU that computes in bf16, {torch.cuda.get_device_name(device)} does not; "
            "take train.precision=fp16"
        )


def computes_bf16() -> bool:
    """Whether this CPU multiplies in bf16 by instructions of its own."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def mixed(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """While the block runs, layers compute in that precision."""
    return torch.autocast(device.type, DTYPES.get(precision), enabled=precision in DTYPES)


def loss_scaler(precision: str, module: nn.Module) -> torch.amp.GradScaler | None:
    """A scaler for losses of this module, or None where the precision needs none."""
    if precision != "fp16":
        return None
    return torch.amp.GradScaler(next(module.parameters()).device.type)
