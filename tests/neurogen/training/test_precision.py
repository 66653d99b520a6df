"""Mixed precision: what stays float32, scaled losses, steps left out, and that both resume. The CPU stands for CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neurogen.config import TrainConfig, parse_config
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import LIF
from neurogen.training import TrainingError, engine, train_run
from neurogen.training.averaging import WeightAverage
from neurogen.training.descent import Descent
from neurogen.training.precision import check_precision
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.tiny import event_config
from tests.neurogen.training.runs import stage1_config, weights_digest
from tests.neurogen.training.test_engine import _interrupt


def descent(precision: str = "fp16", **settings: object) -> Descent:
    """Down from a weight of 3 ones."""
    layer = nn.Linear(3, 1, bias=False)
    nn.init.ones_(layer.weight)
    return Descent(layer, TrainConfig(precision=precision, lr=0.1, **settings))  # type: ignore[arg-type]


def loss_of(one: Descent, slope: float = 1.0) -> Tensor:
    return (one.module(torch.tensor([1.0, 2.0, 4.0])) * slope).sum()


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_a_scaled_loss_takes_the_step_of_the_plain_one(clip: float) -> None:
    scaled, plain = descent(clip=clip), descent("float32", clip=clip)
    for one in (scaled, plain):
        one.take(loss_of(one, 1e-3))
        one.take(loss_of(one, -3.0))
        assert one.moved
    assert torch.equal(scaled.module.weight, plain.module.weight)  # the scale is a power of two


def test_parts_of_a_batch_add_up_to_one_step() -> None:
    whole, parts = descent(), descent()
    whole.take(loss_of(whole, 2.0))
    for share in (0.5, 1.5):
        parts.accumulate(loss_of(parts, share))
    parts.step()
    assert torch.equal(parts.module.weight, whole.module.weight)
    for one in (whole, parts):  # gradients of the first step are gone
        one.take(loss_of(one, 1.0))
    assert torch.equal(parts.module.weight, whole.module.weight)


def test_a_step_whose_gradients_overflow_is_left_out_and_the_scale_halved() -> None:
    one = descent()
    one.take(loss_of(one))
    before, scale = one.module.weight.clone(), one.scaler.get_scale()
    one.take(loss_of(one, 1e37))  # 1e37 * 65536 is beyond float32, 1e37 is not
    assert not one.moved
    assert torch.equal(one.module.weight, before)
    assert one.scaler.get_scale() == scale / 2
    one.take(loss_of(one))
    assert one.moved


def test_gradients_that_overflow_at_every_scale_are_refused() -> None:
    one = descent()
    with pytest.raises(TrainingError, match=r"they overflow even unscaled; take train\.precision=bf16"):
        for _ in range(20):
            one.take(loss_of(one, float("inf")))
    assert one.scaler.get_scale() == 0.5


def test_the_scale_is_part_of_the_state() -> None:
    one, other = descent(), descent()
    one.take(loss_of(one, 1e37))
    one.take(loss_of(one))
    other.module.load_state_dict(one.module.state_dict())
    other.load_state_dict(one.state_dict())
    assert other.scaler.get_scale() == one.scaler.get_scale() == 32768
    assert other.state_dict()["scaler"] == one.state_dict()["scaler"]
    for each in (one, other):
        each.take(loss_of(each, 1e38 / 2**14))
    assert torch.equal(one.module.weight, other.module.weight)


def test_a_state_without_a_scale_is_not_one_of_fp16() -> None:
    with pytest.raises(KeyError, match="scaler"):
        descent().load_state_dict(descent("bf16").state_dict())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bits_are_refused_on_a_cpu_without_them_before_anything_is_written(
    recordings: Path, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurogen.training.precision.computes_bf16", lambda: False)
    with pytest.raises(TrainingError, match=rf"expected train\.precision=float32 on this cpu, .* got {precision}"):
        train_run(stage1_config(recordings, precision=precision), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_cpu_that_computes_bf16_takes_it_and_no_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurogen.training.precision.computes_bf16", lambda: True)
    check_precision("bf16", torch.device("cpu"))
    with pytest.raises(TrainingError, match=r"expected train\.precision=float32 or bf16 on this cpu, .* got fp16"):
        check_precision("fp16", torch.device("cpu"))


def test_a_gpu_without_bf16_is_told_of_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
    check_precision("fp16", torch.device("cuda"))
    with pytest.raises(TrainingError, match=r"Old GPU does not; take train\.precision=fp16"):
        check_precision("bf16", torch.device("cuda"))


@pytest.mark.parametrize("kind", ["spiking", "gated"])
def test_membranes_codes_and_the_last_layer_stay_float32_in_a_network_of_16_bits(kind: str) -> None:
    values = event_config().model_dump(mode="json")
    if kind == "gated":
        gated = {"width": 32, "multipliers": [1, 1], "blocks": 1, "attention": [8], "latent": 32}
        values["model"] |= {"kind": "gated", "gated": gated, "readout": "step"}
    config = parse_config(values)
    torch.manual_seed(0)
    model = TTSVQVAE(config).train()  # type: ignore[arg-type]
    model.codebook.eval()
    x = torch.rand(2, 4, 2, 16, 16)
    seen: dict[str, torch.dtype] = {}
    inner = model.encoder.body[0].conv if kind == "spiking" else model.encoder[1].conv1
    inner.register_forward_hook(lambda _m, _i, out: seen.update(inner=out.dtype))
    model.decoder[1].conv.register_forward_hook(lambda _m, _i, out: seen.update(last=out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x)
        membranes = {m.v.dtype for m in model.modules() if isinstance(m, LIF)}
        latents = model.latents(x)
    assert seen == {"inner": torch.bfloat16, "last": torch.float32}
    assert latents.dtype == out.values.dtype == out.quantiser_loss.dtype == torch.float32
    assert membranes == {torch.float32}
    table = model.codebook.table.double()
    rows = latents.double().permute(1, 3, 4, 0, 2).reshape(-1, table.shape[1])
    assert torch.equal(out.codes.flatten(), torch.cdist(rows, table).argmin(1))


@pytest.fixture
def cpu_as_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the CPU train in 16 bits, in which it is slow but right."""
    monkeypatch.setattr(engine, "check_precision", lambda precision, device: None)


def test_an_fp16_run_resumes_bit_for_bit_with_its_scale(
    recordings: Path, tmp_path: Path, cpu_as_cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = stage1_config(recordings, precision="fp16", average=0.9, steps=6)
    whole = train_run(config, tmp_path / "whole")
    _interrupt(monkeypatch, StageOneSystem, 3)
    with pytest.raises(SystemExit):
        train_run(config, tmp_path / "cut")
    monkeypatch.undo()
    monkeypatch.setattr(engine, "check_precision", lambda precision, device: None)
    cut = train_run(config, tmp_path / "cut", resume=True)
    assert weights_digest(cut) == weights_digest(whole)
    state = torch.load(cut / "checkpoints" / "step_00000006.pt", weights_only=True)
    assert state["descents"]["first_stage"]["scaler"]["scale"] == 65536


def test_a_step_left_out_is_not_averaged(
    recordings: Path, tmp_path: Path, cpu_as_cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[int] = []
    update, losses, accumulate = WeightAverage.update, list[Tensor](), Descent.accumulate

    def spoilt(self: Descent, loss: Tensor) -> None:
        losses.append(loss)
        accumulate(self, loss * (float("inf") if len(losses) == 2 else 1.0))

    def counted(self: WeightAverage) -> None:
        updates.append(len(losses))
        update(self)

    monkeypatch.setattr(Descent, "accumulate", spoilt)
    monkeypatch.setattr(WeightAverage, "update", counted)
    train_run(stage1_config(recordings, precision="fp16", average=0.9, steps=4), tmp_path / "run")
    assert updates == [1, 3, 4]
