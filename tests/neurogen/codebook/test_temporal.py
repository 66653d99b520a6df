"""The temporal codebook."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from neurogen.codebook import TemporalCodebook, usage
from neurogen.codebook.distances import nearest_rows
from neurogen.config import CodebookConfig


def book(learning: str = "gradient", steps: int = 3, **settings: object) -> TemporalCodebook:
    torch.manual_seed(0)
    return TemporalCodebook(CodebookConfig(**{"size": 8, "width": 2, "learning": learning, **settings}), steps).double()


def latents(n: int = 4, steps: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn((steps, n, 2, 3, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_one_index_stands_for_the_whole_trajectory() -> None:
    codebook = book()
    rows = torch.arange(8 * 6, dtype=torch.float64).view(8, 6)
    codebook.table.data.copy_(rows)
    codes = torch.tensor([[[2, 5]]])
    trajectory = codebook.lookup(codes)
    assert trajectory.shape == (3, 1, 2, 1, 2)
    # Row 2 is 12..17: step 0 holds channels (12, 13), step 1 (14, 15), step 2 (16, 17).
    assert trajectory[:, 0, :, 0, 0].tolist() == [[12, 13], [14, 15], [16, 17]]
    assert torch.equal(codebook.assign(trajectory + 0.1), codes)


def test_the_nearest_row_is_found_as_by_all_differences() -> None:
    vectors, table = torch.randn(50, 7, dtype=torch.float64), torch.randn(20, 7, dtype=torch.float64)
    expected = (vectors[:, None] - table[None]).square().sum(-1).argmin(1)
    assert torch.equal(nearest_rows(vectors, table), expected)


def test_ties_take_the_lowest_index() -> None:
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert nearest_rows(torch.tensor([[2.0, 0.0]]), table).tolist() == [0]


def test_the_loss_weighs_commitment_and_pull_as_published() -> None:
    codebook = book()
    z = latents().requires_grad_()
    out = codebook(z)
    error = (codebook.lookup(out.codes) - z).detach().square().mean()
    assert torch.isclose(out.loss, 1.25 * error)
    out.loss.backward()
    # d commitment / dz = 2 (z - e) / size; the pull moves the table alone, a quarter as strongly.
    assert torch.allclose(z.grad, 2 * (z - codebook.lookup(out.codes)).detach() / z.numel())
    rows = torch.zeros_like(codebook.table)
    vectors = z.detach().permute(1, 3, 4, 0, 2).reshape(-1, 6)
    rows.index_add_(0, out.codes.flatten(), codebook.table.detach()[out.codes.flatten()] - vectors)
    assert torch.allclose(codebook.table.grad, 0.25 * 2 * rows / z.numel())


def test_gradients_pass_straight_through() -> None:
    codebook = book(commitment=0.0, pull=0.0)
    z = latents().requires_grad_()
    out = codebook(z)
    assert torch.allclose(out.values, codebook.lookup(out.codes))
    weights = torch.randn_like(z)
    (out.values * weights).sum().backward()
    assert torch.equal(z.grad, weights)


def test_running_means_follow_their_equations() -> None:
    codebook = book("ema", decay=0.9, revive_every=0).train()
    codebook(latents(seed=2))  # the start from data
    counts, sums, table = codebook.counts.clone(), codebook.sums.clone(), codebook.table.clone()
    z = latents(seed=3)
    vectors = z.permute(1, 3, 4, 0, 2).reshape(-1, 6).numpy()
    codes = np.array([np.argmin(((v - table.numpy()) ** 2).sum(1)) for v in vectors])
    codebook(z)
    for k in range(8):
        chosen = vectors[codes == k]
        assert np.isclose(codebook.counts[k], 0.9 * counts[k] + 0.1 * len(chosen))
        assert np.allclose(codebook.sums[k], 0.9 * sums[k].numpy() + 0.1 * chosen.sum(0))
    assert np.allclose(codebook.table, (codebook.sums / codebook.counts[:, None]).numpy(), rtol=1e-3)


def test_nothing_moves_in_eval_mode() -> None:
    codebook = book("ema")
    codebook.train()(latents())
    before = {name: tensor.clone() for name, tensor in codebook.state_dict().items()}
    codebook.eval()(latents(seed=9))
    assert all(torch.equal(before[name], tensor) for name, tensor in codebook.state_dict().items())


def test_before_the_start_values_pass_unquantised() -> None:
    codebook = book("ema", start=2).train()
    z = latents()
    assert codebook(z).values is z
    codebook(z)  # the second batch starts the table
    assert not torch.equal(codebook(z).values, z)


def test_the_start_takes_rows_from_the_data() -> None:
    codebook = book("ema").train()
    z = 5 + 0.1 * latents()
    codebook(z)
    assert (codebook.table - 5).abs().max() < 1.0
    assert usage(codebook.assign(z), 8).used > 4


def test_rare_rows_are_revived_from_the_batch() -> None:
    codebook = book("ema", revive_every=1, revive_until=1.0).train()
    codebook.set_run_length(100, seed=0)
    codebook(latents())
    codebook.sums[3], codebook.counts[3] = 1e6, 1e-3  # a row far from all data
    codebook.table[3] = 1e9
    codebook(latents(seed=4))
    assert codebook.table[3].abs().max() < 10


def test_revival_ends_with_its_share_of_the_run() -> None:
    codebook = book("ema", revive_every=1, revive_until=0.0).train()
    codebook.set_run_length(100, seed=0)
    codebook(latents())
    codebook.sums[3], codebook.counts[3] = 1e6, 1e-3
    codebook.table[3] = 1e9
    codebook(latents(seed=4))
    assert codebook.table[3].abs().max() > 1e3


def test_learning_resumes_bitwise_from_its_state() -> None:
    def trained(steps: range, state: dict[str, torch.Tensor] | None = None) -> TemporalCodebook:
        codebook = book("ema", start=2, revive_every=2).train()
        codebook.set_run_length(10, seed=5)
        if state is not None:
            codebook.load_state_dict(state)
        for i in steps:
            codebook(latents(seed=i))
        return codebook

    whole, half = trained(range(6)), trained(range(3))
    rest = trained(range(3, 6), half.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), rest.state_dict().values(), strict=True))


def test_usage_counts_rows_and_perplexity() -> None:
    use = usage(torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), 10)
    assert (use.used, use.dead) == (4, 6)
    assert use.perplexity == pytest.approx(4.0)


def test_b8_the_published_size_stays_within_256_mib() -> None:
    """1024 codes of width 1024 on (32, 16, 16) sites; the release's differences would take 32 GiB."""
    code = (
        "import resource, torch\n"
        "from neurogen.codebook.distances import nearest_rows\n"
        "torch.set_num_threads(1)\n"
        "table, vectors = torch.randn(1024, 1024), torch.randn(8192, 1024)\n"
        "nearest_rows(vectors[:64], table)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "nearest_rows(vectors, table)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 256 * 1024  # KiB
