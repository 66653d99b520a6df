"""The Fully Spiking VAE against a plain rewrite: growing windows, step by step, float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.config import parse_config
from neurogen.config_fsvae import FSVAEConfig
from neurogen.models.fsvae import FSVAE
from tests.neurogen.models.plain_fsvae import Normed, PlainFSVAE, through

TOLERANCE = 1e-9  # float64, sums of some thousand terms of order 1, rounding at 1e-16
T, N, C, K = 8, 3, 6, 3
WIDTHS, HIDDEN = (4, 6), (10, 12)


def config(steps: int = T, **sections: dict[str, object]) -> FSVAEConfig:
    model = {"steps": steps, "widths": WIDTHS, "channels": C, "candidates": K, "hidden": HIDDEN}
    parsed = parse_config(
        {
            "system": "fsvae",
            "data": {"name": "images", "resolution": 8, "channels": 3, "fit": "resize"},
            "model": model,
            **sections,
        }
    )
    assert isinstance(parsed, FSVAEConfig)
    return parsed


def items() -> Tensor:
    return torch.rand((N, 3, 8, 8), dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def build(surrogate: str = "code", distance: str = "psp_mmd") -> tuple[FSVAE, PlainFSVAE]:
    """Both with the same weights, and statistics and scales that have moved from where they start."""
    torch.manual_seed(0)
    ours = FSVAE(config(neurons={"surrogate": surrogate}, losses={"distance": distance})).double()
    for name, parameter in ours.named_parameters():
        if ".norm." in name:
            nn.init.uniform_(parameter, *((0.6, 1.6) if name.endswith("weight") else (-0.1, 0.2)))
    for _ in range(8):
        ours.training_losses(items(), torch.zeros(N), 0.5)
    plain = PlainFSVAE(3, 8, WIDTHS, C, HIDDEN, K, T, centre=0.0 if surrogate == "code" else 0.2).double()
    for a, b in stages(ours, plain):
        b.synapses.load_state_dict(a.layer.state_dict())
        b.weight.data.copy_(a.norm.weight.data)
        b.bias.data.copy_(a.norm.bias.data)
        b.mean.copy_(a.norm.running_mean)
        b.var.copy_(a.norm.running_var)
    plain.output.load_state_dict(ours.readout.conv.state_dict())
    return ours, plain


def stages(ours: FSVAE, plain: PlainFSVAE) -> list[tuple[nn.Module, Normed]]:
    encoder, decoder, latent = ours.encoder, ours.decoder, ours.latent
    a = [*encoder.stages, encoder.last, *latent.posterior.stages, *latent.prior.stages, decoder.first, *decoder.stages]
    b = [*plain.encoder, plain.bottleneck, *plain.posterior, *plain.prior, plain.lift, *plain.decoder]
    return [*zip(a, b, strict=True)]


def gradients(ours: FSVAE, plain: PlainFSVAE) -> list[tuple[str, Tensor | None, Tensor | None]]:
    found = []
    for i, (a, b) in enumerate(stages(ours, plain)):
        for name in ("weight", "bias"):
            found.append((f"{i}.{name}", getattr(a.layer, name).grad, getattr(b.synapses, name).grad))
            found.append((f"{i}.norm.{name}", getattr(a.norm, name).grad, getattr(b, name).grad))
    last = ours.readout.conv, plain.output
    return found + [(f"last.{n}", *(getattr(m, n).grad for m in last)) for n in ("weight", "bias")]


def assert_equal(a: Tensor, b: Tensor, what: str = "") -> None:
    torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=0, msg=lambda text: f"{what}: {text}")


def choices(uniforms: Tensor) -> Tensor:
    """(T, N, C) of uniforms (N, T * C), in the order of time, then channels."""
    return (uniforms * K).long().view(len(uniforms), T, C).transpose(0, 1)


def test_latents_drawn_with_membranes_kept_are_those_of_growing_windows() -> None:
    ours, plain = build()
    ours.eval(), plain.eval()
    uniforms = torch.rand(N, T * C, dtype=torch.float64)
    index, drive = choices(uniforms), plain.encode(items())
    inputs = plain.posterior_inputs(drive, index)
    expected = torch.stack(plain.posterior_pass(drive, inputs, index)[0])
    assert torch.equal(expected[:-1], torch.stack(inputs[1:]))  # the release's two passes agree in eval mode
    assert 0.1 < expected.mean() < 0.9
    assert_equal(ours.encode(items(), uniforms), expected)


def test_reconstructions_are_those_of_a_last_convolution_at_every_step() -> None:
    ours, plain = build()
    ours.eval(), plain.eval()
    latents = torch.randint(0, 2, (T, N, C)).double()
    expected = plain.decode([*latents])
    assert expected.std() > 0.05
    assert_equal(ours.decode(latents), expected)


def test_samples_are_those_of_a_prior_run_from_scratch_at_every_step() -> None:
    ours, plain = build()
    ours.eval(), plain.eval()
    uniforms = torch.rand(N, T * C, dtype=torch.float64)
    latents, images = plain.sample(choices(uniforms))
    assert 0.05 < latents.mean() < 0.95
    drawn = ours.draw(uniforms)
    assert torch.equal(drawn, latents)
    assert_equal(ours.decode(drawn), images)


@pytest.mark.parametrize("replacing", [False, True])
@pytest.mark.parametrize(
    ("surrogate", "distance"), [("code", "psp_mmd"), ("paper", "psp_mmd"), ("code", "mmd"), ("code", "kld")]
)
def test_losses_gradients_and_statistics_of_a_training_pass_are_the_plain_ones(
    surrogate: str, distance: str, replacing: bool
) -> None:
    ours, plain = build(surrogate, distance)
    torch.manual_seed(3)
    index = torch.randint(K, (T, N, C))
    torch.manual_seed(3)
    progress = 4.5 if replacing else -0.5  # 0.1 + 0.2 progress: every step from the sixth on, or none
    losses = ours.training_losses(items(), torch.zeros(N), progress)
    losses["total"].backward()
    squared, apart = plain_losses(plain, index, distance, tuple(range(5, T)) if replacing else ())
    (squared + apart).backward()
    assert_equal(losses["reconstruction"], squared)
    assert_equal(losses["distance"], apart)
    for name, a, b in gradients(ours, plain):
        assert b is not None, name
        assert a is not None or name.endswith(".bias"), name  # batch norm takes a bias before it away again
        assert_equal(torch.zeros_like(b) if a is None else a, b, name)
    for i, (a, b) in enumerate(stages(ours, plain)):
        assert_equal(a.norm.running_mean, b.mean, f"{i}")
        assert_equal(a.norm.running_var, b.var, f"{i}")
        moved = b.weight.grad is not None and b.weight.grad.abs().max() > 0
        assert moved, f"stage {i} has no gradient to compare"


def plain_losses(plain: PlainFSVAE, index: Tensor, distance: str, replaced: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Of a pass in which what is fed back is drawn with running statistics, as ours is."""
    drive = plain.encode(items())
    plain.posterior.eval(), plain.prior.eval()
    fed = plain.posterior_inputs(drive, index)
    plain.posterior.train()
    zs, found = plain.posterior_pass(drive, fed, index)
    taught = plain.prior_inputs(zs, replaced)
    plain.prior.train()
    apart = plain.distance(found, through(plain.prior, taught), distance)
    return (plain.decode(zs) - items()).square().mean(), apart


def test_a_stream_ends_in_the_sample() -> None:
    ours, plain = build()
    ours.eval(), plain.eval()
    uniforms = torch.rand(N, T * C, dtype=torch.float64)
    latents, images = plain.sample(choices(uniforms))
    seen = [*ours.stream(uniforms)]
    assert torch.equal(torch.stack([z for z, _ in seen]), latents)
    assert_equal(seen[-1][1], images)


def test_published_parameters_are_counted_alike() -> None:
    with torch.device("meta"):
        published = FSVAE(
            parse_config({"system": "fsvae", "data": {"name": "mnist", "resolution": 32, "channels": 1}})  # type: ignore[arg-type]
        )
        assert sum(p.numel() for p in published.parameters()) == 4_053_601
        assert sum(p.numel() for p in PlainFSVAE().parameters()) == 4_053_601
