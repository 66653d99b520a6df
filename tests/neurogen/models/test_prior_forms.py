"""Priors over codes of each step and over bits: the recurrence, likelihoods, sampling and completion."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.config import PriorModelConfig
from neurogen.models.bits_in_turn import BitsInTurn
from neurogen.models.drawing import bits_at
from neurogen.models.prior import SpikingPrior
from tests.neurogen.models.test_prior import OPTIONS, small

STEPS, BITS = 3, 5
FORMS: dict[str, dict[str, object]] = {
    "step": {"over": "step", "code_steps": STEPS},
    "joint": {"over": "joint", "code_steps": STEPS},
    "joint of bits": {"over": "joint", "code_steps": STEPS, "bits": BITS, "codes": 2},
    "step of bits": {"over": "step", "code_steps": STEPS, "bits": BITS, "codes": 2},
    "joint of bits in turn": {
        "over": "joint",
        "code_steps": STEPS,
        "bits": BITS,
        "codes": 2,
        "bits_in_turn": True,
    },
}
VARIANTS = [(form, options) for form in FORMS for options in (False, True)]


def prior_of(form: str, options: bool = False, **settings: object) -> SpikingPrior:
    """Over 2x3 sites of 3 steps."""
    return small(**{"height": 2, "width": 3, **FORMS[form], **(OPTIONS if options else {}), **settings})


def some_items(prior: SpikingPrior, n: int = 4, seed: int = 1) -> Tensor:
    shape = (n, *prior.order.form.item_shape)
    return torch.randint(prior.config.codes, shape, generator=torch.Generator().manual_seed(seed))


def some_uniforms(prior: SpikingPrior, n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, prior.order.uniforms, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("form", "options"), VARIANTS)
def test_b1_logits_of_the_recurrence_equal_those_of_the_full_forward(form: str, options: bool) -> None:
    prior = prior_of(form, options)
    tokens = prior.order.tokens(some_items(prior))
    states = prior.start()
    steps = torch.stack([prior.step(tokens, i, None, states) for i in range(prior.length)], 1)
    full = prior(tokens).detach()
    assert full.std() > 0.1
    assert float((steps - full).abs().max()) < 1e-10  # float64 sums in another order


def test_a_bit_in_turn_changes_only_the_bits_after_it_and_the_tokens_after_them() -> None:
    prior = prior_of("joint of bits in turn")
    tokens = prior.order.tokens(some_items(prior, 1))
    before = prior(tokens)
    for b in range(BITS):
        changed = tokens.clone()
        changed[0, 3, b] = 1 - changed[0, 3, b]
        difference = (prior(changed) - before).abs()[0]
        assert difference[:3].max() == 0
        assert difference[3, : b + 1].max() == 0
        assert b + 1 == BITS or difference[3, b + 1 :].min() > 0
        assert difference[4:].max() > 0


def test_bits_in_turn_are_one_hidden_layer_that_they_are_added_to() -> None:
    torch.manual_seed(0)
    turn = BitsInTurn(6, 3).double()
    nn.init.normal_(turn.leave)
    x, bits = torch.randn(6, dtype=torch.float64), torch.tensor([1, 0, 1])
    hidden, expected = turn.enter(x), []
    for b in range(3):
        expected.append((hidden.clamp_min(0) * turn.leave[b]).sum())
        if b < 2:
            hidden = hidden + (turn.rows[b] if bits[b] else -turn.rows[b])
    assert torch.allclose(turn(x, bits), torch.stack(expected))


@pytest.mark.parametrize("form", ["joint", "joint of bits"])
@pytest.mark.parametrize("options", [False, True])
def test_a_token_changes_only_what_comes_after_it(form: str, options: bool) -> None:
    prior = prior_of(form, options)
    tokens = prior.order.tokens(some_items(prior, 1))
    before = prior(tokens)
    for j in range(prior.length):
        changed = tokens.clone()
        changed[0, j] = (changed[0, j] + 1) % prior.config.codes
        difference = (prior(changed) - before).abs().amax(-1)[0]
        assert difference[: j + 1].max() == 0
        assert j + 1 == prior.length or difference[j + 1 :].max() > 0


def test_a_token_of_bits_enters_as_the_sum_of_a_row_per_bit() -> None:
    prior = prior_of("joint of bits")
    tokens = prior.order.tokens(some_items(prior, 1))
    table, embedding = prior.embedding.tables[0].weight, prior.embedding
    x = embedding(tokens, None)[0]
    for i in range(1, prior.length):
        rows = [table[BITS * int(bit) + b] for b, bit in enumerate(tokens[0, i - 1])]
        assert torch.allclose(x[i], sum(rows) + embedding.positions[i // STEPS] + embedding.steps[i % STEPS])
    assert torch.allclose(x[0], embedding.start + embedding.positions[0] + embedding.steps[0])


@pytest.mark.parametrize("form", ["joint", "joint of bits"])
def test_what_lies_outside_has_a_row_of_its_own(form: str) -> None:
    prior = prior_of(form, options=True)
    embedding = prior.embedding
    x = embedding(prior.order.tokens(some_items(prior, 1)), None)[0]
    rows = [table.weight[-1] for table in embedding.tables]
    assert len(rows) == 4 + STEPS - 1
    assert torch.allclose(x[0], sum(rows) + embedding.positions[0] + embedding.steps[0])


def test_a_gain_belongs_to_rows_columns_and_steps_between_two_tokens() -> None:
    prior = prior_of("joint", options=True)
    attention = prior.blocks[0].attention
    gains = attention.pair_gains().detach()
    for i, j in ((0, 0), (4, 3), (5, 0), (17, 1), (12, 8), (12, 7)):
        (a, s), (b, t) = divmod(i, STEPS), divmod(j, STEPS)
        raw = attention.gains.detach()[:, a // 3 - b // 3, a % 3 - b % 3 + 2, s - t + STEPS - 1]
        assert torch.allclose(gains[:, i, j], F.softplus(4 * raw + 0.5413))


def test_the_loss_of_bits_is_the_sum_over_the_bits_of_a_token() -> None:
    prior = prior_of("joint of bits")
    items = some_items(prior, 3)
    tokens = prior.order.tokens(items)
    p = torch.sigmoid(prior(items).detach())
    expected = -torch.where(tokens == 1, p, 1 - p).log().sum(-1).mean()
    assert float(prior.loss(items).detach()) == pytest.approx(float(expected), rel=1e-12)
    assert prior.bits_per_code(items, batch=2) == pytest.approx(float(expected) / math.log(2), rel=1e-12)
    assert prior.codes_per_item == 6 * STEPS


def test_the_loss_over_steps_is_that_of_maps_without_knowledge_of_each_other() -> None:
    prior = prior_of("step", classes=3)
    items, labels = some_items(prior, 4), torch.tensor([0, 2, 1, 2])
    each = [float(prior.loss(items[:, t].flatten(1), labels).detach()) for t in range(STEPS)]
    assert float(prior.loss(items, labels).detach()) == pytest.approx(sum(each) / STEPS, rel=1e-12)
    assert prior.bits_per_code(items, labels, batch=3) == pytest.approx(sum(each) / STEPS / math.log(2), rel=1e-12)
    assert prior.codes_per_item == 6 * STEPS


@pytest.mark.parametrize("form", FORMS)
def test_samples_are_the_inversion_of_the_full_forward_s_distribution(form: str) -> None:
    prior = prior_of(form, options=True, classes=3)
    u, labels = some_uniforms(prior, 20), torch.arange(20) % 3
    items = prior.sample(u, labels, temperature=0.7)
    tokens, logits = prior.order.tokens(items), prior(items, labels).detach() / 0.7
    u = u.view(tokens.shape)
    if prior.config.bits:
        assert torch.equal(tokens, (u >= 1 - torch.sigmoid(logits)).long())
        assert 0.1 < float(tokens.double().mean()) < 0.9
        return
    cdf = torch.softmax(logits, -1).cumsum(-1)
    below = torch.cat((torch.zeros_like(cdf[..., :1]), cdf[..., :-1]), -1)
    at = tokens[..., None]
    assert (below.gather(-1, at)[..., 0] <= u + 1e-9).all()
    assert (u < cdf.gather(-1, at)[..., 0] + 1e-9).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_does_not_depend_on_the_batch_it_is_in(form: str) -> None:
    prior = prior_of(form, options=True)
    u = some_uniforms(prior, 5)
    assert torch.equal(prior.sample(u), torch.cat([prior.sample(u[i : i + 1]) for i in range(5)]))


def test_steps_drawn_by_themselves_do_not_see_each_other_and_joint_ones_do() -> None:
    for form, seen in (("step", False), ("joint", True)):
        prior = prior_of(form)
        u = some_uniforms(prior, 8)
        changed = u.view(8, STEPS, 6).clone() if form == "step" else u.view(8, 6, STEPS).transpose(1, 2).clone()
        changed[:, 0] = 1 - changed[:, 0]  # the random numbers of step 0
        other = changed if form == "step" else changed.transpose(1, 2)
        a, b = prior.sample(u), prior.sample(other.reshape(8, -1))
        assert not torch.equal(a[:, 0], b[:, 0])
        assert torch.equal(a[:, 1:], b[:, 1:]) is not seen


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_continues_from_its_own_first_tokens(form: str) -> None:
    prior = prior_of(form, options=True)
    u = some_uniforms(prior, 3)
    items = prior.sample(u)
    tokens = prior.order.tokens(items)
    again = u.view(tokens.shape).clone()
    again[:, :4] = 0.5  # not used
    first = tokens[:, :4].reshape(3, *([STEPS] if "step" in form else []), 4, *tokens.shape[2:])
    assert first.ndim == prior.prefix_dimensions
    assert torch.equal(prior.sample(again.reshape(3, -1), prefix=first), items)


def test_a_bit_is_drawn_by_inversion() -> None:
    logits = torch.tensor([0.0, 0.0, 4.0, -4.0])
    assert bits_at(logits, torch.tensor([0.49, 0.5, 0.5, 0.5]), 1.0).tolist() == [0, 1, 1, 0]
    assert bits_at(logits[2:], torch.tensor([0.2, 0.8]), 4.0).tolist() == [0, 1]  # P(1) = 0.73, 0.27


@pytest.mark.parametrize("form", ["joint of bits", "joint of bits in turn"])
def test_bits_are_not_drawn_from_what_is_no_number(form: str) -> None:
    prior = prior_of(form)
    torch.nn.init.constant_(prior.head.weight, math.nan)
    with pytest.raises(ValueError, match="expected finite logits"):
        prior.sample(some_uniforms(prior, 1))


@pytest.mark.parametrize("form", FORMS)
def test_every_parameter_has_a_gradient(form: str) -> None:
    prior = prior_of(form, options=True, classes=3)
    prior.loss(some_items(prior, 32), torch.arange(32) % 3).backward()
    assert [n for n, p in prior.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    bits, step = prior_of("joint of bits"), prior_of("step")
    with pytest.raises(ValueError, match="expected no top_k and no top_p for codes of bits"):
        bits.sample(some_uniforms(bits, 1), top_k=1)
    with pytest.raises(ValueError, match=r"expected uniforms of shape \(N, 90\), got \(2, 18\)"):
        bits.sample(torch.rand(2, 18))
    with pytest.raises(ValueError, match=r"expected a prefix of shape \(2, 18 or less, 5\), got \(2, 3\)"):
        bits.sample(some_uniforms(bits, 2), prefix=torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"expected a prefix of shape \(2, 3, 6 or less\), got \(2, 2, 4\)"):
        step.sample(some_uniforms(step, 2), prefix=torch.zeros(2, 2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="over=map does not go with code_steps=3"):
        PriorModelConfig(code_steps=3)
    with pytest.raises(ValueError, match="over=joint does not go with code_steps=0"):
        PriorModelConfig(over="joint")
    with pytest.raises(ValueError, match="expected codes=2 for bits=4, got 1024; a bit has two values"):
        PriorModelConfig(over="joint", code_steps=3, bits=4)
    with pytest.raises(ValueError, match="expected bits of 2 or more for bits_in_turn=true, got 0"):
        PriorModelConfig(bits_in_turn=True)
