"""Training: one loop for every system, resumable bit for bit."""

from neurogen.training.engine import TrainingError, train_run

__all__ = ["TrainingError", "train_run"]
