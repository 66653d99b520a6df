"""`neurogen train` whose second process is lost in step 4: python -m tests.neurogen.training.losing CONFIG RUN HOW."""

from __future__ import annotations

import os
import signal
import sys

import torch

from neurogen.cli import main
from neurogen.training.stage1 import StageOneSystem

config, run, how = sys.argv[1:]
step = StageOneSystem.step


def losing(self: StageOneSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
    if number == 3 and os.environ["RANK"] == "1":
        if how == "dies":
            os._exit(3)
        if how == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        self.main.decoder[1].conv.bias.data.fill_(float("nan"))
    return step(self, index, number, log)


StageOneSystem.step = losing  # type: ignore[method-assign]
sys.argv[1:] = ["train", config, "--out", run]
main()
