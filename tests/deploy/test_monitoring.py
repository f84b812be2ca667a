"""Alerts fire when they should, and every panel and rule finds its figures on a real server."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from redis import Redis

from backend.retraining.status import Backlog, note_backlog
from tests.backend.session.page_model import Page, Server
from tests.deploy.replicas import Replica, post, until
from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
TESTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.test.yaml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
RUNBOOK = (DEPLOY.parent / "docs" / "slo.md").read_text()

ALERTS = {r["alert"]: r for group in RULES["groups"] for r in group["rules"] if "alert" in r}
RECORDED = {r["record"]: r for group in RULES["groups"] for r in group["rules"] if "record" in r}


def needs(program):
    found = shutil.which(program)
    reason = f"{program} is not installed: `apt-get install prometheus`"
    return pytest.mark.skipif(found is None, reason=reason)


@needs("promtool")
def test_alerts_fire_when_they_should():
    for what in ("check rules alerts.yaml", "test rules alerts.test.yaml"):
        folder = DEPLOY / "prometheus"
        done = subprocess.run(
            ["promtool", *what.split()], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_both_ways_and_has_a_runbook(name):
    cases = [case for test in TESTS["tests"] for case in test["alert_rule_test"]]
    outcomes = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name}
    assert outcomes == {True, False}
    file, _, anchor = ALERTS[name]["annotations"]["runbook"].partition("#")
    assert file == "docs/slo.md"
    assert re.search(rf"^### {anchor}$", RUNBOOK, re.IGNORECASE | re.MULTILINE)
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


def questions():
    """Every expression of the dashboard and of the rules, by where it is."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for rule in RULES["groups"]:
        for one in rule["rules"]:
            yield one.get("alert") or one["record"], one["expr"]


def as_asked(expression):
    """As Grafana asks, with short windows: the backend has run for seconds."""
    expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
    return re.sub(r"\[(5m|30m|1h|6h)\]", "[1m]", expression)


class Prometheus:
    def __init__(self, folder, target):
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "dynamite", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
            ],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=error",
            ]
        )

    def ask(self, expression):
        address = f"http://127.0.0.1:{self.port}/api/v1/query?{urlencode({'query': expression})}"
        with urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def has(self, expression):
        try:
            return bool(self.ask(expression))
        except OSError:
            return False

    def stop(self):
        self._process.kill()
        self._process.wait()


def names_of(expression):
    """The metrics in an expression; what a rule records stands for what it is made of."""
    found = set(re.findall(r"\b(?:dynamite|process)[\w:]*", expression))
    return {
        name
        for one in found
        for name in (names_of(RECORDED[one]["expr"]) if one in RECORDED else {one})
    } - {"dynamite"}


def click(replica, task):
    page = Page(Server(task=task), lambda body: post(replica.port, body)[1]["results"][0]["result"])
    for x in (20, 40):
        assert page.click("A", x, 30)


@pytest.mark.load
@needs("prometheus")
def test_every_panel_and_rule_finds_its_figures_on_a_running_server(tmp_path, queue_server):
    with Redis.from_url(queue_server) as redis:
        note_backlog(redis, Backlog(1, "no answer", 0, ""))
    replica = Replica(tmp_path / "one", queue_server, 0)
    prometheus = None
    try:
        replica.start()
        until(lambda: replica.health() is not None)
        click(replica, 1)
        assert post(replica.port, {})[0] == 400
        prometheus = Prometheus(tmp_path, replica.port)
        until(lambda: prometheus.has("dynamite_click_seconds_count"))
        click(replica, 2)
        until(lambda: prometheus.has("increase(dynamite_click_seconds_count[1m]) > 0"))
        time.sleep(2)
        for name, expression in questions():
            for metric in names_of(expression):
                assert prometheus.ask(metric), f"{name}: nothing is called {metric}"
            found = prometheus.ask(as_asked(expression))  # an alert that fires finds something
            assert found or name in RECORDED or name in ALERTS, f"{name}: {expression}"
    finally:
        if prometheus is not None:
            prometheus.stop()
        replica.stop()


def test_every_figure_of_the_documents_is_on_the_dashboard():
    text = (DEPLOY.parent / "docs" / "operations.md").read_text()
    documented = {
        name
        for row in re.findall(r"^\| (`dynamite_.*?) \|", text, re.MULTILINE)
        for name in re.findall(r"dynamite_\w+", row)
    }
    shown = {name for _, expression in questions() for name in names_of(expression)}
    shown = {re.sub(r"_(bucket|count)$", "", name) for name in shown}
    assert documented <= shown | {"dynamite_cache_hits"}, documented - shown
