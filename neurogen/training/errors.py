"""The error of this room."""


class TrainingError(ValueError):
    """A run that cannot start or go on; one sentence."""
