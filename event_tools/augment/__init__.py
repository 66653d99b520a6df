"""Augmentations: random changes of a recording, drawn from a seed alone and the same on every platform.

Each takes a recording and a seed and gives a new one, sorted and within its sensor; the input is untouched. The draws
are those of a counter-based generator (Philox) keyed by the seed and the augmentation's name, so that two
augmentations with one seed are independent; `derived_seed` makes a seed for each recording, epoch or step.
"""

from event_tools.augment.chance import (
    random_crop,
    random_flip_left_right,
    random_flip_polarity,
    random_flip_up_down,
    random_time_reversal,
    random_time_scale,
)
from event_tools.augment.draws import derived_seed
from event_tools.augment.dropping import drop_area, drop_events, drop_random_pixels, drop_time, event_drop
from event_tools.augment.jitter import space_jitter, time_jitter
from event_tools.augment.noise import uniform_noise

__all__ = [
    "derived_seed",
    "drop_area",
    "drop_events",
    "drop_random_pixels",
    "drop_time",
    "event_drop",
    "random_crop",
    "random_flip_left_right",
    "random_flip_polarity",
    "random_flip_up_down",
    "random_time_reversal",
    "random_time_scale",
    "space_jitter",
    "time_jitter",
    "uniform_noise",
]
