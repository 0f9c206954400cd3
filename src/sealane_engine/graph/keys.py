"""The one key function: what an operation is, as canonical JSON, and the digest of that.

In the key: what changes the result. Not in it: how we run it (root or rootless, which backend), names, labels,
progress, proxies, mirrors, the host's certificates. The JSON is stored beside every result, so that two can be compared.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

from sealane_engine.graph.operation import Action, Copy, CopyFiles, Exec, WriteFile

KEY_VERSION = 1


@dataclass(frozen=True, slots=True)
class Key:
    """`digest` names the result; `inputs` is the JSON that it is the digest of."""

    digest: str
    inputs: dict[str, Any]


def make_key(kind: str, inputs: dict[str, Any]) -> Key:
    full = {"kind": kind, "version": KEY_VERSION, **inputs}
    return Key(digest_of(full), full)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: Any) -> str:
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def action_inputs(action: Action) -> dict[str, Any]:
    """An edit's own part of the key; the source of a copy is added by content."""
    inputs: dict[str, Any] = {"action": type(action).__name__}
    for each in fields(action):
        value = getattr(action, each.name)
        if isinstance(action, Copy | CopyFiles) and each.name in ("source", "line"):
            continue
        if isinstance(action, WriteFile) and each.name == "data":
            value = "sha256:" + hashlib.sha256(value).hexdigest()
        inputs[each.name] = value
    return inputs


def step_inputs(step: Exec) -> dict[str, Any]:
    """A step's own part of the key; root, mounts, services and secrets are added by who knows their keys."""
    return {
        "args": step.args,
        "env": step.env,
        "volatile": [name for name, _ in step.volatile_env],
        "cwd": step.cwd,
        "user": step.user,
        "stdin": step.stdin,
        "redirect": [step.redirect_stdin, step.redirect_stdout, step.redirect_stderr],
        "expect": step.expect,
        "nested": step.nested,
        "privileged": step.privileged,
        "no_init": step.no_init,
        "platform": step.platform,
        **({"network": step.network} if step.network else {}),
    }
