"""Filters by name: how they are written, and what holds for every one of them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events
from event_tools.filtering import FILTERS, WHOLE, Filter, describe_filters, filter_parts, parse_filter
from event_tools.filters import crop, denoise, drop_pixels
from event_tools.parts import joined

EXAMPLES = {
    "center_crop": "width=8,height=6",
    "crop": "left=2,top=1,width=8,height=7",
    "decimate": "keep_every=2",
    "denoise": "window_us=40,neighbours=8",
    "downsample": "factor=3",
    "drop_area": "share=0.4,seed=1",
    "drop_events": "share=0.4,seed=1",
    "drop_hot_pixels": "sigma=1",
    "drop_pixels": "pixels=1x2+3x4",
    "drop_random_pixels": "share=0.4,seed=1",
    "drop_time": "share=0.4,seed=1",
    "event_drop": "seed=4",
    "flip_left_right": "",
    "flip_polarity": "",
    "flip_up_down": "",
    "integrate": "factor=3,threshold=2",
    "keep_polarity": "polarity=1",
    "random_crop": "width=5,height=4,seed=1",
    "random_flip_left_right": "seed=1,probability=1",
    "random_flip_polarity": "seed=1,probability=1",
    "random_flip_up_down": "seed=1,probability=1",
    "random_time_reversal": "seed=1,probability=1",
    "random_time_scale": "low=0.5,high=2,seed=1",
    "rebase": "start_us=7",
    "refractory": "period_us=30,after=kept",
    "reverse_time": "flip_polarities=true",
    "rotate": "quarter_turns=3",
    "scale_time": "factor=1.5",
    "shift_time": "offset_us=-100",
    "space_jitter": "distance_px=1,seed=1",
    "time_jitter": "distance_us=20,seed=1",
    "time_slice": "start_us=50,stop_us=900",
    "uniform_noise": "count=9,seed=1",
}


def example(name: str) -> Filter:
    return parse_filter(f"{name}:{EXAMPLES[name]}")


def random_events(seed: int, n: int) -> Events:
    """On a 12x10 sensor, with ties."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 1000, n))
    return Events(t, rng.integers(0, 12, n), rng.integers(0, 10, n), rng.integers(0, 2, n), (12, 10))


def digest(events: Events) -> str:
    columns = (events.t.astype("<i8"), events.x.astype("<u2"), events.y.astype("<u2"), events.p)
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:16]


def test_every_filter_has_an_example_here() -> None:
    assert EXAMPLES.keys() == FILTERS.keys() and FILTERS.keys() >= WHOLE


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=15, deadline=None)  # the first call compiles
@given(seed=st.integers(0, 1 << 32), n=st.sampled_from([0, 1, 2, 40, 150]), cuts=st.lists(st.floats(0, 1), max_size=4))
def test_a_filter_gives_sorted_events_of_a_sensor_touches_no_input_and_works_in_parts(
    name: str, seed: int, n: int, cuts: list[float]
) -> None:
    events = random_events(seed, n)
    before = digest(events)
    result = example(name)(events)
    assert digest(events) == before
    assert Events(result.t, result.x, result.y, result.p, result.sensor_size) == result
    for column, dtype in ((result.t, np.int64), (result.x, np.uint16), (result.y, np.uint16), (result.p, np.uint8)):
        assert column.dtype == dtype
    places = [0, *sorted(round(cut * n) for cut in cuts), n]
    parts = [events[low:high] for low, high in pairwise(places)]
    assert joined(list(example(name).parts(parts))) == result
    assert digest(events) == before


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_changes_something_and_does_so_again_alike(name: str) -> None:
    events = random_events(0, 300)
    assert example(name)(events) != events
    assert example(name)(events) == example(name)(random_events(0, 300))


def test_only_those_that_must_hold_the_whole_recording() -> None:
    events = random_events(0, 300)
    for name in FILTERS:
        given = []

        def parts(given: list[int] = given) -> Iterator[Events]:
            for i in range(3):
                given.append(i)
                yield events[100 * i : 100 * i + 100]

        next(example(name).parts(parts()))
        assert (len(given) == 3) == (name in WHOLE) == example(name).whole, name


@pytest.mark.parametrize(
    "name", ["decimate", "denoise", "drop_hot_pixels", "drop_pixels", "drop_random_pixels", "integrate", "refractory"]
)
def test_a_sensor_too_large_to_look_at_each_pixel_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="crop it first"):
        example(name)(Events([1], [2], [3], [1], (65536, 65536)))


def test_augmented_events_are_these_on_every_platform() -> None:
    """The draws and their arithmetic, fixed: a change here changes what a seed means."""
    n = np.arange(400)
    events = Events(np.cumsum(n * n % 7), n * 5 % 12, n * n % 10, n // 3 % 2, (12, 10))
    digests = {name: digest(example(name)(events)) for name in FILTERS if example(name).seeded}
    assert digests == DIGESTS


DIGESTS = {
    "drop_area": "2f49d93c48934775",
    "drop_events": "80bb1595f3426423",
    "drop_random_pixels": "ca4e5b10a42ae901",
    "drop_time": "f4fcec6af18efeaa",
    "event_drop": "da022bd6c41017aa",
    "random_crop": "5621712ae223ede5",
    "random_flip_left_right": "b303a3d1589d4a8f",
    "random_flip_polarity": "7752b1fd7ec14414",
    "random_flip_up_down": "26c22324ebd004b7",
    "random_time_reversal": "ad253b7ec9dbbbcc",
    "random_time_scale": "7e932b8ae4db1afe",
    "space_jitter": "a631302eed74d078",
    "time_jitter": "6d21774fc09a4cc9",
    "uniform_noise": "7753480a6c01cab2",
}


def test_a_written_filter_is_the_function_with_those_parameters() -> None:
    events = random_events(0, 300)
    assert parse_filter("denoise")(events) == denoise(events)
    assert parse_filter(" denoise:window_us=5_0 , neighbours=8")(events) == denoise(events, 50, neighbours=8)
    assert parse_filter("drop_pixels:pixels=3x4+11x9")(events) == drop_pixels(events, [(3, 4), (11, 9)])


def test_a_reader_may_use_its_memory_again_for_the_next_part() -> None:
    events = random_events(0, 300)

    def reused() -> Iterator[Events]:
        columns = [column[:100].copy() for column in (events.t, events.x, events.y, events.p)]
        for start in (0, 100, 200):
            for column, source in zip(columns, (events.t, events.x, events.y, events.p), strict=True):
                column[:] = source[start : start + 100]
            yield Events.unchecked(*columns, events.sensor_size)

    assert joined(list(parse_filter("reverse_time").parts(reused()))) == example("reverse_time")(events)


def test_a_chain_runs_in_its_order_over_parts() -> None:
    events = random_events(0, 300)
    chain = [
        parse_filter(text) for text in ("denoise:window_us=200", "crop:left=1,top=1,width=9,height=9", "reverse_time")
    ]
    parts = filter_parts([events[:100], events[100:]], chain)
    assert joined(list(parts)) == chain[2](crop(denoise(events, 200), 1, 1, 9, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("denoize", r"got 'denoize'; did you mean denoise\?"),
        ("zzz", "got 'zzz'; there are center_crop, crop"),
        ("", "expected the name of a filter"),
        ("denoise:window=5", "got 'window'; it takes window_us, mode, neighbours"),
        ("denoise:memory=5", "got 'memory'; it takes window_us"),
        ("denoise:5", "denoise:key=value,key=value, got '5'"),
        ("denoise:window_us=5ms", "window_us of denoise as a whole number, got '5ms'"),
        ("denoise:window_us=5,window_us=6", "window_us of denoise once"),
        ("crop:left=1,top=1", "crop with width, height; it takes left, top, width, height"),
        ("flip_left_right:x=1", "got 'x'; it takes none"),
        ("reverse_time:flip_polarities=1", "as true or false, got '1'"),
        ("scale_time:factor=fast", "factor of scale_time as a number, got 'fast'"),
        ("drop_pixels:pixels=1x2+3", r"as XxY\+XxY, for example 18x30\+7x15, got '1x2\+3'"),
        ("time_jitter:distance_us=5", "time_jitter with seed"),
    ],
)
def test_what_is_written_wrong_is_answered_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_filter(text)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_writes_itself_as_it_is_read_and_survives_a_pickle(name: str) -> None:
    step = example(name)
    assert parse_filter(str(step)) == step == pickle.loads(pickle.dumps(step))


def test_the_recordings_of_a_set_have_seeds_of_their_own() -> None:
    step = parse_filter("drop_events:share=0.5,seed=3")
    seeds = {step.for_recording(name).parameters["seed"] for name in ("0/1.bin", "0/2.bin")}
    assert len(seeds | {3}) == 3
    assert step.for_recording("0/1.bin") == step.for_recording("0/1.bin")
    assert parse_filter("denoise").for_recording("0/1.bin") == parse_filter("denoise")


def test_the_list_says_how_each_is_written() -> None:
    lines = describe_filters().splitlines()
    assert len(lines) == len(FILTERS)
    assert any(line.startswith("denoise:window_us=10000,mode=corrected,neighbours=4  Keep an event") for line in lines)
    assert any(line.startswith("time_slice:[start_us],[stop_us]  ") for line in lines)
    assert all(line.endswith("Holds the whole recording.") == (line.split(":")[0] in WHOLE) for line in lines)
