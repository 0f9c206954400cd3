"""Runs inside a container: uploads a coverage report to Codecov, in the four requests that its own command line makes.

codecov.py REPORT FILES URL SERVICE SLUG COMMIT BRANCH FLAG NAME: FILES lists the project's files, by which Codecov finds
what the report speaks of. The token is in CODECOV_TOKEN; nothing here prints it. Source: github.com/codecov/codecov-cli.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from pathlib import Path

SECONDS = 60
REPORT = "default"


class RefusedError(Exception):
    """Codecov, or its storage, did not take what was sent."""


def send(method: str, url: str, body: bytes, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - Codecov's, or the user's own
    what = f"{method} {url.partition('?')[0]}"
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            text: bytes = answer.read()
            return text.decode()
    except urllib.error.HTTPError as error:
        raise RefusedError(f"{what} answered {error.code}: {error.read(500).decode(errors='replace')}") from None
    except OSError as error:
        raise RefusedError(f"{what}: {getattr(error, 'reason', error)}") from None


def post(url: str, data: Mapping[str, object], token: str) -> str:
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    return send("POST", url, json.dumps(data).encode(), headers)


def encoded(slug: str) -> str:
    """`group/owner/name` as Codecov writes it into an address."""
    owner, _, name = slug.rpartition("/")
    return f"{owner.replace('/', ':::')}::::{name}"


def payload(report: bytes, files: list[str]) -> dict[str, object]:
    data = base64.b64encode(zlib.compress(report)).decode()
    return {
        "report_fixes": {"format": "legacy", "value": {}},
        "network_files": files,
        "coverage_files": [{"filename": "coverage.xml", "format": "base64+compressed", "data": data, "labels": ""}],
        "metadata": {},
    }


def upload(
    report: bytes, files: list[str], url: str, service: str, slug: str, commit: str, branch: str, flag: str, name: str
) -> str:
    """Where the result can be seen."""
    token = os.environ["CODECOV_TOKEN"]
    commits = f"{url.rstrip('/')}/upload/{service}/{encoded(slug)}/commits"
    about = {"commitid": commit, "branch": branch, "parent_commit_id": None, "pullid": None}
    post(commits, about, token)
    post(f"{commits}/{commit}/reports", {"code": REPORT}, token)
    data = {"flags": [flag], "name": name, "env": {}, "version": "sealane"}
    text = post(f"{commits}/{commit}/reports/{REPORT}/uploads", data, token)
    try:
        answer = json.loads(text)
        place = answer["raw_upload_location"]
    except (ValueError, KeyError, TypeError):
        raise RefusedError(f"Codecov gave no place to upload to, but: {text[:500]}") from None
    send("PUT", place, json.dumps(payload(report, files)).encode(), {})
    return str(answer.get("url") or "Codecov")


def main(report: str, files: str, *about: str) -> int:
    content, names = Path(report).read_bytes(), Path(files).read_text().splitlines()
    try:
        place = upload(content, names, *about)
    except RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{place}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
