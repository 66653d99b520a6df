"""The sampler samples the trained network: recurrence, frequencies, prefix, independence of the batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from neurogen.models.prior import SpikingPrior
from tests.neurogen.models.test_prior import OPTIONS, small, some_codes

VARIANTS = {
    "published": {},
    "classes": {"classes": 3},
    "one step": {"steps": 1},
    "normalised": {"normalise": True},
    "neighbours": {"neighbours": True},
    "gains": {"offset_gains": True},
    "every option": {**OPTIONS, "classes": 3},
}


def uniforms(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def labels_of(prior: SpikingPrior, n: int) -> Tensor | None:
    return torch.arange(n) % 3 if prior.config.classes else None


@pytest.mark.parametrize("variant", VARIANTS)
def test_b1_logits_of_the_recurrence_equal_those_of_the_full_forward(variant: str) -> None:
    prior, codes = small(**VARIANTS[variant]), some_codes().flatten(1)
    labels = labels_of(prior, 5)
    states = prior.start()
    steps = torch.stack([prior.step(codes, i, labels, states) for i in range(12)], 1)
    full = prior(codes, labels).detach()
    assert full.std() > 0.1
    assert float((steps - full).abs().max()) < 1e-10  # float64 sums in another order


@pytest.mark.parametrize("variant", ["published", "every option"])
def test_samples_are_the_inversion_of_the_full_forward_s_distribution(variant: str) -> None:
    prior, u = small(**VARIANTS[variant]), uniforms(20)
    labels = labels_of(prior, 20)
    codes = prior.sample(u, labels).flatten(1)
    cdf = torch.softmax(prior(codes, labels).detach(), -1).cumsum(-1)
    below = torch.cat((torch.zeros(20, 12, 1, dtype=torch.float64), cdf[..., :-1]), -1)
    at = codes[..., None]
    assert (below.gather(-1, at)[..., 0] <= u + 1e-9).all()
    assert (u < cdf.gather(-1, at)[..., 0] + 1e-9).all()


def test_frequencies_of_sampled_pairs_follow_the_model() -> None:
    prior, n = small(codes=4, height=1, width=2), 20_000
    u = torch.rand(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    seen = torch.bincount((prior.sample(u).flatten(1) * torch.tensor([4, 1])).sum(1), minlength=16).double()
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    p = torch.softmax(prior(pairs).detach(), -1).gather(-1, pairs[..., None]).prod(1)[:, 0]
    chi2 = float(((seen - n * p).square() / (n * p)).sum())
    assert n * float(p.min()) > 5
    assert chi2 < 37.7  # 0.1 % quantile of chi-squared with 15 degrees of freedom; the uniforms are fixed


def test_a_sample_does_not_depend_on_the_batch_it_is_in() -> None:
    prior, u = small(classes=3, **OPTIONS), uniforms(9)
    labels = labels_of(prior, 9)
    together = prior.sample(u, labels)
    alone = torch.cat([prior.sample(u[i : i + 1], labels[i : i + 1]) for i in range(9)])
    assert torch.equal(together, alone)


def test_sampling_a_after_b_equals_a_alone_and_takes_no_random_numbers() -> None:
    prior, u = small(), uniforms(4)
    alone = small().sample(u)
    prior.sample(uniforms(6, 1))
    prior.sample(uniforms(4, 2))
    state = torch.get_rng_state()
    assert torch.equal(prior.sample(u), alone)
    assert torch.equal(torch.get_rng_state(), state)


def test_sampling_is_without_dropout_and_leaves_the_mode_as_it_was() -> None:
    prior, u = small(dropout=0.5), uniforms(4)
    expected = prior.eval().sample(u)
    assert torch.equal(prior.train().sample(u), expected)
    assert prior.training


def test_labels_change_the_samples() -> None:
    prior, u = small(classes=3), uniforms(8)
    a, b = (prior.sample(u, torch.full((8,), label)) for label in (0, 1))
    assert not torch.equal(a, b)


@pytest.mark.parametrize("known", [0, 1, 7, 12])
def test_a_sample_continues_from_its_own_first_codes(known: int) -> None:
    prior, u = small(classes=3, **OPTIONS), uniforms(6)
    labels = labels_of(prior, 6)
    codes = prior.sample(u, labels)
    again = u.clone()
    again[:, :known] = 0.5  # not used
    assert torch.equal(prior.sample(again, labels, prefix=codes.flatten(1)[:, :known]), codes)


def test_a_prefix_is_kept_and_matters() -> None:
    prior, u = small(), uniforms(6)
    a, b = (prior.sample(u, prefix=torch.full((6, 5), code)).flatten(1) for code in (3, 8))
    assert (a[:, :5] == 3).all()
    assert not torch.equal(a[:, 5:], b[:, 5:])


def test_top_k_1_takes_the_likeliest_code_everywhere() -> None:
    prior, u = small(), uniforms(5)
    codes = prior.sample(u, top_k=1).flatten(1)
    assert torch.equal(codes, prior(codes).argmax(-1))


def test_the_memory_of_the_published_kind_does_not_grow_with_the_position() -> None:
    prior, codes = small(), some_codes(2).flatten(1)
    states, sizes = prior.start(), []
    for i in range(12):
        prior.step(codes, i, None, states)
        sizes.append(sum(state.counts.numel() for state in states))
    assert set(sizes) == {2 * 3 * 2 * 2 * 8 * 8}  # blocks, T, N, heads, d, d


@torch.no_grad()
def test_a_code_costs_the_same_products_at_every_position() -> None:
    prior, codes = small(), some_codes(2).flatten(1)
    states, counts = prior.start(), []
    for i in range(12):
        with FlopCounterMode(display=False) as counter:
            prior.step(codes, i, None, states)
        counts.append(counter.get_total_flops() // 2)
    rows, d = 3 * 2, 16  # T N rows
    block = rows * (3 * d * d + d * d + 8 * d * d) + rows * 2 * 8 * 8  # linear layers; two heads of a row by a matrix
    assert counts == [2 * block + rows * d * 11] * 12


def test_with_gains_the_memory_is_the_list_of_binary_keys_and_values() -> None:
    prior, codes = small(offset_gains=True), some_codes(2).flatten(1)
    states = prior.start()
    for i in range(12):
        prior.step(codes, i, None, states)
    assert [state.keys.shape for state in states] == [(3, 2, 2, 12, 8)] * 2  # T, N, heads, L, d
    assert all(set(part.unique().tolist()) == {0.0, 1.0} for state in states for part in (state.keys, state.values))


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    prior = small()
    with pytest.raises(ValueError, match=r"expected uniforms of shape \(N, 12\), got \(2, 11\)"):
        prior.sample(uniforms(2)[:, :11])
    with pytest.raises(ValueError, match=r"expected a prefix of shape \(2, 12 or less\), got \(1, 3\)"):
        prior.sample(uniforms(2), prefix=torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected codes 0 to 10 in the prefix, got 0 to 11"):
        prior.sample(uniforms(1), prefix=torch.tensor([[0, 11]]))
    with pytest.raises(ValueError, match=r"expected a prefix of whole numbers, got torch.float32; pass prefix.long"):
        prior.sample(uniforms(1), prefix=torch.tensor([[1.5]]))
    with pytest.raises(
        ValueError, match=r"above 0, got 0; for the likeliest codes take top_k=1, .* temperature near 0"
    ):
        prior.sample(uniforms(1), temperature=0)
