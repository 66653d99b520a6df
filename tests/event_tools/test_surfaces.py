"""Time surfaces and count images by hand."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events, averaged_surfaces, count_image, last_times, time_surfaces
from event_tools.surfaces import NEVER

EVENTS = Events([10, 20, 20, 50], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1], (2, 1))


def test_last_times_are_those_of_the_latest_event_of_each_polarity_and_pixel() -> None:
    assert last_times(EVENTS).tolist() == [[[NEVER, 20]], [[50, NEVER]]]
    assert last_times(EVENTS, at_us=20).tolist() == [[[NEVER, 20]], [[20, NEVER]]]
    assert last_times(EVENTS, at_us=19).tolist() == [[[NEVER, NEVER]], [[10, NEVER]]]


def test_a_surface_fades_with_age_and_is_0_where_nothing_fired() -> None:
    surfaces = time_surfaces(EVENTS, tau_us=30, at_us=[5, 20, 49])
    fresh, aged = 1.0, np.exp(-29 / 30)
    assert surfaces.dtype == np.float32 and surfaces.shape == (3, 2, 1, 2)
    assert not surfaces[0].any()
    assert surfaces[1].tolist() == [[[0, fresh]], [[fresh, 0]]]
    assert surfaces[2] == pytest.approx(np.array([[[0, aged]], [[aged, 0]]]), abs=1e-7)


def test_a_surface_stands_at_the_last_event_unless_a_time_is_given() -> None:
    assert time_surfaces(EVENTS, 30) == pytest.approx(np.array([[[[0, np.exp(-1)]], [[1, 0]]]]), abs=1e-7)


def test_surfaces_of_no_events_are_0() -> None:
    assert not time_surfaces(Events.empty((2, 1)), 30).any()
    assert (last_times(Events.empty((2, 1))) == NEVER).all()


@pytest.mark.parametrize("arguments", [(0,), (30, [5, 4]), (30, [0.5])], ids=str)
def test_wrong_surfaces_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError, match="expected"):
        time_surfaces(EVENTS, *arguments)


def test_an_averaged_surface_is_the_mean_over_the_events_of_a_cell() -> None:
    # Two cells of two pixels: in the left one ON fires at x = 0, 1, 0 at 0, 10 and 30 us, in the right one once.
    events = Events([0, 10, 20, 30, 30], [0, 1, 2, 0, 1], [0] * 5, [1, 1, 1, 1, 0], (4, 1))
    surfaces = averaged_surfaces(events, cell=2, radius=1, tau_us=10, window_us=25)
    assert surfaces.shape == (1, 2, 2, 3, 3)
    left = np.zeros((3, 3))
    left[1, 0] = np.exp(-1) / 3  # at 10 us, the pixel to its left fired 10 us before
    left[1, 2] = np.exp(-2) / 3  # at 30 us, the one to its right 20 us before; its own, 30 us before, is too old
    assert surfaces[0, 0, 1] == pytest.approx(left, abs=1e-7)
    assert not surfaces[0, 1].any() and not surfaces[0, 0, 0].any()


def test_cells_at_the_border_may_be_cut_and_events_at_once_do_not_see_each_other() -> None:
    events = Events([5, 5, 6], [4, 4, 4], [2, 2, 2], [0, 0, 0], (5, 3))
    surfaces = averaged_surfaces(events, 2, 0, 1, 1)
    assert surfaces.shape == (2, 3, 2, 1, 1)
    assert surfaces[1, 2, 0, 0, 0] == pytest.approx(2 * np.exp(-1) / 3)
    with pytest.raises(ValueError, match="expected cell"):
        averaged_surfaces(events, 0, 0, 1, 1)


@pytest.mark.parametrize(
    ("polarity", "expected"), [("merged", [[3, 1]]), ("split", [[[0, 1]], [[3, 0]]]), ("signed", [[3, -1]])]
)
def test_an_image_counts_all_events(polarity: str, expected: list) -> None:
    assert count_image(EVENTS, polarity).tolist() == expected


def test_an_unknown_image_is_refused() -> None:
    with pytest.raises(ValueError, match="merged, split, signed"):
        count_image(EVENTS, "both")
