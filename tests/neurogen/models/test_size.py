"""Sizes and structure of the published first stage, and of the recipes', built without memory."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from neurogen.config import StageOneConfig, load_config
from neurogen.description import build_on_meta
from neurogen.models.size import parameter_counts
from train import find_config


def published(name: str) -> StageOneConfig:
    config = load_config(find_config(f"tts_vqvae/{name}"))
    assert isinstance(config, StageOneConfig)
    return config


@pytest.mark.parametrize("name", ["nmnist", "celeba", "mnist", "fashion"])
def test_the_published_sizes_in_millions(name: str) -> None:
    counts = parameter_counts(build_on_meta(published(name)))
    millions = {part: round(count / 1e6, 2) for part, count in counts.items()}
    assert millions["encoder"] == 29.30
    assert millions["decoder"] == 42.45
    assert millions["codebook"] == 1.05
    assert millions["prior"] == 0


def test_the_total_adds_the_two_convolutions_around_the_codebook() -> None:
    counts = parameter_counts(build_on_meta(published("celeba")))
    assert round(counts["total"] / 1e6, 2) == 72.93
    parts = counts["encoder"] + counts["decoder"] + counts["codebook"]
    assert counts["total"] - parts == 2 * (256 * 256 + 256)


def test_the_published_encoder_adds_up_by_hand() -> None:
    def conv(a: int, b: int, side: int) -> int:
        return a * b * side * side + b

    def residual(a: int, b: int) -> int:
        return 2 * a + conv(a, b, 3) + 2 * b + conv(b, b, 3) + (conv(a, b, 1) if a != b else 0)

    attention = 2 * 512 + 4 * conv(512, 512, 1)
    levels = (
        residual(128, 128) * 4 + residual(128, 256) + residual(256, 256) * 3 + residual(256, 512) + residual(512, 512)
    )
    halvings = conv(128, 128, 3) * 2 + conv(256, 256, 3) * 2
    middle = residual(512, 512) * 2 + attention
    encoder = conv(2, 128, 3) + levels + 2 * attention + halvings + middle + 2 * 512 + conv(512, 256, 3)
    assert parameter_counts(build_on_meta(published("nmnist")))["encoder"] == encoder


@pytest.mark.parametrize(("name", "sites", "attention"), [("nmnist", 4, 4), ("celeba", 4, 4), ("bedroom", 16, 16)])
def test_the_published_layers(name: str, sites: int, attention: int) -> None:
    config = published(name)
    network = build_on_meta(config)
    assert config.model.gated.attention == (attention,)
    assert network.code_shape == (sites, sites)
    kinds = [Counter(type(m).__name__ for m in part.modules()) for part in (network.encoder, network.decoder)]
    assert [k["GatedResidual"] for k in kinds] == [5 * 2 + 2, 5 * 3 + 2]
    assert [k["SpikingAttention"] for k in kinds] == [2 + 1, 3 + 1]  # last level and middle
    assert [k["Downsample"] for k in kinds] == [4, 0]
    assert [k["_Nearest"] for k in kinds] == [0, 4]
    assert {(n.num_groups, n.eps) for n in network.modules() if isinstance(n, nn.GroupNorm)} == {(32, 1e-6)}
    assert network.codebook.table.shape == (1024, config.model.steps * 256)


def test_the_published_neuron() -> None:
    gate = build_on_meta(published("nmnist")).encoder[1].gate1.neuron
    assert (gate.tau, gate.decay_input, gate.v_threshold, gate.v_reset, gate.detach_reset) == (
        2.0,
        True,
        0.5,
        0.0,
        True,
    )
    u = torch.tensor([-0.6, -0.25, 0.0, 0.25, 0.6], requires_grad=True)
    gate.surrogate_function(u).sum().backward()
    assert u.grad is not None
    assert u.grad.tolist() == [0.0, 1.0, 2.0, 1.0, 0.0]  # max(0, 2 - 4 |h - threshold|)


@pytest.mark.parametrize(("readout", "recipe"), [("step", 231_368), ("all", 327_392)])
def test_the_spiking_kind_has_the_recipe_s_parameters(readout: str, recipe: int) -> None:
    recipe_widths = ["model.spiking.widths=[32,64]", f"model.readout={readout}"]
    config = load_config(find_config("tts_vqvae/nmnist-small"), recipe_widths)
    counts = parameter_counts(build_on_meta(config))
    assert counts["encoder"] + counts["decoder"] == recipe
    assert counts["codebook"] == 256 * 32  # counted although running means learn it
    assert counts["total"] == recipe + 256 * 32


@pytest.mark.parametrize(("kind", "rows"), [("temporal", 256 * 32), ("per_step", 256 * 8), ("repeated", 256 * 8)])
def test_the_table_counts_however_it_learns(kind: str, rows: int) -> None:
    config = published("nmnist-small").model_copy(
        update={"codebook": published("nmnist-small").codebook.model_copy(update={"kind": kind})}
    )
    counts = parameter_counts(build_on_meta(config))
    assert counts["codebook"] == rows
    assert counts["total"] == counts["encoder"] + counts["decoder"] + rows


def test_spike_codes_have_no_table_and_a_norm_with_scale_and_shift() -> None:
    plain, spikes = (
        parameter_counts(build_on_meta(published(name))) for name in ("nmnist-small", "nmnist-small-spike")
    )
    assert spikes["codebook"] == 0
    assert spikes["encoder"] - plain["encoder"] == 2 * 8
    assert spikes["total"] == spikes["encoder"] + spikes["decoder"]
