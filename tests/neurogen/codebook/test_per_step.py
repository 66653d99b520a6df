"""Codebooks of single steps and of repeated rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurogen.codebook import CodeForm, PerStepCodebook, RepeatedCodebook, TableCodebook, make_codebook
from neurogen.config import CodebookConfig, NeuronConfig

STEPS, WIDTH, SIZE = 3, 2, 8


def book(kind: str, **settings: object) -> TableCodebook:
    torch.manual_seed(0)
    config = CodebookConfig(**{"kind": kind, "size": SIZE, "width": WIDTH, **settings})
    codebook = make_codebook(config, STEPS, NeuronConfig()).double()
    assert isinstance(codebook, TableCodebook)
    torch.nn.init.normal_(codebook.table)
    return codebook


def latents(n: int = 4, seed: int = 1) -> torch.Tensor:
    return torch.randn((STEPS, n, WIDTH, 3, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_every_step_of_a_site_takes_the_row_nearest_to_it() -> None:
    codebook, z = book("per_step"), latents()
    codes, table = codebook.assign(z), codebook.table.detach().numpy()
    assert isinstance(codebook, PerStepCodebook)
    assert codes.shape == (STEPS, 4, 3, 3)
    for t, n, y, x in np.ndindex(*codes.shape):
        vector = z[t, n, :, y, x].numpy()
        assert int(codes[t, n, y, x]) == int(np.argmin(((table - vector) ** 2).sum(1)))
        assert np.array_equal(codebook.lookup(codes)[t, n, :, y, x].detach().numpy(), table[int(codes[t, n, y, x])])


def test_the_form_of_codes_of_each_step_has_the_steps() -> None:
    codebook = book("per_step")
    assert codebook.form(3, 5) == CodeForm(STEPS, 0, SIZE, 3, 5)
    assert codebook.form(3, 3).items_first(codebook.assign(latents())).shape == (4, STEPS, 3, 3)


def test_codes_of_another_form_are_refused_whatever_their_axes() -> None:
    steps, bits = CodeForm(STEPS, 0, SIZE, 3, 5), CodeForm(STEPS, 2, 2, 3, 5)
    steps.check(torch.full((STEPS, 7, 3, 5), SIZE - 1))
    bits.check(torch.ones(STEPS, 0, 2, 3, 5))  # of no items, in floats
    with pytest.raises(ValueError, match=r"expected codes of shape \(3, N, 3, 5\), got \(7, 3, 3, 5\)"):
        steps.check(torch.zeros(7, STEPS, 3, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"expected codes of shape \(3, N, 2, 3, 5\), got \(3, 7, 3, 5\)"):
        bits.check(torch.zeros(STEPS, 7, 3, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected codes 0 to 1, got 0 to 2"):
        bits.check(torch.tensor([0, 2]).view(1, 1, 2, 1, 1).expand(STEPS, 7, 2, 3, 5))


def test_the_loss_of_single_steps_is_that_of_the_release() -> None:
    codebook, z = book("per_step", commitment=1.0, pull=0.25), latents().requires_grad_()
    out = codebook(z)
    rows = codebook.lookup(out.codes).detach()
    out.loss.backward()
    assert torch.isclose(out.loss, 1.25 * (rows - z).square().mean())
    assert torch.allclose(z.grad, 2 * (z - rows).detach() / z.numel())
    expected = torch.zeros_like(codebook.table)
    chosen, difference = out.codes.flatten(), (rows - z.detach()).permute(0, 1, 3, 4, 2).reshape(-1, WIDTH)
    expected.index_add_(0, chosen, 0.25 * 2 * difference / z.numel())
    assert torch.allclose(codebook.table.grad, expected)


def test_running_means_of_single_steps_count_each_of_them() -> None:
    codebook = book("per_step", learning="ema", decay=0.9, revive_every=0).train()
    codebook(latents(seed=2))
    assert float(codebook.counts.sum()) == STEPS * 4 * 9
    table, counts, sums = codebook.table.clone(), codebook.counts.clone(), codebook.sums.clone()
    z = latents(seed=3)
    codebook(z)
    vectors = z.permute(0, 1, 3, 4, 2).reshape(-1, WIDTH)
    codes = (vectors[:, None] - table).square().sum(-1).argmin(1)
    for k in range(SIZE):
        assert torch.isclose(codebook.counts[k], 0.9 * counts[k] + 0.1 * (codes == k).sum())
        assert torch.allclose(codebook.sums[k], 0.9 * sums[k] + 0.1 * vectors[codes == k].sum(0))


def test_a_repeated_row_is_the_same_at_all_steps_and_the_nearest_of_such() -> None:
    codebook, z = book("repeated"), latents()
    codes = codebook.assign(z)
    rows = codebook.lookup(codes)
    assert isinstance(codebook, RepeatedCodebook)
    assert codebook.form(3, 3) == CodeForm(0, 0, SIZE, 3, 3)
    assert rows.shape == z.shape
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0], rows[2])
    repeated = codebook.table.detach().repeat(1, STEPS)  # (K, T D)
    trajectories = z.permute(1, 3, 4, 0, 2).reshape(-1, STEPS * WIDTH)
    expected = (trajectories[:, None] - repeated).square().sum(-1).argmin(1)
    assert torch.equal(codes.flatten(), expected)


def test_the_loss_of_repeated_rows_is_their_distance_from_every_step() -> None:
    codebook, z = book("repeated", commitment=1.0, pull=0.0), latents()
    out = codebook(z)
    assert torch.isclose(out.loss, (codebook.lookup(out.codes) - z).square().mean())
    assert torch.allclose(out.values, codebook.lookup(out.codes))
