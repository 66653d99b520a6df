"""The command line as a person meets it."""

from __future__ import annotations

import dataclasses
import errno
import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from neurogen import cli, pretrained
from neurogen.config import dump_config, parse_config
from neurogen.model import Model, load
from neurogen.models.tts_vqvae import TTSVQVAE
from tests.data import ROOT
from tests.neurogen.tiny import event_model, image_model
from tests.neurogen.training.runs import make_recordings, stage1_config


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Answer]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process, so that torch is imported once."""
    monkeypatch.setattr(cli, "_tune", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("NO_COLOR", "1")
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["neurogen", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return Answer(code, *capsys.readouterr())

    yield command
    signal.signal(signal.SIGTERM, before)


def refused(result: Answer) -> str:
    """The one sentence of a refused command; checks status, silence on stdout and the absence of a traceback."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    talk = [line for line in result.stderr.splitlines() if not line.startswith("data: ")]  # what a crop loses
    assert len(talk) == 1 and talk[0].startswith("neurogen: "), result.stderr
    return talk[0]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return event_model().save(tmp_path_factory.mktemp("cli") / "model")


def test_help_and_version_import_neither_torch_nor_pydantic() -> None:
    code = (
        "import sys\nfrom neurogen.cli import app\nfrom typer.testing import CliRunner\n"
        "for arguments in (['--help'], ['--version']):\n"
        "    assert CliRunner().invoke(app, arguments).exit_code == 0, arguments\n"
        "print(sorted({'torch', 'pydantic', 'numba', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_command_has_an_example_in_its_help() -> None:
    from typer.main import get_command

    def commands(group: object, prefix: str) -> Iterator[tuple[str, str]]:
        for name, command in group.commands.items():  # type: ignore[attr-defined]
            if hasattr(command, "commands"):
                yield from commands(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}", command.epilog or ""

    found = dict(commands(get_command(cli.app), "neurogen"))
    assert len(found) > 10
    for name, epilog in found.items():
        assert epilog.startswith("Example: "), name
        assert name.split()[-1] in epilog, name


def test_info_counts_parameters_without_data(run: Command) -> None:
    result = run("info", "tts_vqvae/nmnist", "--json")
    parameters = json.loads(result.stdout)["parameters"]
    assert round(parameters["encoder"] / 1e6, 2) == 29.30
    assert round(parameters["decoder"] / 1e6, 2) == 42.45
    assert round(parameters["codebook"] / 1e6, 2) == 1.05


def test_a_trained_model_takes_no_settings(run: Command, model_folder: Path) -> None:
    assert "got train.steps=3; leave them out" in refused(run("info", str(model_folder), "train.steps=3"))


def test_an_unknown_key_is_answered_with_the_nearest_one(run: Command, tmp_path: Path) -> None:
    result = run("train", "tts_vqvae/digits", "train.bach_size=3", "--out", str(tmp_path / "run"))
    assert "unknown key train.bach_size; did you mean train.batch_size?" in refused(result)
    assert not (tmp_path / "run").exists()


def test_an_unknown_configuration_is_answered_with_the_nearest_one(run: Command, tmp_path: Path) -> None:
    assert "tts_vqvae/digits" in refused(run("train", "tts_vqvae/digit", "--out", str(tmp_path / "run")))


def test_sampling_a_missing_model_is_one_sentence(run: Command, tmp_path: Path) -> None:
    assert "found nothing" in refused(run("sample", str(tmp_path / "none"), "--out", str(tmp_path / "out")))


def test_a_gpu_that_is_not_there_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--device", "cuda"))
    assert "cuda" in sentence
    assert not (tmp_path / "out").exists()


def test_an_unknown_label_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--label", "zebra"))
    assert "one of a, b, c, got zebra" in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--count", "0"), "--count"),
        (("--count", "many"), "--count"),
        (("--seed", "99999999999999999999"), "expected a seed from 0 to 2^63 - 1"),
        (("--temperature", "0"), "expected a temperature above 0, got 0.0"),
        (("--top-p", "1.5"), "expected top_p above 0 and at most 1, got 1.5"),
        (("--to", "bin,mp4"), "expected --to to list some of bin,aedat4,hdf5,aedat,gif,html,png,npz, got 'mp4'"),
        (("--device", "gpu"), "expected device to be auto, cpu, cuda, cuda:N or mps, got gpu"),
        (("--colour", "red"), "no such option: --colour"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    run: Command, model_folder: Path, tmp_path: Path, arguments: tuple[str, str], sentence: str
) -> None:
    assert sentence in refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), *arguments))
    assert not (tmp_path / "out").exists()


def test_a_wrong_command_is_one_sentence(run: Command) -> None:
    assert "no such command 'trian'" in refused(run("trian"))
    assert "see neurogen train --help" in refused(run("train"))


def test_sample_writes_a_data_set(run: Command, model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("sample", str(model_folder), "--out", str(out), "--count", "2", "--label", "b", "--to", "bin,npz")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(out)
    assert sorted(p.name for p in (out / "Train" / "b").iterdir()) == ["00000.bin", "00001.bin"]


def test_labels_that_say_nothing_are_told(run: Command, tmp_path: Path) -> None:
    folder = event_model(classes=0).save(tmp_path / "model")
    result = run("sample", str(folder), "--out", str(tmp_path / "out"), "--count", "1", "--to", "npz")
    assert result.returncode == 0
    assert result.stderr.strip().endswith("those of its samples are drawn by chance and say nothing")


def test_configs_lists_the_published_and_the_small_ones(run: Command) -> None:
    names = run("configs").stdout.split()
    assert {"tts_vqvae/nmnist", "tts_vqvae/nmnist-small", "prior/nmnist", "tts_vqvae/digits", "prior/digits"} <= set(
        names
    )


def test_doctor_answers_in_json(run: Command) -> None:
    assert json.loads(run("doctor", "--json").stdout)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def config_file(recordings: Path) -> Path:
    """A configuration of a few tiny steps, as a user's own file."""
    path = recordings / "mine.yaml"
    path.write_text(dump_config(stage1_config(recordings)))
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_train_says_where_the_run_is_and_resuming_it_ends_well(run: Command, config_file: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    first = run("train", str(config_file), "--out", out)
    assert (first.returncode, first.stdout.strip()) == (0, out)
    again = run("train", str(config_file), "--out", out, "--resume")
    assert (again.returncode, again.stdout.strip()) == (0, out)
    assert "is finished" in again.stderr
    assert "add --resume" in refused(run("train", str(config_file), "--out", out))


def test_a_rank_without_other_processes_changes_nothing(
    run: Command, config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")  # of some other program
    answer = run("train", str(config_file), "train.steps=1", "--out", str(tmp_path / "run"))
    assert (answer.returncode, answer.stdout.strip()) == (0, str(tmp_path / "run"))


def test_the_prior_takes_a_run_and_its_own_run_is_sampled(run: Command, config_file: Path, tmp_path: Path) -> None:
    first, second, out = (str(tmp_path / name) for name in ("first", "second", "out"))
    assert run("train", str(config_file), "--out", first).returncode == 0
    sizes = ("model.codes=32", "model.height=4", "model.width=4", "model.classes=3", "model.dim=16", "model.layers=1")
    more = ("model.heads=2", "train.steps=2", "train.batch_size=8", "train.threads=1", "train.tune_allocator=false")
    trained = run("train", "prior/digits", f"first_stage={first}", *sizes, *more, "shift=0", "--out", second)
    assert trained.returncode == 0, trained.stderr
    assert run("sample", second, "--count", "2", "--out", out, "--to", "bin").returncode == 0
    assert len(list(Path(out).glob("Train/*/*.bin"))) == 2
    assert "a first stage alone" in refused(run("sample", first, "--out", str(tmp_path / "none")))
    assert "system was tts_vqvae and is now prior" in refused(
        run("train", "prior/digits", f"first_stage={first}", "--out", first, "--resume")
    )


def test_reconstruct_and_plot_and_info_answer(run: Command, config_file: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    assert run("train", str(config_file), "--out", out).returncode == 0
    figures = json.loads(run("reconstruct", out, "--count", "3", "--out", str(tmp_path / "back"), "--json").stdout)
    assert figures["items"] == 3
    assert figures["mse"] > 0
    assert len(list((tmp_path / "back").glob("Test/*/*.bin"))) == 3
    assert all(Path(line).is_file() for line in run("plot", out).stdout.split())
    assert json.loads(run("info", out, "--json").stdout)["parameters"]["prior"] == 0


@pytest.mark.parametrize("script", ["stage1.py", "prior.py"])
def test_the_scripts_are_the_train_command(script: str) -> None:
    command = [sys.executable, str(ROOT / "train" / script), "tts_vqvae/digits", "train.bach_size=3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = Answer(result.returncode, result.stdout, result.stderr)
    assert "unknown key train.bach_size; did you mean train.batch_size?" in refused(answer)


def test_python_m_neurogen_is_the_same_program() -> None:
    command = [sys.executable, "-m", "neurogen", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("neurogen 0")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("train.steps=many", "train.steps: expected a whole number, got 'many'"),
        ("data.resolution=18", "data.resolution=18 cannot be halved 2 times; take a multiple of 4"),
        ("train.batch_size=64", "expected train.batch_size up to the 26 training items, got 64; lower it"),
        ("device=mps", "this machine has no Apple GPU; set device=auto or device=cpu"),
        ("device=cuda:99", "expected cuda:99, this machine has"),
        ("data.path=/nowhere", "/nowhere"),
        ("train.init_from=/nowhere", "expected a run or model folder at /nowhere, found nothing"),
        ("train.lr=1e30", "lower train.lr or clip with train.clip"),
        ("notanoverride", "expected section.key=value, got 'notanoverride'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(
    run: Command, config_file: Path, tmp_path: Path, setting: str, sentence: str
) -> None:
    if setting == "device=mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has an Apple GPU")
    out = tmp_path / "run"
    assert sentence in refused(run("train", str(config_file), setting, "--out", str(out)))
    assert not (out / "model").exists()
    if not setting.startswith("train.lr"):
        assert not out.exists()


def test_the_digits_give_way_to_recordings_of_ones_own(run: Command, tmp_path: Path) -> None:
    command = ("train", "tts_vqvae/digits", "data.path=/nowhere", "train.tune_allocator=false")
    assert "expected data at data.path=/nowhere" in refused(run(*command, "--out", str(tmp_path / "run")))


def test_a_recording_cut_short_is_named_and_leaves_no_run(run: Command, config_file: Path, tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "data")
    whole = data / "Train" / "1" / "00003.bin"
    whole.write_bytes(whole.read_bytes()[:-2])
    out = tmp_path / "run"
    assert "00003.bin" in refused(run("train", str(config_file), f"data.path={data}", "--out", str(out)))
    assert not out.exists()


def test_altered_weights_are_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    with open(folder / "weights.safetensors", "rb+") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert "the folder was altered or cut short" in refused(run("sample", str(folder), "--out", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model of images that ships as mnist-tiny; nothing lies where we stand."""
    folder = image_model().save(tmp_path / "shelf" / "mnist-tiny")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(pretrained, "HERE", tmp_path / "shelf")
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_a_model_that_ships_is_listed_described_and_sampled_by_name(run: Command, shipped: Path) -> None:
    (listed,) = json.loads(run("models", "--json").stdout)
    assert (listed["name"], listed["licence"]) == ("mnist-tiny", "CC BY-SA 3.0 (LeCun, Cortes, Burges)")
    assert "mnist-tiny" in run("models").stdout
    assert json.loads(run("info", "mnist-tiny", "--json").stdout)["parameters"]["prior"] > 0
    arguments = ("--count", "2", "--to", "gif,html,aedat4,png", "--device", "cpu", "--out", "out")
    assert run("sample", "mnist-tiny", *arguments).returncode == 0
    assert {path.name for path in Path("out").iterdir()} == {
        "README.md",
        "aedat4",
        "images",
        "index.csv",
        "samples.gif",
        "samples.html",
        "samples.png",
    }


def test_a_name_that_does_not_ship_is_one_sentence(run: Command, shipped: Path) -> None:
    for arguments in (("sample",), ("reconstruct",), ("export",)):
        sentence = refused(run(*arguments, "mnist-tinny", "--out", "out"))
        assert "did you mean mnist-tiny? These ship: mnist-tiny" in sentence
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("a byte", "altered or cut short"),
        ("no weights", "expected weights.safetensors beside"),
        ("no settings", "found no config.yaml with weights.safetensors"),
        ("edited settings", "as it ships, it was edited"),
    ],
)
def test_an_altered_model_that_ships_is_one_sentence(run: Command, shipped: Path, damage: str, sentence: str) -> None:
    weights, settings = shipped / "weights.safetensors", shipped / "config.yaml"
    if damage == "a byte":
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    elif damage == "edited settings":
        settings.write_text(f"{settings.read_text()}settings_sha256: '0'\n")
    else:
        (weights if damage == "no weights" else settings).unlink()
    assert sentence in refused(run("sample", "mnist-tiny", "--out", "out"))


def test_an_output_folder_in_use_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert "is in use; take another name" in refused(run("sample", str(model_folder), "--out", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("failure", "status"), [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)]
)
def test_a_full_disk_and_an_interruption_leave_nothing_behind(
    run: Command,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    status: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("neurogen.sampling.save_png", fail)  # after the recordings have been written
    result = run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--count", "2", "--to", "bin,png")
    assert result.returncode == status
    assert "Traceback" not in result.stderr
    assert status != 2 or "no space left on device; free some space" in refused(result)
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_command_takes_back_what_it_half_wrote(
    run: Command, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurogen.sampling.save_png", lambda *_: signal.raise_signal(signal.SIGTERM))
    result = run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--count", "2", "--to", "bin,png")
    assert result.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_samples_depend_on_the_seed_and_not_on_how_many_there_are(
    run: Command, model_folder: Path, tmp_path: Path
) -> None:
    for name, count, seed in (("few", "2", "3"), ("many", "5", "3"), ("other", "2", "4")):
        made = run("sample", str(model_folder), "--out", str(tmp_path / name), "--count", count, "--seed", seed)
        assert made.returncode == 0, made.stderr
    few, many, other = (sorted((tmp_path / name).glob("aedat4/*/0000[01].aedat4")) for name in ("few", "many", "other"))
    assert [path.read_bytes() for path in few] == [path.read_bytes() for path in many]
    assert [path.read_bytes() for path in few] != [path.read_bytes() for path in other]


def test_warnings_are_plain_sentences(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from train import config_names

    def warned() -> list[str]:
        warnings.warn("something is odd", stacklevel=1)
        return config_names()

    monkeypatch.setattr("train.config_names", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("configs").stderr == "neurogen: something is odd\n"


@pytest.fixture(scope="module")
def finished(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the first stage."""
    from neurogen.training import train_run

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return train_run(stage1_config(recordings), tmp_path_factory.mktemp("finished") / "run")


def test_export_prints_figures_and_leaves_the_files(run: Command, finished: Path, tmp_path: Path) -> None:
    result = run("export", str(finished), "--out", str(tmp_path / "chip"), "--to", "netx", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["agreement"]["quantised_simulated"] == 0
    assert (tmp_path / "chip" / "decoder.net").is_file()
    shown = run("export", str(finished), "--out", str(tmp_path / "again"), "--to", "netx", "--part", "encoder")
    assert str(tmp_path / "again" / "report.html") in shown.stdout.splitlines()[0]
    assert "to be decoder or encoder" in refused(run("export", str(finished), "--out", "x", "--part", "prior"))


def test_export_refuses_a_gated_model_with_a_line_for_each_layer(run: Command, finished: Path, tmp_path: Path) -> None:
    model = load(finished)
    values = model.config.model_dump(mode="json")
    gated = {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [], "latent": 8}
    config = parse_config(values | {"model": values["model"] | {"kind": "gated", "readout": "step", "gated": gated}})
    Model(dataclasses.replace(model.stored, stage1=config, first_stage=TTSVQVAE(config))).save(tmp_path / "model")
    result = run("export", str(tmp_path / "model"), "--out", str(tmp_path / "out"))
    assert (result.returncode, result.stdout) == (2, "")
    first, *lines = result.stderr.splitlines()
    assert first.startswith("neurogen: the decoder cannot run on the chip, nothing was written")
    names = {name for name, _ in TTSVQVAE(config).decoder[0].named_modules()}
    assert len(lines) > 4
    assert all(line.split(":")[0] in names for line in lines)
    assert not (tmp_path / "out").exists()
