"""A Label Studio as it is installed today refuses the token that it sends when it connects."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from backend.label_studio.config_writer import write
from tests.ports import free_port

pytestmark = pytest.mark.e2e

OURS = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "DYNAMITE_STATE_DIR", "REDIS_URL")


@pytest.fixture
def owner(demo):
    """A session of the owner, who refuses legacy tokens until the test ends."""
    with requests.Session() as session:
        page = session.get(f"{demo.url}/user/login/").text
        form = {"email": demo.email, "password": demo.password}
        form["csrfmiddlewaretoken"] = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
        session.post(f"{demo.url}/user/login/", form).raise_for_status()

        def post(path, body):
            headers = {"X-CSRFToken": session.cookies["csrftoken"]}
            answer = session.post(demo.url + path, json=body, headers=headers)
            answer.raise_for_status()
            return answer.json()

        def allow_legacy(allowed):
            post(
                "/api/jwt/settings",
                {"api_tokens_enabled": True, "legacy_api_tokens_enabled": allowed},
            )

        allow_legacy(False)
        try:
            yield post
        finally:
            allow_legacy(True)


class Served:
    """A backend of its own: what it says until it is ready, and its pages."""

    def __init__(self, folder, **variables):
        self.url = f"http://127.0.0.1:{free_port()}"
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        self.environment = kept | {"DYNAMITE_STATE_DIR": str(folder)} | variables
        self.environment["DYNAMITE_PORT"] = self.url.rpartition(":")[2]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", "serve"],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.said = ""
        while "Ctrl-C stops it" not in self.said:
            line = self._process.stdout.readline()
            assert line, self.log.read_text()
            self.said += line

    def run(self, *arguments):
        command = [sys.executable, "-m", "backend.cli", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def close(self):
        self._process.terminate()
        assert self._process.wait(60) == 0
        self._process.stdout.close()


@contextmanager
def serving(folder, **variables):
    folder.mkdir(exist_ok=True)
    served = Served(folder, **variables)
    try:
        yield served
    finally:
        served.close()


def test_a_fresh_label_studio_refuses_its_own_token_and_takes_a_personal_one(
    demo, owner, browser, tmp_path
):
    """Red in the log, the banner, doctor and the page; with what to do, which then works."""
    with serving(tmp_path / "state") as served:
        project = connect(owner, served)
        page = browser.until(lambda: red(served), "the verdict on the status page")
        assert "LABEL_STUDIO_API_KEY=that token" in page
        assert "the legacy token is not accepted" in served.log.read_text()
        status, said = served.run("doctor", "--backend", served.url, "--project", project)
        assert status == 1
        assert "✗ token" in said
        assert f"LABEL_STUDIO_URL={demo.url}" in said
    with serving(tmp_path / "state") as served:
        assert "✗ Label Studio: the legacy token is not accepted" in served.said

    kept = demo.folder / "personal-token"  # Label Studio gives out one, and shows it once
    if not kept.exists():
        kept.write_text(owner("/api/token/", {})["token"])
    token = kept.read_text()
    access = {"LABEL_STUDIO_URL": demo.url, "LABEL_STUDIO_API_KEY": token}
    with serving(tmp_path / "state", **access) as served:
        assert f"✓ Label Studio: the personal access token of {demo.email} is accepted" in (
            " ".join(served.said.split())
        )
        project = connect(owner, served)
        status, said = served.run("doctor", "--backend", served.url, "--project", project)
        assert status == 0, said
        assert "✓ token" in said


def connect(owner, served):
    """Make a project with this backend; return its number."""
    project = owner("/api/projects/", {"title": "Fresh", "label_config": write(["Cup"])})["id"]
    owner("/api/ml/", {"project": project, "url": served.url, "is_interactive": True})
    return str(project)


def red(served):
    page = requests.get(served.url, timeout=20).text
    return page if 'class="bad">the legacy token is not accepted' in page else None
