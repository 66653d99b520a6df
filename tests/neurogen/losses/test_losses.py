"""Reconstruction, adversarial and perceptual losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neurogen.config import LossConfig, load_config
from neurogen.losses import StageOneObjective, stage1
from neurogen.losses.adversarial import PatchDiscriminator, adaptive_weight, hinge_loss
from neurogen.losses.perceptual import LPIPS
from neurogen.losses.reconstruction import normalised_loss, reconstruction_loss
from tests.data import data_path
from train import config_names, find_config


def test_l1_and_l2_are_what_they_say() -> None:
    x, y = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.5])
    assert reconstruction_loss("l1", x, y).tolist() == [2.0, 0.5]
    assert reconstruction_loss("l2", x, y).tolist() == [4.0, 0.25]


def test_poisson_equals_the_distributions_likelihood_up_to_a_constant_of_the_counts() -> None:
    x = torch.tensor([0.0, 1.0, 3.0, 7.0])
    rates = torch.tensor([0.5, 2.0, 2.5, 6.0])
    expected = -torch.distributions.Poisson(rates).log_prob(x) - torch.lgamma(x + 1)
    assert torch.allclose(reconstruction_loss("poisson", x, rates), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["l1", "l2", "poisson"])
def test_a_normalised_loss_is_one_at_the_best_constant_and_least_at_the_truth(kind: str) -> None:
    x = torch.poisson(torch.full((1000,), 2.0), generator=torch.Generator().manual_seed(0))
    best = (x.median() if kind == "l1" else x.mean()).expand_as(x)
    assert float(normalised_loss(kind, x, best, normalise=True)) == pytest.approx(1.0, abs=1e-4)
    assert float(normalised_loss(kind, x, x, normalise=True)) == pytest.approx(0.0, abs=1e-4)


def test_the_hinge_is_half_of_both_margins() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0])
    assert float(hinge_loss(real, fake)) == 0.5 * (0.5 + 1.0)  # means of relu(-1, 1) and relu(-2, 2)


def test_the_adaptive_weight_balances_gradients() -> None:
    w = torch.tensor([3.0], requires_grad=True)
    weight = adaptive_weight(6 * w.sum(), 2 * w.sum(), w, 0.8)
    assert float(weight) == pytest.approx(0.8 * 6 / (2 + 1e-4))
    assert not weight.requires_grad


@pytest.mark.parametrize(("size", "side"), [(32, 2), (64, 6), (256, 30)])
def test_the_discriminator_has_the_published_map(size: int, side: int) -> None:
    with torch.device("meta"):
        assert PatchDiscriminator(3)(torch.empty(2, 3, size, size)).shape == (2, 1, side, side)


def test_the_discriminator_has_the_published_layers() -> None:
    discriminator = PatchDiscriminator(2)
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride[0], m.bias is not None) for m in convolutions] == [
        (64, 2, True),
        (128, 2, False),
        (256, 2, False),
        (512, 1, False),
        (1, 1, True),
    ]
    norms = [m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [m.num_features for m in norms] == [128, 256, 512]
    slopes = {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}
    # N(0, 0.02) and N(1, 0.02): standard errors of 2.1 million and 512 weights are 0.05 % and 3 %
    assert float(convolutions[3].weight.detach().std()) == pytest.approx(0.02, rel=0.005)
    assert float(norms[2].weight.detach().std()) == pytest.approx(0.02, rel=0.15)
    assert float(norms[2].weight.detach().mean()) == pytest.approx(1.0, abs=0.005)


def test_an_image_too_small_for_the_discriminator_is_answered() -> None:
    with pytest.raises(ValueError, match="at least 24 pixels for 3 discriminator layers"):
        PatchDiscriminator(1)(torch.zeros(1, 1, 16, 16))


class Counting(nn.Module):
    """A discriminator that counts what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.shown: list[Tensor] = []
        self.body = nn.Sequential(nn.Conv2d(2, 1, 3), nn.BatchNorm2d(1))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        self.shown.append(x.detach())
        return self.body(x)


def objective(start: int) -> tuple[StageOneObjective, Counting]:
    made = StageOneObjective(LossConfig(adversarial=True, adversarial_start=start, discriminator_width=4), 2)
    made.discriminator = Counting()
    return made, made.discriminator


def batch() -> tuple[Tensor, Tensor, Tensor]:
    last = torch.ones(1, requires_grad=True)
    x = torch.rand(3, 4, 2, 8, 8)
    return x, torch.rand(3, 4, 2, 8, 8) * last, last


def test_b9_the_discriminator_starts_by_batches_and_costs_nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made, discriminator = objective(start=2)
    x, values, last = batch()
    weighed: list[int] = []
    monkeypatch.setattr(stage1, "adaptive_weight", lambda *args: weighed.append(1) or adaptive_weight(*args))
    for step in range(3):
        _, parts = made.autoencoder_loss(x, values, torch.zeros(()), last, step)
        loss, more = made.discriminator_loss(x, values, step)
        assert ("gen" in parts) == (loss is not None) == bool(more) == (step >= 2)
        # Neither a pass of the discriminator nor a partial backward pass for the weight.
        assert len(discriminator.seen) == (0 if step < 2 else 2)
        assert len(weighed) == (0 if step < 2 else 1)


def test_b13_recordings_are_judged_in_one_pass_over_all_steps() -> None:
    made, discriminator = objective(start=0)
    x, values, last = batch()
    made.autoencoder_loss(x, values, torch.zeros(()), last, 0)
    made.discriminator_loss(x, values, 0)
    assert discriminator.seen == [(12, 2, 8, 8), (24, 2, 8, 8)]


@pytest.mark.parametrize(
    ("name", "batches"), [("celeba", 15_001), ("bedroom", 15_001), ("nmnist", 5 * 938), ("fashion", 10 * 469)]
)
def test_b9_published_configurations_start_it_by_batches(name: str, batches: int) -> None:
    """The release's step 30,001 counts two optimisers; its epochs hold 938 batches of 64 or 469 of 128."""
    config = load_config(find_config(f"tts_vqvae/{name}"))
    assert config.losses.adversarial
    assert config.losses.adversarial_start == batches


def test_recordings_are_judged_frame_by_frame_and_images_once() -> None:
    made, discriminator = objective(start=0)
    x, values, last = batch()
    made.discriminator_loss(x, values, 0)
    frames = torch.cat([x[n, t][None] for n in range(3) for t in range(4)])
    assert torch.equal(discriminator.shown[0][:12], frames)
    image, made_image = torch.rand(5, 2, 8, 8), torch.rand(5, 2, 8, 8) * last
    made.autoencoder_loss(image, made_image, torch.zeros(()), last, 0)
    assert torch.equal(discriminator.shown[1], made_image)


def test_the_discriminator_is_of_the_published_loss() -> None:
    made, discriminator = objective(start=0)
    discriminator.body = nn.Sequential(nn.Conv2d(2, 1, 3))  # without batch norm, so that it can be asked again
    x, values, last = batch()
    _, parts = made.autoencoder_loss(x, values, torch.tensor(0.3), last, 0)
    loss, more = made.discriminator_loss(x, values, 0)
    real, fake = (discriminator.body(v.detach().flatten(0, 1)) for v in (x, values))
    assert torch.allclose(parts["gen"], -fake.mean())
    assert loss is not None
    assert torch.allclose(loss, 0.5 * ((1 - real).clamp_min(0).mean() + (1 + fake).clamp_min(0).mean()))
    assert torch.allclose(more["logits_real"], real.mean())
    assert torch.allclose(more["logits_fake"], fake.mean())


def test_the_total_is_its_parts() -> None:
    made, _ = objective(start=0)
    x, values, last = batch()
    total, parts = made.autoencoder_loss(x, values, torch.tensor(0.3), last, 0)
    expected = parts["nll"] + 0.3 + parts["disc_weight"] * parts["gen"]
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_the_generators_step_leaves_the_discriminators_gradients_alone() -> None:
    made, discriminator = objective(start=0)
    x, values, last = batch()
    made.autoencoder_loss(x, values, torch.zeros(()), last, 0)[0].backward()
    assert all(p.grad is None for p in discriminator.parameters())
    assert all(p.requires_grad for p in discriminator.parameters())


def test_the_discriminators_step_leaves_the_generators_gradients_alone() -> None:
    made, _ = objective(start=0)
    x, values, last = batch()
    loss, _ = made.discriminator_loss(x, values, 0)
    assert loss is not None
    loss.backward()
    assert last.grad is None


def test_b7_nothing_is_built_when_it_is_off() -> None:
    made = StageOneObjective(LossConfig(), 1)
    assert made.discriminator is None
    assert made.perceptual is None
    assert not list(made.parameters())


@pytest.mark.parametrize("path", [None, "nowhere/vgg16.pth"])
def test_missing_perceptual_weights_name_the_path_and_the_way_out(path: str | None) -> None:
    with pytest.raises(ValueError, match=r"losses\.vgg_path, found .*; set the path or losses\.perceptual=off"):
        StageOneObjective(LossConfig(perceptual="lpips", vgg_path=path), 3)


def test_missing_heads_are_named_too(vgg: Vgg) -> None:
    with pytest.raises(ValueError, match=r"losses\.lpips_path, found no path; set the path or losses\.perceptual=off"):
        StageOneObjective(LossConfig(perceptual="lpips", vgg_path=str(vgg.path)), 3)


def test_perceptual_weights_that_are_none_are_refused_by_name(vgg: Vgg, tmp_path: Path) -> None:
    damaged, other = tmp_path / "damaged.pth", tmp_path / "other.pth"
    damaged.write_bytes(vgg.path.read_bytes()[:1000])
    torch.save({"fc.weight": torch.zeros(2, 2)}, other)
    with pytest.raises(ValueError, match=r"at losses\.vgg_path, .*damaged\.pth is damaged or another file"):
        LPIPS(str(damaged), str(other))
    with pytest.raises(ValueError, match=r"losses\.vgg_path, .*other\.pth holds another network"):
        LPIPS(str(other), str(other))
    with pytest.raises(ValueError, match=r"heads for VGG16 at losses\.lpips_path, .*vgg\.pth holds something else"):
        LPIPS(str(vgg.path), str(vgg.path))


def test_recordings_have_no_perceptual_loss() -> None:
    with pytest.raises(ValueError, match=r"1 or 3 channels for LPIPS, got 2; set losses\.perceptual=off"):
        StageOneObjective(LossConfig(perceptual="lpips"), 2)


@pytest.mark.parametrize("name", [name for name in config_names() if name.startswith("tts_vqvae")])
def test_no_event_one_channel_or_small_configuration_asks_for_it(name: str) -> None:
    config = load_config(find_config(name))
    colour = config.model.coding == "direct" and config.data.channels == 3 and not name.endswith("-small")
    assert (config.losses.perceptual == "lpips") == colour


@dataclass(frozen=True)
class Vgg:
    """VGG16's features with random weights, and the file that holds them under torchvision's names."""

    features: nn.Sequential
    path: Path


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Vgg:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    features = make_layers(cfgs["D"]).requires_grad_(False).eval()
    path = tmp_path_factory.mktemp("vgg16") / "vgg.pth"
    torch.save({f"features.{name}": tensor for name, tensor in features.state_dict().items()}, path)
    return Vgg(features, path)


@pytest.fixture
def heads_path() -> Path:
    return data_path("metric-weights/lpips-heads/v0.1/vgg.pth")


def lpips_by_hand(vgg: Vgg, heads_path: Path, x: Tensor, y: Tensor) -> Tensor:
    heads = torch.load(heads_path, map_location="cpu", weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    distance = torch.zeros(len(x))
    for i, layers in enumerate((4, 9, 16, 23, 30)):  # relu1_2, 2_2, 3_3, 4_3, 5_3
        cut = vgg.features[:layers]
        a, b = (cut((image - shift[:, None, None]) / scale[:, None, None]) for image in (x, y))
        a, b = (f / (f.norm(dim=1, keepdim=True) + 1e-10) for f in (a, b))
        distance += ((a - b) ** 2 * heads[f"lin{i}.model.1.weight"]).sum(1).mean((1, 2))
    return distance


@pytest.mark.parametrize("channels", [1, 3])
def test_lpips_equals_an_independent_computation(vgg: Vgg, heads_path: Path, channels: int) -> None:
    torch.manual_seed(1)
    x, y = torch.rand(2, channels, 32, 32) * 2 - 1, torch.rand(2, channels, 32, 32) * 2 - 1
    perceptual = LPIPS(str(vgg.path), str(heads_path))
    expected = lpips_by_hand(vgg, heads_path, x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1))
    assert expected.min() > 0.01
    assert torch.allclose(perceptual(x, y), expected, rtol=1e-4)  # float32 through 13 convolutions
    assert float(perceptual(x, x).abs().max()) == 0.0


def test_b7_lpips_takes_no_random_numbers_and_never_learns(vgg: Vgg, heads_path: Path) -> None:
    state = torch.get_rng_state()
    perceptual = LPIPS(str(vgg.path), str(heads_path)).train()
    assert torch.equal(torch.get_rng_state(), state)
    assert not perceptual.training
    assert not any(p.requires_grad for p in perceptual.parameters())
    values = torch.zeros(1, 3, 32, 32, requires_grad=True)
    perceptual(torch.ones(1, 3, 32, 32), values).sum().backward()
    assert values.grad is not None
    assert float(values.grad.abs().max()) > 0


def test_the_nll_is_the_reconstruction_loss_and_the_weighted_lpips(vgg: Vgg, heads_path: Path) -> None:
    config = LossConfig(perceptual="lpips", perceptual_weight=0.5, vgg_path=str(vgg.path), lpips_path=str(heads_path))
    torch.manual_seed(1)
    x, values = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    _, parts = StageOneObjective(config, 3).autoencoder_loss(x, values, torch.zeros(()), values, 0)
    expected = (x - values).abs().mean() + 0.5 * lpips_by_hand(vgg, heads_path, x, values).mean()
    assert float(parts["nll"]) == pytest.approx(float(expected), rel=1e-4)
