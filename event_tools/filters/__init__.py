"""Filters: a recording in, a recording out, the input untouched. Times move only in what says so by its name."""

from event_tools.filters.geometry import center_crop, crop, flip_left_right, flip_up_down, rotate
from event_tools.filters.memory import Memory
from event_tools.filters.merging import merge, merge_parts
from event_tools.filters.noise import denoise, refractory
from event_tools.filters.pixels import Pixels, drop_hot_pixels, drop_pixels, find_hot_pixels
from event_tools.filters.polarity import flip_polarity, keep_polarity
from event_tools.filters.resolution import decimate, downsample, integrate
from event_tools.filters.timing import rebase, reverse_time, scale_time, shift_time, time_slice

__all__ = [
    "Memory",
    "Pixels",
    "center_crop",
    "crop",
    "decimate",
    "denoise",
    "downsample",
    "drop_hot_pixels",
    "drop_pixels",
    "find_hot_pixels",
    "flip_left_right",
    "flip_polarity",
    "flip_up_down",
    "integrate",
    "keep_polarity",
    "merge",
    "merge_parts",
    "rebase",
    "refractory",
    "reverse_time",
    "rotate",
    "scale_time",
    "shift_time",
    "time_slice",
]
