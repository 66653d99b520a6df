"""A judge's folder comes back as it was written; what was altered or is another's is refused in a sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from neurogen.metrics.errors import MetricError
from neurogen.metrics.weights_folder import fill, read_weights, write_card, write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "judge", "classifier", {"dataset": "mnist"}, nn.Linear(3, 2).state_dict())


def test_description_and_tensors_come_back(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    folder = write_weights(tmp_path / "judge", "classifier", {"dataset": "mnist"}, network.state_dict())
    description, tensors = read_weights(folder, "classifier")
    assert (description["kind"], description["dataset"]) == ("classifier", "mnist")
    again = fill(nn.Linear(3, 2), tensors, folder)
    assert torch.equal(again.weight, network.weight)
    assert not again.training


def test_one_altered_byte_is_refused(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(MetricError, match=r"weights with sha256 [0-9a-f]{12}\.\.\., got .*altered or cut short"):
        read_weights(folder, "classifier")


def test_a_missing_folder_and_one_of_another_kind_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="absent: expected a folder of kind classifier, No such file"):
        read_weights(tmp_path / "absent", "classifier")
    with pytest.raises(MetricError, match="expected weights of kind extractor, got classifier"):
        read_weights(folder, "extractor")


@pytest.mark.parametrize("content", ["[1, 2]", "kind: classifier", "a: b: c", ""])
def test_a_description_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "config.yaml").write_text(content)
    with pytest.raises(MetricError, match=r"config\.yaml: expected a description of kind classifier"):
        read_weights(folder, "classifier")


def test_a_later_format_and_weights_that_are_none_are_refused(folder: Path) -> None:
    description = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(description | {"format": 2}))
    with pytest.raises(MetricError, match=r"expected format 1 .* got format 2"):
        read_weights(folder, "classifier")
    text = b"no tensors"
    (folder / "weights.safetensors").write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    (folder / "config.yaml").write_text(yaml.safe_dump(description | {"sha256": digest}))
    with pytest.raises(MetricError, match="expected weights as safetensors"):
        read_weights(folder, "classifier")


def test_tensors_of_another_network_are_refused(folder: Path) -> None:
    _, tensors = read_weights(folder, "classifier")
    with pytest.raises(MetricError, match="the weights are of another network"):
        fill(nn.Linear(4, 2), tensors, folder)


def test_the_card_has_a_title_a_sentence_and_a_line_a_fact(tmp_path: Path) -> None:
    write_card(tmp_path, "mnist-classifier", ["It judges."], {"seed": 0, "data licence": "MIT"})
    text = (tmp_path / "README.md").read_text()
    assert text == "# mnist-classifier\n\nIt judges.\n\n- seed: 0\n- data licence: MIT\n"
