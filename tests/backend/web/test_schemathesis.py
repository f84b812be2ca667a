"""Whatever schemathesis makes of the description, a running backend keeps to it."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.backend.launcher.web_server import served
from tests.backend.web.described import SECRET, SETTINGS, basic

pytestmark = [pytest.mark.security, pytest.mark.slow]

HERE = Path(__file__).parent
EXAMPLES = ["--phases", "examples", "--exclude-checks", "ignored_auth"]
"""With the secret, webhooks need no password."""


@pytest.fixture(scope="module")
def running(tmp_path_factory, queue_server):
    """The address of the real backend, with its real weights, under its real web server."""
    own = {f"DYNAMITE_{name.upper()}": str(value) for name, value in SETTINGS.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (own | {"REDIS_URL": queue_server}).items():
            patch.setenv(name, value)
        program = "from backend.launcher.web import main; main()"
        with served(tmp_path_factory.mktemp("running"), program) as (port, _):
            yield f"http://127.0.0.1:{port}"


def get(url):
    with urlopen(Request(url, headers=basic("password"))) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "choice",
    [
        ["--url", "{at}"],
        ["--url", f"{{at}}/k/{SECRET}", "--include-tag", "Label Studio", *EXAMPLES],
    ],
    ids=["every route", "with the secret in front"],
)
def test_it_finds_nothing(running, tmp_path, choice):
    described = get(f"{running}/openapi.json")
    described["paths"]["/cvat/webhook"]["post"]["security"] = []  # its secret is not set here
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    program = [Path(sys.executable).with_name("schemathesis")]
    command = [*program, "--config-file", HERE / "schemathesis.toml", "run", "openapi.json"]
    command += ["--no-color", *(word.format(at=running) for word in choice)]
    run = subprocess.run(
        command, capture_output=True, check=False, text=True, cwd=tmp_path, timeout=280
    )
    assert run.returncode == 0, run.stdout
    assert get(f"{running}/health")["status"] == "UP"
