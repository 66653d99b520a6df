"""Energy of spikes on hardware, by published constants; an estimate for comparison, never a measurement.

    E = accumulates e_synapse + silent updates e_idle + spikes (e_active + e_spike)

A sum of operations does not predict what a chip draws (Yik et al., arXiv 2511.21549).
"""

from __future__ import annotations

from dataclasses import dataclass

LEFT_OUT = (
    "input and output of the chip and what the host computes",
    "static power",
    "spikes on their way between cores",
    "waiting at the barrier that ends a time step",
    "loading the network",
)


@dataclass(frozen=True)
class Constants:
    """name; picojoules of an accumulate, of an update of a neuron that stays silent, of one that fires, of a spike."""

    name: str
    source: str
    synapse_pj: float
    idle_pj: float = 0.0
    active_pj: float = 0.0
    spike_pj: float = 0.0


@dataclass(frozen=True)
class Work:
    """Of one sample: accumulates that spikes cause, updates of neurons, spikes that they make."""

    accumulates: float
    updates: float
    spikes: float


@dataclass(frozen=True)
class Energy:
    """Microjoules of one sample by these constants."""

    constants: Constants
    microjoules: float


LOIHI1 = Constants(
    "Loihi 1",
    "Davies et al., IEEE Micro 2018: simulated energy of the circuits in 14 nm",
    synapse_pj=23.6,
    idle_pj=52.0,
    active_pj=81.0,
    spike_pj=1.7,
)
LOIHI2 = Constants(
    "Loihi 2, derived",
    "Hala Point, Intel 2024: at most 2,600 W at 380e12 synaptic operations a second, everything included",
    synapse_pj=6.8,
)
ADDITIONS = Constants(
    "additions of 45 nm",
    "0.9 pJ for a float addition (Horowitz, ISSCC 2014), as spiking papers count; an integer's takes 0.1 pJ",
    synapse_pj=0.9,
)
SPIKING = (LOIHI1, LOIHI2, ADDITIONS)

MULTIPLICATION_PJ = 4.6  # a float multiplication and addition in 45 nm (Horowitz, ISSCC 2014)


def energy(work: Work, constants: Constants) -> Energy:
    """Of a sample."""
    picojoules = (
        work.accumulates * constants.synapse_pj
        + (work.updates - work.spikes) * constants.idle_pj
        + work.spikes * (constants.active_pj + constants.spike_pj)
    )
    return Energy(constants, picojoules / 1e6)


def dense_microjoules(synapses: int) -> float:
    """Of a network with the same connections that multiplies at every one of them once, in a single step."""
    return synapses * MULTIPLICATION_PJ / 1e6
