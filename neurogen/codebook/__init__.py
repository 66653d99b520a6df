"""Codebooks: what turns trajectories of latent vectors into codes and back."""

from neurogen.codebook.form import CodeForm, Quantised
from neurogen.codebook.make import Codebook, make_codebook
from neurogen.codebook.per_step import PerStepCodebook
from neurogen.codebook.spike import SpikeCodebook
from neurogen.codebook.table import TableCodebook
from neurogen.codebook.temporal import RepeatedCodebook, TemporalCodebook
from neurogen.codebook.usage import Usage, usage

__all__ = [
    "CodeForm",
    "Codebook",
    "PerStepCodebook",
    "Quantised",
    "RepeatedCodebook",
    "SpikeCodebook",
    "TableCodebook",
    "TemporalCodebook",
    "Usage",
    "make_codebook",
    "usage",
]
