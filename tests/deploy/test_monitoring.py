"""Alerts fire when they should; every panel and rule finds its figures on real servers."""

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
from tests.deploy.replicas import HAPROXY, Team, post, until
from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
TESTS = sorted((DEPLOY / "prometheus").glob("*.test.yaml"))
CASES = [
    case
    for path in TESTS
    for test in yaml.safe_load(path.read_text())["tests"]
    for case in test["alert_rule_test"]
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRICS = (DEPLOY.parent / "docs" / "monitoring.md").read_text()
RUNBOOK = (DEPLOY.parent / "docs" / "slo.md").read_text()

SECTIONS = re.findall(r"^### (\w+)$", RUNBOOK.partition("## What to do")[2], re.MULTILINE)
ALERTS = {r["alert"]: r for group in RULES["groups"] for r in group["rules"] if "alert" in r}
RECORDED = {r["record"]: r for group in RULES["groups"] for r in group["rules"] if "record" in r}

OF_GPUS = {"dynamite_device_memory_bytes"}
"""What has no figures on a CPU."""


def needs(program):
    found = shutil.which(program)
    reason = f"{program} is not installed: `apt-get install prometheus`"
    return pytest.mark.skipif(found is None, reason=reason)


@needs("promtool")
def test_alerts_fire_when_they_should():
    folder = DEPLOY / "prometheus"
    for what in (["check", "rules", "alerts.yaml"], ["test", "rules", *TESTS]):
        done = subprocess.run(
            ["promtool", *what], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_both_ways_and_has_a_runbook(name):
    outcomes = {bool(case.get("exp_alerts")) for case in CASES if case["alertname"] == name}
    assert outcomes == {True, False}
    file, _, anchor = ALERTS[name]["annotations"]["runbook"].partition("#")
    assert file == "docs/slo.md"
    (section,) = [title for title in SECTIONS if title.lower() == anchor]
    assert name.startswith(section)
    assert section == name or f"`{name}`" in RUNBOOK
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


def test_every_section_of_the_runbook_is_of_an_alert():
    anchors = {rule["annotations"]["runbook"].partition("#")[2] for rule in ALERTS.values()}
    assert {title.lower() for title in SECTIONS} == anchors


def test_an_objective_is_that_of_its_alerts():
    for share, record in ((99, "slow_clicks"), (99.5, "failed_clicks")):
        (row,) = re.findall(rf"^\| {share} % of the clicks .*30 days", RUNBOOK, re.MULTILINE)
        expressions = [one["expr"] for one in ALERTS.values() if record in one["expr"]]
        budgets = {found for one in expressions for found in re.findall(r"0\.0\d+", one)}
        assert row and {float(budget) for budget in budgets} == {round(1 - share / 100, 6)}


def test_burn_rates_are_those_of_the_document():
    rows = re.findall(r"^\| `(\w+)` \| (as fast|[\d.]+ times) \| (.*?) \|", RUNBOOK, re.MULTILINE)
    units = {"h": "h", "min": "m", "days": "d"}
    for ending, factor, windows in rows:
        wanted = re.sub(" (h|min|days)", lambda unit: units[unit[1]], windows).split(", ")
        times = "1" if factor == "as fast" else factor.removesuffix(" times")
        for name in ("ClicksSlow", "ClicksFail"):
            expression = ALERTS[f"{name}{ending}"]["expr"]
            assert re.findall(r"ratio(\w+)", expression) == wanted
            assert set(re.findall(r"> ([\d.]+) \*", expression) or ["1"]) == {times}
    assert len(rows) == 3


def questions():
    """Every expression of the dashboard and of the rules, by where it is."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for rule in RULES["groups"]:
        for one in rule["rules"]:
            yield one.get("alert") or one["record"], one["expr"]


def as_asked(expression):
    """As Grafana asks, with short windows: the backend has run for seconds."""
    expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
    return re.sub(r"\[(5m|30m|1h|6h|3d)\]", "[1m]", expression)


class Prometheus:
    def __init__(self, folder, **jobs):
        self.port = free_port()
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {
                    "job_name": name,
                    "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
                }
                for name, ports in jobs.items()
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
        return self._get("query", query=expression)["result"]

    def names(self):
        """Every metric that is told, whether or not it has a figure now."""
        return set(self._get("metadata"))

    def _get(self, what, **parameters):
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urlencode(parameters)}"
        with urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]

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
    found = set(re.findall(r"\b(?:dynamite|haproxy|process)[\w:]*", expression))
    return {
        name
        for one in found
        for name in (names_of(RECORDED[one]["expr"]) if one in RECORDED else {one})
    } - {"dynamite"}


def click(port, task):
    page = Page(Server(task=task), lambda body: post(port, body)[1]["results"][0]["result"])
    for x in (20, 40):
        assert page.click("A", x, 30)


@pytest.fixture
def team(tmp_path, queue_server):
    if HAPROXY is None:
        pytest.skip("haproxy is not installed: `apt-get install haproxy`")
    team = Team(tmp_path, queue_server, replicas=2, drain_seconds=0.0)
    try:
        team.start()
        yield team
    finally:
        team.stop()


def family_of(metric):
    return re.sub(r"_(bucket|count|sum)$", "", metric)


@pytest.mark.load
@needs("prometheus")
def test_every_panel_and_rule_finds_its_figures_on_running_servers(tmp_path, queue_server, team):
    with Redis.from_url(queue_server) as redis:
        note_backlog(redis, Backlog(1, "no answer", 0, ""))
    prometheus, replicas = None, team.replicas.values()
    try:
        ports = (team.port, *(replica.port for replica in replicas))
        for task, port in enumerate(ports, start=1):
            click(port, task)
            assert post(port, {})[0] == 400
        prometheus = Prometheus(
            tmp_path, dynamite=[replica.port for replica in replicas], haproxy=[team.figures_port]
        )
        until(lambda: prometheus.has("count(dynamite_click_seconds_count) == 2"))
        for task, replica in enumerate(replicas, start=9):  # two backends share a task's page
            click(replica.port, task)
        until(lambda: prometheus.has("count(increase(dynamite_click_seconds_count[1m]) > 0) == 2"))
        time.sleep(2)
        told = prometheus.names()
        for name, expression in questions():
            metrics = names_of(expression)
            assert {family_of(metric) for metric in metrics} <= told, name
            found = prometheus.ask(as_asked(expression))  # an alert that fires finds something
            is_quiet = name in RECORDED or name in ALERTS or metrics <= OF_GPUS
            assert found or is_quiet, f"{name}: {expression}"
        assert prometheus.has("count(dynamite_model_info) == 2")
    finally:
        if prometheus is not None:
            prometheus.stop()


def test_the_dashboard_shows_every_metric_that_is_documented():
    rows = re.findall(r"^\| `(dynamite_\w+)` \|", METRICS, re.MULTILINE)
    shown = {family_of(name) for _, expression in questions() for name in names_of(expression)}
    assert len(rows) > 20
    assert set(rows) <= shown


def test_the_dashboard_is_laid_out_without_gaps_and_each_panel_is_explained():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (at["x"] + column, at["y"] + row) for column in range(at["w"]) for row in range(at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1))
    for name in ("id", "title"):
        values = [panel[name] for panel in PANELS]
        assert len(values) == len(set(values))
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        is_table = panel["type"] == "table"
        assert all(bool(target["legendFormat"]) != is_table for target in panel["targets"])
