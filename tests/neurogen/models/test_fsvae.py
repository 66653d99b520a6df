"""The Fully Spiking VAE: its sizes, its kin, what it keeps from call to call (nothing), and what it refuses.

Equality with a plain rewrite stands in test_fsvae_against_plain.py.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.config import ConfigError, parse_config
from neurogen.config_fsvae import FSVAEConfig
from neurogen.models.fsvae import FSVAE

T, N, C = 4, 6, 5


def config(coding: str = "direct", **model: object) -> FSVAEConfig:
    event = coding == "event"
    data = {"name": "nmnist" if event else "mnist", "resolution": 16, "channels": 2 if event else 1}
    sizes = {"steps": T, "widths": [4, 6], "channels": C, "candidates": 3, "hidden": [8, 9]}
    parsed = parse_config(
        {
            "system": "fsvae",
            "data": {**data, "fit": "crop" if event else "resize"},
            "model": {**sizes, "coding": coding, **model},
        }
    )
    assert isinstance(parsed, FSVAEConfig)
    return parsed


def items(coding: str = "direct", n: int = N) -> Tensor:
    shape = (n, T, 2, 16, 16) if coding == "event" else (n, 1, 16, 16)
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def made(coding: str = "direct", **model: object) -> FSVAE:
    """In eval mode, neurons awake: running statistics moved, currents lifted."""
    torch.manual_seed(0)
    network = FSVAE(config(coding, **model)).double()
    for name, parameter in network.named_parameters():
        if name.endswith("norm.bias"):
            torch.nn.init.uniform_(parameter, 0.0, 0.3)
    with torch.no_grad():
        for _ in range(8):
            network.training_losses(items(coding), labels(), 0.5)
        network.eval().settle([(items(coding, 40), torch.arange(40) % 2)], seed=0)
    return network


def labels(n: int = N) -> Tensor:
    return torch.arange(n) % 2


KINDS = {
    "images": {},
    "recordings": {"coding": "event"},
    "attention": {"readout": "attention"},
    "rates": {"latent": "rate", "classes": 2},
    "fitted rates": {"latent": "rate", "prior": "mixture", "spikes": "stratified"},
}


@pytest.mark.parametrize(
    ("channels", "resolution", "widths", "count"),
    [(1, 32, (32, 64, 128, 256), 4_053_601), (3, 32, (32, 64, 128, 256), 4_054_755)],
)
def test_sizes_are_those_of_the_published_network(
    channels: int, resolution: int, widths: tuple[int, ...], count: int
) -> None:
    # one channel: the published count; two more: 2 x 288 weights of the first layer, 2 x 289 of the last
    data = {"name": "images", "resolution": resolution, "channels": channels}
    with torch.device("meta"):
        network = FSVAE(FSVAEConfig.model_validate({"system": "fsvae", "data": data, "model": {"widths": widths}}))
    assert sum(p.numel() for p in network.parameters()) == count


def test_the_large_network_has_a_fifth_level() -> None:
    data = {"name": "celeba", "resolution": 64, "channels": 3, "fit": "fsvae148"}
    model = {"widths": [32, 64, 128, 256, 512]}
    with torch.device("meta"):
        network = FSVAE(FSVAEConfig.model_validate({"system": "fsvae", "data": data, "model": model}))
    assert [stage.layer.out_channels for stage in network.encoder.stages] == [32, 64, 128, 256, 512]
    assert [stage.layer.out_channels for stage in network.decoder.stages] == [256, 128, 64, 32, 32]
    assert network.encoder.last.layer.in_features == network.decoder.first.layer.out_features == 2048
    assert network.readout.conv.weight.shape == (32, 3, 3, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_a_function_of_its_uniforms_and_a_stream_ends_in_it(kind: str) -> None:
    network = made(**KINDS[kind])  # type: ignore[arg-type]
    known = labels() if network.classes else None
    uniforms = torch.rand(N, network.draws, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        latents = network.draw(uniforms, known)
        values = network.decode(latents, known)
        again = network.decode(network.draw(uniforms, known), known)
        alone = network.decode(network.draw(uniforms[2:3], known if known is None else known[2:3]))
        seen = [*network.stream(uniforms, known)]
    assert latents.shape == (T, N, C) and set(latents.unique().tolist()) == {0.0, 1.0}
    assert values.shape == items(*(["event"] if kind == "recordings" else [])).shape
    assert torch.equal(again, values)
    torch.testing.assert_close(alone, values[2:3], atol=1e-12, rtol=0)
    assert float(values.std(0).mean()) > 1e-3
    assert torch.equal(torch.stack([z for z, _ in seen]), latents)
    torch.testing.assert_close(seen[-1][1], values, atol=1e-12, rtol=0)
    assert len(seen) == T
    if kind == "recordings":
        assert [v.shape[1] for _, v in seen] == [1, 2, 3, 4]
        torch.testing.assert_close(seen[1][1], values[:, :2], atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_came_before_changes_nothing(kind: str) -> None:
    network = made(**KINDS[kind])  # type: ignore[arg-type]
    x = items("event" if kind == "recordings" else "direct")
    uniforms = torch.rand(N, network.encoding_draws, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        first = network.encode(x, uniforms)
        network.encode(-x, uniforms)
        network.decode(1 - first)
        network.draw(torch.rand(N, network.draws, dtype=torch.float64), labels() if network.classes else None)
        assert torch.equal(network.encode(x, uniforms), first)
        values = network.decode(first)
        network.training_losses(-x, labels(), 0.5)
        assert torch.equal(network.decode(first), values)
    assert 0 < float(first.mean()) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_training_moves_all_that_has_a_gradient(kind: str) -> None:
    network = made(**KINDS[kind]).train()  # type: ignore[arg-type]
    x = items("event" if kind == "recordings" else "direct")
    losses = network.training_losses(x, labels(), 0.5)
    assert tuple(losses) == network.losses
    assert float(losses["total"].detach()) == float((losses["reconstruction"] + losses["distance"]).detach())
    losses["total"].backward()
    without = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    frozen = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert frozen and all(name.endswith("layer.bias") for name in frozen)


def test_the_squared_error_is_that_of_the_reconstruction() -> None:
    network = made()
    x = items()
    with torch.no_grad():
        torch.manual_seed(5)
        losses = network.training_losses(x, labels(), 0.5)
        torch.manual_seed(5)
        index = torch.randint(3, (T, N, C))
        uniforms = ((index + 0.5) / 3).transpose(0, 1).flatten(1).double()
        values = network.decode(network.encode(x, uniforms))  # in eval mode training takes these latents, too
    torch.testing.assert_close(losses["reconstruction"], (values - x).square().mean(), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 1}, "expected model.steps of 2 or more, got 1; "),
        ({"widths": [4, 4, 4, 4, 4]}, "data.resolution=16 cannot be halved 5 times; take a multiple of 32"),
        ({"candidates": 0}, "model.candidates: expected"),
        ({"classes": 10}, "model.classes=10 and model.prior=network do not go together with model.latent=bernoulli"),
        ({"prior": "mixture"}, "model.classes=0 and model.prior=mixture do not go together"),
        ({"coding": "event"}, "model.coding=event does not go with data.name=mnist"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_a_sentence(settings: dict[str, object], sentence: str) -> None:
    values = config().model_dump(mode="json")
    values["model"] |= settings
    with pytest.raises(ConfigError) as raised:
        parse_config(values)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_attention_over_the_steps_of_a_recording_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.readout=attention does not go with model\.coding=event"):
        config("event", readout="attention")


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (2, 1, 32, 32), (2, 1, 16), (2, T, 1, 16, 16)])
def test_images_of_another_size_are_refused(shape: tuple[int, ...]) -> None:
    network = made()
    uniforms = torch.rand(2, network.encoding_draws)
    with pytest.raises(ValueError, match=r"expected items \(N, 1, 16, 16\), got \("):
        network.encode(torch.zeros(shape, dtype=torch.float64), uniforms)


@pytest.mark.parametrize("shape", [(T, C), (N, T, C), (T, N, C + 1), (T + 1, N, C)])
def test_latents_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    network = made()
    with pytest.raises(ValueError, match=r"expected latents \(4, N, 5\), got \("):
        network.decode(torch.zeros(shape, dtype=torch.float64))


def test_rates_without_a_fitted_density_are_not_drawn_and_with_it_are() -> None:
    network = FSVAE(config(latent="rate", prior="mixture"))
    assert not network.generates
    assert made(latent="rate", prior="mixture").generates
