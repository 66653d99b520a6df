"""Pictures of runs and models: losses, codebooks, codes, spikes, membranes and firing rates."""

from neurogen.plots.codes import bits_figure, codebook_figure
from neurogen.plots.rates import rates_figure
from neurogen.plots.runs import loss_figure, plot_run, rate_curves_figure
from neurogen.plots.style import dark

__all__ = [
    "bits_figure",
    "codebook_figure",
    "dark",
    "loss_figure",
    "plot_run",
    "rate_curves_figure",
    "rates_figure",
]
