"""The one error of the metrics."""


class MetricError(ValueError):
    """A metric that cannot be computed from what was given; the text is one sentence."""
