"""Reads XML that a project's own tools wrote, which is untrusted: no entities, no outside references."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from sealane.errors import ReportUnreadable


def parse(text: str, name: str) -> ET.Element:
    """The root element. Raises ReportUnreadable when `text` is not plain XML."""
    if "<!ENTITY" in text:
        raise ReportUnreadable(f"{name} declares entities, which no report needs", hint="Look at what wrote it.")
    try:
        return ET.fromstring(text)  # noqa: S314 - entities are refused above
    except ET.ParseError as error:
        raise ReportUnreadable(f"{name} is not valid XML: {error}", hint="Look at what wrote it.") from None
