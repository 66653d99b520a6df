"""NIR files of other frameworks and wrong ones: read where the rules are exact, else refused in a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron

from export.nir import write_nir
from export.nir_reading import read_nir
from tests.export.zoo import zoo

DT = 1e-4


def _file(path: Path, *nodes: Any) -> Path:
    nir.write(path, nir.NIRGraph.from_list(*nodes, type_check=False))
    return path


def _of(shape: tuple[int, ...], **values: float) -> dict[str, np.ndarray]:
    return {name: np.full(shape, float(value)) for name, value in values.items()}


def _one_input(path: Path, node: Any, *more: Any) -> Path:
    return _file(path, nir.Input({"input": np.array([1])}), nir.Linear(np.ones((1, 1))), node, *more)


def _spikes(path: Path, steps: int = 6) -> list[float]:
    return read_nir(path)(torch.ones(steps, 1, 1)).flatten().tolist()


def test_a_lif_decays_its_input_by_r_and_tau(tmp_path: Path) -> None:
    # dt / tau = 1 / 2, r = 1: v = .5 .75 .875 | fires above .8
    node = nir.LIF(**_of((1,), tau=2 * DT, r=1, v_leak=0, v_threshold=0.8, v_reset=0))
    assert _spikes(_one_input(tmp_path / "a.nir", node)) == [0, 0, 1, 0, 0, 1]


def test_a_resting_and_reset_value_other_than_zero_moves_the_threshold(tmp_path: Path) -> None:
    # v starts at rest, -1: -.5+.5 ... v + 1 = 1 1.5 | with r = 2 and dt / tau = 1 / 2; fires above .4, so 1.4
    node = nir.LIF(**_of((1,), tau=2 * DT, r=2, v_leak=-1, v_threshold=0.4, v_reset=-1))
    assert _spikes(_one_input(tmp_path / "a.nir", node)) == [0, 1, 0, 1, 0, 1]


def test_an_if_adds_dt_r_each_step_and_fires_above_its_threshold(tmp_path: Path) -> None:
    node = nir.IF(**_of((1,), r=1 / DT, v_threshold=2, v_reset=0))  # 1 2 3 |
    assert _spikes(_one_input(tmp_path / "a.nir", node)) == [0, 0, 1, 0, 0, 1]


def test_a_synaptic_current_is_a_cuba_neuron_s(tmp_path: Path) -> None:
    # c = 1 1.5 1.75 1.875; v = 1 2.5 4.25 | 1.875; the current is not reset
    node = nir.CubaLIF(**_of((1,), tau_syn=2 * DT, tau_mem=1e9 * DT, r=1e9, v_leak=0, v_threshold=4, v_reset=0, w_in=2))
    path = _one_input(tmp_path / "a.nir", node)
    assert _spikes(path, 5) == [0, 0, 1, 0, 0]
    assert any(isinstance(part, neuron.CUBALIFNode) for part in read_nir(path).modules())


def test_another_step_than_1e_4_can_be_given(tmp_path: Path) -> None:
    node = nir.LIF(**_of((1,), tau=2e-3, r=1, v_leak=0, v_threshold=0.8, v_reset=0))
    path = _one_input(tmp_path / "a.nir", node)
    assert read_nir(path, dt=1e-3)(torch.ones(6, 1, 1)).flatten().tolist() == [0, 0, 1, 0, 0, 1]


def test_convolutions_pools_and_flatten_follow_their_shapes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight, rows = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(3, 16))
    path = _file(
        tmp_path / "a.nir",
        nir.Input({"input": np.array([2, 8, 8])}),
        nir.Conv2d((8, 8), weight, 1, "same", 1, 1, np.arange(4.0)),
        nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        nir.Flatten({"input": np.array([4, 2, 2])}, 0, -1),
        nir.Linear(rows),
    )
    x = torch.from_numpy(rng.random((3, 2, 2, 8, 8)))
    y = torch.nn.functional.conv2d(x.flatten(0, 1), torch.from_numpy(weight), torch.arange(4.0).double(), padding=1)
    y = torch.nn.functional.avg_pool2d(torch.nn.functional.avg_pool2d(y, 2) * 4, 2).flatten(1)
    with torch.no_grad():
        found = read_nir(path, dtype=torch.float64)(x)
    assert torch.allclose(found, (y @ torch.from_numpy(rows).T).unflatten(0, (3, 2)))


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (nir.Scale(np.ones(1)), "node scale is a Scale, which no layer of ours equals"),
        (nir.Delay(np.ones(1)), "node delay is a Delay"),
        (nir.LIF(**_of((1,), tau=DT / 2, r=1, v_leak=0, v_threshold=1, v_reset=0)), "at least a step of 0.0001 s"),
        (
            nir.LIF(**_of((1,), tau=DT * 2, r=1, v_leak=0.1, v_threshold=1, v_reset=0)),
            "v_leak and v_reset to be the",
        ),
        (nir.LIF(**_of((1,), tau=DT * 2, r=-1, v_leak=0, v_threshold=1, v_reset=0)), "a gain above 0"),
        (nir.LIF(**_of((1,), tau=DT * 2, r=1, v_leak=0, v_threshold=0, v_reset=0)), "a threshold above the reset"),
        (nir.LIF(**_of((1,), tau=DT * 2, r=1, v_leak=0, v_threshold=np.nan, v_reset=0)), "v_threshold in finite numbe"),
        (nir.LIF(**_of((2,), tau=DT * 2, r=1, v_leak=0, v_threshold=1, v_reset=0)), r"tau of shape \(1,\)|\(1,\), got"),
        (nir.Linear(np.ones((2, 3))), r"linear_1 \(Linear\): expected an input of shape \(3,\)"),
        (nir.Conv2d((1, 1), np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1)), r"conv2d \(Conv2d\): a kernel of shape"),
        (nir.Affine(np.ones((1, 1)), np.ones(3)), r"expected a bias of shape \(1,\), got \(3,\)"),
        (nir.Affine(np.ones((1, 1)), np.full(1, np.inf)), "expected bias in finite numbers"),
        (nir.Flatten({"input": np.array([1])}, 3, -1), "expected axes of an input"),
    ],
)
def test_a_node_that_says_something_else_is_refused_by_name(node: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=reason):
        read_nir(_one_input(tmp_path / "a.nir", node))


def test_neurons_that_differ_are_refused(tmp_path: Path) -> None:
    values = _of((2,), tau=DT * 2, r=1, v_leak=0, v_reset=0) | {"v_threshold": np.array([1.0, 2.0])}
    nodes = nir.Input({"input": np.array([2])}), nir.LIF(**values)
    with pytest.raises(ValueError, match="one v_threshold for all neurons, got values from 1 to 2"):
        read_nir(_file(tmp_path / "a.nir", *nodes))


def test_a_branch_is_refused(tmp_path: Path) -> None:
    ends = {"input": nir.Input({"input": np.array([1])}), "output": nir.Output({"output": np.array([1])})}
    nodes = ends | {"a": nir.Linear(np.ones((1, 1))), "b": nir.Linear(np.ones((1, 1)))}
    edges = [("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")]
    nir.write(tmp_path / "a.nir", nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(ValueError, match="a straight chain of nodes, it branches or ends at input"):
        read_nir(tmp_path / "a.nir")


def _link_outside(file: h5py.File) -> None:
    file["node/nodes/x"] = h5py.ExternalLink("/etc/passwd", "/a")


def _link_inside(file: h5py.File) -> None:
    file["node/nodes/x"] = h5py.SoftLink("/node")


def _circle(file: h5py.File) -> None:
    file["node/nodes/x"] = file["node"]


def _huge(file: h5py.File) -> None:
    file.create_dataset("node/nodes/synapses_0/more", (1 << 40,), "f8", chunks=(1 << 20,))


def _elsewhere(file: h5py.File) -> None:
    file.create_dataset("more", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def _text_weights(file: h5py.File) -> None:
    del file["node/nodes/synapses_0/weight"]
    file["node/nodes/synapses_0/weight"] = "import os"


def _unknown_type(file: h5py.File) -> None:
    del file["node/nodes/synapses_0/type"]
    file["node/nodes/synapses_0/type"] = "read"


def _no_bias(file: h5py.File) -> None:
    del file["node/nodes/synapses_0/bias"]


def _places_beyond(file: h5py.File) -> None:
    file["node/metadata/output_places"][0] = 1 << 40


def _no_shape(file: h5py.File) -> None:
    file["node/nodes/input/shape"][...] = 0


def _padding(file: h5py.File) -> None:
    del file["node/nodes/synapses_0/padding"]
    file["node/nodes/synapses_0/padding"] = 1 << 40


def _step(file: h5py.File) -> None:
    file["node/metadata/dt"][()] = -1.0


_HARM = {
    _link_outside: "expected no links, 'x' in /node/nodes is one",
    _link_inside: "expected no links",
    _circle: "expected groups up to 16 deep",
    _huge: "bytes of data",
    _elsewhere: "expected all data in the file",
    _text_weights: "weight|NIR graph",
    _unknown_type: "expected a NIR graph",
    _no_bias: "expected a NIR graph",
    _places_beyond: "its metadata do not fit its nodes",
    _no_shape: "expected a shape in whole numbers above 0",
    _padding: "whole numbers of at least 0 as sizes",
    _step: "expected a step dt above 0 seconds",
}


@pytest.mark.parametrize("harm", _HARM, ids=lambda harm: harm.__name__)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(harm: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = write_nir(zoo(np.random.default_rng(5))["conv"], tmp_path / "a.nir")
    with h5py.File(path, "r+") as file:
        harm(file)
    with pytest.raises(ValueError, match=_HARM[harm]) as caught:
        read_nir(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_no_hdf5_a_cut_file_and_no_file_are_refused(tmp_path: Path) -> None:
    path = write_nir(zoo(np.random.default_rng(5))["dense"], tmp_path / "a.nir")
    whole = path.read_bytes()
    for content in (b"", b"no", whole[: len(whole) // 2], whole[:200]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="expected an HDF5 file"):
            read_nir(path)
    os.unlink(path)
    with pytest.raises(OSError, match="No such file"):
        read_nir(path)


def test_flipped_bytes_give_a_network_or_a_sentence(tmp_path: Path) -> None:
    path = write_nir(zoo(np.random.default_rng(5))["dense"], tmp_path / "a.nir")
    whole, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for _ in range(60):
        harmed = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            harmed[place] = rng.integers(0, 256)
        path.write_bytes(harmed)
        try:
            read_nir(path)
        except ValueError as error:
            assert "\n" not in str(error)
