"""Sealane's own audit of dependencies: versions in their ecosystems' order, OSV ranges, lock files, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest

from sealane.stages.scripts.audit import __main__ as audit
from sealane.stages.scripts.audit import advisories, locks, severity, versions

ADVISORIES = Path(__file__).parent.parent.parent / "golden" / "advisories"


def affected(*events: dict[str, str], listed: tuple[str, ...] = ()) -> advisories.Affected:
    return advisories.Affected("X-1", frozenset(), "", "HIGH", frozenset(listed), (events,) if events else ())


def run(tmp_path: Path, files: dict[str, str], folder: Path = ADVISORIES) -> dict[str, object]:
    project, output = tmp_path / "project", tmp_path / "audit.json"
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    assert audit.main(str(folder), str(project), str(output), *sorted(files)) == 0
    found: dict[str, object] = json.loads(output.read_text())
    return found


def rows(tmp_path: Path, files: dict[str, str]) -> list[tuple[object, ...]]:
    found = run(tmp_path, files)["vulnerabilities"]
    assert isinstance(found, list)
    return [(v["id"], v["package"], v["version"], v["severity"], v["fixed"][:1], v["file"], v["line"]) for v in found]


@pytest.mark.parametrize(
    ("ecosystem", "texts"),
    [
        ("PyPI", "1.0.dev1 1.0a1 1.0rc2 1.0 1.0.post1 1.1 1.10 1!0.1"),
        ("npm", "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.2.0 1.10.0 2.0.0"),
    ],
)  # fmt: skip
def test_versions_sort_as_their_ecosystem_says(ecosystem: str, texts: str):
    order = texts.split()
    assert sorted([*order[1::2], *order[::2]], key=lambda text: versions.key(ecosystem, text)) == order


def test_build_metadata_and_a_missing_zero_make_no_other_version():
    assert versions.key("npm", "1.2.3+linux") == versions.key("npm", "v1.2.3")
    assert versions.key("PyPI", "1.0") == versions.key("PyPI", "1.0.0")


@pytest.mark.parametrize(("ecosystem", "text"), [("PyPI", "2004d"), ("npm", "latest"), ("npm", "1.2.3.4")])
def test_what_is_no_version_is_said(ecosystem: str, text: str):
    with pytest.raises(versions.NotAVersionError):
        versions.key(ecosystem, text)


@pytest.mark.parametrize(
    ("version", "hit"),
    [("0.1", True), ("2.4", True), ("2.4.1rc1", True), ("2.4.1", False), ("2.9", False), ("3.0", True), ("3.1.2", False)],
)  # fmt: skip
def test_a_range_of_two_parts(version: str, hit: bool):
    parts = affected({"introduced": "3.0"}, {"introduced": "0"}, {"fixed": "3.1.2"}, {"fixed": "2.4.1"})
    assert advisories.concerns(parts, "PyPI", version) is hit


@pytest.mark.parametrize(("version", "hit"), [("0.9", False), ("1.0", True), ("1.4", True), ("1.4.post1", False)])
def test_the_last_affected_version_is_affected(version: str, hit: bool):
    assert advisories.concerns(affected({"introduced": "1.0"}, {"last_affected": "1.4"}), "PyPI", version) is hit


def test_beyond_a_limit_nothing_is_said():
    limited = affected({"introduced": "0"}, {"limit": "2.0.0"})
    assert advisories.concerns(limited, "npm", "1.9.9")
    assert not advisories.concerns(limited, "npm", "2.0.0")


def test_a_list_of_versions_counts_beside_the_ranges():
    listed = affected({"introduced": "5"}, {"fixed": "6"}, listed=("1.0", "2004d"))
    assert advisories.concerns(listed, "PyPI", "1.0.0")
    assert advisories.concerns(listed, "PyPI", "2004d")
    assert not advisories.concerns(listed, "PyPI", "1.1")


def test_an_advisory_without_versions_or_ranges_concerns_all():
    assert advisories.concerns(affected(), "PyPI", "7")


@pytest.mark.parametrize(
    ("kind", "vector", "word"),
    [
        ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CRITICAL"),
        ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "MEDIUM"),
        ("CVSS_V3", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "HIGH"),
        ("CVSS_V3", "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:L", "LOW"),
        ("CVSS_V3", "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:N", "LOW"),
        ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P", "HIGH"),
        ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:N/A:N", "MEDIUM"),
        ("CVSS_V2", "AV:L/AC:H/Au:S/C:P/I:N/A:N", "LOW"),
        ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "CRITICAL"),
        ("CVSS_V4", "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "HIGH"),
        ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", "MEDIUM"),
        ("CVSS_V4", "CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", "LOW"),
        ("CVSS_V3", "AV:N/AC:L/Au:N/C:P/I:N/A:N", "UNKNOWN"),
        ("CVSS_V4", "CVSS:4.0/AV:N", "UNKNOWN"),
        ("CVSS_V4", "", "UNKNOWN"),
        ("CVSS_V3", None, "UNKNOWN"),
        ("Ubuntu", "high", "UNKNOWN"),
    ],
)
def test_a_vector_alone_says_how_bad_it_is(kind: str, vector: str | None, word: str):
    """The words that databases publish beside such vectors."""
    assert severity.of({"severity": [{"type": kind, "score": vector}]}) == word


def test_of_several_vectors_the_worst_counts():
    v2 = {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:N/A:N"}
    v4 = {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}
    assert severity.of({"severity": [v4], "affected": [{"severity": [v2]}]}) == "CRITICAL"
    assert severity.of({"severity": [{"type": "CVSS_V9", "score": "x"}, v2]}) == "MEDIUM"


def test_pinned_requirements_are_matched_and_two_names_of_one_thing_are_one(tmp_path: Path):
    text = "# ours\nSample_Parser==2.4.0 \\\n    --hash=sha256:abc\nsample-web[http]==1.4 ; python_version > '3'\nsample-old==1\n"
    assert rows(tmp_path, {"requirements.txt": text}) == [
        ("SEALANE-2026-0001", "Sample_Parser", "2.4.0", "CRITICAL", ["2.4.1"], "requirements.txt", 2),
        ("SEALANE-2026-0003", "sample-web", "1.4", "MEDIUM", [], "requirements.txt", 4),
    ]


def test_a_mended_version_is_clean(tmp_path: Path):
    found = run(tmp_path, {"requirements.txt": "sample-parser==2.4.1\nsample-web==1.5\n"})
    assert (found["vulnerabilities"], found["undecided"], found["packages"]) == ([], [], 2)
    assert (found["advisories"], found["newest"]) == (7, "2026-10-02T00:00:00Z")


def test_no_word_and_no_score_is_unknown(tmp_path: Path):
    assert rows(tmp_path, {"requirements.txt": "sample-silent==1\n"})[0][3] == "UNKNOWN"


def test_what_is_not_pinned_is_not_decided(tmp_path: Path):
    text = "sample-parser>=2\nsample-web @ https://example.org/web.zip\n-e .\n./local\n--index-url https://example.org\nsample-silent==1.*\n"
    found = run(tmp_path, {"requirements.txt": text})
    assert [str(u).split(" is not pinned")[0] for u in found["undecided"]] == [  # type: ignore[attr-defined]
        "requirements.txt:1: sample-parser",
        "requirements.txt:2: sample-web",
        "requirements.txt:6: sample-silent",
    ]


def test_a_lock_beside_it_pins_what_a_requirement_leaves_open(tmp_path: Path):
    found = run(tmp_path, {"requirements.txt": "Sample.Parser>=2\n", "requirements.lock": "sample-parser==3.2\n"})
    assert (found["undecided"], found["packages"]) == ([], 1)


def test_included_files_are_read_once(tmp_path: Path):
    files = {"requirements.txt": "-r more/base.txt\n", "more/base.txt": "-r ../requirements.txt\nsample-parser==2.0\n"}
    assert [row[5:] for row in rows(tmp_path, files)] == [("more/base.txt", 2)]


LOCK = {
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "ours", "version": "1.0.0"},
        "node_modules/@sample/left": {"version": "1.0.0-beta.11", "resolved": "https://example.org/left.tgz"},
        "node_modules/other/node_modules/@sample/left": {"version": "1.0.0"},
        "node_modules/linked": {"resolved": "parts/linked", "link": True},
        "parts/linked": {"version": "1.0.0"},
    },
}


def test_package_lock_is_matched_at_its_line(tmp_path: Path):
    found = rows(tmp_path, {"frontend/package-lock.json": json.dumps(LOCK, indent=2)})
    assert found == [
        ("SEALANE-2026-0004", "@sample/left", "1.0.0-beta.11", "HIGH", ["1.0.0"], "frontend/package-lock.json", 8)
    ]


def test_package_lock_of_version_one_is_a_tree(tmp_path: Path):
    inner = {"@sample/left": {"version": "1.0.0-rc.1"}}
    lock = {"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0", "dependencies": inner}}}
    assert [row[2] for row in rows(tmp_path, {"package-lock.json": json.dumps(lock)})] == ["1.0.0-rc.1"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"lockfileVersion": 3}', '{"lockfileVersion": 3, "packages": []}']
)
def test_a_broken_lock_is_an_error(tmp_path: Path, text: str):
    (tmp_path / "package-lock.json").write_text(text)
    with pytest.raises(locks.BadLockError, match=r"package-lock\.json"):
        locks.read(tmp_path, ["package-lock.json"])


def test_an_include_that_leads_out_of_the_project_is_an_error(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text("-r ../../secret.txt\n")
    with pytest.raises(locks.BadLockError, match="leads out of the project"):
        locks.read(tmp_path, ["requirements.txt"])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"id": "X"}', '{"id": 1, "modified": 2}', "[" * 100_000])
def test_one_broken_advisory_makes_the_folder_unusable(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "advisories"
    shutil.copytree(ADVISORIES, folder)
    (folder / "broken.json").write_text(text)
    assert audit.main(str(folder), str(tmp_path), str(tmp_path / "out.json")) == 2
    assert "broken.json is no OSV advisory" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_an_empty_folder_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    assert audit.main(str(tmp_path / "empty"), str(tmp_path), str(tmp_path / "out.json")) == 2
    assert "no advisory" in capsys.readouterr().err
