"""The temporal codebook."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurogen.codebook import TemporalCodebook, distances, table, usage
from neurogen.codebook.distances import nearest_rows
from neurogen.codebook.learning import kmeans
from neurogen.config import CodebookConfig
from tests.neurogen.live_bytes import LiveBytes


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


def test_quantisation_begins_after_the_steps_of_its_start() -> None:
    codebook, z = book("ema", start=3).train(), latents()
    passed = [codebook(z).values is z for _ in range(5)]
    assert passed == [True, True, True, False, False]


def test_a_loaded_state_says_how_many_steps_are_done() -> None:
    codebook, z = book("ema", start=2).train(), latents()
    fresh = {name: tensor.clone() for name, tensor in codebook.state_dict().items()}
    for _ in range(4):
        codebook(z)
    codebook.load_state_dict(fresh)
    assert codebook(z).values is z
    assert int(codebook.step) == 1


def test_before_the_start_codes_are_told_and_the_loss_is_nothing() -> None:
    codebook, z = book("ema", start=2).train(), latents()
    out = codebook(z)
    assert torch.equal(out.codes, codebook.assign(z))
    assert float(out.loss) == 0.0


def test_k_means_finds_clusters_and_counts_them() -> None:
    generator = torch.Generator().manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], dtype=torch.float64)
    vectors = middles.repeat_interleave(torch.tensor([10, 20, 30]), 0)
    vectors += 0.1 * torch.randn(60, 2, dtype=torch.float64, generator=generator)
    centres, counts = kmeans(vectors, 3, generator)
    order = counts.argsort()
    assert counts[order].tolist() == [10, 20, 30]
    expected = torch.stack([vectors[:10].mean(0), vectors[10:30].mean(0), vectors[30:].mean(0)])
    assert torch.allclose(centres[order], expected)


def test_the_start_is_k_means_with_the_shares_of_the_data() -> None:
    codebook, z = book("ema").train(), latents(n=40)
    codebook(z)
    vectors = z.permute(1, 3, 4, 0, 2).reshape(-1, 6)
    codes = (vectors[:, None] - codebook.table).square().sum(-1).argmin(1)
    assert float(codebook.counts.sum()) == len(vectors)
    assert torch.allclose(codebook.sums, codebook.table * codebook.counts[:, None])
    # another round of k-means would hardly move the rows: they are the means of what they hold
    means = torch.stack([vectors[codes == k].mean(0) for k in range(8)])
    assert (means - codebook.table).square().mean() < 0.02 * vectors.square().mean()


def test_the_running_means_have_no_pull_and_a_table_without_gradient() -> None:
    codebook, z = book("ema", commitment=0.5, pull=100.0).train(), latents().requires_grad_()
    codebook(z)
    out = codebook(z)
    rows = codebook.lookup(out.codes)
    assert not codebook.table.requires_grad
    assert not list(codebook.parameters())
    assert torch.allclose(out.loss, 0.5 * (rows - z).square().mean())  # the same batch again moves no row
    assert torch.allclose(out.values, rows)


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


def test_learning_resumes_bitwise_while_it_gathers_for_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "START_STEPS", 4)

    def trained(steps: range, state: dict[str, torch.Tensor] | None = None) -> TemporalCodebook:
        codebook = book("ema", start=5).train()
        codebook.load_state_dict(codebook.state_dict() if state is None else state)
        for i in steps:
            codebook(latents(seed=i))
        return codebook

    half = trained(range(3)).state_dict()
    assert len(half["seen"]) == 2 * 36  # steps 2 and 3 of 5
    whole, rest = trained(range(7)).state_dict(), trained(range(3, 7), half).state_dict()
    assert "seen" not in whole
    assert whole.keys() == rest.keys()
    assert all(torch.equal(whole[name], rest[name]) for name in whole)


def test_the_table_starts_from_latents_of_the_last_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(table, "START_STEPS", 2)
    monkeypatch.setattr(table, "kmeans", lambda vectors, *rest: found.append(vectors) or kmeans(vectors, *rest))
    codebook = book("ema", start=3).train()
    batches = [latents(seed=i) for i in range(3)]
    for z in batches:
        codebook(z)
    (vectors,) = found
    expected = torch.cat([codebook.vectors(z) for z in batches[1:]])
    assert sorted(vectors.tolist()) == sorted(expected.tolist())
    assert float(codebook.counts.sum()) == pytest.approx(36)  # a batch's worth, as running means of batches hold


def test_latents_for_the_start_are_no_more_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "START_VECTORS", 40)
    monkeypatch.setattr(table, "START_STEPS", 2)
    codebook = book("ema", start=2).train()
    codebook(latents())
    assert len(codebook.seen) == 20
    assert all((codebook.vectors(latents()) == row).all(1).any() for row in codebook.seen)


def test_the_decoder_sees_the_rows_that_the_batch_chose() -> None:
    codebook = book("ema", decay=0.5).train()
    codebook(latents(seed=2))
    before, z = codebook.table.clone(), latents(seed=3)
    out = codebook(z)
    rows = before[out.codes.flatten()]
    assert torch.allclose(out.values, codebook.values(rows, tuple(out.codes.shape)))
    assert not torch.allclose(codebook.table, before)
    shares = [codebook(part, share) for part, share in zip(z.chunk(2, 1), out.codes.chunk(2), strict=True)]
    assert torch.allclose(torch.cat([share.values for share in shares], 1), out.values)  # parts of a batch, too


def test_revival_takes_rare_rows_alone() -> None:
    codebook = book("ema", revive_every=1, revive_until=1.0, revive_below=0.1, decay=1.0).train()
    codebook.set_run_length(100, seed=0)
    codebook(latents())
    codebook.counts.copy_(torch.tensor([10.0, 10, 10, 10, 10, 2, 0.5, 10]))
    codebook.sums.copy_(codebook.table * codebook.counts[:, None])
    before, z = codebook.table.clone(), latents(seed=4)
    codebook(z)  # decay 1 leaves the running means alone; row 5 is below the mean, but not below a tenth of it
    assert torch.allclose(codebook.table[[0, 1, 2, 3, 4, 5, 7]], before[[0, 1, 2, 3, 4, 5, 7]], atol=1e-4)
    vectors = z.permute(1, 3, 4, 0, 2).reshape(-1, 6)
    distance = (vectors - codebook.table[6]).abs().amax(1).min()
    assert distance < 1e-4  # smoothed counts move a row by a hundred-thousandth
    assert codebook.counts[6] == pytest.approx(62.5 / 8)


def test_a_table_starts_within_the_published_range() -> None:
    table = TemporalCodebook(CodebookConfig(size=64, width=8), 4).table
    assert isinstance(table, torch.nn.Parameter)
    assert table.shape == (64, 32)
    assert 0.99 / 64 < float(table.detach().abs().max()) <= 1 / 64


def test_codes_outside_the_table_are_refused() -> None:
    with pytest.raises(IndexError):
        book().lookup(torch.tensor([[[8]]]))


def test_usage_counts_rows_and_perplexity() -> None:
    use = usage(torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), 10)
    assert (use.used, use.dead) == (4, 6)
    assert use.perplexity == pytest.approx(4.0)
    # shares 1/2, 1/4, 1/4: entropy 3/2 ln 2
    assert usage(torch.tensor([[[0, 0], [1, 2]]]), 3).perplexity == pytest.approx(2**1.5)
    assert usage(torch.tensor([7, 7]), 8).perplexity == pytest.approx(1.0)


MIB = 1 << 20
TABLE, SITES = (1024, 1024), (4, 32, 256, 16, 16)  # rows of 4 steps of 256; (T, N, D, h, w)


@pytest.mark.parametrize("learning", ["gradient", "ema"])
def test_b8_the_published_size_stays_within_256_mib_above_inputs_and_outputs(learning: str) -> None:
    """Forward and backward of 1024 codes of width 1024 on (32, 16, 16) sites; all differences would take 32 GiB."""
    with torch.device("meta" if learning == "gradient" else "cpu"):  # running means need numbers
        codebook = TemporalCodebook(CodebookConfig(size=1024, width=256, learning=learning), 4).train()
        z = torch.zeros(SITES, requires_grad=True)
    if learning == "ema":
        codebook.step.fill_(50)  # started, and due for a revival
        codebook.set_run_length(1000, seed=0)
    with LiveBytes() as memory:
        out = codebook(z)
        (out.values.sum() + out.loss).backward()
    outputs = [out.values, out.codes, z.grad, codebook.table.grad]
    held = sum(t.numel() * t.element_size() for t in outputs if t is not None)
    assert held >= 64 * MIB  # values and gradient of z; they count as live in the peak
    assert memory.peak - held <= 256 * MIB


def test_distances_are_held_a_slab_at_a_time_however_many_sites_there_are() -> None:
    with torch.device("meta"):
        vectors, table = torch.empty(1 << 18, 64), torch.empty(1024, 64)
    with LiveBytes() as memory:
        nearest_rows(vectors, table)
    assert memory.peak <= (64 + 4) * MIB  # of 1024 MiB; codes take 2


def test_slabs_do_not_change_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, table = torch.randn(50, 7, dtype=torch.float64), torch.randn(20, 7, dtype=torch.float64)
    whole = nearest_rows(vectors, table)
    for slab in (1, 20, 7 * 20, 49 * 20):
        monkeypatch.setattr(distances, "SLAB", slab)
        assert torch.equal(nearest_rows(vectors, table), whole)
