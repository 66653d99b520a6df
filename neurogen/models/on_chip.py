"""The halves of a first stage that a chip can run, each with what the host does before and after it.

    decoder   codes -> rows -> [spikes ... spikes] -> last convolution -> values
    encoder   values -> [spikes ... spikes] -> last convolution -> z -> codes -> values, by the decoder as trained

In brackets what always runs on the chip. Codes may enter it as spikes (`codebook/playback.py`), and the last
convolution may run on it, as a membrane or as a sum; else the host has them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from neurogen.blocks import Folded, ReadOut, fold
from neurogen.codebook.playback import as_spikes, played_back
from neurogen.coding import DECAY, aggregate, to_steps
from neurogen.models.tts_vqvae import TTSVQVAE, SpikingDecoder

Codes = Literal["host", "chip"]
Last = Literal["host", "membrane", "sigma"]


@dataclasses.dataclass(frozen=True, eq=False)
class Half:
    """module: what is exported; inputs: items in model units -> what it takes, (T, N, ...);

    finish: what leaves it, (T, N, ...) float32 -> values in model units; leak: of a last convolution that a membrane
    adds up over the steps, else None; bias_on_host: whether the host adds the last convolution's bias.
    """

    module: nn.Module
    inputs: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]
    leak: float | None = None
    bias_on_host: bool = False


def decoder_half(stage: TTSVQVAE, codes: Codes, last: Last) -> Half:
    """From codes to values. Raises ValueError for a read-out that a chip cannot compute."""
    body, readout = stage.decoder[0], stage.decoder[1]
    if codes == "chip":
        if not isinstance(body, SpikingDecoder):
            raise ValueError("expected --codes host for a model of the gated kind; only the spiking kind's play back")
        body = played_back(stage.codebook, body)

    def inputs(x: Tensor) -> Tensor:
        found = stage.encode(x)
        if codes == "chip":
            return as_spikes(found, len(stage.codebook.table), stage.steps)
        return fold(stage.post_quant_conv, stage.codebook.lookup(found))

    if last == "host":
        return Half(body, inputs, readout)
    if readout.readout == "all":
        raise ValueError(
            "expected --readout host: every frame of this model sees the spikes of all steps (model.readout=all), and "
            "a chip's weights do not change from step to step; train with step, mean, sum, decay or last for that"
        )
    return Half(
        nn.Sequential(body, Folded(readout.conv)),
        inputs,
        lambda out: _finished(readout, out, last),
        {"mean": 0.0, "sum": 0.0, "decay": 1 - DECAY}.get(readout.readout) if last == "membrane" else None,
        bias_on_host=True,
    )


def encoder_half(stage: TTSVQVAE) -> Half:
    """From values to z, which the host turns into codes; what it shows is what the trained decoder makes of them."""

    def inputs(x: Tensor) -> Tensor:
        return to_steps(x, stage.coding, stage.steps)

    def finish(z: Tensor) -> Tensor:
        return stage.decode(stage.codebook.assign(fold(stage.quant_conv, z)))

    return Half(stage.encoder, inputs, finish)


def _finished(readout: ReadOut, out: Tensor, last: Last) -> Tensor:
    """Membranes or sums (T, N, ...) of the last convolution, its bias left out -> values."""
    if last == "sigma":
        y = aggregate(out, readout.readout)
    elif readout.readout == "step":
        y = out
    else:
        y = out[-1] / len(out) if readout.readout == "mean" else out[-1]
    assert readout.conv.bias is not None
    return readout.finish(y + readout.conv.bias[:, None, None])
