"""SpikingJelly's own CIFAR10-DVS code on files of ours: the same events, the same split. $NEUROGEN_READERS has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from event_tools.dvs_cifar10 import open_dvs_cifar10
from tests.event_tools.test_dvs_cifar10 import original

THEIRS = """
import json, sys
from pathlib import Path
import numpy as np
from spikingjelly.datasets.cifar10_dvs import CIFAR10DVS
from spikingjelly.datasets.utils import split_to_train_test_set
from torchvision.datasets import DatasetFolder

extracted, raw = Path(sys.argv[1]), Path(sys.argv[2])
raw.mkdir()
CIFAR10DVS.create_raw_from_extracted(extracted, raw)
data = DatasetFolder(str(raw), np.load, (".npz",))
parts = split_to_train_test_set(0.9, data, len(data.classes))
def told(i):
    return [Path(data.samples[i][0]).stem, *(data[i][0][k].tolist() for k in "txyp")]

print(json.dumps([[told(i) for i in part.indices] for part in parts]))
"""


@pytest.mark.interop
def test_spikingjelly_reads_the_same_events_and_splits_the_same_way(tmp_path: Path) -> None:
    folder = original(tmp_path / "extract", items=23)
    python = os.environ.get("NEUROGEN_READERS") or sys.executable
    command = [python, "-W", "ignore", "-c", THEIRS, str(folder), str(tmp_path / "raw")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in result.stderr or "ImportError" in result.stderr:
        pytest.skip("SpikingJelly's data sets cannot be imported here; name an interpreter in $NEUROGEN_READERS")
    assert result.returncode == 0, result.stderr
    for split, theirs in zip(("train", "test"), json.loads(result.stdout.splitlines()[-1]), strict=True):
        ours = open_dvs_cifar10(folder, split)
        assert [Path(name).stem for name in ours.names] == [name for name, *_ in theirs]
        for events, (_, *columns) in zip(ours, theirs, strict=True):
            for own, other in zip((events.t, events.x, events.y, events.p), columns, strict=True):
                assert np.array_equal(own, np.array(other))
