"""Pictures of runs and models: losses, codebooks, codes, spikes, membranes and firing rates."""

from neurogen.plots.codes import bits_figure, codebook_figure, latents_figure
from neurogen.plots.items import Items, items_of
from neurogen.plots.membranes import membranes_figure
from neurogen.plots.models import plot_model
from neurogen.plots.raster import raster_figure
from neurogen.plots.rates import rates_figure
from neurogen.plots.runs import loss_figure, plot_run, rate_curves_figure
from neurogen.plots.stream import stream_figure
from neurogen.plots.style import dark
from neurogen.plots.time_cells import time_cells_figure

__all__ = [
    "Items",
    "bits_figure",
    "codebook_figure",
    "dark",
    "items_of",
    "latents_figure",
    "loss_figure",
    "membranes_figure",
    "plot_model",
    "plot_run",
    "raster_figure",
    "rate_curves_figure",
    "rates_figure",
    "stream_figure",
    "time_cells_figure",
]
