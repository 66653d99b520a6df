"""Training for export: a first stage whose weights stay on a chip's grid (`quantise=true`)."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from export import finish, prepare
from neurogen.codebook import SpikeCodebook
from neurogen.models.on_chip import decoder_half, encoder_half, whole
from neurogen.models.tts_vqvae import TTSVQVAE


def on_grid(stage: TTSVQVAE, x: Tensor) -> Callable[[nn.Module], nn.Module]:
    """Put both halves on the grid and return what makes a plain copy of the stage, whose weights lie on it.

    They are one network where codes are spikes. x: items in model units. Raises `export.Refusal` for a network that
    cannot be exported.
    """
    if isinstance(stage.codebook, SpikeCodebook):
        one = whole(stage, "host")
        prepare(one.module, one.inputs(x))
        return lambda trained: finish(copy.deepcopy(trained))
    encoder, decoder = encoder_half(stage), decoder_half(stage, "host", "host")
    prepare(encoder.module, encoder.inputs(x))
    # Real values, as the codebook's rows are once they are learnt: the layer that takes them stays on the host.
    shape = (stage.steps, 1, stage.codebook.config.width, *stage.code_shape)
    rows = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    prepare(decoder.module, rows.to(x.device))
    return lambda trained: finish(copy.deepcopy(trained))
