"""All events of a recording, or of a part of one, in one picture of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import count_slices
from event_tools.events import Events

POLARITIES = ("merged", "split", "signed")


def count_image(events: Events, polarity: str = "merged") -> NDArray[np.int32]:
    """How many events each pixel has: merged (H, W), split (2, H, W) OFF and ON, or signed (H, W), ON less OFF.

    Raises ValueError for another polarity.
    """
    if polarity not in POLARITIES:
        raise ValueError(f"expected polarity to be {', '.join(POLARITIES)}, got {polarity!r}")
    off, on = split = count_slices(events, np.array([0]), np.array([len(events)]))[0]
    if polarity == "split":
        return split
    return on - off if polarity == "signed" else off + on
