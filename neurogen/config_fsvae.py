"""Configuration of the Fully Spiking VAE; defaults are the published ones (Kamata, Mukuta and Harada, AAAI 2022)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurogen.config_networks import NeuronConfig
from neurogen.config_section import Natural, Positive, Section
from neurogen.config_system import SystemConfig, check_halvings


class FSVAENeuronConfig(NeuronConfig):
    """u_t = 0.25 u_(t-1) (1 - o_(t-1)) + x_t, fires above 0.2; the gradient passes through the reset."""

    tau: Annotated[float, Field(gt=1.0)] = 4 / 3
    """Membrane time constant, in time steps: a membrane keeps 1 - 1/tau."""
    decay_input: bool = False
    """Whether the input is scaled by 1/tau as well."""
    threshold: Annotated[float, Field(gt=0.0)] = 0.2
    """Membrane at which the neuron fires (h >= threshold); batch norm scales currents with it."""
    detach_reset: bool = False
    """Whether the gradient ignores the reset."""
    surrogate: Literal[
        "code", "paper", "triangle", "rect", "atan", "sigmoid", "piecewise_exp", "soft_sign", "super_spike", "erf"
    ] = "code"  # type: ignore[assignment]
    """Stand-in for the derivative of the spike: a box of width 1 around membrane 0 (code) or the threshold (paper)."""
    alpha: Annotated[float, Field(gt=0.0)] = 1.0
    """Sharpness of the surrogate; a box is 1/alpha wide."""


class FSVAEModelConfig(Section):
    """Encoder, latent, decoder and read-out."""

    steps: Positive = 16
    """T, time steps; 2 or more."""
    coding: Literal["direct", "event"] = "direct"
    """direct shows an image T times; event gives step t the frame t."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128, 256)
    """Channels of each level; every level halves the resolution."""
    latent: Literal["bernoulli", "rate"] = "bernoulli"
    """Drawn one step after another (FSVAE), or from one rate for all steps (ESVAE)."""
    channels: Positive = 128
    """C, latent channels."""
    candidates: Positive = 20
    """k, spikes that each latent of latent=bernoulli is chosen from."""
    hidden: tuple[Positive, ...] = (256, 512)
    """Widths of posterior and prior before their C k candidates (latent=bernoulli)."""
    schedule: Literal["code", "paper"] = "code"
    """Scheduled sampling of latent=bernoulli: from step 6 on with p = 0.1 to 0.3 by thresholded means, as released, or
    everywhere with p = 0 to 0.3 by draws."""
    prior: Literal["network", "mixture"] = "network"
    """What rates of latent=rate are drawn from: a network of noise, or Gaussians fitted when training is done."""
    spikes: Literal["bernoulli", "stratified"] = "bernoulli"
    """Spikes of latent=rate: each by itself, or spread over the steps, which lets their number vary less."""
    classes: Natural = 0
    """Labels to condition on (latent=rate); 0 is unconditional."""
    readout: Literal["decay", "attention"] = "decay"
    """Steps to an image: a sum that decays by 0.8 a step, or learned weights of steps and channels (TAID)."""


class FSVAELossConfig(Section):
    """Beside the squared error."""

    distance: Literal["psp_mmd", "mmd", "kld"] = "psp_mmd"
    """Between posterior and prior of latent=bernoulli."""


class FSVAEConfig(SystemConfig):
    """A Fully Spiking VAE and how it is trained."""

    system: Literal["fsvae"]
    """Which system this configures."""
    model: FSVAEModelConfig = FSVAEModelConfig()
    neurons: FSVAENeuronConfig = FSVAENeuronConfig()
    losses: FSVAELossConfig = FSVAELossConfig()

    @model_validator(mode="after")
    def _fits(self) -> FSVAEConfig:
        model = self.model
        check_halvings(self.data.resolution, model.widths)
        if model.steps < 2:
            raise ValueError(
                f"expected model.steps of 2 or more, got {model.steps}; latents are spikes in time, a single step "
                "has none before it and no rate"
            )
        if model.latent == "bernoulli" and (model.classes or model.prior != "network"):
            raise ValueError(
                f"model.classes={model.classes} and model.prior={model.prior} do not go together with "
                "model.latent=bernoulli, whose prior is a network without labels; take model.latent=rate, or leave "
                "them out"
            )
        if model.readout == "attention" and model.coding == "event":
            raise ValueError(
                "model.readout=attention does not go with model.coding=event, where each frame is read at its own "
                "step; take decay"
            )
        return self
