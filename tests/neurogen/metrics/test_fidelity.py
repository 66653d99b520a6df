"""FID, IS, KID and PRC against torch-fidelity on a folder of the same images, with seeded random Inception weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from neurogen.metrics import fidelity as module
from neurogen.metrics import inception
from neurogen.metrics.errors import MetricError
from neurogen.metrics.fidelity import fidelity
from neurogen.metrics.frechet import frechet_distance, moments
from neurogen.metrics.inception import Inception, InceptionFeatures, load_inception
from tests.neurogen.metrics.inception_weights import write_random_inception

torch_fidelity = pytest.importorskip("torch_fidelity")

COUNT, SUBSET = 16, 8
SIDE = 75  # pixels: the smallest input of Inception, 16 times cheaper than 299


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_inception(tmp_path_factory.mktemp("inception") / "random.pth")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inception on 75x75 pixels, with features of width 192, for torch-fidelity and for us."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    monkeypatch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", SIDE)
    monkeypatch.setattr(inception, "SIZE", SIDE)
    monkeypatch.setattr(inception, "POOLED", "192")


def images(seed: int, count: int = COUNT, channels: int = 1, size: int = 12) -> NDArray[np.uint8]:
    """Noise of another brightness and contrast in each image, so that features differ."""
    rng = np.random.default_rng(seed)
    brightness, contrast = rng.uniform(0, 127, (count, 1, 1, 1)), rng.uniform(0.1, 1, (count, 1, 1, 1))
    return (brightness + contrast * rng.integers(0, 128, (count, channels, size, size))).astype(np.uint8)


def as_folder(pictures: NDArray[np.uint8], folder: Path) -> Path:
    folder.mkdir()
    for n, picture in enumerate(pictures):
        pixels = picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)
        Image.fromarray(pixels).save(folder / f"{n:03d}.png")
    return folder


def directly(generated: Path, reference: Path, weights: Path, **options: Any) -> dict[str, float]:
    """torch-fidelity itself, in batches of another size than ours."""
    return torch_fidelity.calculate_metrics(
        input1=str(generated),
        input2=str(reference),
        cuda=False,
        batch_size=5,
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        kid_subset_size=SUBSET,
        save_cpu_ram=True,
        verbose=False,
        **options,
    )


def assert_equal(ours: dict[str, float | int | str], theirs: dict[str, float]) -> None:
    for name, key in {
        "fid": "frechet_inception_distance",
        "inception_score": "inception_score_mean",
        "inception_score_std": "inception_score_std",
        "kid": "kernel_inception_distance_mean",
        "kid_std": "kernel_inception_distance_std",
        "precision": "precision",
        "recall": "recall",
    }.items():
        assert ours[name] == pytest.approx(theirs[key], rel=1e-6, abs=1e-6), name


@pytest.mark.usefixtures("small")
def test_arrays_score_what_torch_fidelity_gives_a_folder_of_the_same_pictures(weights: Path, tmp_path: Path) -> None:
    made, real = images(0), images(1, COUNT + 3, channels=3)
    layers = {f"feature_layer_{metric}": "192" for metric in ("fid", "kid", "prc")}
    theirs = directly(as_folder(made, tmp_path / "made"), as_folder(real, tmp_path / "real"), weights, **layers)
    ours = fidelity(made, real, weights, split="test", subset=SUBSET)
    assert_equal(ours, theirs)
    assert theirs["frechet_inception_distance"] > 0.01 and theirs["inception_score_mean"] > 1.0001
    assert abs(theirs["kernel_inception_distance_mean"]) > 1e-4


@pytest.mark.slow
def test_at_full_size_arrays_score_what_torch_fidelity_gives_a_folder(weights: Path, tmp_path: Path) -> None:
    made, real = images(0, 32), images(1, 32)
    theirs = directly(as_folder(made, tmp_path / "made"), as_folder(real, tmp_path / "real"), weights)
    assert_equal(fidelity(made, real, weights, split="test", subset=SUBSET), theirs)


@pytest.mark.usefixtures("small")
def test_features_do_not_depend_on_the_batch_size(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, pictures = load_inception(weights), images(2, 7)
    whole = inception.inception_features(network, pictures)
    monkeypatch.setattr(inception, "BATCH", 3)
    parts = inception.inception_features(network, pictures)
    torch.testing.assert_close(parts.pooled, whole.pooled)
    torch.testing.assert_close(parts.logits, whole.logits, rtol=1e-5, atol=1e-4)  # float32 over a hundred layers
    assert len(whole.pooled) == len(whole.logits) == 7


def test_resized_pictures_pass_the_stages_of_torch_fidelitys_own_forward(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, pictures = load_inception(weights), images(3, 2, size=SIDE)  # nothing to resize
    monkeypatch.setattr(network.network, "INPUT_IMAGE_SIZE", SIDE)
    monkeypatch.setattr(inception, "SIZE", SIDE)
    own = inception.inception_features(network, pictures, "tensorflow").pooled
    torch.testing.assert_close(inception.inception_features(network, pictures, "clean").pooled, own)
    assert own.shape == (2, 2048) and own.std(0).mean() > 0.001


def bicubic(channel: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Keys' filter with a = -0.5, half-pixel centres and weights renormalised at the edge, as PIL enlarges."""

    def weight(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x = np.abs(x)
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    def matrix(n: int) -> NDArray[np.float64]:
        taps = weight((np.arange(size)[:, None] + 0.5) * n / size - 0.5 - np.arange(n))
        return taps / taps.sum(1, keepdims=True)

    return matrix(channel.shape[0]) @ channel @ matrix(channel.shape[1]).T


def halfway(channel: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Bilinear with half-pixel centres, edges repeated."""

    def matrix(n: int) -> NDArray[np.float64]:
        place = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n)))

    return matrix(channel.shape[0]) @ channel @ matrix(channel.shape[1]).T


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("resize", "wanted"),
    [
        ("clean", lambda channel: (np.clip(bicubic(channel, 299), 0, 255) - 128) / 128),
        ("pytorch", lambda channel: 2 * halfway(channel, 299) / 255 - 1),
    ],
)
def test_pictures_are_resized_and_scaled_as_the_protocol_does(
    resize: inception.Resize,
    wanted: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
    channels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed: list[torch.Tensor] = []
    monkeypatch.setattr(inception, "_pooled", lambda _, x: fed.append(x) or x.flatten(1))
    picture = np.random.default_rng(4).choice([0, 90, 255], (1, channels, 9, 9)).astype(np.uint8)
    assert bicubic(picture[0, 0], 299).min() < -1  # an overshoot to cut off
    inception.inception_features(Inception(nn.Linear(1, 1), "", ""), picture, resize)
    for c in range(3):
        np.testing.assert_allclose(fed[0][0, c].numpy(), wanted(picture[0, c % channels]), atol=1e-5)  # float32


class Fake:
    """Stands for the network: two features by the filter, the mean and the spread of an image."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "load_inception", lambda *_: Inception(nn.Identity(), "x.pth", "6726825d00"))
        monkeypatch.setattr(module, "inception_features", self.features)

    @staticmethod
    def features(
        _: Inception, pictures: NDArray[np.uint8], resize: str, progress: Callable[[int], None]
    ) -> InceptionFeatures:
        progress(len(pictures))
        flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
        pooled = np.stack([flat.mean(1), flat.std(1)], 1) * {"tensorflow": 1, "clean": 2, "pytorch": 3}[resize]
        return InceptionFeatures(torch.from_numpy(pooled), torch.from_numpy(flat[:, :4].copy()))


def scaled_fid(made: NDArray[np.uint8], real: NDArray[np.uint8], scale: float) -> float:
    features = [np.stack([x.mean((1, 2, 3)), x.std((1, 2, 3))], 1) / 255 * scale for x in (made, real)]
    return frechet_distance(moments(features[0]), moments(features[1]))


def test_fsvaes_distance_is_of_the_first_5000_images_with_clean_fids_filter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    Fake(monkeypatch)
    made, real = images(5, 5004, size=4), images(6, 40, size=6)
    passed: list[int] = []
    figures = fidelity(made, real, protocol="fsvae", split="test", progress=passed.append)
    assert figures["fid"] == pytest.approx(scaled_fid(made[:5000], real, 2), rel=1e-5)
    assert (figures["count"], figures["references"], figures["reference"]) == (5000, 40, "test")
    assert "bicubic" in str(figures["resize"]) and "kid" not in figures
    assert passed == [5000, 5040]
    for said in ("4x4 pixels, references 6x6", "rounded to 8 bits", "score is not computed: expected inception_v3_goo"):
        assert said in str(figures["notes"])


def test_tts_takes_pytorch_fids_filter_for_fid_and_torch_fidelitys_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Fake(monkeypatch)
    made, real = images(7, 30, size=4), images(8, 30, size=4)
    passed: list[int] = []
    figures = fidelity(made, real, protocol="tts", split="train", subset=SUBSET, progress=passed.append)
    standard = fidelity(made, real, split="train", subset=SUBSET)
    assert figures["fid"] == pytest.approx(scaled_fid(made, real, 3), rel=1e-5)
    assert standard["fid"] == pytest.approx(scaled_fid(made, real, 1), rel=1e-5)
    same = ("inception_score", "kid", "precision", "recall")
    assert [figures[name] for name in same] == [standard[name] for name in same]
    assert "pytorch-fid" in str(figures["resize"]) and "torch-fidelity" in str(standard["resize"])
    assert passed == [30, 60, 90, 120]


def test_what_makes_figures_comparable_stands_beside_them(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(monkeypatch)
    made, real = images(9, 30, size=4), images(10, 20, size=4)
    figures = fidelity(made, real, split="test", subset=SUBSET, seed=5)
    assert (figures["count"], figures["references"], figures["seed"], figures["kid_subset"]) == (30, 20, 5, SUBSET)
    assert (figures["protocol"], figures["weights_sha256"]) == ("standard", "6726825d00")
    assert "singular" in str(figures["notes"]) and "comparable with" not in str(figures["notes"])
    assert figures["kid"] != fidelity(made, real, split="test", subset=SUBSET, seed=6)["kid"]
    monkeypatch.setattr(module, "load_inception", lambda *_: Inception(nn.Identity(), "x.pth", "00"))
    assert "comparable with figures of the same weights only" in str(
        fidelity(made, real, split="test", subset=SUBSET)["notes"]
    )


@pytest.mark.parametrize(
    ("protocol", "generated", "reference", "said"),
    [
        (
            "standard",
            999,
            1000,
            "expected 1000 images or more of each kind for KID's subsets, got 999 generated and 1000",
        ),
        ("tts", 1000, 7, "KID's subsets, got 1000 generated and 7"),
        ("fsvae", 4999, 2, "expected 5000 generated images for FSVAE's FID"),
    ],
)
def test_fewer_images_than_a_metric_needs_are_refused_before_any_work(
    protocol: module.Protocol, generated: int, reference: int, said: str
) -> None:
    with pytest.raises(MetricError, match=said):
        fidelity(images(0, generated, 1, 2), images(0, reference, 1, 2), protocol=protocol, split="test")


def test_small_subsets_leave_the_needs_of_the_other_metrics() -> None:
    with pytest.raises(MetricError, match="expected 10 images or more of each kind for the Inception score's splits"):
        fidelity(images(0, 9), images(0, 9), split="test", subset=2)
    with pytest.raises(MetricError, match="expected 4 images or more of each kind for PRC's neighbours"):
        fidelity(images(0, 3), images(0, 3), split="test", subset=2)


def test_counts_of_events_are_no_pictures() -> None:
    with pytest.raises(MetricError, match=r"\(N, 1 or 3, H, W\) in uint8, got shape \(16, 2, 12, 12\)"):
        fidelity(images(0, channels=2), images(0), split="test")


def test_a_seed_that_torch_fidelity_cannot_take_is_refused() -> None:
    with pytest.raises(MetricError, match=r"a seed from 0 to 2\^32 - 1 for torch-fidelity, got 4294967296"):
        fidelity(images(0), images(0), split="test", subset=SUBSET, seed=1 << 32)


def test_absent_weights_are_answered_with_their_name_address_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    with pytest.raises(MetricError) as refused:
        load_inception()
    for said in (inception.URL, f"at {place}, found none", "name it with --inception"):
        assert said in str(refused.value)
    with pytest.raises(MetricError, match="is a directory"):
        load_inception(tmp_path)


@pytest.mark.usefixtures("small")
def test_weights_in_torchs_hub_folder_are_found(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = inception.place_of(None, inception.FILE)
    place.parent.mkdir(parents=True)
    place.symlink_to(weights)
    assert load_inception().file == inception.FILE
    assert not load_inception().official


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this code ran",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"encoder.0.0.weight": torch.zeros(1)}, "expected weights of torch-fidelity's Inception, got others"),
        ({}, "expected weights of torch-fidelity's Inception, got others"),
        ([1, 2], "expected tensors by name, got a list"),
        ({"weights": Harm()}, "expected weights of torch, its content is none"),
        (b"not a file of torch", "expected weights of torch, its content is none"),
    ],
)
def test_other_weights_are_refused_and_run_no_code(
    content: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "other.pth"
    if isinstance(content, bytes):
        place.write_bytes(content)
    else:
        torch.save(content, place)
    with pytest.raises(MetricError, match=said):
        load_inception(place)
    assert not capsys.readouterr().out


def test_a_missing_package_is_answered_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(MetricError, match=r"pip install 'neurogen\[metrics\]'"):
        load_inception("weights.pth")
