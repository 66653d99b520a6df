"""Where tests find real data, and that they skip with a reason where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import data


def test_the_environments_folder_comes_before_the_one_beside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, named = tmp_path / "shared" / "data", tmp_path / "named"
    monkeypatch.setattr(data, "ROOT", tmp_path / "checkout")
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)
    (beside / "set").mkdir(parents=True)
    assert data.data_path("set") == beside / "set"
    (named / "set").mkdir(parents=True)
    monkeypatch.setenv("NEUROGEN_DATA", str(named))
    assert data.data_path("set") == named / "set"


def test_absent_data_skip_the_test_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "ROOT", tmp_path / "checkout")
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"set is not under \$NEUROGEN_DATA nor in \.\./shared/data"):
        data.data_path("set")
