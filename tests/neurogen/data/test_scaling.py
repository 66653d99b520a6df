"""Counts to model units and back."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from torch.nn import functional as F

from event_tools.bulk import nmnist_counts
from neurogen.data import DataError, Scaling
from neurogen.data.scaling import measure_class_peaks, measure_scale
from tests.data import data_path


def counts_of(n: int = 3, high: int = 9, size: int = 34) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, high, (n, 4, 2, size, size)).astype(np.uint8)


def real_counts(n: int = 40) -> NDArray[np.uint16]:
    with zipfile.ZipFile(io.BytesIO(data_path("n-mnist/n-mnist-1100.zip").read_bytes())) as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")][::25][:n]
        return nmnist_counts([archive.read(name) for name in names], 4)[0]


def scaling(kind: str = "dataset", fit: str = "crop", resolution: int = 32, **more: object) -> Scaling:
    return Scaling(kind, 7.0, fit, resolution, (34, 34), **more)  # type: ignore[arg-type]


def test_dataset_scaling_divides_the_central_crop() -> None:
    counts = counts_of()
    expected = counts[..., 1:33, 1:33].astype(np.float64) / 7
    assert scaling().apply(counts).dtype == np.float32
    np.testing.assert_allclose(scaling().apply(counts), expected, rtol=1e-6)


def test_undoing_a_crop_places_the_frames_back_and_leaves_the_border_empty() -> None:
    counts = counts_of()
    back = np.rint(scaling().undo(scaling().apply(counts)))
    np.testing.assert_array_equal(back[..., 1:33, 1:33], counts[..., 1:33, 1:33])
    assert back.sum() == counts[..., 1:33, 1:33].sum()


def test_resizing_is_torchs_bilinear_with_aligned_corners() -> None:
    counts = counts_of(2)
    own = scaling(fit="resize", resolution=64).apply(counts) * 7
    torchs = F.interpolate(torch.from_numpy(counts[0]).double(), (64, 64), mode="bilinear", align_corners=True)
    np.testing.assert_allclose(own[0], torchs.numpy(), atol=2e-6)  # float32 of counts up to 8


def test_recording_scaling_is_the_published_formula() -> None:
    counts = counts_of(2, high=6)
    counts[0, 0, 0, 0, 0], counts[1, 0, 0, 0, 0] = 11, 17
    values = scaling("recording", "none", 34).apply(counts)
    np.testing.assert_allclose(values[0], 2 * counts[0] / 11.0 - 1, atol=1e-6)
    np.testing.assert_allclose(values[1], 2 * counts[1] / 17.0 - 1, atol=1e-6)


def test_a_constant_recording_has_finite_values() -> None:
    counts = np.zeros((1, 4, 2, 34, 34), np.uint8)
    for fit, resolution in (("crop", 32), ("resize", 64)):
        one = scaling("recording", fit, resolution)
        assert (one.apply(counts) == -1).all()
        assert np.isfinite(one.apply(counts + 3)).all()


@pytest.mark.parametrize(
    ("kind", "fit"), [(k, f) for k in ("dataset", "recording") for f in ("resize", "none", "crop")]
)
def test_real_recordings_come_back_exactly(kind: str, fit: str) -> None:
    counts = real_counts()
    one = scaling(kind, fit, {"resize": 64, "none": 34, "crop": 32}[fit])
    back = np.rint(one.undo(one.apply(counts), peaks=one.measure_peaks(counts)))
    if fit == "crop":
        counts = np.pad(counts[..., 1:33, 1:33], [(0, 0)] * 3 + [(1, 1)] * 2)
    np.testing.assert_array_equal(back, counts)


def test_generated_frames_are_undone_with_their_class_peak() -> None:
    one = scaling("recording", "none", 34, peaks=(4.0, 8.0))
    back = one.undo(np.zeros((2, 4, 2, 34, 34)), labels=np.array([1, 0]))
    assert (back[0] == 4.0).all() and (back[1] == 2.0).all()


def test_undoing_recording_scaling_needs_labels_or_peaks() -> None:
    with pytest.raises(DataError, match="expected labels or peaks"):
        scaling("recording").undo(np.zeros((1, 4, 2, 32, 32)))


def test_the_background_is_what_no_event_becomes() -> None:
    counts = counts_of()
    counts[:, 0, 0, 16, 16] = 0
    for kind in ("dataset", "recording"):
        one = scaling(kind)
        assert (one.apply(counts)[:, 0, 0, 15, 15] == one.background).all()


def test_sums_keep_every_event_and_come_back_in_whole() -> None:
    counts = counts_of(2, size=32)
    summed = Scaling("dataset", 5.0, "sum", 8, (32, 32))
    assert summed.factor == 4
    by_hand = np.stack(
        [[counts[..., 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].sum((-2, -1)) for c in range(8)] for r in range(8)]
    )
    wanted = np.moveaxis(by_hand, (0, 1), (-2, -1))
    values = summed.apply(counts)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, wanted / 5, rtol=1e-6)
    np.testing.assert_allclose(summed.expected(values), wanted, rtol=1e-6)
    back = summed.undo(values)
    assert back.shape == counts.shape
    np.testing.assert_allclose(back.sum((-2, -1)), counts.sum((-2, -1)), rtol=1e-6)
    np.testing.assert_allclose(summed.fitted(back), wanted, rtol=1e-6)


def test_sums_of_unequal_squares_are_refused() -> None:
    for resolution, sensor in ((24, (32, 32)), (16, (32, 16))):
        with pytest.raises(DataError, match=r"expected data\.resolution to divide a square sensor"):
            Scaling("dataset", 1.0, "sum", resolution, sensor)


def test_the_scale_of_sums_is_measured_on_sums() -> None:
    counts = np.ones((5, 4, 2, 32, 32), np.uint8)
    summed = Scaling("dataset", 1.0, "sum", 8, (32, 32))
    assert measure_scale(counts, np.arange(5), summed) == 16
    assert measure_scale(counts, np.arange(5)) == 1


def test_a_scaling_survives_yaml() -> None:
    one = scaling("recording", peaks=(4.0, 8.5))
    assert Scaling.from_dict(yaml.safe_load(yaml.safe_dump(one.to_dict()))) == one


def test_a_crop_larger_than_the_sensor_is_refused() -> None:
    with pytest.raises(DataError, match=r"up to 34 to crop a 34x34 sensor, got 64; set data.fit=resize"):
        scaling(resolution=64)


def test_another_sensor_is_refused_without_a_fit() -> None:
    with pytest.raises(DataError, match=r"32x32 sensor for data.fit=none, got 34x34"):
        scaling(fit="none")


def test_the_scale_is_the_99_percent_quantile_of_non_zero_cells() -> None:
    counts = np.zeros((2, 1, 2, 20, 20), np.uint8)
    counts[0].flat[:100] = 1
    counts[0].flat[:1] = 9  # 1 of 100 cells: 99 % do not exceed 1
    counts[1] = 200  # not among the chosen
    assert measure_scale(counts, np.array([0])) == 1.0
    counts[0].flat[:2] = 9
    assert measure_scale(counts, np.array([0])) == 9.0


def test_the_scale_of_nothing_is_one() -> None:
    assert measure_scale(np.zeros((2, 1, 2, 4, 4), np.uint8), np.array([0, 1])) == 1.0


def test_class_peaks_are_medians_and_the_overall_median_without_items() -> None:
    counts = np.zeros((4, 1, 2, 34, 34), np.uint8)
    for i, peak in enumerate((2, 4, 9, 50)):
        counts[i, 0, 0, 5, 5] = peak
    peaks = measure_class_peaks(scaling("recording"), counts, np.array([0, 1, 2]), np.array([0, 0, 2]), 3)
    assert peaks == (3.0, 4.0, 9.0)
