"""Codes of every form as they are kept, and priors trained over them, sampled, completed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neurogen
from neurogen.codebook import CodeForm
from neurogen.config import PriorConfig, parse_config
from neurogen.training import train_run
from neurogen.training.codes import CodeSet, compact
from neurogen.training.errors import TrainingError
from neurogen.training.log import read_metrics
from tests.neurogen.training.runs import prior_run_config, stage1_config, weights_digest

KINDS = ("per_step", "spike")
SHAPES = {"per_step": (4, 4, 4), "spike": (4, 4, 4, 4)}  # T, h, w; T, m, h, w
MODELS: dict[str, dict[str, object]] = {
    "per_step": {"code_steps": 4, "over": "joint"},
    "spike": {"code_steps": 4, "over": "joint", "codes": 2, "bits": 4},
}


def first_stage_of(kind: str, data: Path, out: Path) -> Path:
    config = stage1_config(data, steps=3)
    codebook = config.codebook.model_copy(update={"kind": kind})
    return train_run(config.model_copy(update={"codebook": codebook}), out)


def over(config: PriorConfig, **model: object) -> PriorConfig:
    values = config.model_dump(mode="json")
    values["model"] |= model
    changed = parse_config(values)
    assert isinstance(changed, PriorConfig)
    return changed


@pytest.fixture(scope="module", params=KINDS)
def chain(request: Any, recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A kind of codebook, a first stage with it, and a prior over its codes."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    first = first_stage_of(kind, recordings, folder / "first")
    config = over(prior_run_config(first, steps=4), **MODELS[kind])
    return kind, first, train_run(config, folder / "prior")


@pytest.mark.parametrize("form", [CodeForm(3, 5, 2, 2, 3), CodeForm(3, 0, 9, 2, 3), CodeForm(0, 0, 40_000, 2, 3)])
def test_codes_come_back_as_they_were_kept(form: CodeForm) -> None:
    items = torch.randint(form.size, (4, *form.item_shape))
    kept = CodeSet(compact(items, form)[None], np.arange(4), form)
    assert torch.equal(kept.plain()[0], items)
    index = torch.tensor([2, 0])
    assert torch.equal(kept.batch(index, torch.Generator())[0], items[index])


def test_eight_bits_take_a_byte_and_small_tables_two() -> None:
    assert compact(torch.ones(1, 4, 8, 8, 8, dtype=torch.uint8), CodeForm(4, 8, 2, 8, 8)).nbytes == 4 * 8 * 8
    assert compact(torch.ones(1, 4, 8, 8), CodeForm(4, 0, 256, 8, 8)).nbytes == 2 * 4 * 8 * 8
    assert compact(torch.full((1, 1, 1), 39_999), CodeForm(0, 0, 40_000, 1, 1)).item() == 39_999


def test_about_half_of_a_batch_takes_a_shifted_variant() -> None:
    form = CodeForm(2, 0, 99, 1, 1)
    items = torch.arange(3)[:, None, None, None, None].expand(3, 500, *form.item_shape)
    kept = CodeSet(np.stack([compact(part, form) for part in items]), np.zeros(500, np.int64), form)
    codes, _ = kept.batch(torch.arange(500), torch.Generator().manual_seed(0))
    share = torch.bincount(codes[:, 0, 0, 0], minlength=3) / 500
    assert torch.allclose(share, torch.tensor([0.5, 0.25, 0.25]), atol=0.07)  # three standard deviations


def test_a_prior_is_trained_over_codes_of_each_step(chain: tuple[str, Path, Path]) -> None:
    kind, _, run = chain
    (cache,) = run.glob("codes-*.npz")
    with np.load(cache) as arrays:
        shape = (32,) if kind == "spike" else SHAPES[kind]  # bytes of 4 x 4 x 16 bits
        assert arrays["train"].shape == (9, 26, *shape)  # variants shifted by up to 1 pixel
    row = read_metrics(run / "metrics.csv")[-1]
    assert row["val_bits_per_item"] == pytest.approx(64 * row["val_bits_per_code"])


def test_samples_have_codes_of_each_step_and_depend_on_seed_and_place_alone(chain: tuple[str, Path, Path]) -> None:
    kind, _, run = chain
    model = neurogen.load(run)
    few, many = model.sample(3, seed=5), model.sample(40, seed=5)
    steps, *rest = SHAPES[kind]
    assert many.codes.shape == (steps, 40, *rest)
    assert np.array_equal(few.codes, many.codes[:, :3])
    assert np.array_equal(few.counts, many.counts[:3])
    assert model.code_form.item_axis == 1


def test_codes_of_many_recordings_are_those_of_each(chain: tuple[str, Path, Path]) -> None:
    kind, _, run = chain
    model, x = neurogen.load(run), torch.rand(35, 4, 2, 16, 16)
    steps, *rest = SHAPES[kind]
    codes = model.encode(x)
    assert codes.shape == (steps, 35, *rest)
    assert torch.equal(codes[:, 32:], model.encode(x[32:]))
    assert torch.equal(model.decode(codes), model.reconstruct(x))
    assert model.decode(codes).shape == x.shape


def test_first_tokens_are_completed(chain: tuple[str, Path, Path]) -> None:
    kind, _, run = chain
    model = neurogen.load(run)
    samples = model.sample(2, seed=1)
    tokens = model.stored.prior.order.tokens(model.code_form.items_first(torch.from_numpy(samples.codes)))
    again = model.sample(2, seed=1, prefix=tokens[:, :5])
    assert np.array_equal(again.codes, samples.codes)
    shape = rf"\(2, {tokens.shape[1]} or less{', 4' if kind == 'spike' else ''}\)"
    with pytest.raises(ValueError, match=rf"expected a prefix of shape {shape}, got \(1, 5"):
        model.sample(2, prefix=tokens[:1, :5])


def test_a_resumed_prior_over_single_steps_is_bitwise_equal(chain: tuple[str, Path, Path], tmp_path: Path) -> None:
    _, _, whole = chain
    config = over(neurogen.load(whole).stored.prior_config, over="step")
    one = train_run(config, tmp_path / "one")
    half = config.model_copy(update={"train": config.train.model_copy(update={"steps": 2})})
    train_run(half, tmp_path / "two")
    assert weights_digest(train_run(config, tmp_path / "two", resume=True)) == weights_digest(one)
    assert neurogen.load(one).sample(2).codes.shape[:2] == (4, 2)


def test_a_prior_over_another_form_is_refused_in_one_sentence(
    chain: tuple[str, Path, Path], finished: Path, tmp_path: Path
) -> None:
    kind, _, run = chain
    config = neurogen.load(run).stored.prior_config
    with pytest.raises(
        TrainingError, match=r"expected model\.over=joint \(or step, each step by itself\).* 4 steps, got map"
    ):
        train_run(over(config, over="map", code_steps=0), tmp_path / "a")
    with pytest.raises(TrainingError, match=r"expected model\.code_steps=4 .*, got 3; set it"):
        train_run(over(config, code_steps=3), tmp_path / "b")
    with pytest.raises(TrainingError, match=r"expected model\.over=map .* whose codes stand for all steps, got joint"):
        train_run(config.model_copy(update={"first_stage": str(finished)}), tmp_path / "c")
    other = MODELS["spike" if kind == "per_step" else "per_step"] | (
        {} if kind == "per_step" else {"codes": 32, "bits": 0}
    )
    all_at_once = r"expected model\.codes=\d+ (model\.\w+=\d+ )*model\.bits=\d+ for .*, got \d+ (\d+ )*\d+; set them"
    with pytest.raises(TrainingError, match=all_at_once):
        train_run(over(config, **other), tmp_path / "d")


def test_a_prior_can_learn_from_other_data_of_the_same_classes(
    recordings: Path, finished: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(recordings, other)
    kept = sorted((other / "Train").rglob("*.bin"))
    for path in kept[::2]:
        path.unlink()
    config = prior_run_config(finished, steps=2).model_copy(update={"data_path": str(other)})
    run = train_run(config, tmp_path / "prior")
    with np.load(next(run.glob("codes-*.npz"))) as arrays:
        assert len(arrays["train_labels"]) == len(kept) // 2 - stage1_config(recordings).data.validation
    for split in ("Train", "Test"):
        shutil.rmtree(max((other / split).iterdir()))
    with pytest.raises(
        TrainingError, match=r"expected data_path=.* to have the first stage's \d classes .*; give data"
    ):
        train_run(config, tmp_path / "refused")
