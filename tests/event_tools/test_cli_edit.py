"""`event-tools filter`, `cut` and `merge`: which events they keep, and what they tell of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from event_tools import info, read, write
from event_tools.datasets import open_recordings
from tests.event_tools.command_line import contents, refused
from tests.event_tools.test_datasets import folder, recording


def test_filter_sends_recordings_through_filters(run: Any, one: Path) -> None:
    from event_tools import filters

    out = one.with_suffix(".h5")
    result = run("filter", one, out, "flip_left_right", "crop:left=4,top=0,width=30,height=34", "--json")
    assert json.loads(result.out)["events"] == len(read(out))
    assert read(out) == filters.crop(filters.flip_left_right(recording(9)), 4, 0, 30, 34)
    assert "filters=flip_left_right crop:left=4,top=0,width=30,height=34" in str(info(out).provenance["history.1"])
    assert "denoise:" in run("filter", "--list").out


def test_chance_in_a_filter_is_drawn_for_each_recording_and_the_same_in_every_run(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.bin", "a/2.bin"))
    (source / "a/2.bin").write_bytes((source / "a/1.bin").read_bytes())
    for out in ("one", "two"):
        run("filter", source, tmp_path / out, "drop_events:share=0.5,seed=1", "--to", "bin", "--workers", 1)
    data = [(tmp_path / out / "a" / name).read_bytes() for out in ("one", "two") for name in ("1.bin", "2.bin")]
    assert data[:2] == data[2:] and data[0] != data[1] and len(data[0]) == 50


def test_cut_keeps_a_window_or_divides(run: Any, one: Path) -> None:
    out = one.with_suffix(".h5")
    run("cut", one, out, "--start-us", 4, "--skip-events", 2, "--max-events", 3, "--zero")
    assert read(out).t.tolist() == [2, 3, 4]
    answer = json.loads(run("cut", one, one.parent / "parts", "--to", "bin", "--every-events", 10, "--json").out)
    assert (answer["parts"], answer["events"]) == (3, 29)
    files = sorted((one.parent / "parts").glob("*.bin"))
    assert [(file.name, len(read(file))) for file in files] == [
        ("one-00000.bin", 10), ("one-00001.bin", 10), ("one-00002.bin", 9)
    ]  # fmt: skip


def test_merge_puts_recordings_together(run: Any, one: Path) -> None:
    write(one.with_name("two.bin"), recording(1))
    out = one.with_suffix(".h5")
    answer = json.loads(run("merge", one, one.with_name("two.bin"), out, "--shift-us", "0,100", "--json").out)
    assert answer == {"out": str(out), "recordings": 2, "events": 50}
    assert read(out).t.tolist() == [*range(29), *range(100, 121)]
    assert "it is there already" in refused(run("merge", one, out))


def test_a_labelled_set_goes_into_one_file_and_back(run: Any, tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set"), tmp_path / "set.h5"
    answer = json.loads(run("merge", source, out, "--labelled", "--json").out)
    assert (answer["recordings"], answer["events"]) == (5, 20 + 21 + 22 + 23 + 24)
    assert run("convert", out, tmp_path / "back", "--to", "bin", "--workers", 1).status == 0
    again, before = open_recordings(tmp_path / "back"), open_recordings(source)
    assert (again.names, again.labels.tolist(), list(again)) == (before.names, before.labels.tolist(), list(before))
    assert json.loads(run("info", out, "--member", "Train/0/10", "--json").out)["events"] == 21


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "--to", "aedat4"),
        ("frames", "--steps", 3),
        ("unframe", "--to", "h5", "--seed", 5, "--placement", "linear"),
        ("filter", "time_jitter:distance_us=3,seed=1", "--to", "h5"),
        ("cut", "--to", "aedat4", "--every-events", 9),
    ],
)
def test_shards_of_every_command_make_what_one_run_makes(run: Any, tmp_path: Path, command: tuple[Any, ...]) -> None:
    source = folder(tmp_path / "set", tuple(f"{label}/{i}.bin" for label in "ab" for i in range(3)))
    if command[0] == "unframe":
        run("frames", source, tmp_path / "counts", "--steps", 4, "--workers", 1)
        source = tmp_path / "counts"
    name, *options = command
    filters = options[:1] if name == "filter" else []
    options = [*options[len(filters) :], "--workers", 1]
    assert run(name, source, tmp_path / "whole", *filters, *options).status == 0
    for shard in ("2/3", "0/3", "1/3"):
        assert run(name, source, tmp_path / "parts", *filters, *options, "--shard", shard).status == 0
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")
    assert len(contents(tmp_path / "whole")) >= 7
