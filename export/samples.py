"""What enters a chip and what leaves each layer, to be compared with another simulator or with the chip itself."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from export.activity import entering
from export.chip import Chip, ChipLayer
from export.simulator import on_chip, run_chain


def samples(chip: Chip, inputs: ArrayLike) -> dict[str, NDArray[np.integer]]:
    """Of a module's input (T, N, ...): `spikes`, the chip's input, and `layer0`, `layer1`, ... as the file has them.

    All (T, N, *shape), integers: spikes as uint8, membranes in 1/64 of a weight unit, of a running sum the growth.
    """
    parts: list[list[torch.Tensor]] = [[] for _ in chip.layers]
    places = {id(layer): index for index, layer in enumerate(chip.layers)}

    def kept(layer: ChipLayer, a: torch.Tensor) -> torch.Tensor:
        values = on_chip(layer, a)
        parts[places[id(layer)]].append(values.to(torch.uint8 if layer.output == "spikes" else torch.int32))
        return values

    run_chain(chip, inputs, (), kept)
    frames = entering(chip, inputs)
    given = frames.reshape(*frames.shape[:2], *chip.frame_shape)
    result = {"spikes": given.astype(np.int32 if chip.message_bits else np.uint8)}
    return result | {f"layer{index}": torch.cat(part, 1).numpy() for index, part in enumerate(parts)}
