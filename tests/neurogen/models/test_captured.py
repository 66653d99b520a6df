"""Sampling by a step whose position is a number on the device: the codes of the plain loop, captured or not."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from neurogen.models import captured
from neurogen.models.captured import Captured, Drawing, Place, advance
from neurogen.models.prior import SpikingPrior
from tests.neurogen.models.test_prior import OPTIONS, small
from tests.neurogen.models.test_prior_forms import FORMS, some_uniforms

CASES = [(form, options) for form in ("map", *FORMS) for options in (False, True)]
ITEMS = 6


def prior_of(form: str, options: bool, **settings: object) -> SpikingPrior:
    """Over 2x3 sites of 3 steps, with three classes."""
    return small(
        **{"height": 2, "width": 3, "classes": 3, **FORMS.get(form, {}), **(OPTIONS if options else {}), **settings}
    )


def sample(prior: SpikingPrior, seed: int = 0, **options: object) -> Tensor:
    device = prior.embedding.positions.device
    labels = torch.arange(ITEMS, device=device) % 3
    return prior.sample(some_uniforms(prior, ITEMS, seed), labels, **options)


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """On the CPU the step of a graph runs as it is; how many sequences each capture was for."""
    made: list[int] = []

    def capture(prior: SpikingPrior, rows: int, drawing: Drawing, key: tuple[object, ...]) -> Captured:
        place = Place.of(prior, rows)
        made.append(rows)
        return Captured(key, place, lambda: advance(prior, place, drawing))

    monkeypatch.setattr(captured, "_can_capture", lambda tokens: True)
    monkeypatch.setattr(captured, "_capture", capture)
    return made


@pytest.mark.parametrize(("form", "options"), CASES)
@pytest.mark.parametrize("drawing", [{}, {"temperature": 0.5}])
def test_codes_equal_those_of_the_plain_loop(
    form: str, options: bool, drawing: dict[str, float], replayed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = prior_of(form, options)
    found = sample(prior, **drawing)
    assert replayed == [ITEMS * prior.order.sequences]
    monkeypatch.setattr(captured, "_can_capture", lambda tokens: False)
    assert torch.equal(found, sample(prior, **drawing))
    assert len(found.unique()) > 1


def test_the_likeliest_codes_and_given_ones_are_kept(replayed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    prior = prior_of("map", True)
    prefix = torch.tensor([[3, 1]]).expand(ITEMS, 2)
    found = [sample(prior, prefix=prefix), sample(prior, top_k=2, top_p=0.9)]
    assert found[0].flatten(1)[:, :2].tolist() == prefix.tolist()
    monkeypatch.setattr(captured, "_can_capture", lambda tokens: False)
    assert torch.equal(found[0], sample(prior, prefix=prefix))
    assert torch.equal(found[1], sample(prior, top_k=2, top_p=0.9))


@pytest.mark.parametrize("options", [False, True])
def test_a_second_batch_starts_anew_and_sees_weights_that_moved(options: bool, replayed: list[int]) -> None:
    prior = prior_of("map", options)
    first = sample(prior)
    assert torch.equal(sample(prior), first)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(1.3)
    found, other = sample(prior), copy.deepcopy(prior)
    assert torch.equal(found, sample(other))
    assert not torch.equal(found, first)
    assert len(replayed) == 2  # the first prior's, again and again, and the copy's


def test_another_drawing_or_other_weights_are_captured_again(replayed: list[int]) -> None:
    prior = prior_of("map", False)
    sample(prior)
    sample(prior, temperature=0.5)
    prior.embedding.positions = torch.nn.Parameter(prior.embedding.positions.detach().clone())
    sample(prior, temperature=0.5)
    assert len(replayed) == 3


def test_captures_and_replays_are_on_the_gpu_of_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[torch.device] = []
    seen: list[torch.device] = []

    @contextmanager
    def on(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    def capture(prior: SpikingPrior, rows: int, drawing: Drawing, key: tuple[object, ...]) -> Captured:
        seen.extend(current)
        return Captured(key, Place.of(prior, rows), lambda: seen.extend(current))

    for name, stand_in in (("_on", on), ("_capture", capture), ("_can_capture", lambda tokens: True)):
        monkeypatch.setattr(captured, name, stand_in)
    prior = prior_of("map", False)
    sample(prior)
    assert seen == [torch.device("cpu")] * (1 + prior.length)


def test_a_few_last_positions_are_not_worth_a_graph(replayed: list[int]) -> None:
    prior = prior_of("map", False)
    sample(prior, prefix=torch.zeros(ITEMS, 3, dtype=torch.int64))
    assert not replayed


def test_a_graph_goes_with_its_prior(replayed: list[int]) -> None:
    prior = prior_of("map", False)
    before = len(captured._kept)
    sample(prior)
    assert len(captured._kept) == before + 1
    captured._kept[prior].replay = lambda: None  # this test's replay holds its prior, a graph does not
    del prior
    gc.collect()
    assert len(captured._kept) <= before


def test_logits_that_are_not_numbers_are_refused(replayed: list[int]) -> None:
    prior = prior_of("map", False)
    with torch.no_grad():
        prior.head.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="expected finite logits from the prior"):
        sample(prior)


def test_what_cannot_be_captured_runs_plainly_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Captured:
        raise RuntimeError("operation not permitted when stream is capturing")

    prior = prior_of("map", False)
    wanted = sample(prior)
    monkeypatch.setattr(captured, "_can_capture", lambda tokens: True)
    monkeypatch.setattr(captured, "_capture", refuse)
    with pytest.warns(UserWarning, match="sampling runs uncaptured: operation not permitted"):
        found = sample(prior)
    assert torch.equal(found, wanted)


@pytest.mark.gpu
@pytest.mark.parametrize(("form", "options"), CASES)
def test_a_graph_draws_the_codes_of_the_plain_loop_and_of_the_cpu(
    form: str, options: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = prior_of(form, options)
    on_cpu = sample(prior)
    prior.cuda()
    found = [sample(prior, seed) for seed in (0, 1, 0)]
    assert prior in captured._kept
    monkeypatch.setattr(captured, "_can_capture", lambda tokens: False)
    plain = [sample(prior, seed) for seed in (0, 1, 0)]
    for a, b in zip(found, plain, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(found[0].cpu(), on_cpu)  # float64 network: sums in another order move no spike


@pytest.mark.gpu
def test_a_graph_takes_a_float32_network_the_cupy_neuron_and_top_p(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = prior_of("map", True, dim=64, heads=4).float().cuda()
    with torch.inference_mode():
        found = sample(prior, top_k=5, top_p=0.8)
    with torch.no_grad():
        again = sample(prior, top_k=5, top_p=0.8)
    assert torch.equal(found, again)
    monkeypatch.setattr(captured, "_can_capture", lambda tokens: False)
    assert torch.equal(found, sample(prior, top_k=5, top_p=0.8))
