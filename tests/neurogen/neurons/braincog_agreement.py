"""Our neurons and models on BrainCog's own nodes beside ours; prints one JSON object. Run where BrainCog is installed.

python braincog_agreement.py, with the repository on PYTHONPATH. `test_braincog.py` reads what it prints.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import torch
from torch import Tensor, nn

from neurogen.config import StageOneConfig, parse_config
from neurogen.losses import StageOneObjective
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import IF, LIF, PLIF, Gate, Rect
from neurogen.neurons.braincog import from_braincog, to_braincog
from tests.neurogen.tiny import event_config, image_config

SURROGATES = ("triangle", "atan", "sigmoid", "rect")


def gated_config(**neurons: Any) -> StageOneConfig:
    """A gated first stage with the published neuron, over 16x16 grey images."""
    config = image_config().model_dump(mode="json")
    gated = {"width": 32, "multipliers": [1, 1], "blocks": 1, "latent": 32, "attention": [8]}
    config["model"] |= {"kind": "gated", "gated": gated}
    config["neurons"] = {"threshold": 0.5, "surrogate": "triangle", "alpha": 2.0} | neurons
    config["codebook"]["learning"] = "gradient"
    made = parse_config(config)
    assert isinstance(made, StageOneConfig)
    return made


def on(backend: str, make: Any, x: Tensor) -> list[Tensor]:
    """Output, last membrane and gradients of x and of the parameters, of a fresh layer on a backend."""
    layer = make(backend)
    x = x.clone().requires_grad_()
    out = layer(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    (out * weights).sum().backward()
    v = (layer.neuron if isinstance(layer, Gate) else layer).v
    return [out.detach(), v.detach(), x.grad, *(p.grad for p in layer.parameters())]


def layers() -> dict[str, list[float]]:
    """Per kind of layer: outputs that differ, largest difference of membranes and, relative, of gradients, rate."""
    x = torch.randn(6, 4, 50, generator=torch.Generator().manual_seed(0)) * 1.5 + 0.3
    makes: dict[str, Any] = {"gate": lambda b: Gate(LIF(v_threshold=0.5, backend=b))}
    makes |= {"LIF": lambda b: LIF(v_threshold=0.5, backend=b), "LIF tau 3": lambda b: LIF(3.0, backend=b)}
    makes |= {"LIF whole input": lambda b: LIF(decay_input=False, backend=b)}
    makes |= {"IF": lambda b: IF(backend=b), "PLIF": lambda b: PLIF(backend=b)}
    makes |= {"IF box": lambda b: IF(surrogate_function=Rect(1.0), backend=b)}
    found = {}
    for name, make in makes.items():
        ours, theirs = (on("auto" if b == "ours" else b, make, x) for b in ("ours", "braincog"))
        gradients = [float((a - b).abs().max() / a.abs().max()) for a, b in zip(ours[2:], theirs[2:], strict=True)]
        fired = float((theirs[0] != 0).float().mean())
        found[name] = [
            int((ours[0] != theirs[0]).sum()),
            float((ours[1] - theirs[1]).abs().max()),
            max(gradients),
            fired,
        ]
    return found


def ties() -> list[float]:
    """Spikes of each backend where the membrane meets the threshold exactly, and of both conversions there."""
    x = torch.full((1, 8), 1.0)  # h = x / 2 = the threshold
    ours, theirs = (LIF(v_threshold=0.5, backend=b)(x[None]).sum() for b in ("torch", "braincog"))
    from braincog.base.node.node import LIFNode

    turned = from_braincog(LIFNode(threshold=0.5))(x).sum()
    back = to_braincog(LIF(v_threshold=0.5))(x[None]).sum()
    return [float(n) for n in (ours, theirs, turned, back)]


def model(config: StageOneConfig) -> dict[str, Any]:
    """A first stage on both backends: codes that differ and are used, differences of values, gradients, a step."""
    torch.manual_seed(0)
    shape = (3, 4, 2, 16, 16) if config.model.coding == "event" else (3, 1, 16, 16)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(2))
    weights, found = None, []
    for backend in ("auto", "braincog"):
        neurons = config.neurons.model_copy(update={"backend": backend})
        net = TTSVQVAE(config.model_copy(update={"neurons": neurons})).train()
        weights = weights or {name: t.clone() for name, t in net.state_dict().items()}
        net.load_state_dict(weights)
        objective = StageOneObjective(config.losses, config.data.channels)
        optimiser = torch.optim.Adam(net.parameters(), 1e-3)
        torch.manual_seed(3)
        out = net(x)
        loss, _ = objective.autoencoder_loss(x, out.values, out.quantiser_loss, net.last_layer, 0)
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
        optimiser.step()
        moved = torch.cat([p.detach().flatten() for p in net.parameters()])
        found.append((out.codes, out.values.detach(), gradient, moved, float(loss.detach())))
    ours, theirs = found
    relative = [float((a - b).norm() / a.norm()) for a, b in zip(ours[1:4], theirs[1:4], strict=True)]
    differ = int((ours[0] != theirs[0]).sum())
    return {"codes": [differ, len(ours[0].unique())], "relative": relative, "loss": [ours[4], theirs[4]]}


class Net(nn.Module):
    """A network of BrainCog's nodes, as its users write them; layer_by_layer if `steps`."""

    def __init__(self, kinds: list[Any], steps: int) -> None:
        super().__init__()
        self.steps, sizes, parts = steps, (12, 30, 30, 10), []
        for kind, (a, b) in zip(kinds, itertools.pairwise(sizes), strict=True):
            parts += [nn.Linear(a, b), kind(threshold=0.25, layer_by_layer=steps > 0, step=max(steps, 1))]
        self.body = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """x: (T, N, 12) -> spikes (T, N, 10)."""
        for part in self.modules():
            if hasattr(part, "n_reset"):
                part.n_reset()
        if self.steps:
            return self.body(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return torch.stack([self.body(step) for step in x])


def networks() -> dict[str, list[float]]:
    """Per way of stepping: spikes that differ there and back, gradients' largest relative difference, rate."""
    from braincog.base.node.node import BiasLIFNode, IFNode, LIFNode, PLIFNode

    x = torch.rand(5, 4, 12, generator=torch.Generator().manual_seed(4)) * 3
    found: dict[str, Any] = {}
    for steps in (0, 5):
        torch.manual_seed(0)
        theirs = Net([LIFNode, IFNode, PLIFNode], steps)
        theirs.body[5].act_fun.alpha.requires_grad_(False)
        ours = from_braincog(theirs)
        back = to_braincog(ours)
        outs, gradients = [], []
        for net in (theirs, ours, back):
            net.zero_grad()
            outs.append(net(x))
            (outs[-1] * torch.arange(10.0)).sum().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in net.body.parameters() if p.grad is not None]))
            shared = net.body[0].weight is theirs.body[0].weight
        away = max(float((g - gradients[0]).abs().max() / gradients[0].abs().max()) for g in gradients[1:])
        differ = [int((out != outs[0]).sum()) for out in outs[1:]]
        same = [type(back.body[i]) is type(theirs.body[i]) for i in (1, 3, 5)]
        thresholds = [float(back.body[i].threshold) == float(theirs.body[i].threshold) for i in (1, 3, 5)]
        found[f"{steps} steps at once"] = [
            *differ,
            away,
            float(outs[0].detach().mean()),
            shared,
            all(same + thresholds),
        ]
    try:
        from_braincog(BiasLIFNode())
    except ValueError as error:
        found["refused"] = str(error)
    return found


def whole_model() -> list[float]:
    """Codes and values that differ of a gated first stage of ours turned into a network of BrainCog's nodes."""
    torch.manual_seed(0)
    net = TTSVQVAE(gated_config()).eval()
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours, theirs = net(x), to_braincog(net)(x)
    return [float((ours.codes != theirs.codes).float().mean()), float((ours.values - theirs.values).abs().max())]


def main() -> None:
    """Compare, print."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    before = "braincog" in sys.modules
    found = {"imported unasked": before, "layers": layers(), "ties": ties(), "networks": networks()}
    found["models"] = {"gated": model(gated_config()), "spiking": model(event_config())}
    found |= {"converted model": whole_model(), "drags in dv": "dv" in sys.modules}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
