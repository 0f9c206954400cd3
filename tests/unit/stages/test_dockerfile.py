"""What a Dockerfile says about starting its image."""

import pytest

from sealane.stages import dockerfile

GUIDE = """# Runtime
FROM python:3.11-slim as builder
HEALTHCHECK CMD never
FROM python:3.11-slim as runtime
RUN apt-get update && apt-get install -y \\
    curl \\
    # a comment inside
    dumb-init
HEALTHCHECK --interval=30s --timeout=10s --start-period=40s --retries=3 \\
    CMD curl -f http://localhost:8000/health || exit 1
CMD ["uvicorn"]
"""


def test_the_last_stages_health_check():
    facts = dockerfile.read(GUIDE)
    check = facts.healthcheck
    assert check == dockerfile.Healthcheck(("curl -f http://localhost:8000/health || exit 1",), True, 30, 10, 40, 3)
    assert check.url == (8000, "/health")
    assert dockerfile.read(GUIDE, "builder").healthcheck.command == ("never",)


@pytest.mark.parametrize(
    ("text", "check", "ports"),
    [
        ("FROM a\nHEALTHCHECK NONE\n", None, ()),
        ('FROM a\nEXPOSE 80/tcp 443 53/udp\nHEALTHCHECK CMD ["true"]\n', ("true",), (80, 443)),
        ("FROM a AS b\nHEALTHCHECK CMD x\nEXPOSE 9\nFROM b\n", ("x",), (9,)),
        ("FROM a\nRUN <<EOT\nHEALTHCHECK CMD no\nEOT\n", None, ()),
        ("# escape=`\nFROM a\nHEALTHCHECK `\n  CMD x\n", ("x",), ()),
        ("", None, ()),
    ],
)
def test_other_forms(text, check, ports):
    facts = dockerfile.read(text)
    assert (facts.healthcheck.command if facts.healthcheck else None) == check
    assert facts.ports == ports


def test_durations():
    assert dockerfile.seconds("1m30s") == 90
    assert dockerfile.seconds("500ms") == 0.5
