"""The text at the head of Prophesee's files: lines "% keyword value", up to "% end" or to the first that is no text.

A RAW file names its encoding there ("% format EVT3;height=720;width=1280", before 2023 "% evt 3.0"), a DAT file its
version. "% end" is younger than many files, and data may begin with "%" too; so a line counts only if it is text, and
the writers here always end with "% end". Source: docs.prophesee.ai, "RAW File Format", "DAT File Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from event_tools.errors import EventFileError
from event_tools.formats.blocks import read_at

LIMIT = 1 << 16  # bytes that a head may have
END = b"\n% end\n"
FORMATS = {"EVT2": "evt2", "EVT21": "evt21", "EVT3": "evt3"}  # the names in the head to ours
VERSIONS = {"2.0": "evt2", "2.1": "evt21", "3.0": "evt3"}
SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
# Cameras whose files did not yet say their size, by "system_ID"; source: prophesee-ai/openeb, psee_raw_file_header.cpp.
GEN3, GEN4 = (640, 480), (1280, 720)
SYSTEMS = dict.fromkeys((0x1D, 0x21, 0x22, 0x23, 0x28, 0x29), GEN3) | dict.fromkeys(
    (0x1E, 0x1F, 0x20, 0x27, 0x2E, 0x30, 0x31, 0x32), GEN4
)
CAMERA = ("system_ID", "serial_number", "plugin_name", "firmware_version")


@dataclass(frozen=True)
class Head:
    """The lines of a head by keyword, and the byte at which the data begin."""

    fields: dict[str, str] = field(default_factory=dict)
    end: int = 0

    @property
    def encoding(self) -> str | None:
        """evt2, evt21 or evt3, what else the file calls itself, or None."""
        if "format" in self.fields:
            name = self.fields["format"].split(";")[0].strip()
            return FORMATS.get(name.upper(), name[:40])
        version = self.fields.get("evt")
        return None if version is None else VERSIONS.get(version, f"evt {version[:40]}")

    @property
    def options(self) -> dict[str, str]:
        """What follows the encoding's name: height, width, endianness."""
        parts = self.fields.get("format", "").split(";")[1:]
        return {key.strip().lower(): value.strip() for key, _, value in (part.partition("=") for part in parts)}

    @property
    def endianness(self) -> str | None:
        """How the bytes of EVT 2.1 are ordered, as cameras and others say it."""
        return self.options.get("endianness", self.fields.get("endianness"))

    @property
    def by_camera(self) -> bool:
        """Whether a camera recorded the file; its first words may then belong to what came before the recording."""
        return any(key in self.fields for key in CAMERA)


def parse(data: bytes) -> Head:
    """The head of a file that begins with `data`; whatever is no whole line of text is left to the data."""
    fields: dict[str, str] = {}
    at = 0
    while data[at : at + 1] == b"%" and (stop := data.find(b"\n", at)) >= 0:
        line = _text(data[at + 1 : stop])
        if line is None:
            break
        at = stop + 1
        key, _, value = line.strip().partition(" ")
        if key == "end":
            break
        fields.setdefault(key, value.strip())
    return Head(fields, at)


def read_head(file: BinaryIO, path: Path, name: str) -> Head:
    """The head of a file that is to be read as `name`; raises EventFileError for a damaged or another one."""
    data = read_at(file, 0, LIMIT).tobytes()
    head = parse(data)
    ended = data[: head.end].endswith(END)
    if not ended and (END in data[head.end :] or _cut(data[head.end :])):
        raise EventFileError(path, "expected its head to be lines of text that begin with %", head.end)
    encoding = head.encoding
    if encoding not in (None, name) and (name != "dat" or encoding in FORMATS.values()):
        known = f"; say format={encoding!r}" if encoding in FORMATS.values() else ""
        raise EventFileError(path, f"expected {name} data, its head says {encoding!r}{known}")
    version = head.fields.get("evt")
    if name != "dat" and version is not None and VERSIONS.get(version) != name:
        raise EventFileError(path, f"expected one encoding in its head, got {encoding} and evt {version[:40]!r}")
    return head


def sensor_size(head: Head, path: Path) -> tuple[int, int] | None:
    """(width, height) as the head says, by its camera where it does not; raises EventFileError for contradictions."""
    found = []
    if "geometry" in head.fields:
        match = SIZE.fullmatch(head.fields["geometry"])
        found.append((match[1], match[2]) if match else (head.fields["geometry"], ""))
    for table, width, height in (
        (head.options, "width", "height"),
        (head.fields, "Width", "Height"),
        (head.fields, "width", "height"),
    ):
        if width in table or height in table:
            found.append((table.get(width, ""), table.get(height, "")))
    if not found:
        system = head.fields.get("system_ID", "")
        return SYSTEMS.get(int(system)) if system.isascii() and system.isdigit() and len(system) < 5 else None
    sizes = {tuple(int(side) if re.fullmatch("[0-9]{1,5}", side) else 0 for side in size) for size in found}
    if len(sizes) > 1 or not all(0 < side <= 65536 for size in sizes for side in size):
        told = ", ".join("x".join(side[:40] for side in size if side) for size in found)
        raise EventFileError(path, f"expected one sensor size of 1 to 65536 pixels a side in its head, got {told}")
    width, height = sizes.pop()
    return width, height


def origin_us(head: Head, path: Path) -> int:
    """What faery took from all times before it wrote them: "% t0" in RAW files, "% T0" in DAT; 0 elsewhere."""
    told = head.fields.get("t0", head.fields.get("T0", "0"))
    if not re.fullmatch("[0-9]{1,18}", told):
        raise EventFileError(path, f"expected microseconds as t0 in its head, got {told[:40]!r}")
    return int(told)


def head_of(encoding: str, size: tuple[int, int], endianness: str | None = None) -> bytes:
    """The head of a RAW file, as cameras write it."""
    name = next(key for key, value in FORMATS.items() if value == encoding)
    version = next(key for key, value in VERSIONS.items() if value == encoding)
    line, order = (f"% endianness {endianness}\n", f"endianness={endianness};") if endianness else ("", "")
    width, height = size
    kind = f"{name};{order}height={height};width={width}"
    return f"{line}% evt {version}\n% format {kind}\n% geometry {width}x{height}\n% end\n".encode()


def _text(line: bytes) -> str | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    return text if text.rstrip("\r").replace("\t", " ").isprintable() else None


def _cut(rest: bytes) -> bool:
    """Whether what follows the last whole line is the beginning of another."""
    return rest[:1] == b"%" and b"\n" not in rest and len(rest) < LIMIT and _text(rest) is not None
