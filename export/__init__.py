"""From a trained spiking network to neuromorphic hardware: lava-dl netx / Loihi 2 networks and NIR.

network = export.read(module, example_input)
chip = export.quantise(network, inputs)
export.write_netx(chip, "decoder.net")
export.write_nir(network, "decoder.nir")
spikes = export.simulate(chip, inputs)
print(export.report(chip, inputs, network).agreement)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.chip import Chip
    from export.finetuning import finish, prepare
    from export.network import Network
    from export.netx import write_netx
    from export.netx_reading import read_netx
    from export.nir import write_nir
    from export.nir_reading import read_nir
    from export.quantising import quantise
    from export.reader import read
    from export.refusal import Refusal
    from export.reporting import Report, report
    from export.running import run
    from export.simulator import simulate

# No module has the name of a function: once imported, it would stand in the function's place.
_HOMES = {
    "Chip": "chip",
    "Network": "network",
    "Refusal": "refusal",
    "Report": "reporting",
    "finish": "finetuning",
    "prepare": "finetuning",
    "quantise": "quantising",
    "read": "reader",
    "read_netx": "netx_reading",
    "read_nir": "nir_reading",
    "report": "reporting",
    "run": "running",
    "simulate": "simulator",
    "write_netx": "netx",
    "write_nir": "nir",
}

__all__ = [
    "Chip",
    "Network",
    "Refusal",
    "Report",
    "finish",
    "prepare",
    "quantise",
    "read",
    "read_netx",
    "read_nir",
    "report",
    "run",
    "simulate",
    "write_netx",
    "write_nir",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"export.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
