"""Codebooks: what turns trajectories of latent vectors into indices and back."""

from neurogen.codebook.form import CodeForm
from neurogen.codebook.temporal import Quantised, TemporalCodebook
from neurogen.codebook.usage import Usage, usage

__all__ = ["CodeForm", "Quantised", "TemporalCodebook", "Usage", "usage"]
