"""Modules that are read spike as torch runs them, in float64, and are left as they were."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import export
from export.network import Conv, ConvTranspose, Dense, Network
from tests.export.networks import NETWORKS, build, folded, lif, outputs, prepared, spikes

ROUNDING = 1e-12  # float64: folded batch norms and merged kernels add up in another order


class Written(nn.Module):
    """A module from a function and the layers that it uses."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in layers.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def last(network: Network, x: Tensor) -> np.ndarray:
    return export.run(network, x)[network.layers[-1].name]


def assert_same_spikes(module: nn.Module, x: Tensor) -> Network:
    """Reads the module and compares each output; at least some neurons fire, and some do not."""
    network = export.read(module, x)
    wanted = outputs(module, x).numpy()
    assert 0.01 < wanted.mean() < 0.99
    np.testing.assert_array_equal(last(network, x), wanted)
    return network


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_that_was_read_spikes_as_its_module(kind: str, seed: int) -> None:
    module, x = build(kind, seed)
    assert_same_spikes(module, x)


@pytest.mark.parametrize("kind", ["conv", "skipping", "looping"])
def test_every_neuron_s_spikes_are_a_layer_under_its_dotted_name(kind: str) -> None:
    module, x = build(kind)
    seen: dict[str, list[Tensor]] = {}
    for name, part in module.named_modules():
        if isinstance(part, neuron.BaseNode):
            part.register_forward_hook(lambda _m, _i, y, name=name: seen.setdefault(name, []).append(y))
    network = export.read(module, x)
    seen.clear()
    outputs(module, x)
    results = export.run(network, x, probes=list(seen))
    assert set(results) == set(seen)
    for name, parts in seen.items():
        wanted = parts[0] if kind != "looping" else torch.stack(parts)
        np.testing.assert_array_equal(results[name], wanted.numpy())


def test_the_module_is_left_as_it_was() -> None:
    module, x = build("conv")
    module.train()
    module[0].eval()
    with torch.no_grad():
        module(x)  # states that must not be lost
    state = [copy.deepcopy(m.v) for m in module.modules() if isinstance(m, neuron.BaseNode)]
    flags = [m.training for m in module.modules()]
    weights = copy.deepcopy(module.state_dict())
    random = torch.get_rng_state()
    export.read(module, x)
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in module.modules()] == flags
    assert all(torch.equal(a, b) for a, b in zip(module.state_dict().values(), weights.values(), strict=True))
    now = [m.v for m in module.modules() if isinstance(m, neuron.BaseNode)]
    assert all(torch.equal(a, b) for a, b in zip(now, state, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())


def test_states_of_before_do_not_matter() -> None:
    module, x = build("dense")
    fresh = export.read(module, x)
    module(x)
    again = export.read(module, x)
    assert np.array_equal(last(fresh, x), last(again, x))


def test_a_part_of_a_larger_module_is_named_from_its_own_root() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = build("dense")[0]

    network = export.read(Whole().decoder, spikes(9))
    assert [entry.name for entry in network.layers] == ["1", "3", "5"]


def test_single_step_modules_are_run_step_by_step() -> None:
    torch.manual_seed(0)
    parts = [nn.Conv2d(2, 5, 3), neuron.LIFNode(v_threshold=0.3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 4)]
    module = prepared(nn.Sequential(*parts, neuron.LIFNode(v_threshold=0.1)))
    module[4].bias.data += 0.5
    x = spikes(2, 6, 6)
    network = export.read(module, x)
    wanted = torch.stack([module(step) for step in x]).detach().numpy()
    assert wanted.any()
    np.testing.assert_array_equal(last(network, x), wanted)


def test_dense_layers_of_single_steps_are_not_taken_for_all_steps_at_once() -> None:
    torch.manual_seed(0)
    module = prepared(nn.Sequential(nn.Linear(6, 5), neuron.LIFNode(v_threshold=0.3)))
    x = spikes(6)
    network = export.read(module, x)
    wanted = torch.stack([module(step) for step in x]).detach().numpy()
    np.testing.assert_array_equal(last(network, x), wanted)


def _preallocated(m: Any, x: Tensor) -> Tensor:
    out = torch.zeros(*x.shape[:2], 5, dtype=x.dtype)
    for t in range(len(x)):
        out[t] = m.n(m.fc(x[t]))
    return out


LOOPS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "stack": lambda m, x: torch.stack([m.n(m.fc(step)) for step in x]),
    "cat": lambda m, x: torch.cat([m.n(m.fc(step)).unsqueeze(0) for step in x.unbind(0)]),
    "preallocated": _preallocated,
}


@pytest.mark.parametrize("how", LOOPS)
def test_loops_over_the_steps_become_one_layer(how: str) -> None:
    torch.manual_seed(0)
    module = prepared(Written(LOOPS[how], fc=nn.Linear(6, 5), n=neuron.LIFNode(v_threshold=0.3)))
    network = assert_same_spikes(module, spikes(6))
    assert [entry.name for entry in network.layers] == ["n"]


def test_spikes_that_a_loop_adds_up_are_a_sum_on_the_host() -> None:
    torch.manual_seed(0)
    fc, n = nn.Linear(6, 5), neuron.LIFNode(v_threshold=0.3)
    module = prepared(Written(lambda m, x: sum(m.n(m.fc(step)) for step in x) / len(x), fc=fc, n=n))
    x = spikes(6)
    network = export.read(module, x)
    assert any("sum over 6 steps" in words for words in network.host)
    np.testing.assert_allclose(last(network, x).mean(0), outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_an_image_shown_at_every_step_may_be_computed_once() -> None:
    torch.manual_seed(0)
    conv, n = nn.Conv2d(2, 4, 3), lif()
    module = prepared(Written(lambda m, x: m.n((c := m.conv(x[0])).expand(len(x), *c.shape)), conv=conv, n=n))
    still = spikes(2, 6, 6)[:1].expand(6, -1, -1, -1, -1)
    assert_same_spikes(module, still)
    with pytest.raises(export.Refusal, match=r"^n: LIFNode: it sees steps twice"):
        export.read(module, spikes(2, 6, 6))


READ_OUTS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray], str]] = {
    "mean": (lambda s: s.mean(0), lambda y: y.mean(0), "mean over the 6 steps"),
    "sum": (lambda s: s.sum(0), lambda y: y.sum(0), "sum over the 6 steps"),
    "last": (lambda s: s[-1], lambda y: y[-1], "only the last step of 6"),
    "decay": (
        lambda s: torch.einsum("t,tnf->nf", 0.5 ** torch.arange(6, dtype=s.dtype), s),
        lambda y: np.einsum("t,tnf->nf", 0.5 ** np.arange(6), y),
        "weighted by 1, 0.5, 0.25",
    ),
}


@pytest.mark.parametrize("how", READ_OUTS)
def test_a_read_out_behind_a_sum_over_time_is_moved_before_it(how: str) -> None:
    torch.manual_seed(0)
    reduce, ours, words = READ_OUTS[how]
    layers = {"fc": nn.Linear(6, 8), "n": lif(), "head": nn.Linear(8, 2)}
    module = prepared(Written(lambda m, x: torch.tanh(m.head(reduce(m.n(m.fc(x)))) + 0.25), **layers))
    x = spikes(6)
    network = export.read(module, x)
    assert network.layers[-1].name == "head" and network.layers[-1].neuron is None
    assert words in network.host[0] and "tanh" in network.host[1]
    np.testing.assert_allclose(np.tanh(ours(last(network, x))), outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_a_real_valued_last_layer_comes_out_as_it_is() -> None:
    torch.manual_seed(0)
    head = folded(nn.Conv2d(4, 3, 1, bias=False), nn.BatchNorm2d(3, affine=False))
    module, x = prepared(nn.Sequential(folded(nn.Conv2d(2, 4, 3)), lif(), head)), spikes(2, 6, 6)
    network = export.read(module, x)
    assert network.layers[-1].neuron is None and network.output_shape == (3, 4, 4) and network.host == ()
    np.testing.assert_allclose(last(network, x), outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_an_integrator_that_never_fires_is_a_read_out() -> None:
    torch.manual_seed(0)
    read_out = neuron.NonSpikingLIFNode(tau=4.0, decode="last_mem")
    module, x = prepared(nn.Sequential(nn.Linear(6, 5), lif(), nn.Linear(5, 3), read_out)), spikes(6)
    network = export.read(module, x)
    assert np.isinf(network.layers[-1].neuron.threshold) and network.host == ("only the last step of 6",)
    assert not hasattr(read_out, "v")  # an attribute that its forward makes
    np.testing.assert_allclose(last(network, x)[-1], outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_the_membrane_of_a_neuron_with_an_infinite_threshold_is_a_read_out() -> None:
    torch.manual_seed(0)

    def forward(m: Any, x: Tensor) -> Tensor:
        m.end(m.head(m.n(m.fc(x))))
        return m.end.v

    layers = {"fc": nn.Linear(6, 5), "n": lif(), "head": nn.Linear(5, 3), "end": lif(threshold=float("inf"))}
    module, x = prepared(Written(forward, **layers)), spikes(6)
    network = export.read(module, x)
    np.testing.assert_allclose(last(network, x)[-1], outputs(module, x).numpy(), rtol=0, atol=ROUNDING)


def test_views_and_permutations_around_neurons_do_not_matter() -> None:
    torch.manual_seed(0)
    layers = {"conv": nn.Conv2d(2, 4, 3), "n": lif(), "fc": nn.Linear(64, 5), "m": lif()}

    def forward(m: Any, x: Tensor) -> Tensor:
        h = m.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2]).permute(0, 1, 3, 4, 2)
        return m.m(m.fc(m.n(h).reshape(*x.shape[:2], -1)))

    assert_same_spikes(prepared(Written(forward, **layers)), spikes(2, 6, 6))


def test_a_slice_of_channels_can_be_convolved() -> None:
    torch.manual_seed(0)
    layers = {"a": nn.Linear(6, 64), "n": lif(), "b": layer.Conv2d(2, 3, 3, step_mode="m"), "m": lif()}
    module = Written(lambda m, x: m.m(m.b(m.n(m.a(x)).unflatten(2, (4, 4, 4)).chunk(2, 2)[1])), **layers)
    assert_same_spikes(prepared(module), spikes(6))


def test_our_view_of_a_flat_layer_follows_the_convolution_that_reads_it() -> None:
    module, x = build("transposed")
    network = export.read(module, x)
    kinds = [type(entry.synapses[0].map) for entry in network.layers]
    assert kinds == [Dense, ConvTranspose, ConvTranspose, Conv]
    assert [entry.shape for entry in network.layers] == [(3, 4, 4), (4, 8, 8), (4, 16, 16), (2, 16, 16)]


def test_neurons_right_behind_neurons_are_laid_out_as_these_are() -> None:
    torch.manual_seed(0)
    parts = [nn.Linear(6, 48), lif(), lif(), folded(nn.Unflatten(1, (3, 4, 4)), nn.ConvTranspose2d(3, 4, 4, 2, 1))]
    module, x = prepared(nn.Sequential(*parts, lif())), spikes(6)
    network = assert_same_spikes(module, x)
    assert [one.shape for one in network.layers] == [(3, 4, 4), (3, 4, 4), (4, 8, 8)]
    chip = export.quantise(network, x.numpy())
    assert chip.layers[1].weight.shape == (3, 1, 1, 1)  # each spike with one weight, not a matrix


def test_one_dimensional_layers_have_a_height_of_one() -> None:
    torch.manual_seed(0)
    parts = [
        folded(nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4)),
        lif(),
        folded(nn.MaxPool1d(2), nn.Conv1d(4, 4, 3)),
    ]
    parts += [lif(), folded(nn.ConvTranspose1d(4, 3, 2, 2)), lif(), folded(nn.AvgPool1d(2), nn.Conv1d(3, 3, 1)), lif()]
    network = assert_same_spikes(prepared(nn.Sequential(*parts)), spikes(2, 8))
    assert network.input_shape == (2, 1, 8) and network.output_shape == (3, 2)


def test_dropout_and_identity_vanish() -> None:
    torch.manual_seed(0)
    parts = [
        nn.Linear(6, 8),
        layer.Dropout(0.5, step_mode="m"),
        lif(),
        nn.Dropout(),
        nn.Identity(),
        nn.Linear(8, 5),
        lif(),
    ]
    network = assert_same_spikes(prepared(nn.Sequential(*parts)), spikes(6))
    assert len(network.layers) == 2


@pytest.mark.parametrize("kind", ["tdbn", "tebn", "bntt", "weight standardisation"])
def test_spikingjelly_s_norms_fold_where_each_step_has_the_same_numbers(kind: str) -> None:
    torch.manual_seed(0)
    conv = layer.Conv2d(2, 4, 3, step_mode="m")
    parts = {
        "tdbn": lambda: [conv, layer.ThresholdDependentBatchNorm2d(1.0, 0.5, 4)],
        "tebn": lambda: [conv, layer.TemporalEffectiveBatchNorm2d(6, 4)],
        "bntt": lambda: [conv, layer.BatchNormThroughTime2d(6, 4, step_mode="m")],
        "weight standardisation": lambda: [layer.WSConv2d(2, 4, 3, step_mode="m")],
    }[kind]()
    module = prepared(nn.Sequential(*parts, lif(threshold=0.2)))
    if kind == "bntt":
        for norm in module[1].bn_list:
            norm.load_state_dict(module[1].bn_list[0].state_dict())
    assert_same_spikes(module, spikes(2, 6, 6))


def test_weights_that_are_tied_are_two_layers() -> None:
    torch.manual_seed(0)
    layers = {"fc": nn.Linear(6, 6), "n": lif(threshold=0.2), "m": lif(threshold=0.2)}
    network = assert_same_spikes(prepared(Written(lambda m, x: m.m(m.fc(m.n(m.fc(x)))), **layers)), spikes(6))
    assert [entry.name for entry in network.layers] == ["n", "m"]


def test_side_branches_that_the_output_does_not_need_are_left_out() -> None:
    torch.manual_seed(0)
    layers = {
        "a": nn.Linear(6, 5),
        "n": lif(),
        "side": nn.Linear(5, 5),
        "extra": lif(),
        "b": nn.Linear(5, 4),
        "m": lif(),
    }

    def forward(m: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        s = m.n(m.a(x))
        extra = m.extra(m.side(s))
        return m.m(m.b(s)), extra

    network = export.read(prepared(Written(forward, **layers)), spikes(6))
    assert [entry.name for entry in network.layers] == ["n", "m"]


def test_a_float32_module_is_read_from_float32_examples() -> None:
    module, x = build("conv")
    network = export.read(module.float(), x.float())
    functional.reset_net(module)
    different = last(network, x) != module(x.float()).detach().numpy()
    assert different.mean() < 0.01  # float32 rounds: a membrane at the threshold may fall on the other side
