"""The README's example runs, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.data import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_of_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "seven.aedat4").is_file()


def test_every_configuration_it_names_exists() -> None:
    for name in set(re.findall(r"\b(?:tts_vqvae|prior)/[a-z-]+", README)):
        assert (ROOT / "train/configs" / f"{name}.yaml").is_file(), name


def test_every_page_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
