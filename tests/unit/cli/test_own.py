"""In a project without a module of its own, Sealane's is called; where there is one, nothing changes."""

from pathlib import Path

import pytest

from sealane.cli import own


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / "src/deep").mkdir(parents=True)
    (folder / "setup.py").write_text("")
    monkeypatch.chdir(folder / "src/deep")
    return folder


def test_without_a_module_the_words_name_ours_and_the_project_around(project):
    module = str(own.module())
    assert own.completed(["pipeline"]) == ["-m", module, "--source", str(project), "pipeline"]
    assert own.completed(["lint"], source=False) == ["-m", module, "lint"]
    assert (Path(module) / "dagger.json").is_file()


@pytest.mark.parametrize("words", [["-m", "x", "pipeline"], ["--mod=x", "pipeline"], ["-M", "container"]])
def test_words_that_say_which_module_stay(project, words):
    assert own.completed(words) == words


def test_a_module_above_is_the_one_that_is_meant(project):
    (project.parent / "dagger.json").write_text("{}")
    assert own.completed(["pipeline"]) == ["pipeline"]


def test_the_project_ends_at_its_git_repository(project, tmp_path, monkeypatch):
    inner = project / "src/deep"
    (inner / ".git").mkdir()
    assert own.project() == inner
