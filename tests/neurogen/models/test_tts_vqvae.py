"""The first stage against a plain rewrite, its sizes, and its hygiene."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.blocks import ConvBNLIF, SpikingResidual
from neurogen.config import ConfigError, StageOneConfig, parse_config
from neurogen.models.tts_vqvae import TTSVQVAE, SpikingDecoder
from tests.neurogen.models import plain

GATED = {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [4], "latent": 8}
TOLERANCE = 1e-12  # float64, some 50 layers of rounding at 1e-16 and values of order 1


def config(kind: str, coding: str, readout: str, **model: object) -> StageOneConfig:
    parsed = parse_config(
        {
            "system": "tts_vqvae",
            "data": {"name": "digits", "resolution": 8}
            if coding == "event"
            else {"name": "images", "resolution": 8, "channels": 3},
            "model": {
                "kind": kind,
                "steps": 3,
                "coding": coding,
                "readout": readout,
                "gated": GATED,
                "spiking": {"widths": [6, 8]},
                **model,
            },
            "neurons": {"threshold": 0.5, "alpha": 2.0, "decay_input": kind == "gated"},
            "codebook": {"size": 16, "width": 4},
            "losses": {"reconstruction": "poisson" if model.get("output") == "softplus" else "l1"},
        }
    )
    assert isinstance(parsed, StageOneConfig)
    return parsed


def build(kind: str, coding: str, readout: str, **model: object) -> TTSVQVAE:
    torch.manual_seed(0)
    network = TTSVQVAE(config(kind, coding, readout, **model)).double()
    # Rows as far apart as latents are, so that many are used.
    nn.init.normal_(network.codebook.table, 0.0, 0.5 if kind == "gated" else 1.0)
    if kind == "spiking":
        with torch.no_grad():
            for _ in range(20):  # running statistics near the data's, so that neurons fire in eval mode too
                network(data(coding))
    return network


def data(coding: str, n: int = 4) -> Tensor:
    torch.manual_seed(1)
    return torch.rand((n, 3, 2, 8, 8) if coding == "event" else (n, 3, 8, 8), dtype=torch.float64)


CASES = [
    ("gated", "event", "step"),
    ("gated", "direct", "mean"),
    ("spiking", "event", "all"),
    ("spiking", "direct", "mean"),
]
MORE = [
    ("gated", "event", "all", {"gated": {**GATED, "upsampling": "transposed"}}),
    ("gated", "direct", "decay", {"output": "tanh"}),
    ("spiking", "event", "step", {"output": "softplus"}),
    ("spiking", "direct", "sum", {"spiking": {"widths": [6, 8], "blocks": 2}}),
    ("spiking", "direct", "last", {"output": "tanh"}),
]


@pytest.mark.parametrize(("kind", "coding", "readout", "model"), [*((*case, {}) for case in CASES), *MORE])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_equal_a_plain_rewrite(
    kind: str, coding: str, readout: str, model: dict[str, object], training: bool
) -> None:
    network = build(kind, coding, readout, **model).train(training)
    reference = copy.deepcopy(network)
    x = data(coding)
    out = network(x)
    values, codes, loss = plain.forward(reference, x, coding, readout, 1.0, 0.25)
    assert torch.equal(out.codes, codes)
    assert len(codes.unique()) > 1
    assert (out.values - values).abs().max() < TOLERANCE
    assert (out.quantiser_loss - loss).abs() < TOLERANCE
    target = torch.rand_like(x)
    ((out.values - target).square().mean() + out.quantiser_loss).backward()
    ((values - target).square().mean() + loss).backward()
    for (name, a), b in zip(network.named_parameters(), reference.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            assert (a.grad - b.grad).abs().max() < TOLERANCE, name


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_both_upsamplings_double_the_resolution(upsampling: str) -> None:
    gated = {"width": 32, "multipliers": [1, 1, 1], "blocks": 1, "attention": [], "latent": 8, "upsampling": upsampling}
    network = build("gated", "event", "step", gated=gated)
    assert network(data("event")).values.shape == (4, 3, 2, 8, 8)


@pytest.mark.parametrize(("kind", "coding", "readout"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_b3_b4_a_batch_does_not_depend_on_the_one_before(kind: str, coding: str, readout: str, training: bool) -> None:
    network = build(kind, coding, readout).train(training)
    x = data(coding, 8)
    for before in (x[:3], x[:5]):  # as large (membranes would fit) and larger (as before an epoch's last batch)
        fresh = copy.deepcopy(network)
        network(before)
        after, alone = network(x[5:]), fresh(x[5:])
        assert torch.equal(after.values, alone.values)
        assert torch.equal(after.codes, alone.codes)
        network = fresh


@pytest.mark.parametrize(("kind", "coding", "readout"), CASES)
def test_decoding_the_codes_is_the_reconstruction(kind: str, coding: str, readout: str) -> None:
    network = build(kind, coding, readout).eval()
    out = network(data(coding))
    assert torch.equal(network.encode(data(coding)), out.codes)
    # The straight-through sum z + (e - z) rounds once more than the row itself.
    assert (network.decode(out.codes) - out.values).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("coding", "readout"), [("event", "all"), ("event", "step"), ("direct", "mean"), ("direct", "last")]
)
@pytest.mark.parametrize("training", [True, False])
def test_everything_between_spiking_layers_is_binary(coding: str, readout: str, training: bool) -> None:
    """What every convolution, neuron and block takes from another one and gives to it, first and last layer apart."""
    network = build("spiking", coding, readout).train(training)
    seen: dict[str, Tensor] = {}

    def watch(name: str, tensor: Tensor) -> None:
        seen[name] = tensor.detach()

    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, ConvBNLIF, SpikingResidual)):
            layer.register_forward_pre_hook(lambda _m, inputs, name=name: watch(f"into {name}", inputs[0]))
        if isinstance(layer, (BaseNode, ConvBNLIF, SpikingResidual, SpikingDecoder)):
            layer.register_forward_hook(lambda _m, _inputs, out, name=name: watch(f"out of {name}", out))
    network(data(coding))
    real = {f"into {name}" for name in ("encoder.stem", "encoder.stem.conv")}  # the data
    real |= {f"into {name}" for name in ("decoder.0.0", "decoder.0.0.conv")}  # code rows, on the host
    if readout == "mean":
        real.add("into decoder.1.conv")  # the host reads the mean of spikes
    assert {name for name, x in seen.items() if not ((x == 0) | (x == 1)).all()} == real & set(seen)
    neurons = [x for name, x in seen.items() if name.startswith("out of") and name.endswith("neuron")]
    assert len(neurons) == 3 + 2 + 1 + 2 + 2  # encoder and its residual block, decoder likewise
    assert all(0 < x.mean() < 1 for x in neurons)


def test_the_spiking_encoder_ends_and_the_decoder_begins_on_the_host() -> None:
    """z is real, from a plain convolution; the decoder's first layer takes the real rows of the codebook."""
    network = build("spiking", "event", "all").eval()
    taken: list[Tensor] = []
    network.decoder[0][0].register_forward_pre_hook(lambda _m, inputs: taken.append(inputs[0].detach()))
    z: list[Tensor] = []
    network.encoder.register_forward_hook(lambda _m, _inputs, out: z.append(out.detach()))
    codes = network.encode(data("event"))
    network.decode(codes)
    assert [type(layer).__name__ for layer in network.encoder.head] == ["Conv2d", "BatchNorm2d"]
    assert len(z[0].unique()) > 30
    assert torch.equal(taken[0], network.codebook.lookup(codes))
    assert type(network.decoder[0][0]).__name__ == "ConvBNLIF"
    assert not any(isinstance(m, BaseNode) for m in network.decoder[1].modules())  # the last convolution has none


@pytest.mark.parametrize("neurons", [{"tau": 3.0}, {"reset": None}, {"reset": 0.5}, {"kind": "if"}, {"kind": "plif"}])
def test_the_spiking_kind_has_lif_neurons_with_hard_reset_and_tau_2_or_4(neurons: dict[str, object]) -> None:
    wanted = r"expected neurons\.kind=lif, neurons\.tau=2 or 4 and neurons\.reset=0 for model\.kind=spiking, got"
    base = config("spiking", "event", "all").model_dump()
    with pytest.raises(ValueError, match=wanted):
        TTSVQVAE(parse_config({**base, "neurons": {**base["neurons"], **neurons}}))
    TTSVQVAE(parse_config({**base, "neurons": {**base["neurons"], "tau": 4.0}}))


def test_the_spiking_kind_has_no_group_norm_attention_or_odd_padding() -> None:
    network = build("spiking", "event", "all")
    kinds = {type(m).__name__ for m in network.modules()}
    assert not kinds & {"GroupNorm", "SpikingAttention", "Gate", "Downsample"}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.padding[0] == layer.kernel_size[0] // 2


def test_a_skip_is_a_second_synapse_with_a_gain_per_channel() -> None:
    network = build("spiking", "event", "all")
    gains = [p for name, p in network.named_parameters() if name.endswith("gain")]
    assert [tuple(g.shape) for g in gains] == [(8, 1, 1)] * 2
    assert all((g == 0.5).all() for g in gains)


def test_b2_the_mode_is_the_callers_business() -> None:
    network = build("spiking", "event", "all")
    for mode in (True, False):
        network.train(mode)
        network(data("event"))
        network.encode(data("event"))
        network.decode(torch.zeros(2, 2, 2, dtype=torch.int64))
        assert network.training is mode


def test_b6_the_number_of_steps_is_the_configured_one() -> None:
    assert build("gated", "direct", "mean").codebook.steps == 3
    assert build("gated", "direct", "mean").decode(torch.zeros(1, 4, 4, dtype=torch.int64)).shape == (1, 3, 8, 8)


def test_b7_nothing_is_built_twice() -> None:
    network = build("gated", "event", "step")
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    assert len(names) == len(set(names)) == len(network.state_dict())


def test_b10_spikes_take_the_dtype_of_their_input() -> None:
    for dtype in (torch.float32, torch.float64):
        network = build("spiking", "event", "all").to(dtype)
        assert network(data("event").to(dtype)).values.dtype == dtype


def test_autocast_keeps_the_membrane_in_float32() -> None:
    network = build("spiking", "event", "all").float()
    with torch.autocast("cpu", dtype=torch.bfloat16), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = network(data("event").float())
    assert torch.isfinite(out.values).all()
    assert network.encoder.stem.neuron.v.dtype == torch.float32


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.resolution=30 cannot be halved 2 times"):
        parse_config(
            {"system": "tts_vqvae", "data": {"name": "digits", "resolution": 30}, "model": {"kind": "spiking"}}
        )


def test_the_wrong_shape_is_answered_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"expected recordings \(N, 3, C, H, W\)"):
        build("spiking", "event", "all")(torch.rand(2, 5, 2, 8, 8, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
        build("spiking", "direct", "mean")(torch.rand(2, 3, 2, 8, 8, dtype=torch.float64))


def test_direct_coding_computes_its_stem_once_with_equal_results() -> None:
    network = build("spiking", "direct", "mean").eval()
    calls = []
    network.encoder.stem.conv.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    network(data("direct"))
    assert calls == [4]  # N, not T N
