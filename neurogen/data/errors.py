"""The error of this room."""


class DataError(ValueError):
    """Data that is missing or cannot be used; one sentence."""
