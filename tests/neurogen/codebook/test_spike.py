"""Spikes as codes."""

from __future__ import annotations

import math

import pytest
import torch

from neurogen.codebook import CodeForm, SpikeCodebook, make_codebook
from neurogen.codebook.spike import bit_entropy
from neurogen.config import CodebookConfig, NeuronConfig

NEURONS = NeuronConfig(tau=2.0, decay_input=False, threshold=1.0, surrogate="triangle", alpha=1.0)


def book(**settings: object) -> SpikeCodebook:
    codebook = make_codebook(CodebookConfig(kind="spike", **{"width": 2, **settings}), 3, NEURONS)
    assert isinstance(codebook, SpikeCodebook)
    return codebook.train()


def driven(*steps: float) -> torch.Tensor:
    """Input of one neuron a step: (T, 1, 1, 1, 1)."""
    return torch.tensor(steps).view(-1, 1, 1, 1, 1)


def test_a_code_is_the_pattern_of_spikes_that_the_decoder_gets() -> None:
    # membranes 0.6, 0.3 + 0.8 = 1.1 fires and resets, 0.9
    out = book()(driven(0.6, 0.8, 0.9))
    assert out.codes.dtype == torch.uint8
    assert out.codes.flatten().tolist() == [0, 1, 0]
    assert torch.equal(out.values, out.codes.float())


def test_codes_found_and_looked_up_are_the_spikes() -> None:
    codebook, z = book(), torch.randn(3, 4, 2, 5, 5)
    values, codes = codebook(z).values, None
    codebook.neuron.reset()
    codes = codebook.assign(z)
    assert 0.05 < float(codes.float().mean()) < 0.5
    for given in (codes, codes.long(), codes.bool()):
        assert torch.equal(codebook.lookup(given), values)
    assert codebook.form(5, 5) == CodeForm(3, 2, 2, 5, 5)
    assert codebook.form(5, 5).items_first(codes).shape == (4, *codebook.form(5, 5).item_shape)


def test_values_that_are_no_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="expected bits 0 and 1, got values from 0 to 2"):
        book().lookup(torch.tensor([0, 2]))


def test_the_gradient_is_the_neuron_s_surrogate_and_nothing_more() -> None:
    z = driven(0.6, 0.2, 0.9).requires_grad_()
    book(entropy=0.0)(z).values[0].sum().backward()
    assert z.grad.flatten().tolist() == pytest.approx([0.6, 0.0, 0.0])  # triangle: 1 - |0.6 - 1|


def test_the_loss_is_what_entropies_lack_of_their_target() -> None:
    # Bit 0 fires at 2 of 8 places at step 0, bit 1 nowhere; at steps 1 and 2 nothing fires.
    z = torch.full((3, 2, 2, 2, 2), -1.0)
    z[0, :, 0, 0, 0] = 2.0
    codebook = book(entropy=0.3, entropy_target=0.6)
    out = codebook(z)

    def entropy(rate: float) -> float:
        p = 0.01 + 0.98 * rate
        return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))

    expected = 0.3 * (max(0.6 - entropy(0.25), 0) + 5 * (0.6 - entropy(0.0))) / 6
    assert float(out.loss) == pytest.approx(expected, rel=1e-5)
    assert entropy(0.25) > 0.6  # a bit above the target costs nothing


def test_the_loss_wakes_a_bit_that_never_fires() -> None:
    z = torch.full((1, 2, 1, 2, 2), 0.5).requires_grad_()
    out = make_codebook(CodebookConfig(kind="spike", width=1, entropy=1.0), 1, NEURONS).train()(z)
    out.loss.backward()
    assert not out.codes.any()
    assert (z.grad < 0).all()  # stepping down it drives the neurons harder


def test_nothing_is_lost_in_eval_mode_or_without_weight() -> None:
    z = torch.full((3, 2, 2, 2, 2), -1.0)
    assert float(book(entropy=0.0)(z).loss) == 0.0
    assert float(book().eval()(z).loss) == 0.0
    assert float(book()(z).loss) > 0.0


def test_entropy_is_one_bit_at_a_half_and_finite_at_the_ends() -> None:
    rates = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    entropy = bit_entropy(rates)
    entropy.sum().backward()
    assert entropy.tolist() == pytest.approx([0.0808, 1.0, 0.0808], abs=1e-4)  # of 0.01
    assert rates.grad.isfinite().all()
