"""The spiking prior as a network: sizes, causality, conditioning, state and likelihood."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.config import NeuronConfig, PriorConfig, PriorModelConfig, load_config
from neurogen.models.prior import SpikingPrior
from tests.neurogen.models import plain_prior

CONFIGS = Path(__file__).resolve().parents[3] / "train" / "configs" / "prior"
LIVELY = NeuronConfig(threshold=0.1, alpha=2.0)  # low enough that a fresh network of this size fires
OPTIONS = {"normalise": True, "neighbours": True, "offset_gains": True, "label_everywhere": True, "init": "scaled"}


def small(seed: int = 0, **settings: object) -> SpikingPrior:
    """A double-precision prior over 3x4 codes of 11, with random positions and gains instead of zeros."""
    torch.manual_seed(seed)
    defaults = {"codes": 11, "height": 3, "width": 4, "dim": 16, "layers": 2, "heads": 2, "steps": 3}
    prior = SpikingPrior(PriorModelConfig(**{**defaults, **settings}), LIVELY).double().eval()
    for name, parameter in prior.named_parameters():
        if name.endswith(("positions", "gains", "bias")):
            nn.init.normal_(parameter, 0.0, 0.2)
        elif not name.endswith(("norm.weight", "norm1.weight", "norm2.weight")):
            nn.init.normal_(parameter, 0.0, 0.3)
    return prior


def some_codes(n: int = 5, seed: int = 1) -> Tensor:
    return torch.randint(11, (n, 3, 4), generator=torch.Generator().manual_seed(seed))


def parameters_of(model: PriorModelConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in SpikingPrior(model, NeuronConfig()).parameters())


def test_the_published_prior_has_the_published_parameters_and_a_start_token_of_its_own() -> None:
    d, layers, codes, positions = 1024, 24, 1024, 512
    block = 2 * 2 * d + (3 * d * d + 3 * d) + (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d)
    published = codes * d + positions * d + layers * block + 2 * d + d * codes
    assert published == 304_932_864  # 304.9 M; the release starts with code 0 instead of a token
    config = load_config(CONFIGS / "nmnist.yaml")
    assert isinstance(config, PriorConfig)
    assert parameters_of(config.model) == published + d


@pytest.mark.parametrize(("name", "recipe"), [("mnist-small", 966_960), ("nmnist-small", 467_776)])
def test_the_small_priors_have_the_recipe_s_parameters_but_the_bias_of_its_head(name: str, recipe: int) -> None:
    recipe_size = ["model.dim=96", "model.layers=3"] if name == "nmnist-small" else []
    config = load_config(CONFIGS / f"{name}.yaml", recipe_size)
    assert isinstance(config, PriorConfig)
    assert parameters_of(config.model) == recipe - config.model.codes


VARIANTS = {
    "published": {},
    "classes": {"classes": 3},
    "gains": {"offset_gains": True},
    "every option": {**OPTIONS, "classes": 3},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_and_gradients_equal_a_plain_rewrite(variant: str) -> None:
    prior, codes = small(**VARIANTS[variant]), some_codes(2)
    labels = torch.tensor([2, 0]) if prior.config.classes else None
    reference = copy.deepcopy(prior)
    found = prior(codes, labels)
    expected = torch.stack(
        [
            plain_prior.logits(reference, row, int(labels[n]) if labels is not None else None)
            for n, row in enumerate(codes.flatten(1))
        ]
    )
    assert expected.detach().std() > 0.1
    assert float((found - expected).detach().abs().max()) < 1e-12  # float64, sums in another order
    prior.loss(codes, labels).backward()
    F.cross_entropy(expected.flatten(0, 1), codes.flatten()).backward()
    for (name, a), b in zip(prior.named_parameters(), reference.parameters(), strict=True):
        assert a.grad is not None, name
        assert b.grad is not None, name
        assert float((a.grad - b.grad).abs().max()) < 1e-12, name


@pytest.mark.parametrize("options", [{}, OPTIONS], ids=["published", "options"])
def test_a_code_changes_only_what_comes_after_it(options: dict[str, object]) -> None:
    prior, codes = small(classes=3, **options), some_codes(1).flatten(1)
    labels = torch.tensor([2])
    before = prior(codes, labels)
    for j in range(12):
        changed = codes.clone()
        changed[0, j] = (changed[0, j] + 1) % 11
        difference = (prior(changed, labels) - before).abs().amax(-1)[0]
        assert difference[: j + 1].max() == 0
        assert j == 11 or difference[j + 1 :].max() > 0


def test_the_start_token_is_not_code_0() -> None:
    prior, codes = small(), some_codes()
    before = prior(codes)
    with torch.no_grad():
        prior.embedding.start += 1
    assert (prior(codes)[:, 0] - before[:, 0]).abs().max() > 0
    after = prior(codes)
    with torch.no_grad():
        prior.embedding.tables[0].weight[0] += 1
    assert torch.equal(prior(codes)[:, 0], after[:, 0])


@pytest.mark.parametrize("everywhere", [False, True])
def test_labels_change_the_logits(everywhere: bool) -> None:
    prior, codes = small(classes=3, label_everywhere=everywhere), some_codes()
    a = prior(codes, torch.zeros(5, dtype=torch.int64))
    b = prior(codes, torch.ones(5, dtype=torch.int64))
    assert (a - b).abs().amax((0, 2)).min() > 0  # at every position


def test_neighbours_are_left_above_above_right_and_above_left() -> None:
    prior = small(neighbours=True)
    codes = torch.arange(12).view(1, 12) % 11
    x = prior.embedding(codes, None)[0]
    tables = [table.weight for table in prior.embedding.tables]
    for position, around in {5: (4, 1, 2, 0), 4: (None, 0, 1, None), 7: (6, 3, None, 2), 0: (None,) * 4}.items():
        rows = [table[11 if j is None else codes[0, j]] for table, j in zip(tables, around, strict=True)]
        assert torch.allclose(x[position], sum(rows) + prior.embedding.positions[position])


def test_attention_over_i_plus_1_does_not_grow_with_the_position() -> None:
    torch.manual_seed(0)
    prior = small(normalise=True, height=16, width=16)
    attention, grown = prior.blocks[0].attention, []
    x = torch.randn(3, 1, 256, 16, dtype=torch.float64)
    for attention.normalise in (False, True):
        size = (attention(x) - attention.proj.bias).detach().abs().mean((0, 1, 3))
        grown.append(float(size[-64:].mean() / size[:16].mean()))
    assert grown[0] > 4 > 2 > grown[1]


def test_a_gain_of_an_offset_is_1_before_training() -> None:
    prior = SpikingPrior(PriorModelConfig(codes=11, dim=16, layers=1, heads=2, offset_gains=True), NeuronConfig())
    gains = prior.blocks[0].attention.pair_gains()
    assert torch.allclose(gains, torch.ones(16, 16).tril().expand(2, 16, 16), atol=1e-4)


def test_b11_neurons_are_registered_once() -> None:
    prior = small(classes=3)
    neurons = [
        id(module) for _, module in prior.named_modules(remove_duplicate=False) if hasattr(module, "v_threshold")
    ]
    assert len(neurons) == len(set(neurons)) == 2 * 2  # q, k, v together and the hidden layer, in two blocks


def test_the_state_dict_holds_every_parameter_once_and_nothing_else() -> None:
    prior = small(classes=3, offset_gains=True)
    state = prior.state_dict()
    assert set(state) == {name for name, _ in prior.named_parameters()}
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_a_batch_after_another_equals_the_batch_alone() -> None:
    prior, a, b = small(), some_codes(7, 1), some_codes(3, 2)
    alone = small()(b)
    for before in (a, a[:3]):  # another size, and the same, whose membranes would fit
        prior.loss(before).backward()
        prior.sample(torch.rand(3, 12, dtype=torch.float64))
        prior.loss(before).backward()
        assert torch.equal(prior(b), alone)
    assert torch.equal(prior(torch.cat((a, b)))[7:], prior(torch.cat((some_codes(7, 3), b)))[7:])


def test_every_parameter_has_a_gradient() -> None:
    prior = small(classes=3, **OPTIONS)
    prior.loss(some_codes(32), torch.arange(32) % 3).backward()
    still = [name for name, p in prior.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_loss_is_the_mean_cross_entropy_in_nats_and_bits_per_code_its_value_over_ln_2() -> None:
    prior, codes = small(), some_codes(7)
    chosen = F.log_softmax(prior(codes).detach(), -1).gather(-1, codes.flatten(1)[..., None])
    assert float(prior.loss(codes).detach()) == pytest.approx(-float(chosen.mean()), rel=1e-12)
    assert prior.bits_per_code(codes, batch=3) == pytest.approx(-float(chosen.mean()) / math.log(2), rel=1e-12)


def test_bits_per_code_is_without_dropout_and_leaves_the_mode_as_it_was() -> None:
    prior, codes = small(dropout=0.5), some_codes()
    expected = prior.eval().bits_per_code(codes)
    assert prior.train().bits_per_code(codes) == expected
    assert prior.training


def test_a_few_steps_of_training_lower_the_loss() -> None:
    prior, codes = small(**OPTIONS), some_codes(8)
    optimiser = torch.optim.Adam(prior.parameters(), 0.02)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = prior.loss(codes)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    codes = some_codes(2)
    with pytest.raises(ValueError, match="expected 2 labels for a prior of 3 classes, got none"):
        small(classes=3)(codes)
    with pytest.raises(ValueError, match=r"expected labels of shape \(2,\), got \(3,\)"):
        small(classes=3)(codes, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected no labels for an unconditional prior"):
        small()(codes, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected at most 12 codes, got 13"):
        small()(torch.zeros(1, 13, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"multiple of model\.heads=3, got 16"):
        small(heads=3)
    with pytest.raises(ValueError, match="block_size of 12 or more for 12 codes, got 8"):
        small(block_size=8)
