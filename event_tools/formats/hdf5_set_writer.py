"""Writes many labelled recordings into one HDF5 file, one after the other; the layout stands in `hdf5_sets`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.hdf5_output import Batches, Output, Table
from event_tools.formats.hdf5_sets import MARK, VERSION
from event_tools.formats.hdf5_values import refuse_far
from event_tools.naming import natural
from event_tools.provenance import Plain

CHUNK = 1 << 14  # events; a few recordings of N-MNIST, since each is read by itself
BATCH_CHUNKS = 32
NAME_BYTES = 1000
EMPTY = tuple(np.empty(0, dtype) for dtype in (np.int64, np.uint16, np.uint16, np.uint8))


class SetWriter:
    """An open set at `temporary`, which is there and empty; errors speak of `path`.

    classes: what labels mean, in order; None takes the labels that come, in natural order. The bytes depend on the
    recordings alone.
    """

    def __init__(
        self, temporary: Path, path: Path, classes: Sequence[str] | None, provenance: Mapping[str, Plain]
    ) -> None:
        self.path, self.classes = path, None if classes is None else [str(name) for name in classes]
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise EventFileError(path, "expected classes with different names")
        self.output = Output(temporary)
        self.output.root.attrs[MARK] = VERSION
        self.output.note(provenance)
        self.table = Table(self.output.root.create_group("events"), {"t": "i8", "x": "u2", "y": "u2", "p": "u1"}, CHUNK)
        self.table.begin()
        self.batches = Batches(CHUNK * BATCH_CHUNKS)
        self.first, self.labels, self.sizes = [0], [], []  # type: ignore[var-annotated]
        self.names: dict[str, None] = {}
        self.told: list[Mapping[str, Plain]] = []

    def add(
        self, label: str | int, parts: Iterable[Events], name: str | None, provenance: Mapping[str, Plain] | None
    ) -> None:
        """The next recording, in parts of one sensor and in order of time."""
        count, size, last = 0, None, None
        for part in parts:
            if part.sensor_size != (size := size or part.sensor_size):
                raise EventFileError(self.path, f"expected parts of one sensor, got {size} and {part.sensor_size}")
            if len(part):
                if last is not None and part.t[0] < last:
                    raise EventFileError(
                        self.path, f"expected parts in order of time, {part.t[0]} us follows {last} us"
                    )
                last = part.t[-1]
                refuse_far(part.t, self.path)
            for batch in self.batches.add(part.t, part.x, part.y, part.p):
                self._write(batch)
                self.output.check()
            count += len(part)
        if size is None:
            raise EventFileError(
                self.path, f"recording {len(self.labels)} has no parts; give an empty one for its sensor"
            )
        text = self._class(label)
        name = f"{text}/{len(self.labels)}" if name is None else name
        if name in self.names or "\0" in name or not 0 < len(_utf8(name)) <= NAME_BYTES:
            raise EventFileError(
                self.path,
                f"expected names that differ, of 1 to {NAME_BYTES} bytes, got {name[:60]!r} again or too long",
            )
        self.names[name] = None
        self.labels.append(text)
        self.sizes.append(size)
        self.told.append(provenance or {})
        self.first.append(self.first[-1] + count)

    def finish(self) -> None:
        """Write what remains, and what is known of each recording."""
        if not self.labels:
            raise EventFileError(self.path, "expected recordings for a set, got none")
        self._write(self.batches.rest(*EMPTY))
        classes = self.classes if self.classes is not None else sorted(set(self.labels), key=natural)
        index = {name: i for i, name in enumerate(classes)}
        root = self.output.root
        if len(set(self.sizes)) == 1:
            root.attrs["width"], root.attrs["height"] = self.sizes[0]
        packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

        def put(name: str, values: object, dtype: object) -> None:
            root.create_dataset(name, data=np.array(values, dtype), track_times=False, **packing)

        put("first", self.first, "u8")
        put("labels", [index[text] for text in self.labels], "i8")
        put("sensor_sizes", np.array(self.sizes, "u4").reshape(-1, 2), "u4")
        self._texts("classes", classes)
        self._texts("names", list(self.names))
        if any(self.told):
            self._texts("provenance", [json.dumps(dict(told), sort_keys=True) if told else "" for told in self.told])
        self.output.finish()

    def close(self) -> None:
        """Let go of the file, finished or not."""
        self.output.close()

    def _write(self, batch: tuple[np.ndarray, ...]) -> None:
        t, x, y, p = batch
        self.table.add({"t": t, "x": x, "y": y, "p": p})

    def _class(self, label: str | int) -> str:
        if self.classes is None:
            return str(label)
        if not isinstance(label, str):
            if not 0 <= label < len(self.classes):
                raise EventFileError(self.path, f"expected labels 0 to {len(self.classes) - 1}, got {label}")
            return self.classes[label]
        if label not in self.classes:
            raise EventFileError(self.path, f"expected labels of {', '.join(self.classes[:20])}, got {label!r}")
        return label

    def _texts(self, name: str, texts: Sequence[str]) -> None:
        """Text of one length, filled up with zeros: no heap, so any reader gets at it fast."""
        import h5py

        encoded = [_utf8(text) for text in texts]
        dtype = h5py.string_dtype("utf-8", max(map(len, encoded), default=0) or 1)
        packing = {"compression": "gzip", "compression_opts": 1}
        self.output.root.create_dataset(name, data=np.array(encoded, dtype), dtype=dtype, track_times=False, **packing)


def _utf8(text: str) -> bytes:
    """A name's bytes; what no text can hold, as names of files may, is replaced."""
    return text.encode("utf-8", "replace")
