"""What a chip can hold, one small dataclass a chip, with where each number was published.

Another chip is one more `Limits`. Numbers that are not public are None, and the report says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """weight: largest magnitude; threshold, bias: largest integer; sum: what a step's input may not reach;

    synapse_bits_per_core: memory for synapses; *_axons_per_core: fan-in and fan-out tables; message_bits: of a spike.
    """

    name: str
    weight: int = 127
    threshold: int = 131071
    bias: int = 4095
    sum: int = 1 << 17
    cores: int = 128
    neurons_per_core: int = 1024
    synapse_bits_per_core: int = 1 << 20
    in_axons_per_core: int | None = None
    out_axons_per_core: int | None = None
    message_bits: int = 0


# Davies et al., IEEE Micro 2018; compartments, axons and synaptic bits as in nengo-loihi's block.py.
LOIHI1 = Limits("Loihi 1", in_axons_per_core=4096, out_axons_per_core=4096)

# Intel's Loihi 2 brief (2021): 1 M neurons and 120 M synapses on 128 cores, graded spikes up to 32 bits. Hala Point:
# 1.15e9 neurons on 140,544 cores, which is 8,192 a core. How a core's memory is divided is not public.
LOIHI2 = Limits("Loihi 2", neurons_per_core=8192, message_bits=32)

CHIPS = {"loihi1": LOIHI1, "loihi2": LOIHI2}
