"""What ``dynamite serve`` says when it has started."""

from backend.launcher.banner import banner, own_command


def test_the_banner_says_where_what_and_what_to_do(settings):
    text = banner(settings(), "lite-1a2b", "cpu")
    assert f"http://127.0.0.1:{settings().port}" in text
    for words in ("lite-1a2b on cpu", "1. ", "2. ", "3. ", "Ctrl-C", "label-config"):
        assert words in text
    for words in ("last icon", "choose it again (its number key)", "✓", "Submit", "doctor"):
        assert words in text
    secret = banner(settings(webhook_secret="a-long-secret-word"), "v", "cpu")
    assert "a-long-secret-word" not in secret
    assert "/k/" in secret


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


def test_the_banner_asks_for_the_password_where_there_is_one(settings):
    assert "Basic Authentication" not in banner(settings(), "v", "cpu")
    guarded = settings(basic_auth_user="anna", basic_auth_password="a-password")
    text = banner(guarded, "v", "cpu")
    assert "Basic Authentication: your DYNAMITE_BASIC_AUTH_USER" in text
    assert "a-password" not in text


def test_it_says_how_to_reach_it_from_cvat_only_where_that_is_on(settings):
    assert "CVAT" not in banner(settings(), "lite-1", "cpu")
    assert "doctor --cvat URL --token TOKEN" in banner(settings(cvat=True), "lite-1", "cpu")
