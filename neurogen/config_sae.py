"""Configuration of the spiking autoencoder; defaults are those of snnTorch's tutorial (A. Loeffler)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurogen.config_networks import NeuronConfig
from neurogen.config_section import Natural, Positive, Section
from neurogen.config_system import SystemConfig, check_halvings


class SAENeuronConfig(NeuronConfig):
    """u_t = 0.5 u_(t-1) + x_t - [u_(t-1) > 1], fires above 1."""

    kind: Literal["delayed", "lif"] = "delayed"  # type: ignore[assignment]
    """The tutorial's, whose reset comes one step late, or lif, which chips have."""
    decay_input: bool = False
    """Whether the input of kind=lif is scaled by 1/tau."""
    threshold: Annotated[float, Field(gt=0.0)] = 1.0
    """Membrane above which the neuron fires, at which kind=lif does."""
    reset: float | None = None
    """Membrane after a spike of kind=lif; null subtracts the threshold."""
    surrogate: Literal["atan", "fast_sigmoid"] = "atan"  # type: ignore[assignment]
    """Stand-in for the derivative of the spike: 1 / (1 + (pi/2 alpha u)^2) alpha/2, or 1 / (1 + alpha |u|)^2."""

    @model_validator(mode="after")
    def _reset_fits(self) -> SAENeuronConfig:
        if self.kind == "delayed" and (self.decay_input or self.reset is not None or not self.detach_reset):
            raise ValueError(
                "kind=delayed takes its input whole and subtracts the threshold without gradient, so that decay_input, "
                "reset and detach_reset change nothing; leave them out or take kind=lif"
            )
        return self


class SAEModelConfig(Section):
    """Encoder, bottleneck, decoder, and the density of codes."""

    steps: Positive = 5
    """T, time steps."""
    coding: Literal["direct"] = "direct"
    """The image is shown T times."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of each level; every level halves the resolution."""
    channels: Positive = 32
    """C, neurons of the bottleneck: an image is C spikes in each of T steps."""
    bottleneck_norm: bool = False
    """Batch norm before the bottleneck's neurons, which without it never fire at first."""
    second_neuron: bool = True
    """A second layer of neurons right behind the lift's, without weights between, as published."""
    components: Positive = 2
    """Gaussians fitted to the codes when training is done, of each class where there are classes."""
    classes: Natural = 0
    """Labels whose codes are fitted apart; 0 is unconditional."""


class SAELossConfig(Section):
    """The squared error in [0, 1] units."""

    over: Literal["last", "mean"] = "last"
    """Of the membranes at the last step, as published, or the mean over all steps."""


class SAEConfig(SystemConfig):
    """A spiking autoencoder and how it is trained."""

    system: Literal["sae"]
    """Which system this configures."""
    model: SAEModelConfig = SAEModelConfig()
    neurons: SAENeuronConfig = SAENeuronConfig()
    losses: SAELossConfig = SAELossConfig()

    @model_validator(mode="after")
    def _fits(self) -> SAEConfig:
        check_halvings(self.data.resolution, self.model.widths)
        return self
