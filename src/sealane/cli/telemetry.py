"""Whether a run is told to an OpenTelemetry collector: OTEL_EXPORTER_OTLP_ENDPOINT and its kin, as Dagger reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane.cli.otlp import Exporter

_PREFIX = "OTEL_EXPORTER_OTLP"
_PROTOCOL = "http/protobuf"


def exporter(environ: Mapping[str, str]) -> Exporter | None:
    """Where the engine's events go besides the screen; None, and nothing imported, when no collector is named."""
    signals = {signal for signal in ("traces", "logs") if _wanted(environ, signal)}
    if not signals:
        return None
    from sealane.cli.otlp import Exporter

    try:
        return Exporter(environ, signals)
    except ValueError as error:  # OpenTelemetry's SDK reads its variables itself
        print(f"telemetry: nothing is sent: an OTEL_ variable can't be read: {error}", file=sys.stderr)
        return None


def _wanted(environ: Mapping[str, str], signal: str) -> bool:
    own = f"{_PREFIX}_{signal.upper()}"
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not (environ.get(f"{_PREFIX}_ENDPOINT") or environ.get(f"{own}_ENDPOINT")):
        return False
    if environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp") != "otlp":
        return False
    protocol = environ.get(f"{own}_PROTOCOL") or environ.get(f"{_PREFIX}_PROTOCOL") or _PROTOCOL
    if protocol != _PROTOCOL:
        said = f"telemetry: no {signal} are sent: {_PREFIX}_PROTOCOL is {protocol}, and only {_PROTOCOL} is spoken here"
        print(said, file=sys.stderr)
        return False
    return True
