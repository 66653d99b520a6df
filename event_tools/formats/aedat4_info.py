"""The XML of an AEDAT 4 header: what each stream holds, its sensor, and where the recording comes from.

DV writes a tree of nodes with typed attributes; a stream is a node named by its number, with a child "info".
Provenance lies beside the sensor's size in "info", its keys marked by a prefix, its types kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from event_tools.provenance import Plain

PREFIX = "provenance_"
ROOT = "/mainloop/Recorder/outInfo/"
LABELS = {"none": "NONE", "lz4": "LZ4", "zstd": "ZSTD"}
MAX_SIDE = 1 << 15  # coordinates are signed 16-bit


@dataclass(frozen=True)
class Stream:
    """kind: a FlatBuffer id such as EVTS; sensor_size: (width, height), or None where the file does not say."""

    kind: str
    sensor_size: tuple[int, int] | None


def info_xml(sensor_size: tuple[int, int], compression: str, provenance: Mapping[str, Plain]) -> str:
    """One stream of events, number 0."""
    stream = {
        "compression": LABELS[compression],
        "originalModuleName": "neurogen",
        "originalOutputName": "events",
        "typeDescription": "Array of events (polarity ON/OFF).",
        "typeIdentifier": "EVTS",
    }
    width, height = sensor_size
    size = f'<attr key="sizeX" type="int">{width}</attr><attr key="sizeY" type="int">{height}</attr>'
    about = {"source": "neurogen", "tsOffset": 0} | {PREFIX + key: value for key, value in provenance.items()}
    return (
        f'<dv version="2.0"><node name="outInfo" path="{ROOT}"><node name="0" path="{ROOT}0/">{_attributes(stream)}'
        f'<node name="info" path="{ROOT}0/info/">{size}{_attributes(about)}</node></node></node></dv>'
    )


def parse_info(xml: str) -> tuple[dict[int, Stream], dict[str, Plain]]:
    """The streams by number, and the provenance; raises ValueError."""
    from xml.etree import ElementTree

    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ValueError("its XML declares entities, which are refused")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError(f"its XML cannot be read, {error}") from None
    streams: dict[int, Stream] = {}
    provenance: dict[str, Plain] = {}
    for node in root.iter("node"):
        kind = next((attr.text for attr in node.findall("attr") if attr.get("key") == "typeIdentifier"), None)
        number = _whole(node.get("name", ""))
        if number is None or kind is None:
            continue
        about = {attr.get("key", ""): (attr.get("type", ""), attr.text or "") for attr in node.findall("node/attr")}
        sides = tuple(_whole(about.get(key, ("", ""))[1]) for key in ("sizeX", "sizeY"))
        known = all(side is not None and 0 < side <= MAX_SIDE for side in sides)
        streams[number] = Stream(kind, sides if known else None)  # type: ignore[arg-type]
        for key, (type_name, text) in about.items():
            if key.startswith(PREFIX):
                provenance[key.removeprefix(PREFIX)] = _value(type_name, text)
    return streams, provenance


def _attributes(values: Mapping[str, Plain]) -> str:
    from xml.sax.saxutils import escape, quoteattr

    typed = ((key, *_typed(value)) for key, value in values.items())
    return "".join(f'<attr key={quoteattr(key)} type="{kind}">{escape(text)}</attr>' for key, kind, text in typed)


def _typed(value: Plain) -> tuple[str, str]:
    if isinstance(value, bool):
        return "bool", str(value).lower()
    if isinstance(value, str):
        return "string", value
    return ("long", str(value)) if isinstance(value, int) else ("double", repr(value))


def _value(type_name: str, text: str) -> Plain:
    if type_name == "bool":
        return text == "true"
    if type_name in ("int", "long"):
        return int(text)
    return float(text) if type_name == "double" else text


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
