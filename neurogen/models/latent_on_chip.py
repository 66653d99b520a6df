"""The parts of a network of one piece that a chip can run, each with what the host does before and after it.

    fsvae, sae         decoder   latents -> [spikes ... spikes] -> last convolution -> values
                       encoder   values -> [spikes ... spikes] -> latents -> values, by the decoder as trained
    sae                whole     values -> [spikes ... latents ... spikes] -> last convolution -> values
    swgan, sgad        decoder   latents -> [spikes ... spikes] -> last convolution -> values
    sgan               decoder   latents -> [spikes ... spikes] -> values

In brackets what always runs on the chip; the last convolution may run on it, as a membrane or as a sum. Latents that
are spikes enter as they are, real ones pass the first layer on the host. Which of these networks a chip cannot run
after all (an SAE as published, a VAE) is for `export` to say, layer by layer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurogen.blocks import Folded
from neurogen.blocks.attention_scoring import StepWeights
from neurogen.blocks.bernoulli_latent import BernoulliLatent
from neurogen.blocks.decayed_readout import running_sums
from neurogen.blocks.output_stage import MembraneStage, OutputStage, ScoringStage, SpikeStage
from neurogen.blocks.temporal_readout import TemporalReadOut
from neurogen.coding import DECAY, to_steps
from neurogen.models.fsvae import FSVAE
from neurogen.models.gan import Generator
from neurogen.models.latent_network import LatentNetwork
from neurogen.models.on_chip import Codes, Half, Last
from neurogen.models.sae import SAE, inside, shown
from neurogen.models.vae import VAE

Inputs = Callable[[Tensor], Tensor]


def latent_half(
    network: LatentNetwork, part: str, codes: Codes, last: Last, uniforms: Tensor, labels: Tensor | None = None
) -> Half:
    """The decoder, of a GAN its generator, or the encoder; latents that are spikes enter the chip, whatever `codes` is.

    uniforms: (N, encoding_draws), with which items are encoded, those of fewer too; labels: of a generator's latents,
    which its `inputs` take in place of items. Raises ValueError for a part that there is not.
    """
    if isinstance(network, Generator):
        return _generator(network, part, codes, last, labels)
    if isinstance(network, FSVAE):
        return _fsvae(network, part, last, uniforms)
    if isinstance(network, SAE):
        return _sae(network, part, last, uniforms)
    if isinstance(network, VAE):
        return _vae(network, part, uniforms)
    raise ValueError(f"expected a network whose layers a chip may run, got {type(network).__name__}; export another")


def _fsvae(network: FSVAE, part: str, last: Last, uniforms: Tensor) -> Half:
    drawn = _drawn_on_the_host(network)
    if part == "whole":
        raise ValueError(f"expected --part decoder or encoder of this model, got whole: between them {drawn}")
    if part == "encoder":

        def finish(drive: Tensor) -> Tensor:
            return network.decode(network.latent.encode(drive, uniforms[: drive.shape[1]]))

        return Half(network.encoder, lambda x: to_steps(x, network.coding, network.steps), finish, host=(drawn,))
    readout = network.readout
    if last == "host":
        return Half(network.decoder, _encoded(network, uniforms), readout, host=(drawn,))
    if isinstance(readout, TemporalReadOut):
        raise ValueError(
            "expected --readout host: this model weighs steps by what they show (model.readout=attention), and a "
            "chip's weights do not change; train with model.readout=decay for that"
        )

    def values(u: Tensor) -> Tensor:
        return u.transpose(0, 1) if readout.event else torch.tanh(u[-1])

    body = OrderedDict(decoder=network.decoder, readout=Folded(readout.conv))
    return _added_up(body, _encoded(network, uniforms), values, last, DECAY, (drawn,))


def _drawn_on_the_host(network: FSVAE) -> str:
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


def _sae(network: SAE, part: str, last: Last, uniforms: Tensor) -> Half:
    encoder = _Shown(network.encoder)
    if part == "encoder":
        return Half(encoder, _frames(network), network.decode)
    readout, body = network.readout, OrderedDict(decoder=network.decoder)
    inputs = _encoded(network, uniforms)
    if part == "whole":
        body, inputs = OrderedDict(encoder=encoder, decoder=network.decoder), _frames(network)
    if last == "host":
        return Half(_chain(body), inputs, lambda spikes: shown(readout(spikes)))
    body["readout"] = Folded(readout.conv)
    return _added_up(body, inputs, lambda u: shown(u[-1]), last, readout.beta)


def _frames(network: SAE) -> Inputs:
    return lambda x: to_steps(inside(x), "direct", network.steps)


def _vae(network: VAE, part: str, uniforms: Tensor) -> Half:
    """As if a chip could run it: `export` says layer by layer that it cannot."""
    if part == "whole":
        raise ValueError("expected --part decoder or encoder of this model, got whole: its latents are drawn by chance")
    if part == "encoder":
        return Half(_Shown(network.encoder), lambda x: x[None], lambda out: out[0])
    return Half(_Shown(network.decoder), lambda x: network.encode(x, uniforms[: len(x)])[None], lambda out: out[0])


def _generator(network: Generator, part: str, codes: Codes, last: Last, labels: Tensor | None) -> Half:
    if part != "decoder":
        raise ValueError(f"expected --part decoder for the generator of a GAN, got {part}: it encodes nothing")
    if codes == "chip" and network.coding != "rate":
        raise ValueError(
            "expected --codes host for latents of real numbers, which the generator's first layer takes on the host; "
            "those of model.coding=rate are spikes, which enter the chip"
        )
    stage, body = network.output, OrderedDict(first=network.first, second=network.second)
    body |= OrderedDict(maps=nn.Unflatten(2, network.shape), stages=network.stages)

    def inputs(latents: Tensor) -> Tensor:
        x = network.given(latents, labels)
        return x if x.dim() == 3 else x.expand(network.steps, *x.shape)

    if isinstance(stage, SpikeStage):
        if last != "host":
            raise ValueError(f"expected --readout host for a generator whose last layer is neurons, got {last}")
        body |= OrderedDict(layer=Folded(stage.layer), neuron=stage.neuron)
        return Half(_chain(body), inputs, lambda spikes: network.range.outside(stage.item(spikes)))
    if last == "host":
        return Half(
            _chain(body), inputs, lambda spikes: network.range.outside(stage.item(stage(spikes))), host=_after(stage)
        )
    body["layer"] = Folded(stage.layer)
    if isinstance(stage, MembraneStage):

        def values(u: Tensor) -> Tensor:
            seen = torch.sigmoid(stage.share * stage.integrator.gain * (u if stage.event else u[-1]))
            return network.range.outside(stage.item(seen))

        return _added_up(body, inputs, values, last, stage.integrator.leak, _after(stage))
    assert isinstance(stage, ScoringStage)
    return Half(_chain(body), inputs, lambda y: network.range.outside(stage.item(stage.blended(y))), host=_after(stage))


def _after(stage: OutputStage) -> tuple[str, ...]:
    """What follows the last convolution, in words."""
    if isinstance(stage, MembraneStage):
        return ("the sigmoid of the last membrane",)
    assert isinstance(stage, ScoringStage)
    if isinstance(stage.scoring, StepWeights):
        return ("the sigmoid of each step, and the sum of the steps by learned weights",)
    return (
        "the sigmoid of each step, and the scoring: shares of memory and frame by what both show, a product of "
        "images at every step, which no chip's layer computes (model.scoring=weights is a plain sum)",
    )


def _added_up(
    body: OrderedDict[str, nn.Module],
    inputs: Inputs,
    values: Callable[[Tensor], Tensor],
    last: Last,
    keep: float,
    words: tuple[str, ...] = (),
) -> Half:
    """A part that ends in a convolution on the chip, which a membrane u_t = keep u_(t-1) + y_t adds up.

    values: what the host makes of u, (T, N, ...). Of a sum, which leaks nothing, the host takes the y_t and adds up.
    """

    def finish(out: Tensor) -> Tensor:
        return values(out if last == "membrane" else torch.stack(running_sums(out, keep)))

    return Half(_chain(body), inputs, finish, 1 - keep if last == "membrane" else None, host=words)


def _encoded(network: LatentNetwork, uniforms: Tensor) -> Inputs:
    """Items to the latents of the network's own encoder."""
    return lambda x: network.encode(x, uniforms[: len(x)])


def _chain(parts: OrderedDict[str, nn.Module]) -> nn.Module:
    return nn.Sequential(parts).eval()


class _Shown(nn.Module):
    """A network of (N, ...) that is shown the same at every step, as one of (T, N, ...)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x[0])
