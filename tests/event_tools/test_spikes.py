"""Frames as spike tensors, dense and sparse, and back."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Frames, from_sparse, from_spikes, to_events, to_frames, to_sparse, to_spikes
from event_tools.spikes import Sparse

EDGES = np.array([0, 10, 20, 30])


def frames(seed: int) -> Frames:
    return Frames(np.random.default_rng(seed).poisson(0.4, (3, 2, 4, 5)).astype(np.int32), EDGES)


def test_one_recording_is_shared_as_a_batch_of_one() -> None:
    one = frames(0)
    spikes = to_spikes(one)
    assert spikes.shape == (3, 1, 2, 4, 5) and np.shares_memory(spikes, one.counts)
    (again,) = from_spikes(spikes, EDGES)
    assert again == one and np.shares_memory(again.counts, one.counts)


def test_several_recordings_are_a_batch_of_which_each_is_shared() -> None:
    spikes = to_spikes([frames(0), frames(1)])
    assert spikes.shape == (3, 2, 2, 4, 5)
    again = from_spikes(spikes, EDGES)
    assert again == [frames(0), frames(1)] and np.shares_memory(again[1].counts, spikes)


def test_each_recording_may_have_its_own_edges() -> None:
    edges = np.stack((EDGES, EDGES + 7))
    assert from_spikes(to_spikes([frames(0), frames(1)]), edges)[1] == Frames(frames(1).counts, EDGES + 7)


def test_spikes_of_any_type_become_recordings() -> None:
    spikes = frames(0).counts > 0
    for dtype in (np.bool_, np.float32, np.uint8):
        (one,) = from_spikes(spikes.astype(dtype), EDGES)
        assert np.array_equal(one.counts, spikes) and len(to_events(one)) == spikes.sum()
        assert to_frames(to_events(one), edges=EDGES) == one
    assert np.shares_memory(from_spikes(spikes, EDGES)[0].counts, spikes)


@pytest.mark.parametrize(
    ("spikes", "reason"),
    [
        (np.full((3, 2, 4, 5), 0.5), "whole numbers"),
        (np.full((3, 2, 4, 5), np.nan), "whole numbers"),
        (np.full((3, 2, 4, 5), -1), "from 0 up"),
        (np.zeros((3, 1, 1, 4, 5)), "channel"),
        (np.zeros((3, 20)), "expected spikes"),
        (np.zeros((4, 2, 4, 5)), "edges"),
    ],
    ids=["halves", "nan", "negative", "one channel", "flat", "edges"],
)
def test_wrong_spikes_are_refused(spikes: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_spikes(spikes, EDGES)


def test_recordings_of_different_shapes_make_no_batch() -> None:
    for wrong in ([], [frames(0), Frames(np.zeros((3, 2, 4, 6), int), EDGES)]):
        with pytest.raises(ValueError, match="of one shape"):
            to_spikes(wrong)


def test_sparse_spikes_come_back() -> None:
    sparse = to_sparse(frames(0))
    assert sparse.shape == (3, 2, 4, 5) and sparse.indices.shape == (4, np.count_nonzero(frames(0).counts))
    assert sparse.values.sum() == frames(0).counts.sum()
    assert from_sparse(sparse, EDGES) == frames(0)


def test_sparse_spikes_at_one_place_add_up() -> None:
    indices = np.array([[0, 1, 0], [1, 0, 1], [2, 0, 2], [3, 4, 3]])
    one = from_sparse(Sparse(indices, np.array([1.0, 2.0, 4.0]), (3, 2, 4, 5)), EDGES)
    assert one.counts[0, 1, 2, 3] == 5 and one.counts[1, 0, 0, 4] == 2 and one.counts.sum() == 7


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [((3, 0, 0, 0), 1, "within the shape"), ((-1, 0, 0, 0), 1, "within"), ((0, 0, 0, 0), 1 << 31, "below 2")],
    ids=["beyond", "negative", "too many"],
)
def test_wrong_sparse_spikes_are_refused(place: tuple, value: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_sparse(Sparse(np.array(place)[:, None], np.array([value]), (3, 2, 4, 5)), EDGES)


def test_layouts_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    sparse = to_sparse(frames(0))
    indices, values = torch.from_numpy(sparse.indices), torch.from_numpy(sparse.values)
    dense = torch.sparse_coo_tensor(indices, values, sparse.shape, check_invariants=True)
    assert np.array_equal(dense.to_dense().numpy(), frames(0).counts)
