"""The container files against the program that they start, without a Docker engine."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from backend.cli import main
from backend.jobs.job_queue import QUEUES
from backend.settings import Settings, load, variable
from tests.deploy.image import written_stages

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
CUDA = yaml.safe_load((ROOT / "deploy" / "compose.cuda.yaml").read_text())
OURS = ("backend", "worker", "trainer", "memory")


STAGES = written_stages()


def steps(stage):
    """Return the steps of a stage, after those of the stages that it begins with."""
    parent, own = STAGES[stage]
    return [*(steps(parent) if parent in STAGES else []), *own]


def last(stage, word):
    return [step for step in steps(stage) if step.cmd == word][-1]


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_both_targets_run_as_nobody_special_and_say_how_they_are(target):
    user, group = last(target, "USER").value[0].split(":")
    assert user.isdigit() and int(user) > 0 and group.isdigit() and int(group) > 0
    assert "/health" in last(target, "HEALTHCHECK").value[-1]
    assert last(target, "CMD").value == ("dynamite", "serve")
    assert last(target, "EXPOSE").value == (str(Settings.model_fields["port"].default),)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_the_last_stage_installs_nothing_with_pip(target):
    assert not [step for step in steps(target) if step.cmd == "RUN" and "pip" in step.value[0]]
    (copied,) = [step for step in steps(target) if step.cmd == "COPY"]
    assert copied.flags == (f"--from=with-{target}",)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_all_that_is_installed_has_a_hash_or_is_ours(target):
    runs = [step.value[0] for step in steps(f"with-{target}") if step.cmd == "RUN"]
    locked = [run for run in runs if "install" in run and "--require-hashes" in run]
    assert [run.split()[-1] for run in locked] == [
        "requirements.lock",
        f"requirements-{target}.lock",
    ]
    (ours,) = [run for run in runs if run.startswith("pip") and run not in locked]
    assert "--no-index /wheels/*.whl" in ours
    assert all("--no-deps" in run for run in (*locked, ours))  # nothing that is not named


def test_what_is_copied_exists_and_is_not_ignored():
    kept = (ROOT / ".dockerignore").read_text().split()
    for _, own in STAGES.values():
        for step in own:
            if step.cmd == "COPY" and not step.flags:
                for source in step.value[:-1]:
                    assert (ROOT / source).exists(), source
                    assert f"!{source}" in kept


def environment_of(service):
    return COMPOSE["services"][service].get("environment", {})


def test_every_variable_is_a_setting():
    known = {variable(name) for name in Settings.model_fields}
    named = {name for service in OURS for name in environment_of(service)}
    named |= set(CUDA["services"]["backend"]["environment"])
    named |= set(re.findall(r"\b(DYNAMITE_\w+)=", DOCKERFILE))
    assert named <= known, named - known
    assert {"REDIS_URL", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"} <= named


@pytest.mark.parametrize("service", OURS)
def test_every_command_is_one_of_ours_with_options_it_has(service):
    program, name, *options = COMPOSE["services"][service]["command"]
    assert program == "dynamite"
    command = main.get_command(None, name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {option for option in options if option.startswith("-")} <= known


def test_every_queue_has_a_worker():
    commands = [COMPOSE["services"][service]["command"] for service in OURS]
    served = {
        queue
        for _, name, *options in commands
        if name == "worker"
        for queue in options[options.index("--queues") + 1].split(",")
    }
    assert served == set(QUEUES)


@pytest.mark.parametrize("service", OURS)
def test_containers_of_ours_may_do_little(service):
    entry = COMPOSE["services"][service]
    assert entry["cap_drop"] == ["ALL"]
    assert entry["read_only"] is True
    assert entry["volumes"] == ["backend-state:/state"]


def test_nothing_is_published_beyond_this_machine():
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_every_secret_is_asked_for_and_none_is_written_down():
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    offered = dict(
        shlex.split(line)[0].split("=", 1)
        for line in (ROOT / "deploy" / "example.env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert asked == set(offered) - {"GRAFANA_PASSWORD"}
    assert all("change-me" in value or "@" in value for value in offered.values())
    assert len(re.findall(r"\$\{\w+\}", text)) == 0  # each says what to do when it is missing


def test_label_studio_may_reach_a_backend_in_its_network():
    environment = environment_of("label-studio")
    assert environment["ML_BLOCK_LOCAL_IP"] == "false"
    assert environment["SSRF_PROTECTION_ENABLED"] == "false"


def test_no_service_can_take_all_memory():
    assert all(
        re.fullmatch(r"[1-9]g", service["mem_limit"]) for service in COMPOSE["services"].values()
    )


CVAT = yaml.safe_load((ROOT / "deploy" / "compose.cvat.yaml").read_text())["services"]


def test_the_backend_beside_cvat_is_told_only_what_it_knows_and_may_do_little():
    ours = CVAT["dynamite"]
    assert set(ours["environment"]) <= {variable(name) for name in Settings.model_fields}
    assert ours["cap_drop"] == ["ALL"] and ours["read_only"] and "ports" not in ours
    assert ours["command"] == ["dynamite", "serve"]
    written = {name: value for name, value in ours["environment"].items() if "${" not in value}
    settings = load(
        **{
            name.removeprefix("DYNAMITE_").lower(): v
            for name, v in written.items()
            if "USER" not in name
        }
    )
    assert settings.cvat and settings.known_hosts == ("dynamite",)


def test_cvat_calls_the_backend_by_name_past_its_proxy():
    for service in ("cvat_server", "cvat_worker_annotation"):
        told = CVAT[service]["environment"]
        assert told["CVAT_NUCLIO_HOST"] in told["no_proxy"].split(",")
        assert told["CVAT_NUCLIO_HOST"] in CVAT["dynamite"]["environment"]["DYNAMITE_KNOWN_HOSTS"]
        assert told["CVAT_NUCLIO_PORT"] == str(Settings.model_fields["port"].default)
        assert told["CVAT_NUCLIO_INVOKE_METHOD"] == "dashboard" and told["CVAT_SERVERLESS"] == "1"
