"""The report's page: complete, escaped, and loading nothing."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

import export
from export.chip import Chip, ChipLayer, Layout
from export.network import Network
from export.page import page
from export.reporting import Report
from tests.export.zoo import spikes, zoo


@pytest.fixture(scope="module")
def report() -> Report:
    rng = np.random.default_rng(0)
    network: Network = zoo(rng)["transposed"]
    given = spikes(rng, network)
    return export.report(export.quantise(network, given), given, network)


def test_it_loads_nothing_and_runs_no_script(report: Report) -> None:
    text = page(report, "a decoder", {"float": b"png"})
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "<script" not in text
    assert "://" not in text
    assert "default-src 'none'" in text


def test_every_layer_has_a_row_in_each_of_four_tables(report: Report) -> None:
    text = page(report, "a decoder")
    for layer in report.layers:
        assert text.count(f"<tr><td>{layer.name}</td>") == 4


def test_the_figures_stand_in_the_text(report: Report) -> None:
    text = page(report, "a decoder")
    agreement, totals = report.agreement, report.totals
    assert f"<b>{agreement.quantised_simulated:,}</b>" in text
    assert f"<b>{totals.accumulates:,.0f}</b>" in text
    share = 100 * agreement.float_simulated / agreement.entries
    assert f"{agreement.float_simulated:,} ({share:.2g} %)" in text
    assert f"{totals.cores.at_least} to {totals.cores.at_most}" in text or f"<b>{totals.cores.at_least}</b>" in text
    assert "reset_interval=6, reset_offset=1" in text
    assert all(f"{one.microjoules:.3g}" in text for one in report.energy)


def test_pictures_come_with_their_captions_and_the_note(report: Report) -> None:
    text = page(report, "a decoder", {"float": b"one", "simulated": b"two"}, note="Errors: 1 < 2.")
    assert re.findall(r'alt="(\w+)" src="data:image/png;base64,([^"]+)"', text) == [
        ("float", base64.b64encode(b"one").decode()),
        ("simulated", base64.b64encode(b"two").decode()),
    ]
    assert "Errors: 1 &lt; 2." in text


def test_names_are_text_not_markup() -> None:
    layer = ChipLayer("<b>x", "dense", (1,), np.ones((1, 1), np.int32), 9, 0, Layout((1,)))
    text = page(export.report(Chip((1,), (layer,), (1,)), np.ones((1, 1, 1))), "<i>title")
    assert "<i>title" not in text
    assert "<td><b>x" not in text
    assert "&lt;b&gt;x: no neuron fires in any sample" in text


def test_without_floats_their_columns_are_empty_and_the_text_does_not_speak_of_them() -> None:
    layer = ChipLayer("x", "dense", (1,), np.ones((1, 1), np.int32), 0, 0, Layout((1,)))
    text = page(export.report(Chip((1,), (layer,), (1,)), np.ones((1, 1, 1))), "title")
    assert "as trained" not in text
    assert '<td>x</td><td class="n">1</td><td class="n">–</td><td class="n">–</td>' in text
