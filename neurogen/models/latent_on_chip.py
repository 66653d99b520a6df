"""The parts of a network of one piece that a chip can run, each with what the host does before and after it.

    fsvae   decoder   latents -> [spikes ... spikes] -> last convolution -> values
            encoder   values -> [spikes ... spikes] -> latents -> values, by the decoder as trained

In brackets what always runs on the chip; the last convolution may run on it, as a membrane or as a sum. Latents that
are spikes enter as they are. They are drawn on the host: `_drawn_by_the_host` says why.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurogen.blocks import Folded
from neurogen.blocks.bernoulli_latent import BernoulliLatent
from neurogen.blocks.decayed_readout import DecayedReadOut, running_sums
from neurogen.coding import DECAY, to_steps
from neurogen.models.fsvae import FSVAE
from neurogen.models.latent_network import LatentNetwork
from neurogen.models.on_chip import Codes, Half, Last


def latent_half(
    network: LatentNetwork, part: str, codes: Codes, last: Last, uniforms: Tensor, labels: Tensor | None = None
) -> Half:
    """The decoder or the encoder; latents that are spikes enter the chip as they are, whatever `codes` says.

    uniforms: (N, encoding_draws), with which items are encoded, those of fewer too; labels: of a generator's latents.

    Raises ValueError for a part that the network does not have or that is no network of a chip's layers.
    """
    if isinstance(network, FSVAE):
        return _fsvae(network, part, last, uniforms)
    raise ValueError(f"expected a network that is known to export, got {type(network).__name__}")


def _fsvae(network: FSVAE, part: str, last: Last, uniforms: Tensor) -> Half:
    words = (_drawn_by_the_host(network),)
    if part == "encoder":

        def finish(drive: Tensor) -> Tensor:
            return network.decode(network.latent.encode(drive, uniforms[: drive.shape[1]]))

        return Half(network.encoder, lambda x: to_steps(x, network.coding, network.steps), finish, host=words)
    if part == "whole":
        raise ValueError(f"expected --part decoder or encoder of this model, got whole: between them {words[0]}")

    def inputs(x: Tensor) -> Tensor:
        return network.encode(x, uniforms[: len(x)]).to(network.dtype)

    return _decayed(network.decoder, network.readout, inputs, last, words)


def _drawn_by_the_host(network: FSVAE) -> str:
    """Who draws the latents, and why no stock layer of a chip does."""
    if isinstance(network.latent, BernoulliLatent):
        return (
            "the latent is drawn: each step's choice is fed back before the next step, and one of "
            f"{network.latent.candidates} spikes is picked by chance"
        )
    return (
        "the latent is drawn from one rate a channel: one stochastic neuron each, a constant bias under a uniformly "
        "random threshold, would do it on Loihi 2, and no stock layer has it"
    )


def _decayed(
    body: nn.Module, readout: nn.Module, inputs: Callable[[Tensor], Tensor], last: Last, words: tuple[str, ...]
) -> Half:
    """A decoder whose last convolution's outputs add up, each step's 0.8 of the next."""
    if last == "host":
        return Half(body, inputs, readout, host=words)
    if not isinstance(readout, DecayedReadOut):
        raise ValueError(
            "expected --readout host: this model weighs steps by what they show (model.readout=attention), and a "
            "chip's weights do not change; train with model.readout=decay for that"
        )

    def finish(out: Tensor) -> Tensor:
        """Membranes u_t, or with sigma what the convolution makes of each step, (T, N, ...)."""
        u = [*out] if last == "membrane" else running_sums(out)
        return torch.stack(u, 1) if readout.event else torch.tanh(u[-1])

    module = nn.Sequential(OrderedDict(decoder=body, readout=Folded(readout.conv))).eval()
    return Half(module, inputs, finish, 1 - DECAY if last == "membrane" else None, host=words)
