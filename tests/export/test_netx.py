"""netx files: what stands in them, that they come back, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from export.network import Conv, Dense
from export.netx import write_netx
from export.netx_reading import dense_weights, read_netx
from export.quantising import quantise
from export.simulator import simulate
from tests.export.verify_lava import with_readout
from tests.export.zoo import chain, lively, spikes, weights, zoo

ZOO = zoo(np.random.default_rng(5))


def written(tmp_path: Path, name: str, **options: object) -> Path:
    write_netx(quantise(ZOO[name], **options), tmp_path / "a.net")
    return tmp_path / "a.net"


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("loader", ["stock", "extended"])
def test_a_file_comes_back_as_the_chip_it_was(tmp_path: Path, name: str, loader: str) -> None:
    chip, given = quantise(ZOO[name], loader=loader), spikes(np.random.default_rng(1), ZOO[name])
    write_netx(chip, tmp_path / "a.net")
    back = read_netx(tmp_path / "a.net")
    names = [layer.name for layer in chip.layers]
    first, second = simulate(chip, given, names), simulate(back, given, names)
    assert all(np.array_equal(first[name], second[name]) for name in names)
    assert (back.loader, back.output_shape, back.input_shape) == (chip.loader, chip.output_shape, chip.input_shape)


def test_without_its_sidecar_a_file_gives_the_chips_own_frames(tmp_path: Path) -> None:
    path = written(tmp_path, "transposed")
    (tmp_path / "a.net.json").unlink()
    chip = read_netx(path)
    assert chip.output_shape == (16, 4, 4)  # 16 x 16 pixels as 16 channels of 4 x 4
    given = spikes(np.random.default_rng(1), ZOO["transposed"])
    own = simulate(quantise(ZOO["transposed"]), given)["2"]
    frames = simulate(chip, given)["3"]
    assert np.array_equal(frames[:, :, 6, 2, 3], own[:, :, 0, 2 * 4 + 1, 3 * 4 + 2])


@pytest.mark.parametrize("readout", ["host", "membrane", "sigma"])
def test_read_outs_come_back(tmp_path: Path, readout: str) -> None:
    network = with_readout(ZOO["conv"], Conv(weights(np.random.default_rng(0), 3, 4, 3, 3)))
    given, chip = spikes(np.random.default_rng(1), network), quantise(network, readout=readout)
    write_netx(chip, tmp_path / "a.net")
    back = read_netx(tmp_path / "a.net")
    last = "1" if readout == "host" else "image"
    assert np.array_equal(simulate(back, given)[last], simulate(chip, given, [last])[last])


def test_counts_keep_their_message_bits(tmp_path: Path) -> None:
    given = np.random.default_rng(0).integers(0, 6, (3, 2, 2, 8, 8))
    write_netx(quantise(ZOO["conv"], given), tmp_path / "a.net")
    assert read_netx(tmp_path / "a.net").message_bits == 3


def contents(path: Path) -> dict[str, object]:
    """Every data set of a file, by its name."""
    found: dict[str, object] = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_a_convolution_stands_as_slayer_writes_it(tmp_path: Path) -> None:
    path = written(tmp_path, "flattened")
    found, layer = contents(path), quantise(ZOO["flattened"]).layers[0]
    kinds = [found[f"layer/{n}/type"][0] for n in range(5)]
    assert kinds == [b"input", b"conv", b"flatten", b"dense", b"dense"]
    assert found["layer/0/shape"].tolist() == [2, 8, 8]
    assert np.array_equal(found["layer/1/weight"], layer.weight)
    assert found["layer/1/weight"].dtype == np.int32
    for name, value in {"stride": [2, 2], "padding": [1, 1], "dilation": [1, 1], "shape": [4, 4, 4]}.items():
        assert found[f"layer/1/{name}"].tolist() == value
    assert found["layer/1/groups"].shape == ()
    assert found["layer/1/neuron/type"] == b"CUBA"
    assert found["layer/1/neuron/iDecay"] == 4096
    assert found["layer/1/neuron/vDecay"] == 2048
    assert found["layer/3/inFeatures"] == 64


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("per_channel", [False, True])
def test_no_file_holds_what_lava_dl_drops_or_breaks_on(tmp_path: Path, name: str, per_channel: bool) -> None:
    found = contents(written(tmp_path, name, per_channel=per_channel))
    parts = {path.split("/", 2)[2] for path in found}
    assert not parts & {"delay", "weight_rec", "neuron/messageBits", "neuron/wgtExp", "neuron/weight_exp"}
    assert {path.split("/")[0] for path in found} == {"layer"}
    for path, value in found.items():
        kind = path.split("/", 2)[2]
        if kind == "weight":
            assert value.dtype == np.int32 and np.abs(value).max() <= 127 and value.any()
        if kind == "bias":
            assert value.dtype == np.int32 and np.abs(value).max() <= 4095
        if kind == "groups":
            assert np.ndim(value) == 0
        if kind in ("stride", "padding", "dilation"):
            assert value.shape == (2,)
        if kind == "neuron/vThMant":
            assert np.min(value) >= 0 and np.max(value) <= 131071
        if kind in ("neuron/vDecay", "neuron/iDecay"):
            assert np.min(value) >= 0 and np.max(value) <= 4096


def test_a_bias_for_each_neuron_stands_in_lavas_order(tmp_path: Path) -> None:
    network = chain((2, 4, 6), Conv(weights(np.random.default_rng(0), 3, 2, 1, 1)))
    bias = np.random.default_rng(1).normal(0, 1, (3, 4, 6))
    network = replace(network, layers=(replace(network.layers[0], bias=bias),))
    chip = quantise(network)
    write_netx(chip, tmp_path / "a.net")
    assert contents(tmp_path / "a.net")["layer/1/bias"].shape == (6, 4, 3)
    assert np.array_equal(read_netx(tmp_path / "a.net").layers[0].bias, chip.layers[0].bias)


def test_the_sidecar_says_what_the_file_cannot(tmp_path: Path) -> None:
    notes = json.loads(written(tmp_path, "transposed").with_name("a.net.json").read_text())
    assert (notes["reset_interval"], notes["reset_offset"], notes["latency"]) == ("T", 1, 3)
    assert notes["versions"]["lava-dl"] == "0.6.0"
    assert notes["layers"][1]["blocks"] == [4, 4]
    assert notes["layers"][1]["scale"] == quantise(ZOO["transposed"]).layers[1].scale
    assert notes["readout"]["kind"] == "spikes"


def test_equal_chips_are_equal_bytes_and_existing_files_are_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, "conv")
    first = path.read_bytes(), path.with_name("a.net.json").read_bytes()
    written(tmp_path, "dense")
    assert path.read_bytes() != first[0]
    written(tmp_path, "conv")
    assert (path.read_bytes(), path.with_name("a.net.json").read_bytes()) == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.net", "a.net.json"]


@pytest.mark.parametrize("broken", ["_write_layers", "_write_sidecar"])
def test_a_failure_leaves_both_files_as_they_were(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(f"export.netx.{broken}", fails)
        with pytest.raises(OSError, match="disk full"):
            written(tmp_path, "conv")
        assert not list(tmp_path.iterdir())
    before = written(tmp_path, "conv").read_bytes()
    monkeypatch.setattr(f"export.netx.{broken}", fails)
    with pytest.raises(OSError, match="disk full"):
        written(tmp_path, "dense")
    assert (tmp_path / "a.net").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.net", "a.net.json"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    before = written(tmp_path, "conv").read_bytes()
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from export.netx import write_netx\nfrom export.quantising import quantise\n"
        "from tests.export.zoo import zoo\n"
        "chip = quantise(zoo(np.random.default_rng(5))['dense'])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        "try:\n    write_netx(chip, sys.argv[1])\nexcept OSError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.net")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert (tmp_path / "a.net").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.net", "a.net.json"]


def test_a_folder_in_the_sidecars_place_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text("old")
    (tmp_path / "a.net.json").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        written(tmp_path, "conv")
    assert (tmp_path / "a.net").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


# Files of others.


def another(path: Path, **changes: object) -> Path:
    """A dense and a conv layer as somebody else might write them; changes: data sets by name, None to leave out."""
    data: dict[str, object] = {
        "layer/0/type": "input",
        "layer/0/shape": [1, 2, 2],
        "layer/1/type": np.bytes_("conv"),
        "layer/1/shape": [2, 2, 2],
        "layer/1/weight": np.array([[[[3.9]]], [[[-2.7]]]]),
        "layer/1/bias": [40000, 1],
        "layer/1/stride": 1,
        "layer/1/padding": [0, 0],
        "layer/1/dilation": [1, 1],
        "layer/1/groups": 1,
        "layer/1/neuron/type": "LOIHI",
        "layer/1/neuron/iDecay": 1024,
        "layer/1/neuron/vDecay": [128, 256],
        "layer/1/neuron/vThMant": 10,
        "layer/2/type": "flatten",
        "layer/2/shape": [8],
        "layer/3/type": "dense",
        "layer/3/shape": [1, 1, 2],
        "layer/3/weight": np.arange(-7, 9),
        "layer/3/neuron/type": "CUBA",
        "layer/3/neuron/iDecay": 4096,
        "layer/3/neuron/vDecay": 0,
        "layer/3/neuron/vThMant": 10,
    } | changes
    with h5py.File(path, "w") as file:
        for name, value in data.items():
            if value is not None:
                file[name] = value
    return path


def test_anothers_file_is_read_as_lava_dl_reads_it(tmp_path: Path) -> None:
    chip = read_netx(another(tmp_path / "b.net"))
    conv, dense = chip.layers
    assert conv.weight.ravel().tolist() == [3, -2]  # cut, not rounded
    assert conv.bias.tolist() == [40000 - 65536, 1]  # 16 bits
    assert (conv.i_decay, conv.v_decay.tolist(), conv.stride) == (1024, [128, 256], (1, 1))
    assert dense.weight.tolist() == np.arange(-7, 9).reshape(2, 8).tolist()
    assert (chip.input_shape, chip.output_shape) == ((1, 2, 2), (2,))


@pytest.mark.parametrize(
    ("given", "multiplies", "shift"),
    [  # seen in lava-dl 0.6.0
        ([[-1, -1, -1]], [[0, 0, 0]], 0),
        ([[-128, -128, -128]], [[0, 0, 0]], 0),
        ([[300, 5, 1]], None, None),
        ([[127, -3, 4]], [[127, -3, 4]], 0),
        ([[-254, 100, 6]], [[-254, 100, 6]], 0),
        ([[400, -300, 2]], [[254, -256, 2]], 0),
    ],
)
def test_dense_weights_are_what_lava_dl_makes_of_them(
    given: list[list[int]], multiplies: list[list[int]] | None, shift: int | None
) -> None:
    if multiplies is None:
        with pytest.raises(ValueError, match="beyond the chip's 8 bits"):
            dense_weights(np.array(given), "layer 1")
        return
    weight, by = dense_weights(np.array(given), "layer 1")
    assert (weight.tolist(), by) == (multiplies, shift)


def test_dense_weights_that_lava_cuts_are_shifted_back_after_the_sum() -> None:
    weight, shift = dense_weights(np.array([[-128, -3, -5]]), "layer 1")
    assert int(weight.sum()) >> shift == -135  # not -136, as in lava


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layer/1/type": "pool"}, "layer 1 is of type 'pool'"),
        ({"layer/2/type": None, "layer/2/shape": None}, "none is named 2"),
        ({"layer/0/type": None, "layer/0/shape": None}, "none is named 0"),
        ({"layer/1/weight": None}, "it has no .*weight"),
        ({"layer/1/weight": np.ones((2, 3, 1, 1))}, "layer 1, conv .* does not fit"),
        ({"layer/1/shape": [2, 3, 3]}, "layer 1, conv .* does not fit"),
        ({"layer/3/weight": np.arange(14)}, "layer 3, dense .* does not fit"),
        ({"layer/3/weight": np.zeros(16)}, "all zero"),
        ({"layer/3/weight": np.full(16, np.nan)}, "not finite"),
        ({"layer/3/delay": [1, 2]}, "layer 3 has delays"),
        ({"layer/3/neuron/messageBits": 8}, "messageBits"),
        ({"layer/3/neuron/type": "RF"}, "layer 3 has RF neurons"),
        ({"layer/0/neuron/type": "CUBA"}, "layer 0 is an input with neurons"),
        ({"layer/1/neuron/vThMant": [1, 2, 3]}, "3 values for its 2 channels"),
        ({"layer/1/bias": [1, 2, 3]}, "bias of shape"),
        ({"layer/0/type": "flatten"}, "nothing is before it"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_netx(another(tmp_path / "b.net", **changes))
    assert str(caught.value).startswith(str(tmp_path / "b.net"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 50])
def test_a_file_that_is_no_hdf5_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b.net").write_bytes(data)
    with pytest.raises(ValueError, match=r"b\.net"):
        read_netx(tmp_path / "b.net")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_netx(tmp_path / "b.net")


def test_an_hdf5_file_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.net", "w") as file:
        file["events"] = np.zeros(3)
    with pytest.raises(ValueError, match="expected layers in a group named layer"):
        read_netx(tmp_path / "b.net")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": []}', '{"layers": 3}'])
def test_a_sidecar_that_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, "conv")
    path.with_name("a.net.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.net\.json is no sidecar of a\.net"):
        read_netx(path)


def test_a_sidecar_of_another_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "strided")
    notes = path.with_name("a.net.json").read_text()
    written(tmp_path, "conv")
    path.with_name("a.net.json").write_text(notes)
    with pytest.raises(ValueError, match=r"has shape \[4, 5, 4\] in it, and \[4, 8, 8\] in the file"):
        read_netx(path)


def test_large_kernels_of_a_dense_layer_are_packed(tmp_path: Path) -> None:
    network = lively(chain((200,), Dense(weights(np.random.default_rng(0), 100, 200))), np.random.default_rng(1))
    write_netx(quantise(network), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/0/weight"].compression == "gzip"
