"""What encoders and decoders are made of. Shapes: (T, N, C, H, W); stateless layers fold T into N."""

from neurogen.blocks.fold import Folded, fold
from neurogen.blocks.gated import Downsample, GatedResidual, SpikingAttention, group_norm, upsample
from neurogen.blocks.readout import ReadOut
from neurogen.blocks.spiking import ConvBNLIF, SpikingResidual

__all__ = [
    "ConvBNLIF",
    "Downsample",
    "Folded",
    "GatedResidual",
    "ReadOut",
    "SpikingAttention",
    "SpikingResidual",
    "fold",
    "group_norm",
    "upsample",
]
