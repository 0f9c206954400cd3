"""XML that a project's own tools wrote, which is untrusted: no entities, no outside references; and what may be in it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from sealane.errors import ReportUnreadable

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(text: str, name: str) -> ET.Element:
    """The root element. Raises ReportUnreadable when `text` is not plain XML."""
    if "<!ENTITY" in text:
        raise ReportUnreadable(f"{name} declares entities, which no report needs", hint="Look at what wrote it.")
    try:
        return ET.fromstring(text)  # noqa: S314 - entities are refused above
    except ET.ParseError as error:
        raise ReportUnreadable(f"{name} is not valid XML: {error}", hint="Look at what wrote it.") from None


def printable(text: str) -> str:
    """Without the control characters that XML can't hold, such as those of terminal colours."""
    return _NOT_XML.sub("\ufffd", text)
