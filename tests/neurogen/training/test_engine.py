"""The training loop: determinism, resume, refusal, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from neurogen.config import dump_config
from neurogen.training import TrainingError, train_run
from neurogen.training.log import read_metrics
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.training.runs import prior_run_config, stage1_config, weights_digest


def test_a_finished_run_holds_one_set_of_weights_in_its_model_folder(finished: Path) -> None:
    assert [p.relative_to(finished).as_posix() for p in finished.rglob("weights.safetensors")] == [
        "model/weights.safetensors"
    ]
    assert (finished / "metrics.csv").is_file()
    assert list((finished / "pictures").glob("*.png"))


def test_the_same_command_twice_gives_the_same_bytes(finished: Path, recordings: Path, tmp_path: Path) -> None:
    again = train_run(stage1_config(recordings), tmp_path / "again")
    assert weights_digest(again) == weights_digest(finished)


def test_another_seed_gives_other_weights(finished: Path, recordings: Path, tmp_path: Path) -> None:
    config = stage1_config(recordings).model_copy(update={"seed": 7})
    assert weights_digest(train_run(config, tmp_path / "other")) != weights_digest(finished)


@pytest.mark.parametrize("stop", [2, 3, 7])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    finished: Path, recordings: Path, tmp_path: Path, stop: int
) -> None:
    # Eight steps of eight items over 26: the cut falls inside epochs, before and after the codebook starts.
    out = tmp_path / "run"
    _stop_after(stop, recordings, out)
    assert not (out / "model").exists()
    train_run(stage1_config(recordings), out, resume=True)
    assert weights_digest(out) == weights_digest(finished)


def test_a_resumed_prior_with_dropout_and_shifts_is_bitwise_equal(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurogen.training.prior import PriorSystem

    config = prior_run_config(finished)
    whole = train_run(config, tmp_path / "whole")
    _interrupt(monkeypatch, PriorSystem, 3)
    with pytest.raises(SystemExit):
        train_run(config, tmp_path / "cut")
    monkeypatch.undo()
    train_run(config, tmp_path / "cut", resume=True)
    assert weights_digest(tmp_path / "cut") == weights_digest(whole)


def test_b2_b3_b4_looking_on_the_way_changes_nothing(finished: Path, recordings: Path, tmp_path: Path) -> None:
    """Pictures and validation after every step leave mode, membranes and random numbers as they were."""
    watched = train_run(stage1_config(recordings, validate_every=1, picture_every=1), tmp_path / "watched")
    assert weights_digest(watched) == weights_digest(finished)


def test_averaged_weights_are_what_is_saved(finished: Path, recordings: Path, tmp_path: Path) -> None:
    out = train_run(stage1_config(recordings, average=0.9), tmp_path / "averaged")
    assert weights_digest(out) != weights_digest(finished)


def test_averaged_weights_resume_bitwise(recordings: Path, tmp_path: Path) -> None:
    whole = train_run(stage1_config(recordings, average=0.9), tmp_path / "whole")
    out = tmp_path / "cut"
    _stop_after(3, recordings, out, average=0.9)
    train_run(stage1_config(recordings, average=0.9), out, resume=True)
    assert weights_digest(out) == weights_digest(whole)


def test_metrics_have_one_row_per_logged_step_after_a_resume(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(5, recordings, out)
    train_run(stage1_config(recordings), out, resume=True)
    steps = [row["step"] for row in read_metrics(out / "metrics.csv") if "total" in row]
    assert steps == [2, 4, 6, 8]


def test_an_existing_run_is_refused(finished: Path, recordings: Path) -> None:
    with pytest.raises(TrainingError, match="add --resume"):
        train_run(stage1_config(recordings), finished)


def test_resuming_a_finished_run_does_nothing(
    finished: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights_digest(finished)
    assert train_run(stage1_config(recordings), finished, resume=True) == finished
    assert "is finished" in capsys.readouterr().err
    assert weights_digest(finished) == before


def test_resuming_with_another_setting_names_it(finished: Path, recordings: Path) -> None:
    with pytest.raises(TrainingError, match=r"train\.lr was .* and is now"):
        train_run(stage1_config(recordings, lr=0.5), finished, resume=True)


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    finished: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.yaml").write_text(dump_config(stage1_config(recordings)))
    train_run(stage1_config(recordings), out, resume=True)
    assert weights_digest(out) == weights_digest(finished)


def test_raising_the_steps_of_a_finished_run_goes_on_bitwise(finished: Path, recordings: Path, tmp_path: Path) -> None:
    out = train_run(stage1_config(recordings, steps=5), tmp_path / "run")
    assert weights_digest(out) != weights_digest(finished)
    train_run(stage1_config(recordings, steps=8), out, resume=True)
    assert weights_digest(out) == weights_digest(finished)


def test_a_finished_run_that_was_cut_while_it_went_on_is_not_finished(
    finished: Path, recordings: Path, tmp_path: Path
) -> None:
    out = train_run(stage1_config(recordings, steps=3), tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        _interrupt(patch, StageOneSystem, 6)
        with pytest.raises(SystemExit):
            train_run(stage1_config(recordings, steps=8), out, resume=True)
    train_run(stage1_config(recordings, steps=8), out, resume=True)
    assert weights_digest(out) == weights_digest(finished)


def test_fewer_steps_than_a_run_has_done_are_refused(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(5, recordings, out)
    with pytest.raises(TrainingError, match=r"expected train\.steps of at least the 5 done .*, got 4"):
        train_run(stage1_config(recordings, steps=4), out, resume=True)
    assert not (out / "model").exists()
    train_run(stage1_config(recordings), out, resume=True)  # the refusal spoilt nothing


def test_fewer_steps_than_a_finished_run_has_leave_it_alone(finished: Path, recordings: Path) -> None:
    before = (finished / "config.yaml").read_bytes(), weights_digest(finished)
    train_run(stage1_config(recordings, steps=4), finished, resume=True)
    assert ((finished / "config.yaml").read_bytes(), weights_digest(finished)) == before


def test_what_a_killed_process_half_wrote_is_cleared_away(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(5, recordings, out)
    (out / "checkpoints" / ".step_00000006.pt.1.1.partial").write_bytes(b"half")
    train_run(stage1_config(recordings), out, resume=True)
    assert not list(out.rglob("*.partial"))


def test_what_another_command_is_filling_inside_a_run_is_left_alone(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(5, recordings, out)
    theirs = out / ".samples.1.1.partial" / ".samples.npz.1.1.partial"
    theirs.parent.mkdir()
    theirs.write_bytes(b"half")
    train_run(stage1_config(recordings), out, resume=True)
    assert theirs.read_bytes() == b"half"


def test_a_run_starts_from_the_weights_of_another(finished: Path, recordings: Path, tmp_path: Path) -> None:
    out = train_run(stage1_config(recordings, steps=0, init_from=str(finished)), tmp_path / "run")
    assert weights_digest(out) == weights_digest(finished)


def test_weights_of_another_network_to_start_from_are_refused(finished: Path, recordings: Path, tmp_path: Path) -> None:
    config = stage1_config(recordings, init_from=str(finished))
    config = config.model_copy(update={"codebook": config.codebook.model_copy(update={"size": 16})})
    with pytest.raises(TrainingError, match=r"it is another \(size mismatch for codebook\.table\); name a run"):
        train_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_killed_while_it_wrote_its_model_finishes_it(finished: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "model" / "config.yaml").unlink()  # the last file of a model folder to be written
    train_run(stage1_config(recordings), out, resume=True)
    assert (out / "model" / "config.yaml").read_bytes() == (finished / "model" / "config.yaml").read_bytes()
    assert weights_digest(out) == weights_digest(finished)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(finished: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(7, recordings, out)
    newest = sorted((out / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="taking the one before"):
        train_run(stage1_config(recordings), out, resume=True)
    assert weights_digest(out) == weights_digest(finished)


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_again(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    _stop_after(5, recordings, out)
    rows = (out / "metrics.csv").read_bytes()
    for path in (out / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="cannot be read"), pytest.raises(TrainingError, match="are damaged"):
        train_run(stage1_config(recordings), out, resume=True)
    assert (out / "metrics.csv").read_bytes() == rows


def test_a_folder_that_is_no_run_is_not_gone_on_with(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "metrics.csv").write_text("mine")
    with pytest.raises(TrainingError, match=r"it has no config\.yaml; take another name"):
        train_run(stage1_config(recordings), tmp_path / "notes", resume=True)
    assert (tmp_path / "notes" / "metrics.csv").read_text() == "mine"


def test_only_the_last_checkpoints_are_kept(finished: Path) -> None:
    assert [p.name for p in sorted((finished / "checkpoints").iterdir())] == ["step_00000006.pt", "step_00000008.pt"]


def test_a_loss_that_is_not_a_number_stops_with_a_sentence(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(
        "neurogen.losses.stage1.normalised_loss", lambda kind, x, output, normalise, whole: output.sum() * float("nan")
    )
    with pytest.raises(TrainingError, match=r"the loss became nan at step 1; lower train\.lr"):
        train_run(stage1_config(recordings), out)
    assert not out.exists()  # nothing had been learnt: the mended command may take the name


def test_a_loss_that_is_not_a_number_later_on_keeps_what_was_logged(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, step = tmp_path / "run", StageOneSystem.step

    def failing(self: StageOneSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
        if number + 1 == 3:
            raise TrainingError("the loss became nan at step 3")
        return step(self, index, number, log)

    monkeypatch.setattr(StageOneSystem, "step", failing)
    with pytest.raises(TrainingError, match="the loss became nan"):
        train_run(stage1_config(recordings, checkpoint_every=100), out)
    assert [row["step"] for row in read_metrics(out / "metrics.csv")] == [2]


def test_weights_that_are_not_numbers_never_become_a_checkpoint(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, step = tmp_path / "run", StageOneSystem.step

    def spoilt(self: StageOneSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
        figures = step(self, index, number, log)
        if number + 1 == 6:
            next(self.main.parameters()).data.fill_(float("nan"))
        return figures

    monkeypatch.setattr(StageOneSystem, "step", spoilt)
    with pytest.raises(TrainingError, match=r"expected finite weights, .* is not after step 6"):
        train_run(stage1_config(recordings), out)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step_00000003.pt"]


def test_missing_tensorboard_is_answered_with_the_pip_line_and_leaves_no_run(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # what an import then raises: ImportError
    with pytest.raises(ImportError, match=r"pip install 'neurogen\[logging\]'"):
        train_run(stage1_config(recordings, tensorboard=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_larger_than_the_data_leaves_no_run(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="up to the 26 training items, got 64"):
        train_run(stage1_config(recordings, batch_size=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_larger_than_the_codes_leaves_no_run(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="up to the 26 training items, got 64"):
        train_run(prior_run_config(finished, batch_size=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_prior_for_another_first_stage_is_refused(finished: Path, tmp_path: Path) -> None:
    config = prior_run_config(finished)
    config = config.model_copy(update={"model": config.model.model_copy(update={"codes": 16})})
    with pytest.raises(TrainingError, match=r"expected model\.codes=32"):
        train_run(config, tmp_path / "run")


def test_a_prior_without_first_stage_says_what_it_needs(finished: Path, tmp_path: Path) -> None:
    config = prior_run_config(finished).model_copy(update={"first_stage": None})
    with pytest.raises(TrainingError, match="first_stage=RUN"):
        train_run(config, tmp_path / "run")


def test_codes_are_computed_once_and_cached_by_checksum(finished: Path, tmp_path: Path) -> None:
    from neurogen.model_folder import load_model

    out = train_run(prior_run_config(finished), tmp_path / "run")
    (cache,) = out.glob("codes-*.npz")
    assert load_model(finished).sha256[:16] in cache.name


def test_a_prior_does_not_go_on_over_the_codes_of_another_first_stage(
    finished: Path, recordings: Path, tmp_path: Path
) -> None:
    first = train_run(stage1_config(recordings, steps=2), tmp_path / "first")
    train_run(prior_run_config(first, steps=2), tmp_path / "prior")
    train_run(stage1_config(recordings, steps=3), first, resume=True)
    with pytest.raises(TrainingError, match=r"expected the first stage that .* began with"):
        train_run(prior_run_config(first, steps=4), tmp_path / "prior", resume=True)


def test_sigterm_saves_and_exits(finished: Path, recordings: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        dump_config(stage1_config(recordings, steps=100_000, checkpoint_every=1_000_000, checkpoint_seconds=1e9))
    )
    out = tmp_path / "run"
    command = [sys.executable, "-m", "neurogen", "train", str(config), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not (out / "metrics.csv").exists() or len((out / "metrics.csv").read_text().splitlines()) < 2:
        assert process.poll() is None, "training did not start"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert "go on with --resume" in talk
    (checkpoint,) = (out / "checkpoints").iterdir()
    assert torch.load(checkpoint, weights_only=True)["step"] > 0


def _interrupt(monkeypatch: pytest.MonkeyPatch, system: type, stop: int) -> None:
    """Have the system send SIGINT to its own process within step `stop`."""
    step = system.step

    def stopping(self: object, index: object, number: int, log: bool) -> object:
        if number + 1 == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, index, number, log)

    monkeypatch.setattr(system, "step", stopping)


def _stop_after(stop: int, recordings: Path, out: Path, **train: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _interrupt(patch, StageOneSystem, stop)
        with pytest.raises(SystemExit) as ended:
            train_run(stage1_config(recordings, **train), out)
    assert ended.value.code == 128 + signal.SIGINT
