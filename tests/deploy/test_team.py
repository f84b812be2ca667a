"""The compose file of a team against the program, and against what its other files expect."""

import re
from pathlib import Path

import pytest
import yaml

from backend.cli import main
from backend.jobs.job_queue import QUEUES
from backend.settings import Settings, load, variable

DEPLOY = Path(__file__).parents[2] / "deploy"
TEAM = yaml.safe_load((DEPLOY / "compose.team.yaml").read_text())
ALONE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = TEAM["services"]
BACKENDS = ("backend-1", "backend-2")
OURS = (*BACKENDS, "worker", "trainer", "memory")


@pytest.mark.parametrize("service", OURS)
def test_ours_run_commands_and_settings_that_exist(service):
    program, name, *options = SERVICES[service]["command"]
    assert program == "dynamite"
    known = {
        option for parameter in main.get_command(None, name).params for option in parameter.opts
    }
    assert {option for option in options if option.startswith("-")} <= known
    settings = {variable(name) for name in Settings.model_fields}
    assert SERVICES[service]["environment"].keys() <= settings


@pytest.mark.parametrize("service", OURS)
def test_ours_may_do_little_and_need_what_one_backend_alone_needs(service):
    entry, alone = SERVICES[service], ALONE["services"]["backend"]
    for field in ("image", "build", "init", "read_only", "tmpfs", "cap_drop", "security_opt"):
        assert entry[field] == alone[field]
    differs = {"DYNAMITE_KNOWN_HOSTS"}
    for name in alone["environment"].keys() - differs:
        assert entry["environment"][name] == alone["environment"][name]
    assert entry["volumes"] == ["team-state:/state"]
    assert entry["depends_on"]["folders"] == {"condition": "service_completed_successfully"}


def test_they_share_annotations_models_and_features_and_nothing_else():
    environments = [SERVICES[service]["environment"] for service in OURS]
    made = SERVICES["folders"]["command"][-3:]
    for environment in environments:
        names = ("RETRAINING", "MODELS", "FEATURES")
        assert [environment[f"DYNAMITE_{name}_DIR"] for name in names] == made
    folders = {environment["DYNAMITE_STATE_DIR"] for environment in environments}
    assert len(folders) == len(OURS)
    assert not folders & set(made)


def test_every_queue_has_a_worker():
    served = {SERVICES[service]["command"][-1] for service in ("worker", "trainer", "memory")}
    assert served == set(QUEUES)


@pytest.mark.parametrize("file", ["haproxy.cfg", "prometheus/prometheus.yaml"])
def test_haproxy_and_prometheus_know_the_backends_and_are_known(file):
    text = (DEPLOY / file).read_text()
    assert set(re.findall(r"backend-\d:9090", text)) == {f"{name}:9090" for name in BACKENDS}
    for name in BACKENDS:
        hosts = SERVICES[name]["environment"]["DYNAMITE_KNOWN_HOSTS"].split(",")
        assert set(hosts) == {"haproxy", *BACKENDS}


def test_files_that_are_mounted_exist():
    mounts = [v for s in SERVICES.values() for v in s.get("volumes", []) if v.startswith("./")]
    assert len(mounts) == 2
    assert all((DEPLOY / mount.split(":")[0]).exists() for mount in mounts)


def test_a_backend_has_time_to_drain():
    for name in BACKENDS:
        environment = {"drain_seconds": SERVICES[name]["environment"]["DYNAMITE_DRAIN_SECONDS"]}
        drains = load(**environment).drain_seconds
        config = (DEPLOY / "haproxy.cfg").read_text()
        fall = int(re.search(r"\bfall (\d+)", config)[1])
        inter = int(re.search(r"\binter (\d+)s", config)[1])
        assert fall * inter < drains
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > drains + 10


def test_only_loopback_is_published_and_no_service_takes_all_memory():
    for service in SERVICES.values():
        assert re.fullmatch(r"[1-9]g", service["mem_limit"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_secret_is_asked_for_with_words():
    text = (DEPLOY / "compose.team.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?set it", text))
    offered = re.findall(r"(?m)^(\w+)=", (DEPLOY / "example.env").read_text())
    assert asked == set(offered)
    assert re.findall(r"\$\{\w+\}", text) == []
