"""Training of the judging classifier: its learning rate by hand, and that the seed decides everything."""

from __future__ import annotations

import pytest
import torch

from neurogen.metrics import fitting
from neurogen.metrics.classifier import FORMS
from neurogen.metrics.fitting import fit, new_classifier, rate
from tests.neurogen.metrics.bright_bars import bars


def test_the_learning_rate_rises_over_a_tenth_and_falls_to_zero_along_a_cosine() -> None:
    assert [rate(step, 100) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert rate(55, 100) == pytest.approx(0.5)
    assert rate(100, 100) == pytest.approx(0)


def test_weights_are_a_function_of_data_and_seed_and_the_loss_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "BATCH", 32)
    form, losses, (images, labels) = FORMS["mnist"], [], bars(300, 0)

    def trained(seed: int) -> torch.Tensor:
        seen: list[float] = []
        network = fit(new_classifier(form, 0), form, images, labels, 15, seed, lambda step, loss: seen.append(loss))
        losses.append(seen)
        assert not network.training
        return network.logits.weight

    one, same, other = (trained(seed) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(losses[0]) == 15
    assert losses[0][-1] < losses[0][0]
