"""Pictures of latents: noise taken away, paths between items, a map of codes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.model_folder import DataInfo, StoredModel
from neurogen.models.latent_network import LatentNetwork
from neurogen.plots.code_map import code_map_figure, neighbours_agree, vectors
from neurogen.plots.denoising import denoising_figure, psnr, through_noise
from neurogen.plots.interpolation import interpolation_figure, path

STEPS, SIDE = 3, 2


class Thresholds(LatentNetwork):
    """An autoencoder of 2x2 images whose code is, at each of three steps, which pixels are white."""

    item_axis = 1

    def __init__(self, classes: int, encodes: bool, event: bool) -> None:
        super().__init__()
        self.classes, self.encodes, self.event = classes, encodes, event

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        return (x.flatten(1)[:, -4:] > 0).float().expand(STEPS, -1, -1)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        self.labels = labels
        grey = latents.mean(0).view(-1, 1, SIDE, SIDE)
        return grey[:, None].expand(-1, STEPS, 2, -1, -1) if self.event else grey * 2 - 1


def model(classes: int = 0, encodes: bool = True, event: bool = False) -> LatentModel:
    config = SimpleNamespace(system="thresholds", makes_recordings=event)
    info = DataInfo(("a", "b", "c"), (10, 30, 60))
    network = Thresholds(classes, encodes, event)
    return LatentModel(StoredModel(config, network, None, info, None, None, {}, ""))  # type: ignore[arg-type]


def pictures(figure: Any) -> list[list[list[int]]]:
    return [np.asarray(axis.images[0].get_array()).tolist() for axis in figure.axes]


def checks(count: int) -> Tensor:
    return torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).expand(count, 1, SIDE, SIDE)


def test_psnr_is_that_of_values_between_0_and_1() -> None:
    clean = torch.zeros(2, 1, SIDE, SIDE)
    assert psnr(torch.stack([clean[0] + 0.2, clean[0] - 2]), clean).tolist() == pytest.approx([20.0, 0.0], abs=1e-5)


def test_noise_is_of_the_level_asked_for_and_stays_in_range() -> None:
    grey = torch.zeros(1000, 1, SIDE, SIDE)
    noisy, made = through_noise(model(), grey, 0.1)
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.05)  # twice 0.1: the range is 2 wide
    assert set(made.unique().tolist()) == {-1.0, 1.0}
    assert through_noise(model(), grey, 3.0)[0].abs().max() == 1
    assert torch.equal(through_noise(model(), grey, 0.1, seed=0)[0], noisy)
    assert not torch.equal(through_noise(model(), grey, 0.1, seed=1)[0], noisy)


def test_noise_is_shown_above_what_is_left_of_it() -> None:
    figure = denoising_figure(model(), checks(2), level=0.1)
    shown = pictures(figure)
    white_black = [[255, 0], [0, 255]]
    assert shown[:2] == shown[4:] == [white_black] * 2  # all noise is gone
    assert any(picture != white_black for picture in shown[2:4])  # noise beyond the range is cut off
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["clean", "noisy", "denoised"]
    assert float(figure.axes[3].get_xlabel().removesuffix(" dB")) < 40
    assert figure.axes[5].get_xlabel() == "120.0 dB"


def test_a_path_of_spikes_turns_those_that_differ_and_turns_none_back() -> None:
    start, end = torch.zeros(STEPS, 40), torch.ones(STEPS, 40)
    end[:, :10] = 0
    along = path(start, end, torch.linspace(0, 1, 5), item_axis=1)
    assert along.shape == (STEPS, 5, 40)
    assert torch.equal(along[:, 0], start) and torch.equal(along[:, -1], end)
    assert along[..., :10].sum() == 0 and set(along.unique().tolist()) == {0.0, 1.0}
    turned = along.sum((0, 2))
    assert (along.diff(dim=1) >= 0).all() and (turned.diff() > 0).all()
    assert abs(float(turned[2]) - 45) < 4 * (90 / 4) ** 0.5  # half of 90, within four standard deviations


def test_a_path_of_vectors_is_straight() -> None:
    along = path(torch.tensor([0.0, 4.0]), torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.25, 1.0]), item_axis=0)
    assert along.tolist() == [[0, 4], [0.5, 3], [2, 0]]


def test_an_interpolation_begins_and_ends_with_the_items_and_their_reconstructions() -> None:
    x = torch.cat([checks(1), -checks(1), checks(1)]) * 0.5
    figure = interpolation_figure(model(), x, torch.tensor([0, 1, 0]), points=4)
    shown = pictures(figure)
    assert len(shown) == 2 * 6
    first = shown[:6]
    assert first[0] == [[191, 64], [64, 191]] and first[1] == [[255, 0], [0, 255]]
    assert first[4] == [[0, 255], [255, 0]] and first[5] == [[64, 191], [191, 64]]
    assert shown[6] == first[5]
    assert [axis.get_title() for axis in figure.axes[:6]] == ["item", "0", "0.33", "0.67", "1", "item"]


def test_a_model_that_knows_classes_is_told_that_of_the_nearer_end() -> None:
    conditional = model(classes=3)
    interpolation_figure(conditional, torch.cat([checks(1), -checks(1)]), torch.tensor([2, 1]), points=4)
    assert conditional.network.labels.tolist() == [2, 2, 1, 1]


def test_recordings_are_interpolated_as_events() -> None:
    x = torch.zeros(2, STEPS, 2, SIDE, SIDE)
    x[1, :, :, 0, 0] = 1
    figure = interpolation_figure(model(event=True), x, torch.tensor([0, 1]), points=3)
    assert len(figure.axes) == 5 and np.asarray(figure.axes[0].images[0].get_array()).shape == (SIDE, SIDE, 3)
    assert denoising_figure(model(event=True), x) is None


def test_the_map_has_a_point_for_each_item_coloured_by_its_class() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(30, 1, SIDE, SIDE, generator=generator) - 0.5
    labels = np.arange(30) % 3
    figure = code_map_figure(model(), x, labels)
    points = figure.axes[0].collections
    assert [len(each.get_offsets()) for each in points] == [10, 10, 10]
    assert len({tuple(each.get_facecolors()[0]) for each in points}) == 3
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b", "c"]
    assert figure.axes[0].get_title().startswith("30 codes")


def test_codes_of_spikes_are_vectors_of_all_steps_item_by_item() -> None:
    codes = vectors(model(), torch.cat([checks(1), -checks(1)]))
    assert codes.tolist() == [[1, 0, 0, 1] * STEPS, [0, 1, 1, 0] * STEPS]


def test_neighbours_agree_where_the_nearest_other_code_has_the_same_class() -> None:
    codes = np.array([[0.0], [1.0], [10.0], [11.5], [13.0]])  # nearest: 1, 0, 3, 2 and 4 alike, 3
    assert neighbours_agree(codes, np.array([0, 0, 1, 1, 2])) == pytest.approx((1 + 1 + 1 + 0.5 + 0) / 5)


def test_nothing_is_drawn_of_what_encodes_nothing_or_of_a_handful() -> None:
    x, labels = checks(12), np.zeros(12, np.int64)
    generator = model(encodes=False)
    assert denoising_figure(generator, x) is None
    assert interpolation_figure(generator, x, torch.from_numpy(labels)) is None
    assert code_map_figure(generator, x, labels) is None
    assert code_map_figure(model(), x[:9], labels[:9]) is None
