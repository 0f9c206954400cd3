"""`sealane verify`: check an image's signature, provenance and SBOMs against the project's policy. No engine is started."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from sealane.attest import keys, registry, verify
from sealane.cli import own
from sealane.cli.gates import read_config
from sealane.cli.options import Options, strip
from sealane.config.image import VerifyConfig
from sealane.errors import ConfigError, NotVerified, UsageError
from sealane_engine.errors import EngineError
from sealane_engine.oci import credentials, hosts


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    parser = argparse.ArgumentParser(
        "sealane verify",
        description="Check an image's signature, provenance and SBOMs. The policy is [tool.sealane.verify].",
    )
    parser.add_argument("ref", help="registry/repository:tag, or …@sha256:…")
    parser.add_argument("--key", type=Path, help="the public key (default: `verify.key`)")
    parser.add_argument("--builder", help="the builder's id (default: `verify.builder`)")
    parser.add_argument("--source", help="a pattern for the source's repository (default: `verify.source`)")
    parser.add_argument("--rebuild", action="store_true", help="build this folder's image too, and name what differs")
    parser.add_argument("-j", "--json", action="store_true", help="the verdict as JSON")
    arguments = parser.parse_args(words)
    project = own.project()
    policy = read_config(project).verify
    given = {name: getattr(arguments, name) for name in ("builder", "source") if getattr(arguments, name)}
    policy = policy.model_copy(update=given)
    key = _key(arguments.key, policy, project)
    where = registry.address(arguments.ref)
    found, verdict = asyncio.run(_verify(where, key, policy, host_of(where, options.environ)))
    _show(verdict, as_json=arguments.json)
    if not verdict.passed:
        reasons = ", ".join(dict.fromkeys(each.reason for each in verdict.problems))
        raise NotVerified(
            f"{arguments.ref} is not what the policy asks for: {reasons}", reason=verdict.problems[0].reason
        )
    if arguments.rebuild:
        from sealane.cli import rebuild

        rebuild.compare(rebuild.Rebuild.of(verdict, project, options.environ), found, verdict, where)
    return 0


async def _verify(
    where: registry.Address, key: keys.PublicKey, policy: VerifyConfig, host: hosts.Host
) -> tuple[verify.Found, verify.Verdict]:
    known = await credentials.find(where.host)
    login = registry.Login(known.user, known.password) if known and known.password else None
    endpoint = f"http://{where.host}" if host.http else ""
    async with registry.Repository(where, login, endpoint=endpoint, trust=host.context()) as repository:
        found = await verify.fetch(repository)
        return found, verify.judge(found, key, policy)


def host_of(where: registry.Address, environ: Mapping[str, str]) -> hosts.Host:
    """How the registry is reached. Mirrors are not asked: what is attached to an image is the registry's own to tell.

    Raises ConfigError (`bad-engine-config`).
    """
    try:
        return hosts.read(hosts.default_path(environ)).get(where.host, hosts.Host())
    except EngineError as error:
        raise ConfigError(error.message, reason=error.reason, hint=error.hint) from None


def _key(given: Path | None, policy: VerifyConfig, project: Path) -> keys.PublicKey:
    path = given or (project / policy.key if policy.key else None)
    if path is None:
        raise UsageError("whose signature? There is no key", reason="no-key", hint="Give --key, or set `verify.key`.")
    try:
        return keys.read(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} can't be read: {error}", reason="bad-key", hint="It is a public key's file."
        ) from None


def _show(verdict: verify.Verdict, *, as_json: bool) -> None:
    if as_json:
        problems = [{"reason": each.reason, "message": each.message} for each in verdict.problems]
        found = {"digest": verdict.digest, "passed": verdict.passed, "problems": problems, **dict(verdict.facts)}
        print(json.dumps(found, indent=4))
        return
    print(verdict.digest)
    for name, value in verdict.facts:
        print(f"{name:<9} {value if value.isprintable() else json.dumps(value)}")
    for each in verdict.problems:
        print(
            f"✘ {each.reason}: {each.message if each.message.isprintable() else json.dumps(each.message)}",
            file=sys.stderr,
        )
    if verdict.passed:
        print("✔ signature, provenance and SBOMs are what the policy asks for")
