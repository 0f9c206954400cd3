"""`sealane init` writes the little that a project's configuration must say, and never touches what is there."""

import resource
import tomllib

import pytest

from sealane.cli import folder
from sealane.cli.main import run

PYPROJECT = "[project]\nname = 'x'"
COMPOSE = """\
services:
  db:
    image: postgres:14  # as in production
    environment:
      POSTGRES_DB: shop
  cache: {ports: [1]}
  queue:
    image: "rabbitmq:3"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Lays a project; the current folder is in it."""

    def lay(**files):
        for name, text in {"src/x/__init__.py": "", "tests/test_x.py": "", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return lay


def tables(path):
    return tomllib.loads(path.read_text())["tool"]["sealane"]


def test_a_table_is_added_behind_what_stands_in_pyproject(project, capsys):
    path = project(**{"pyproject.toml": PYPROJECT}) / "pyproject.toml"
    assert run(["init"]) == 0
    assert path.read_text().startswith(PYPROJECT + "\n\n[tool.sealane]\n")
    assert tables(path) == {}
    said = capsys.readouterr().out
    assert "src/x" in said
    assert "unit (tests/)" in said
    assert "no Dockerfile" in said


def test_without_pyproject_it_is_a_file_of_its_own(project):
    path = project() / "sealane.toml"
    assert run(["init"]) == 0
    assert tomllib.loads(path.read_text()) == {}


def test_line_ends_are_those_of_the_file(project):
    path = project(**{"pyproject.toml": "[project]\r\nname = 'x'\r\n"}) / "pyproject.toml"
    assert run(["init"]) == 0
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


def test_a_second_time_changes_nothing_and_says_so(project, capsys):
    path = project(**{"pyproject.toml": PYPROJECT}) / "pyproject.toml"
    run(["init"])
    once = path.read_bytes()
    assert run(["init"]) == 0
    assert path.read_bytes() == once
    assert "stays as it is" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sealane.toml", "pyproject.toml"])
def test_a_configuration_that_is_there_stays(project, name):
    text = "[tool.sealane]\npython = '3.12'\n" if name == "pyproject.toml" else "python = '3.12'\n"
    path = project(**{name: text})
    assert run(["init"]) == 0
    assert (path / name).read_text() == text
    assert len(list(path.glob("*.toml"))) == 1


def test_a_dry_run_prints_it_and_writes_nothing(project, capsys):
    path = project()
    assert run(["init", "--dry-run"]) == 0
    assert "gates.baseline" in capsys.readouterr().out
    assert not list(path.glob("*.toml"))


def test_services_of_a_compose_file_are_configured_and_others_named(project):
    path = project(**{"pyproject.toml": PYPROJECT, "compose.yml": COMPOSE, "tests/integration/test_a.py": ""})
    assert run(["init"]) == 0
    assert tables(path / "pyproject.toml") == {"services": {"postgres": {"image": "postgres:14", "database": "shop"}}}
    assert (
        "# compose.yml starts rabbitmq:3: say how in services.other.rabbitmq." in (path / "pyproject.toml").read_text()
    )
    assert folder.read(path).config.services.postgres.database == "shop"


def test_every_choice_that_it_names_is_a_key(project):
    classifiers = [f"Programming Language :: Python :: 3.{minor}" for minor in (8, 12, 13)]
    text = f"[project]\nname = 'x'\nrequires-python = '>=3.12'\nclassifiers = {classifiers}\n"
    path = project(**{"pyproject.toml": text, "compose.yml": COMPOSE}) / "pyproject.toml"
    assert run(["init"]) == 0
    lines = path.read_text().split("[tool.sealane]\n")[1].splitlines()
    keys = [line.removeprefix("# ") for line in lines if " = " in line]
    path.write_text(text + "[tool.sealane]\n" + "\n".join(keys))
    config = folder.read(path.parent).config
    assert config.test.matrix.python == ("3.12", "3.13")
    assert config.test.integration == ("tests/",)


def test_a_tool_table_on_one_line_takes_no_more_so_it_is_a_file_of_its_own(project):
    path = project(**{"pyproject.toml": "tool = {x = {}}\n"})
    assert run(["init"]) == 0
    assert (path / "pyproject.toml").read_text() == "tool = {x = {}}\n"
    assert (path / "sealane.toml").exists()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"pyproject.toml": "[project\n"}, "not valid TOML"),
        ({"pyproject.toml": "[tool.sealane]\npyhton = '3.12'\n"}, "Did you mean `python`"),
        ({"sealane.toml": "[gates]\ncoverage = 'all'\n"}, "bad value of `gates.coverage`"),
    ],
)
def test_a_broken_file_is_named_and_left(project, capsys, files, reason):
    path = project(**files)
    before = {p: p.read_bytes() for p in path.glob("*.toml")}
    assert run(["init"]) == 1
    assert reason in capsys.readouterr().err
    assert {p: p.read_bytes() for p in path.glob("*.toml")} == before


def test_text_in_another_encoding_is_named(project, capsys):
    (project() / "pyproject.toml").write_bytes(b"name = '\xff'")
    assert run(["init"]) == 1
    assert "pyproject.toml is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["empty", "missing", "file"])
def test_a_folder_that_is_no_project_is_refused(tmp_path, capsys, source):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert run(["init", "--source", str(tmp_path / source)]) == 1
    assert str(tmp_path / source) in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("files", [{}, {"pyproject.toml": PYPROJECT}])
def test_what_cannot_be_written_leaves_all_as_it_was(project, capsys, files):
    path = project(**files)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(PYPROJECT) + 5, hard))
    try:
        code = run(["init"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "can't be written" in capsys.readouterr().err
    assert {p.name: p.read_text() for p in path.glob("*.toml")} == files


def test_what_is_no_code_of_the_project_is_not_looked_at(project):
    path = project(**{".venv/lib/test_a.py": "", "out/test_b.py": "", "node_modules/package.json": ""})
    assert folder.read(path).files == {"src/x/__init__.py", "tests/test_x.py"}
