"""Write docs/api.md: every field of the schema, and whether the embedded engine implements it.

python tools/api_state.py            write the page
python tools/api_state.py --check    exit with 1 if the page is not what the code says
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sealane_engine.api.table import table  # noqa: E402
from sealane_engine.protocol.schema import CURRENT, Schema  # noqa: E402

PAGE = ROOT / "docs/api.md"
HEAD = """\
# What the embedded engine implements

Made by `python tools/api_state.py` from the code; a test keeps it true. The whole schema of Dagger {version} is served:
a field that is not implemented answers with an error that names it and says what to use (`reason` "unsupported"), and
nothing of it is done. Only what pipelines rarely use may be missing: agents, GPUs, volumes of other machines, terminals
of directories and services, single entries of the cache, and what changes a module's toolchains, blueprint and clients. `id` and `node` are every object's, and are left out here, as are the `load…FromID` fields of old clients: all answer.

{done} of {all} fields are implemented.

| type | implemented | answers "not implemented" |
|---|---|---|
"""

RARE_TYPES = frozenset(
    {"Binding", "Cloud", "EngineCacheEntry", "Env", "LLM", "LLMTokenUsage", "ModuleConfigClient", "Terminal", "Volume"}
)
RARE_FIELDS = frozenset(
    {
        ("Address", "volume"),
        *(("Container", name) for name in ("experimentalWithAllGPUs", "experimentalWithGPU", "withMountedVolume")),
        ("Directory", "terminal"),
        ("EngineCacheEntrySet", "entries"),
        ("Host", "containerImage"),
        *(("ModuleSource", name) for name in ("blueprint", "configClients")),
        *(("Query", name) for name in ("cloud", "env", "llm", "sshfsVolume")),
        ("Service", "terminal"),
    }
)
"""What may be missing; of ModuleSource, also all that changes its configuration (`with…`)."""


def missing(owner: str, names: list[str]) -> list[str]:
    """Of the names that aren't implemented, those that should be."""
    return [
        f"{owner}.{name}"
        for name in names
        if owner not in RARE_TYPES
        and (owner, name) not in RARE_FIELDS
        and not (owner == "ModuleSource" and name.startswith("with"))
    ]


def page() -> str:
    """The page as the code is now."""
    schema, implemented = Schema.load(CURRENT), table()
    rows, done, every = [], 0, 0
    for owner in sorted(name for name in schema.types if schema.kind(name) == "OBJECT"):
        fields = [name for name in schema.types[owner].get("f", {}) if not _is_given(schema, owner, name)]
        if not fields:
            continue
        yes = sorted(name for name in fields if (owner, name) in implemented)
        no = sorted(set(fields) - set(yes))
        if lacking := missing(owner, no):
            sys.exit(f"not implemented, and not rare: {' '.join(lacking)}")
        done, every = done + len(yes), every + len(fields)
        rows.append(f"| {owner} | {_list(yes)} | {_list(no)} |")
    return HEAD.format(version="0.21", done=done, all=every) + "\n".join(rows) + "\n"


def _is_given(schema: Schema, owner: str, name: str) -> bool:
    """Whether the protocol itself answers the field."""
    return name == "id" or name.startswith("_") or schema.field(owner, name).loads


def _list(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names) or "none"


def main() -> int:
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print("docs/api.md is up to date" if same else "docs/api.md is stale: run python tools/api_state.py")
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
