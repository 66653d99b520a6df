"""The spiking autoencoder against a plain rewrite: step by step, reset a step late, float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.config import parse_config
from neurogen.config_sae import SAEConfig
from neurogen.models.sae import SAE
from tests.neurogen.models.plain_sae import PlainSAE

TOLERANCE = 1e-9  # float64, sums of some hundred terms of order 1, rounding at 1e-16
T, N, C = 6, 4, 7
WIDTHS = (4, 6, 8)


def config(**sections: dict[str, object]) -> SAEConfig:
    parsed = parse_config(
        {
            "system": "sae",
            "data": {"name": "images", "resolution": 16, "channels": 3, "fit": "resize"},
            "model": {"steps": T, "widths": WIDTHS, "channels": C},
            **sections,
        }
    )
    assert isinstance(parsed, SAEConfig)
    return parsed


def items() -> Tensor:
    """In [0, 1]."""
    return torch.rand((N, 3, 16, 16), dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def build(over: str = "last", surrogate: str = "atan", alpha: float = 2.0) -> tuple[SAE, PlainSAE]:
    """Both with the same weights, large enough for every layer to fire, and statistics that have moved."""
    torch.manual_seed(0)
    ours = SAE(config(losses={"over": over}, neurons={"surrogate": surrogate, "alpha": alpha})).double()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1.0, 3.0)
            nn.init.uniform_(module.bias, 0.0, 0.7)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.1, 0.7)
    for _ in range(8):
        ours.training_losses(2 * items() - 1, torch.zeros(N), 0.5)
    plain = PlainSAE(3, 16, WIDTHS, C, T, slope=alpha if surrogate == "fast_sigmoid" else 0.0).double()
    for a, b in layers(ours, plain):
        b.load_state_dict(a.state_dict())
    return ours, plain


def layers(ours: SAE, plain: PlainSAE) -> list[tuple[nn.Module, nn.Module]]:
    encoder, decoder = ours.encoder, ours.decoder
    a = [*(s.layer for s in encoder.stages), *(s.norm for s in encoder.stages), encoder.last.layer]
    a += [decoder.first.layer, *(s.layer for s in decoder.stages), ours.readout.conv, *(s.norm for s in decoder.stages)]
    b = [*plain.down, *plain.down_norms, plain.bottleneck, plain.lift, *plain.up, *plain.up_norms]
    return [*zip(a, b, strict=True)]


def assert_equal(a: Tensor, b: Tensor, what: str = "") -> None:
    torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0, msg=lambda text: f"{what}: {text}")


def test_spikes_and_images_are_the_plain_ones() -> None:
    ours, plain = build()
    ours.eval(), plain.eval()
    spikes = torch.stack(plain.encode(items()))
    assert 0.05 < spikes.mean() < 0.95
    assert torch.equal(ours.encode(2 * items() - 1, torch.empty(N, 0)), spikes)
    latents = torch.randint(0, 2, (T, N, C)).double()
    expected = plain.decode([*latents])[-1]
    assert expected.std() > 0.02
    assert_equal((ours.decode(latents) + 1) / 2, expected)


@pytest.mark.parametrize(("surrogate", "alpha"), [("atan", 2.0), ("fast_sigmoid", 25.0)])
@pytest.mark.parametrize("over", ["last", "mean"])
def test_losses_gradients_and_statistics_of_a_training_pass_are_the_plain_ones(
    over: str, surrogate: str, alpha: float
) -> None:
    ours, plain = build(over, surrogate, alpha)
    losses = ours.training_losses(2 * items() - 1, torch.zeros(N), 0.5)
    ours.zero_grad()
    losses["total"].backward()
    expected = plain.loss(items(), over)
    expected.backward()
    assert_equal(losses["total"], expected)
    for i, (a, b) in enumerate(layers(ours, plain)):
        for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True):
            assert p.grad is not None and q.grad is not None, f"{i}.{name}"
            assert_equal(p.grad, q.grad, f"{i}.{name}")
        assert b.weight.grad.abs().max() > 0, f"layer {i} has no gradient to compare"
        for (name, p), q in zip(a.named_buffers(), b.buffers(), strict=True):
            assert_equal(p, q, f"{i}.{name}")


def test_published_parameters_are_counted_alike() -> None:
    published = parse_config({"system": "sae", "data": {"name": "mnist", "resolution": 32, "channels": 1}})
    assert isinstance(published, SAEConfig)
    with torch.device("meta"):
        for network in (SAE(published), PlainSAE()):
            assert sum(p.numel() for p in network.parameters()) == 319_009
