"""Multi-step spiking neurons on SpikingJelly 2, fused on the CPU and on CUDA."""

from neurogen.neurons.allocator import tune_allocator
from neurogen.neurons.gate import Gate
from neurogen.neurons.lif import IF, LIF, PLIF
from neurogen.neurons.make import compile_neurons, make_gate, make_neuron
from neurogen.neurons.surrogate import Rect

__all__ = ["IF", "LIF", "PLIF", "Gate", "Rect", "compile_neurons", "make_gate", "make_neuron", "tune_allocator"]
