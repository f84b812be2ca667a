"""Commands are told as they must be typed."""

from click.testing import CliRunner

from backend.cli import LazyGroup, main
from backend.own_command import as_typed, own_command
from dynamite.errors import DynamiteError


def test_commands_are_told_as_they_must_be_typed(tmp_path, monkeypatch):
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    command = folder / "dynamite"
    command.write_text("#!/bin/sh")
    command.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert own_command() == ".venv/bin/dynamite"
    monkeypatch.chdir("/")
    assert own_command() == str(command).lstrip("/")
    monkeypatch.chdir(folder)
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    assert own_command() == str(command)
    monkeypatch.setenv("PATH", str(folder))
    assert own_command() == "dynamite"


def test_texts_name_it_so(monkeypatch):
    monkeypatch.setattr("backend.own_command.own_command", lambda: "bin/dynamite")
    text = "run `dynamite serve`, or `dynamite doctor --project 1`; dynamite answers"
    assert as_typed(text) == (
        "run `bin/dynamite serve`, or `bin/dynamite doctor --project 1`; dynamite answers"
    )


def test_errors_of_commands_and_the_status_page_name_it_so(monkeypatch, backend):
    monkeypatch.setattr("backend.own_command.own_command", lambda: "bin/dynamite")
    error = DynamiteError("there is no training: `dynamite jobs` lists them")
    monkeypatch.setattr(LazyGroup, "invoke", lambda *_: (_ for _ in ()).throw(error))
    assert "`bin/dynamite jobs`" in CliRunner().invoke(main, ["jobs"]).stderr
    assert "`bin/dynamite label-config" in backend.client.get("/").text
