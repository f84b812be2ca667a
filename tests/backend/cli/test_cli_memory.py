"""``dynamite memory``."""

import pytest
from click.testing import CliRunner

from backend.cli import main
from backend.settings import load
from backend.settings.folders import memory_folder
from tests.backend.memory.test_answers import ON
from training.memory.kept import KeptMemories


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*words):
        result = CliRunner().invoke(main, ["memory", *words])
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_it_says_what_each_project_has(run, monkeypatch):
    assert run().startswith("memories are switched off")
    monkeypatch.setenv("DYNAMITE_MEMORY", "on")
    assert run() == "there is no memory of any project yet: two accepted images are needed\n"
    monkeypatch.setattr("backend.memory.weights.current_weights", lambda _: ("discs-1", None))
    memory_folder(load()).parent.mkdir(parents=True, exist_ok=True)
    KeptMemories(memory_folder(load())).write(ON, lambda path: path.touch())
    assert run("--project", "3").splitlines() == [
        "project 3 of label_studio: on: +25% ± 2% of the clicks saved",
        "  <b>disc</b> (9 objects): 4.0 → 3.0 clicks, IoU after the first 0.60 → 0.70",
    ]
    assert "no memory of project 4" in run("--project", "4")


def test_a_memory_is_forgotten_when_asked(run, monkeypatch):
    monkeypatch.setenv("DYNAMITE_MEMORY", "on")
    kept = KeptMemories(memory_folder(load()))
    kept.folder.parent.mkdir(parents=True, exist_ok=True)
    kept.write(ON, lambda path: path.touch())
    kept.write(ON.model_copy(update={"project": 4}), lambda path: path.touch())
    assert run("--project", "3", "--forget") == (
        "project 3 of label_studio: its memory is forgotten\n"
    )
    assert sorted(path.name for path in kept.folder.iterdir()) == [
        "label_studio-4-1a2b3c4d.safetensors",
        "label_studio-4.json",
    ]
    assert run("--project", "3", "--forget").startswith("there is no memory of project 3")
    refused = CliRunner().invoke(main, ["memory", "--forget"])
    assert refused.exit_code == 2
    assert "--project N" in refused.output


def test_a_memory_of_a_newer_release_is_named(run, monkeypatch):
    monkeypatch.setenv("DYNAMITE_MEMORY", "on")
    folder = memory_folder(load())
    folder.mkdir(parents=True)
    (folder / "label_studio-3.json").write_text('{"format": 9}')
    assert "project 3 of label_studio:" in run()
    assert "install the release that wrote it" in run()
