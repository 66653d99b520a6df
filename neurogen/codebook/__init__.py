"""Codebooks: what turns trajectories of latent vectors into indices and back."""

from neurogen.codebook.temporal import Quantised, TemporalCodebook
from neurogen.codebook.usage import Usage, usage

__all__ = ["Quantised", "TemporalCodebook", "Usage", "usage"]
