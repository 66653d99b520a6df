"""What the first stage is trained on: reconstruction, perceptual and adversarial losses."""

from neurogen.losses.stage1 import StageOneObjective

__all__ = ["StageOneObjective"]
