"""The read-out that adds up and never fires, against one convolution a step."""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.blocks.decayed_readout import DecayedReadOut


def made(event: bool) -> DecayedReadOut:
    torch.manual_seed(0)
    return DecayedReadOut(4, 2, event).double()


def spikes() -> Tensor:
    return (torch.rand(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(1)) > 0.7).double()


def test_the_last_convolution_runs_once_with_the_bias_of_every_step() -> None:
    layer, x = made(event=False), spikes()
    each = [layer.conv(step) for step in x]
    torch.testing.assert_close(layer(x), torch.tanh(0.64 * each[0] + 0.8 * each[1] + each[2]), atol=1e-13, rtol=0)


def test_channels_innermost_read_out_the_same() -> None:
    layer, x = made(event=False), spikes()
    inner = x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(layer(inner), layer(x), atol=1e-14, rtol=0)


def test_frame_t_of_a_recording_is_the_sum_so_far_and_no_range_is_forced_on_it() -> None:
    layer, x = made(event=True), spikes()
    each = [layer.conv(step) for step in x]
    frames = torch.stack([each[0], 0.8 * each[0] + each[1], 0.64 * each[0] + 0.8 * each[1] + each[2]], 1)
    assert layer(x).shape == (2, 3, 2, 5, 5)
    torch.testing.assert_close(layer(x), frames, atol=1e-14, rtol=0)


def test_16_bit_spikes_are_added_up_in_float32() -> None:
    layer = made(event=False).float()
    with torch.autocast("cpu", torch.bfloat16):
        image = layer(spikes().bfloat16())
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, layer(spikes().float()), atol=1e-6, rtol=0)
