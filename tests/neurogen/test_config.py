"""Configurations: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neurogen.config import ConfigError, PriorConfig, StageOneConfig, dump_config, load_config, parse_config

DIGITS: dict[str, Any] = {"system": "tts_vqvae", "data": {"name": "digits"}, "model": {"kind": "gated", "steps": 4}}


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(DIGITS | settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


MINIMAL = "system: tts_vqvae\ndata: {name: digits}\n"


def test_a_dumped_configuration_reads_back_equal(tmp_path: Path) -> None:
    config = parse_config(DIGITS | {"losses": {"perceptual": "off"}, "train": {"lr": 1e-5}})
    assert load_config(written(tmp_path, dump_config(config))) == config


def test_the_system_chooses_the_configuration() -> None:
    assert isinstance(parse_config(DIGITS), StageOneConfig)
    assert isinstance(parse_config({"system": "prior"}), PriorConfig)


@pytest.mark.parametrize("system", [None, "vqvae", ["prior"], 3])
def test_an_unknown_system_is_refused_with_the_known_ones(system: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected system to be one of tts_vqvae, prior, fsvae, .*sae, got"):
        parse_config({"system": system})


def test_an_unknown_key_is_answered_with_its_path_and_the_nearest_sibling() -> None:
    assert refusal(train={"step": 3}) == "configuration: unknown key train.step; did you mean train.steps?"


def test_a_key_of_another_section_is_answered_with_where_it_belongs() -> None:
    assert "unknown key data.batch_size; did you mean train.batch_size?" in refusal(
        data={"name": "digits", "batch_size": 3}
    )


def test_a_mistyped_section_is_answered_with_the_nearest_section() -> None:
    assert "unknown key codebok; did you mean codebook?" in refusal(codebok={"size": 3})


def test_a_key_like_no_other_is_answered_with_the_known_ones() -> None:
    assert "unknown key neurons.zzz; known here: kind, tau," in refusal(neurons={"zzz": 1})


def test_a_wrong_word_is_answered_with_every_word_allowed() -> None:
    assert refusal(neurons={"kind": "lyf"}) == "configuration: neurons.kind: expected lif, if or plif, got 'lyf'"


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("train", "batch_size", 0, "expected a number of at least 1, got 0"),
        ("train", "lr", 0, "expected a number above 0, got 0"),
        ("train", "average", 1.0, "expected a number below 1, got 1.0"),
        ("codebook", "decay", 1.5, "expected a number up to 1, got 1.5"),
        ("train", "steps", "many", "expected a whole number, got 'many'"),
        ("train", "steps", 1.5, "expected a whole number, got 1.5"),
        ("train", "steps", True, "expected a whole number, got 'true'"),
        ("train", "lr", float("inf"), "expected a finite number, got inf"),
        ("train", "lr", None, "expected a number, got null"),
        ("train", "tensorboard", "perhaps", "expected true or false, got 'perhaps'"),
        ("train", "init_from", 3, "expected text, got 3"),
        ("train", "betas", [1.0, 0.9], "expected a number below 1, got 1.0"),
        ("model", "gated", 3, "expected a section with settings of its own, got 3"),
    ],
)
def test_a_wrong_value_is_answered_with_its_path_and_what_was_expected(
    section: str, key: str, value: Any, expected: str
) -> None:
    place = f"{section}.{key}.0" if isinstance(value, list) else f"{section}.{key}"
    assert refusal(**{section: {key: value}}) == f"configuration: {place}: {expected}"


def test_a_network_without_levels_is_refused() -> None:
    assert "model.spiking.widths: expected a list of length at least 1, got []" in refusal(
        model={"spiking": {"widths": []}}
    )


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    assert "seed: expected a number below" in refusal(seed=1 << 63)


def test_a_wrong_element_of_a_list_is_named_by_position() -> None:
    assert "model.gated.multipliers.1: expected a number of at least 1, got 0" in refusal(
        model={"gated": {"multipliers": [1, 0]}}
    )


def test_a_width_that_group_norm_cannot_divide_is_refused() -> None:
    assert "model.gated.width: expected a multiple of 32, got 48" in refusal(model={"gated": {"width": 48}})


def test_a_missing_key_is_named() -> None:
    assert refusal(data={"resolution": 32}) == "configuration: expected data.name to be set, it is missing; add it"


def test_a_size_that_the_network_cannot_halve_is_refused_with_the_multiple() -> None:
    assert "data.resolution=36 cannot be halved 4 times; take a multiple of 16" in refusal(
        data={"name": "digits", "resolution": 36}
    )


def test_frames_from_steps_are_refused_for_images() -> None:
    assert "model.readout=step does not go with model.coding=direct" in refusal(
        data={"name": "mnist", "channels": 1}, model={"coding": "direct"}
    )


def test_event_coding_is_refused_for_images() -> None:
    assert "model.coding=event does not go with data.name=mnist" in refusal(data={"name": "mnist"})


def test_a_number_of_channels_that_the_data_do_not_have_is_refused() -> None:
    assert "expected data.channels=2 for data.name=digits, got 1" in refusal(data={"name": "digits", "channels": 1})


def test_poisson_and_softplus_go_together() -> None:
    assert "losses.reconstruction=poisson and model.output=softplus" in refusal(losses={"reconstruction": "poisson"})


@pytest.mark.parametrize("other", [{"backend": "spikingjelly"}, {"backend": "braincog"}, {"kind": "plif"}])
def test_neurons_that_cannot_be_compiled_are_refused(other: dict[str, str]) -> None:
    assert "neurons: compile=true does not go with backend=" in refusal(neurons={"compile": True} | other)


def test_overrides_win_over_the_file_and_make_sections(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, MINIMAL + "train:\n"), ["train.lr=1e-3", "codebook.size=64", "seed=7"])
    assert isinstance(config, StageOneConfig)
    assert (config.train.lr, config.codebook.size, config.seed) == (1e-3, 64, 7)


def test_off_is_a_word_and_1e_3_a_number_in_a_file(tmp_path: Path) -> None:
    text = MINIMAL + "losses: {perceptual: off, perceptual_weight: 1e-3}\n"
    config = load_config(written(tmp_path, text), ["data.denoise=off"])
    assert isinstance(config, StageOneConfig)
    assert (config.losses.perceptual, config.losses.perceptual_weight, config.data.denoise) == ("off", 1e-3, "off")


def test_a_path_stays_text(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, MINIMAL), ["data.path=~/N-MNIST.zip"])
    assert isinstance(config, StageOneConfig) and config.data.path == "~/N-MNIST.zip"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.lr", "expected section.key=value, got 'train.lr'"),
        ("=3", "expected section.key=value, got '=3'"),
        ("seed.lr=3", "seed.lr: seed is a value, not a section; set seed=VALUE"),
        ("data.name.x=3", "data.name.x: name is a value, not a section; set data.name=VALUE"),
        ("train.lr=[", "train.lr: expected a value as YAML spells it, got '['"),
    ],
)
def test_a_malformed_override_is_refused(tmp_path: Path, override: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, MINIMAL + "seed: 1\n"), [override])
    assert str(caught.value).startswith(expected)


def test_a_file_that_is_absent_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: expected a YAML configuration, it cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2: "):
        load_config(written(tmp_path, "system: tts_vqvae\ndata: {name: [digits}\n"))


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected keys and values"):
        load_config(written(tmp_path, "- 1\n- 2\n"))


def test_yaml_that_would_make_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not determine a constructor"):
        load_config(written(tmp_path, "system: !!python/object/apply:os.getcwd []\n"))


def test_a_configuration_cannot_be_changed() -> None:
    config = parse_config(DIGITS)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]
