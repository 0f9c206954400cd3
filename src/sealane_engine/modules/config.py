"""dagger.json, the files that Dagger 1.0 has instead, and what a Python module's project says about how it runs."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane_engine.errors import InvalidInput

FILE = "dagger.json"
TOML = "dagger-module.toml"
"""What 1.0 has for a module. It is read, never written."""
WORKSPACE = "dagger.toml"
"""What 1.0 has for a repository: its modules, one of which may be what a call there means."""
FILES = (FILE, TOML)
CATALOG = ((3, 11), (3, 13))
OLDEST = (3, 10)
"""What dagger-io needs."""


@dataclass(frozen=True, slots=True)
class Customization:
    """Other defaults for an argument of a toolchain. `function` is a path of names; empty: the constructor."""

    argument: str
    function: tuple[str, ...] = ()
    default: str | None = None
    default_path: str = ""
    default_address: str = ""
    ignore: tuple[str, ...] = ()

    @property
    def key(self) -> list[Any]:
        return [*self.function, self.argument, self.default, self.default_path, self.default_address, *self.ignore]


@dataclass(frozen=True, slots=True)
class Dependency:
    """A module that another one names: under which name, where it is, and at which commit."""

    name: str
    source: str
    pin: str = ""
    customizations: tuple[Customization, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """A module's file. `source` is relative to its directory; `include` are patterns, those with `!` exclude."""

    name: str
    sdk: str
    source: str = "."
    engine_version: str = ""
    include: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    toolchains: tuple[Dependency, ...] = ()
    caches: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """A workspace's module that a call there means. `settings` are defaults for its constructor, as text."""

    name: str
    source: str
    pin: str = ""
    settings: tuple[tuple[str, str], ...] = ()


def find(start: Path, names: tuple[str, ...] = FILES) -> Path | None:
    """The first file of these names in `start`, or in a directory above it."""
    places = (folder / name for folder in (start, *start.parents) for name in names)
    return next((place for place in places if place.is_file()), None)


def git_root(start: Path) -> Path | None:
    """The working copy that `start` is in."""
    return next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), None)


def parse_config(data: bytes, path: str) -> ModuleConfig:
    """Read a module's file; `path` is its name, as errors call it. Raises InvalidInput (`bad-module-config`)."""
    table = _toml_module(data, path) if path.endswith(TOML) else _json(data, path)
    if not isinstance(table, dict) or not isinstance(table.get("name"), str) or not table["name"]:
        raise InvalidInput(f'{path} has no "name"', reason="bad-module-config", hint="give the module a name")
    sdk = table.get("sdk")
    source = table.get("source") or "."
    if ".." in Path(source).parts or Path(source).is_absolute():
        raise InvalidInput(f"{path}: source {source!r} leaves the module", reason="bad-module-config")
    return ModuleConfig(
        name=table["name"],
        sdk=str(sdk.get("source", "") if isinstance(sdk, dict) else sdk or ""),
        source=source,
        engine_version=str(table.get("engineVersion") or ""),
        include=(*map(str, table.get("include") or ()), *(f"!{each}" for each in table.get("exclude") or ())),
        dependencies=_dependencies(table, "dependencies", path),
        toolchains=_dependencies(table, "toolchains", path),
        caches=not table.get("disableDefaultFunctionCaching"),
    )


def parse_workspace(data: bytes, path: str) -> Entry | None:
    """The entry point that a dagger.toml names, if it names one. Raises InvalidInput (`bad-module-config`)."""
    table = _toml(data, path).get("modules", {})
    modules = table if isinstance(table, dict) else {}
    entries = [(name, each) for name, each in modules.items() if isinstance(each, dict) and each.get("entrypoint")]
    if not entries:
        return None
    if len(entries) > 1:
        names = ", ".join(name for name, _ in entries)
        raise InvalidInput(f"{path} has several entry points: {names}", reason="bad-module-config", hint="leave one")
    name, each = entries[0]
    if not isinstance(each.get("source"), str) or not each["source"]:
        raise InvalidInput(f'{path}: module "{name}" has no "source"', reason="bad-module-config")
    settings = each.get("settings") or {}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return Entry(name, each["source"], str(each.get("pin") or ""), tuple(texts.items()))


def _json(data: bytes, path: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}", reason="bad-module-config") from None


def _toml(data: bytes, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}", reason="bad-module-config") from None


def _toml_module(data: bytes, path: str) -> dict[str, Any]:
    """1.0's file as a dagger.json would say it."""
    table = _toml(data, path)
    for name in ("sdk", "blueprint", "toolchains"):
        if name in table:
            instead = "it is [runtime] there" if name == "sdk" else "it belongs into dagger.toml"
            raise InvalidInput(f'{path} has "{name}": {instead}', reason="bad-module-config")
    return {**table, "sdk": table.get("runtime")}


def _dependencies(table: dict[str, Any], key: str, path: str) -> tuple[Dependency, ...]:
    found = []
    for each in table.get(key) or ():
        if not isinstance(each, dict) or not each.get("source"):
            raise InvalidInput(f'{path}: an entry of "{key}" has no "source"', reason="bad-module-config")
        custom = tuple(_customization(one, path) for one in each.get("customizations") or ())
        found.append(Dependency(str(each.get("name") or ""), str(each["source"]), str(each.get("pin") or ""), custom))
    return tuple(found)


def _customization(given: Any, path: str) -> Customization:
    if not isinstance(given, dict) or not given.get("argument"):
        raise InvalidInput(f'{path}: a customization has no "argument"', reason="bad-module-config")
    function = given.get("function") or ()
    return Customization(
        str(given["argument"]),
        tuple(map(str, [function] if isinstance(function, str) else function)),
        None if given.get("default") is None else str(given["default"]),
        str(given.get("defaultPath") or ""),
        str(given.get("defaultAddress") or ""),
        tuple(map(str, given.get("ignore") or ())),
    )


@dataclass(frozen=True, slots=True)
class Project:
    """What pyproject.toml and its neighbours say. `requirements` is the text of what to install, one per line."""

    package: str
    image: str
    requirements: str
    locked: bool
    src: str
    main_object: str = ""


def read_project(files: dict[str, bytes], name: str) -> Project:
    """From the contents of pyproject.toml, requirements.lock, uv.lock and .python-version, where they exist.

    `files` may also name `src/`, with any content, when the project has that directory.
    """
    try:
        toml: dict[str, Any] = tomllib.loads(files.get("pyproject.toml", b"").decode())
        lock: dict[str, Any] = tomllib.loads(files.get("uv.lock", b"").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the module's project can't be read: {error}", reason="bad-module-project") from None
    project = toml.get("project", {})
    declared = [str(each) for each in project.get("dependencies", ())]
    if "requirements.lock" in files:
        requirements, locked = _without_paths(files["requirements.lock"].decode()), True
    elif lock:
        requirements, locked = _from_uv_lock(lock, project.get("name", name)), True
    else:
        requirements, locked = "\n".join(each for each in declared if not _is_client(each)), False
    entry = project.get("entry-points", {}).get("dagger.mod", {}).get("main_object", "")
    wanted = toml.get("tool", {}).get("dagger", {}).get("base-image", "")
    return Project(
        package=str(project.get("name", "main")).replace("-", "_"),
        image=wanted or f"python:{_version(files, str(project.get('requires-python', '')))}-slim",
        requirements=requirements + "\n" if requirements else "",
        locked=locked,
        src="src" if "src/" in files else ".",
        main_object=entry,
    )


def brings_client(requirements: str) -> bool:
    """Whether the requirements have dagger-io among them."""
    return any(_is_client(line) for line in requirements.splitlines())


def _is_client(requirement: str) -> bool:
    return re.match(r"dagger[-_.]io\b", requirement.strip(), re.IGNORECASE) is not None


def _version(files: dict[str, bytes], requires: str) -> str:
    """`.python-version`, else the least that `requires-python` allows: of the catalog, if it has one."""
    pinned = re.search(r"\d+\.\d+", files.get(".python-version", b"").decode(errors="replace"))
    if pinned:
        return pinned[0]
    bounds = [(int(a), int(b)) for a, b in re.findall(r"(?:>=|~=|==)\s*(\d+)\.(\d+)", requires)]
    least = max([OLDEST, *bounds]) if bounds else CATALOG[-1]
    below = [(int(a), int(b)) for a, b in re.findall(r"<\s*(\d+)\.(\d+)", requires)]
    fitting = [each for each in CATALOG if each >= least and all(each < limit for limit in below)]
    major, minor = fitting[0] if fitting else least
    return f"{major}.{minor}"


def _without_paths(text: str) -> str:
    """A lock without what it installs from the module's own directory (`-e ./sdk`)."""
    kept = [line for line in text.splitlines() if not re.match(r"\s*(-e\s+|--editable[ =])?\.{0,2}/", line)]
    return "\n".join(line for line in kept if not re.match(r"\s*(-e\s+)\.", line)).strip()


def _from_uv_lock(lock: dict[str, Any], root: str) -> str:
    """The packages that the root package needs, at their locked versions."""
    packages = {each["name"]: each for each in lock.get("package", ())}
    wanted: dict[str, str] = {}
    waiting = [root.lower().replace("_", "-").replace(".", "-")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        package = packages.get(name)
        if package is None or name in seen:
            continue
        seen.add(name)
        waiting.extend(each["name"] for each in package.get("dependencies", ()))
        if "registry" in package.get("source", {}):
            wanted[name] = f"{name}=={package['version']}"
    return "\n".join(wanted[name] for name in sorted(wanted))
