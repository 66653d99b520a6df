"""Tiny models and runs for tests: seconds to make, shaped like the real ones."""

from __future__ import annotations

import torch

from neurogen.config import PriorConfig, StageOneConfig, parse_config
from neurogen.data.scaling import Scaling
from neurogen.model import Model
from neurogen.model_folder import DataInfo, StoredModel
from neurogen.models.prior import SpikingPrior
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.two_stage_model import TwoStageModel

NEURON = {"tau": 2.0, "decay_input": False, "threshold": 1.0, "surrogate": "triangle", "alpha": 1.0}


def event_config(**data: object) -> StageOneConfig:
    """A spiking first stage over four 16x16 frames of two polarities."""
    config = parse_config(
        {
            "system": "tts_vqvae",
            "data": {"name": "digits", "resolution": 16, "channels": 2, "fit": "crop", "scale": 2.0, **data},
            "model": {
                "kind": "spiking",
                "steps": 4,
                "coding": "event",
                "readout": "all",
                "output": "softplus",
                "spiking": {"widths": [8, 16]},
            },
            "neurons": NEURON,
            "codebook": {"size": 32, "width": 4, "learning": "ema"},
            "losses": {"reconstruction": "poisson"},
            "train": {"steps": 4, "batch_size": 8, "threads": 1, "tune_allocator": False},
            "recording": {"refractory_us": 1700},
        }
    )
    assert isinstance(config, StageOneConfig)
    return config


def image_config() -> StageOneConfig:
    """A spiking first stage over 16x16 grey images, two steps."""
    config = parse_config(
        {
            "system": "tts_vqvae",
            "data": {"name": "mnist", "resolution": 16, "channels": 1, "fit": "resize"},
            "model": {
                "kind": "spiking",
                "steps": 2,
                "coding": "direct",
                "readout": "mean",
                "output": "tanh",
                "spiking": {"widths": [8, 16]},
            },
            "neurons": NEURON,
            "codebook": {"size": 32, "width": 4, "learning": "ema"},
            "losses": {"reconstruction": "l2"},
        }
    )
    assert isinstance(config, StageOneConfig)
    return config


def prior_config(classes: int = 3) -> PriorConfig:
    """A spiking prior over 4x4 codes of 32."""
    config = parse_config(
        {
            "system": "prior",
            "model": {
                "codes": 32,
                "height": 4,
                "width": 4,
                "classes": classes,
                "steps": 1,
                "dim": 16,
                "layers": 2,
                "heads": 2,
                "normalise": True,
                "init": "scaled",
            },
            "neurons": NEURON,
        }
    )
    assert isinstance(config, PriorConfig)
    return config


def event_model(classes: int = 3) -> Model:
    """An untrained model of recordings on an 18x18 sensor."""
    torch.manual_seed(0)
    config = event_config()
    info = DataInfo(("a", "b", "c"), (10, 30, 60), (18, 18), (0, 1000, 2000, 3000, 4000), None, (50.0, 60.0, 70.0))
    scaling = Scaling(kind="dataset", scale=2.0, fit="crop", resolution=16, sensor_size=(18, 18))
    prior = prior_config(classes)
    network = SpikingPrior(prior.model, prior.neurons).eval()
    return TwoStageModel(StoredModel(config, TTSVQVAE(config).eval(), scaling, info, prior, network, {}, "0" * 64))


def image_model() -> Model:
    """An untrained model of 16x16 images."""
    torch.manual_seed(0)
    config, prior = image_config(), prior_config()
    network = SpikingPrior(prior.model, prior.neurons).eval()
    info = DataInfo(("a", "b", "c"), (10, 30, 60))
    return TwoStageModel(StoredModel(config, TTSVQVAE(config).eval(), None, info, prior, network, {}, "0" * 64))


def awake(model: Model) -> Model:
    """The same model with a push for every neuron of its first stage: untrained, most layers stay silent."""
    for module in model.stored.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.bias is not None:
            torch.nn.init.constant_(module.bias, 0.7)
    return model
