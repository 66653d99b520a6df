"""Data sets as arrays of the model's size and range. `open_data` is the way in."""

from neurogen.data.choosing import classes_in_turn
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData
from neurogen.data.loading import EventDataset, FrameDataset
from neurogen.data.opening import Data, describe_data, open_data
from neurogen.data.padding import EventBatch, FrameBatch, pad_events, pad_frames
from neurogen.data.recordings import RecordingData
from neurogen.data.scaling import Scaling

__all__ = [
    "Data",
    "DataError",
    "EventBatch",
    "EventDataset",
    "FrameBatch",
    "FrameDataset",
    "ImageData",
    "RecordingData",
    "Scaling",
    "classes_in_turn",
    "describe_data",
    "open_data",
    "pad_events",
    "pad_frames",
]
