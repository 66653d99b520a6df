"""The parts of a first stage that a chip can run, each with what the host does before and after it.

    decoder   codes -> rows -> [spikes ... spikes] -> last convolution -> values
    encoder   values -> [spikes ... spikes] -> last convolution -> z -> codes -> values, by the decoder as trained

In brackets what always runs on the chip. Codes may enter it as spikes (`codebook/playback.py`), and the last
convolution may run on it, as a membrane or as a sum; else the host has them. Where codes are spikes, nothing stands
between the brackets and the codes, and the two halves are one network:

    decoder   codes -> [spikes ... spikes] -> last convolution -> values
    encoder   values -> [spikes ... spikes] -> codes -> values, by the decoder as trained
    whole     values -> [spikes ... codes ... spikes] -> last convolution -> values
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from neurogen.blocks import Folded, ReadOut, fold
from neurogen.codebook import RepeatedCodebook, SpikeCodebook, TemporalCodebook
from neurogen.codebook.playback import as_spikes, played_back
from neurogen.coding import DECAY, aggregate, to_steps
from neurogen.models.tts_vqvae import TTSVQVAE, SpikingDecoder

Codes = Literal["host", "chip"]
Last = Literal["host", "membrane", "sigma"]


@dataclasses.dataclass(frozen=True, eq=False)
class Half:
    """module: what is exported; inputs: items in model units -> what it takes, (T, N, ...);

    finish: what leaves it, (T, N, ...) float32 -> values in model units; leak: of a last convolution that a membrane
    adds up over the steps, else None; bias_on_host: whether the host adds the last convolution's bias; host: what else
    no chip's layer does, in words.
    """

    module: nn.Module
    inputs: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]
    leak: float | None = None
    bias_on_host: bool = False
    host: tuple[str, ...] = ()


def decoder_half(stage: TTSVQVAE, codes: Codes, last: Last) -> Half:
    """From codes to values; codes that are spikes enter the chip as they are, whatever `codes` says.

    Raises ValueError for codes that no neurons play back and for a read-out that a chip cannot compute.
    """
    codebook, body = stage.codebook, stage.decoder[0]
    if isinstance(codebook, SpikeCodebook):
        if isinstance(stage.post_quant_conv, nn.Conv2d):
            body = _chain(post_quant_conv=Folded(stage.post_quant_conv), decoder=body)
    elif codes == "chip":
        if not isinstance(body, SpikingDecoder):
            raise ValueError("expected --codes host for a model of the gated kind; only the spiking kind's play back")
        if not isinstance(codebook, TemporalCodebook) or isinstance(codebook, RepeatedCodebook):
            raise ValueError("expected --codes host for this codebook; rows of codebook.kind=temporal alone play back")
        body = played_back(codebook, body)

    def inputs(x: Tensor) -> Tensor:
        found = stage.encode(x)
        if isinstance(codebook, SpikeCodebook):
            return codebook.lookup(found)
        if codes == "chip":
            return as_spikes(found, len(codebook.table), stage.steps)
        return fold(stage.post_quant_conv, codebook.lookup(found))

    return _read_out(stage.decoder[1], body, inputs, last)


def encoder_half(stage: TTSVQVAE) -> Half:
    """From values to codes, which the host finds for z or the chip spikes; shown as the trained decoder makes them."""
    codebook = stage.codebook
    if isinstance(codebook, SpikeCodebook):
        return Half(_chain(**_encoding(stage)), _frames(stage), stage.decode)

    def finish(z: Tensor) -> Tensor:
        return stage.decode(codebook.assign(fold(stage.quant_conv, z)))

    return Half(stage.encoder, _frames(stage), finish)


def whole(stage: TTSVQVAE, last: Last) -> Half:
    """From values to values. Raises ValueError where codes are not spikes, and as `decoder_half`."""
    if not isinstance(stage.codebook, SpikeCodebook):
        raise ValueError(
            f"expected --part decoder or encoder for codebook.kind={stage.codebook.config.kind}, whose table the host "
            "searches between them; only with codebook.kind=spike they are one network"
        )
    decoder = decoder_half(stage, "host", "host").module
    return _read_out(stage.decoder[1], _chain(**_encoding(stage), decoder=decoder), _frames(stage), last)


def _encoding(stage: TTSVQVAE) -> dict[str, nn.Module]:
    """What leads from frames (T, N, C, H, W) to codes that are spikes, in order."""
    parts = {"encoder": stage.encoder}
    if isinstance(stage.quant_conv, nn.Conv2d):
        parts["quant_conv"] = Folded(stage.quant_conv)
    return {**parts, "codes": stage.codebook.neuron}


def _chain(**parts: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(parts)).eval()


def _frames(stage: TTSVQVAE) -> Callable[[Tensor], Tensor]:
    return lambda x: to_steps(x, stage.coding, stage.steps)


def _read_out(readout: ReadOut, body: nn.Module, inputs: Callable[[Tensor], Tensor], last: Last) -> Half:
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
