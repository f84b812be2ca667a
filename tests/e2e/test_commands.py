"""The commands that talk to Label Studio, against the real one."""

import subprocess

import pytest
from click.testing import CliRunner

from backend.cli import main

pytestmark = pytest.mark.e2e


@pytest.fixture
def run(demo, monkeypatch):
    """Runs a subcommand with the demo's addresses and a token."""
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(demo.folder / "state"))

    def command(name, *arguments, token=None):
        where = ["--label-studio", demo.url, "--backend", demo.backend]
        return CliRunner().invoke(main, [name, *where, "--token", token or demo.token, *arguments])

    return command


def test_doctor_finds_nothing_wrong_with_the_demo(run, demo):
    project, _ = demo.project()
    result = run("doctor", "--project", str(project))
    assert result.exit_code == 0, result.output
    assert "All is well." in result.output
    assert "✗" not in result.output


def test_doctor_knows_the_demo_by_its_state_folder(run, demo):
    """The demo's last lines say how, without address and token."""
    command = next(line for line in demo.said.splitlines() if " doctor --project " in line)
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "All is well." in result.stdout, result.stdout + result.stderr


def test_doctor_says_that_a_token_is_not_accepted(run):
    result = run("doctor", token="0" * 40)
    assert result.exit_code == 1
    assert "the legacy token is not accepted" in result.output
    assert "→" in result.output


def test_doctor_takes_a_personal_access_token(run, demo):
    kept = demo.folder / "personal-token"  # Label Studio gives out one, and shows it once
    if not kept.exists():
        kept.write_text(demo.api.post("/api/token/")["token"])
    result = run("doctor", token=kept.read_text())
    assert result.exit_code == 0, result.output
    assert "the personal access token of" in result.output


def test_doctor_finds_a_backend_without_its_webhook(run, demo):
    project, _ = demo.project()
    for hook in demo.api.get("/api/webhooks/", project=project):
        demo.api.delete(f"/api/webhooks/{hook['id']}/")
    result = run("doctor", "--project", str(project))
    assert result.exit_code == 1
    assert "accepted annotations will not reach the backend" in result.output


def test_doctor_tries_to_connect_and_undoes_it(run, demo):
    project, _ = demo.project(attach=False)
    result = run("doctor", "--project", str(project))
    assert result.exit_code == 1
    assert "Label Studio accepts them" in result.output
    assert "not connected to the project yet" in result.output
    assert demo.api.get("/api/ml", project=project) == []
    assert demo.api.get("/api/webhooks/", project=project) == []


def test_doctor_names_what_is_wrong_with_a_config(run, demo):
    config = '<View><Image name="image" value="$image"/></View>'
    project, _ = demo.project(config=config)
    result = run("doctor", "--project", str(project))
    assert result.exit_code == 1
    assert "BrushLabels" in result.output


def test_warm_encodes_a_whole_project(run, demo):
    project, tasks = demo.project(images=("cake", "flowers"))
    result = run("warm", "--project", str(project))
    assert result.exit_code == 0, result.output
    assert f"warm: {len(tasks)} images" in result.output
