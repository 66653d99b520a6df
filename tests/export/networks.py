"""Random spiking networks of torch's and SpikingJelly's layers, in float64 and eval mode, whose neurons do fire."""

from __future__ import annotations

from collections.abc import Callable

import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

STEPS, BATCH = 6, 3


def lif(tau: float = 2.0, threshold: float = 0.4, **kwargs: object) -> nn.Module:
    return neuron.LIFNode(tau=tau, v_threshold=threshold, step_mode="m", **kwargs)


def folded(*layers: nn.Module) -> nn.Module:
    """Layers of (N, ...) on (T, N, ...)."""
    return layer.SeqToANNContainer(*layers)


def spikes(*shape: int, steps: int = STEPS, batch: int = BATCH, rate: float = 0.5) -> Tensor:
    """(T, N, *shape), 0 or 1."""
    return (torch.rand(steps, batch, *shape) < rate).double()


def prepared(module: nn.Module) -> nn.Module:
    """In float64 and eval mode, with weights that make neurons fire and batch norms as after training."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.modules.conv._ConvNd)):
            part.weight.data *= 2.5
            if part.bias is not None:
                nn.init.uniform_(part.bias, -0.2, 0.5)
        if isinstance(part, _BatchNorm) and part.track_running_stats:
            part.num_batches_tracked += 1
            nn.init.normal_(part.running_mean, 0.0, 0.2)
            nn.init.uniform_(part.running_var, 0.3, 1.0)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                if part.bias is not None:
                    nn.init.normal_(part.bias, 0.3, 0.3)
    return module.double().eval()


def outputs(module: nn.Module, x: Tensor) -> Tensor:
    """What the module gives from fresh states."""
    functional.reset_net(module)
    with torch.no_grad():
        y = module(x)
    functional.reset_net(module)
    return y


class Skipping(nn.Module):
    """LIF(BN(conv s1) + g s0) over a block of two layers, twice."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(2, channels, 3, 1, 1), lif()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(4))
        self.neurons = nn.ModuleList(lif(v_reset=0.0 if i % 2 else -0.1) for i in range(4))
        self.gain = nn.Parameter(torch.rand(channels, 1, 1))

    def _current(self, i: int, s: Tensor) -> Tensor:
        return self.norms[i](self.convs[i](s.flatten(0, 1))).unflatten(0, s.shape[:2])

    def forward(self, x: Tensor) -> Tensor:
        s = self.first(self.stem(x.flatten(0, 1)).unflatten(0, x.shape[:2]))
        for i in (0, 2):
            inner = self.neurons[i](self._current(i, s))
            current = self._current(i + 1, inner)
            s = self.neurons[i + 1](torch.addcmul(current, s, self.gain) if i else current + s)
        return s


class Looping(nn.Module):
    """One step at a time, in a loop of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.pool = nn.Conv2d(2, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.AvgPool2d(2)
        self.fc = nn.Linear(64, 7)
        self.first, self.second = (neuron.LIFNode(v_threshold=0.3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        out = []
        for t in range(len(x)):
            h = self.pool(self.first(self.norm(self.conv(x[t]))))
            out.append(self.second(self.fc(h.flatten(1))))
        return torch.stack(out)


def _dense() -> tuple[nn.Module, Tensor]:
    return nn.Sequential(nn.Linear(9, 12), lif(), nn.Linear(12, 8), lif(4.0), nn.Linear(8, 5), lif()), spikes(9)


def _conv() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Conv2d(2, 4, 3, 1, 1), nn.BatchNorm2d(4)), lif(), folded(nn.Conv2d(4, 5, 3)), lif()]
    return nn.Sequential(*parts, folded(nn.Flatten(), nn.Linear(180, 6)), lif()), spikes(2, 8, 8)


def _strided() -> tuple[nn.Module, Tensor]:
    second = folded(nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2)), nn.BatchNorm2d(6))
    return nn.Sequential(folded(nn.Conv2d(2, 4, 5, 2, 2)), lif(), second, lif()), spikes(2, 9, 8)


def _grouped() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Conv2d(2, 6, 3, 1, 1)), lif(), folded(nn.Conv2d(6, 6, 3, 1, 1, groups=3, bias=False)), lif()]
    return nn.Sequential(*parts, folded(nn.Conv2d(6, 6, 3, 1, 0, groups=6), nn.BatchNorm2d(6)), lif()), spikes(2, 6, 6)


def _transposed() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Linear(8, 48), nn.Unflatten(1, (3, 4, 4))), lif()]
    parts += [folded(nn.ConvTranspose2d(3, 4, 4, 2, 1, groups=1), nn.BatchNorm2d(4)), lif()]
    parts += [folded(nn.ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2, bias=False), nn.BatchNorm2d(4)), lif()]
    return nn.Sequential(*parts, folded(nn.Conv2d(4, 2, 3, 1, 1)), lif()), spikes(8)


def _pooled() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Conv2d(2, 4, 3, 1, 1)), lif(), folded(nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, 1, 1)), lif()]
    return nn.Sequential(*parts, folded(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)), lif()), spikes(2, 8, 8)


def _max_pooled() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Conv2d(2, 4, 3, 1, 1)), lif(), folded(nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, 1, 1)), lif()]
    return nn.Sequential(*parts, folded(nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Linear(16, 5)), lif()), spikes(2, 8, 8)


def _plif() -> tuple[nn.Module, Tensor]:
    slow = neuron.ParametricLIFNode(init_tau=2.7, v_threshold=0.3, step_mode="m")
    fast = neuron.ParametricLIFNode(init_tau=1.5, decay_input=False, v_threshold=0.6, v_reset=-0.2, step_mode="m")
    return nn.Sequential(folded(nn.Conv2d(2, 4, 3, 1, 1)), slow, folded(nn.Conv2d(4, 4, 3)), fast), spikes(2, 6, 6)


def _asymmetric() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(2, 4, 3, 2)), lif()]
    return nn.Sequential(*parts, folded(nn.Conv2d(4, 4, 3, padding="same")), lif()), spikes(2, 8, 8)


def _skipping() -> tuple[nn.Module, Tensor]:
    return Skipping(), spikes(2, 6, 6)


def _looping() -> tuple[nn.Module, Tensor]:
    return Looping(), spikes(2, 8, 8)


def _upsampled() -> tuple[nn.Module, Tensor]:
    parts = [folded(nn.Conv2d(2, 4, 3, 1, 1)), lif(), folded(nn.Upsample(scale_factor=2), nn.Conv2d(4, 3, 3, 1, 1))]
    return nn.Sequential(*parts, lif(decay_input=False)), spikes(2, 4, 4)


def _integrating() -> tuple[nn.Module, Tensor]:
    """No leak, and a reset below 0."""
    nodes = [neuron.IFNode(v_threshold=0.5, v_reset=r, step_mode="m") for r in (0.0, -0.3)]
    return nn.Sequential(nn.Linear(9, 12), nodes[0], nn.Linear(12, 6), nodes[1]), spikes(9)


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "dense": _dense,
    "conv": _conv,
    "strided": _strided,
    "grouped": _grouped,
    "transposed": _transposed,
    "pooled": _pooled,
    "max_pooled": _max_pooled,
    "plif": _plif,
    "asymmetric": _asymmetric,
    "skipping": _skipping,
    "looping": _looping,
    "upsampled": _upsampled,
    "integrating": _integrating,
}


def build(kind: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """A network of that kind and an example for it."""
    torch.manual_seed(seed)
    module, example = NETWORKS[kind]()
    return prepared(module), example
