"""The codebook that a configuration asks for."""

from __future__ import annotations

from neurogen.codebook.per_step import PerStepCodebook
from neurogen.codebook.spike import SpikeCodebook
from neurogen.codebook.table import TableCodebook
from neurogen.codebook.temporal import RepeatedCodebook, TemporalCodebook
from neurogen.config import CodebookConfig, NeuronConfig

Codebook = TableCodebook | SpikeCodebook
TABLES = {"temporal": TemporalCodebook, "repeated": RepeatedCodebook, "per_step": PerStepCodebook}


def make_codebook(config: CodebookConfig, steps: int, neurons: NeuronConfig) -> Codebook:
    """The codebook of T = `steps`; neurons: those of spike codes."""
    if config.kind == "spike":
        return SpikeCodebook(config, steps, neurons)
    return TABLES[config.kind](config, steps)
