"""The compose files against the published schema of compose files, and what each service may do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(DEPLOY.glob("compose*.yaml"))
TEAM = yaml.safe_load((DEPLOY / "compose.team.yaml").read_text())["services"]
NO_SERVER = {"worker", "trainer", "memory", "folders"}
"""They answer no calls; the health check of the image asks the web server."""


def test_all_are_as_the_schema_says():
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, FILES)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", TEAM)
def test_a_service_of_the_team_may_do_little(name):
    service = TEAM[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name != "label-studio")
    # Compose copies such a secret into the container, and refuses to if that is read-only.
    assert "secrets" not in service


@pytest.mark.parametrize("name", TEAM)
def test_a_service_of_the_team_says_how_it_is(name):
    service = TEAM[name]
    if name in NO_SERVER:
        assert service["healthcheck"] == {"disable": True}
    elif "build" not in service:  # the Dockerfile has it
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_images_of_others_are_named_by_a_whole_version(file):
    for service in yaml.safe_load(file.read_text())["services"].values():
        image = service.get("image", "dynamite-backend")
        if not image.startswith("dynamite-backend"):
            assert re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", image), image


def test_prometheus_finds_its_password_where_its_file_says():
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    (job,) = [job for job in config["scrape_configs"] if "basic_auth" in job]
    service = TEAM["prometheus"]
    *_, script = service["entrypoint"]
    file = job["basic_auth"]["password_file"]
    assert f"> {file};" in script
    assert str(Path(file).parent) in service["tmpfs"]
    assert "BACKEND_PASSWORD" in service["environment"]
