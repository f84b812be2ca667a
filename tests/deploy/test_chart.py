"""The Helm chart: rendered by Helm, as the schemas say, and fit for the program and its neighbours.

No cluster is asked: what a schema does not say was not tried.
"""

import json
import re
import shutil
import subprocess
from functools import cache, reduce
from itertools import product
from operator import getitem

import kubernetes_validate
import pytest
import yaml
from helm_python.chart import Chart, lint, package
from helm_python.errors import HelmError

from backend.cli import main
from backend.jobs.job_queue import QUEUES
from backend.settings import Settings, load, variable
from tests.deploy.chart import CHART, DEPLOY, LABEL_STUDIO, VARIANTS, chart, one, pods, rendered

OLDEST = re.search(r"\d+\.\d+", chart().metadata["kubeVersion"])[0]
NEWEST = kubernetes_validate.latest_version()
EVERY = pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
ALL = rendered(VARIANTS["all"])
IMAGE = "registry.example/dynamite"


@cache
def operator_models():
    """The models of Prometheus's operator, by kind: they take seconds to import."""
    from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule, ServiceMonitor

    return {model.__name__: model for model in (ServiceMonitor, PodMonitor, PrometheusRule)}


@EVERY
def test_helm_finds_nothing_to_say(values):
    report = lint(CHART, {**LABEL_STUDIO, **values}, strict=True)
    worse = [message for message in report["messages"] if message["severity"] > 1]
    assert not worse and not report["errors"]


@EVERY
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_all_objects_are_as_the_schemas_say(values, version):
    for found in rendered(values):
        if model := operator_models().get(found["kind"]):
            model.model_validate(found)
        else:
            kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize(
    "release", ["dynamite", "clicks", "a-very-long-name-of-a-release-of-a-team"]
)
def test_names_belong_to_the_release_and_are_not_taken_twice(release):
    objects = rendered(VARIANTS["all"], release=release)
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names)
    assert all(name.startswith(release[:20]) and len(name) < 53 for _, name in names)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"labelStudio": {"url": ""}}, "url"),
        ({"labelStudio": {"url": "label-studio:8080"}}, "url"),
        ({"secret": ""}, "secret"),
        ({"replicas": 3}, "replicas"),
        ({"backend": {"gpus": True}}, "gpus"),
        ({"backend": {"drainSeconds": 1}}, "drainSeconds"),
        ({"queue": {"image": "valkey/valkey"}}, "image"),
        ({"settings": {"DYNAMITE_BASIC_AUTH_PASSWORD": "in-the-open"}}, "BASIC_AUTH_PASSWORD"),
        ({"settings": {"DYNAMITE_STATE_DIR": "/tmp"}}, "STATE_DIR"),
        ({"networkPolicy": {"callers": []}}, "callers"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(values, words):
    with pytest.raises(HelmError, match=words):
        rendered(values)


def test_a_forgotten_address_of_label_studio_is_asked_for():
    with pytest.raises(HelmError, match="url"):
        chart().render({}, name="dynamite")


def test_a_package_holds_the_files_and_not_the_links(tmp_path):
    archive = package(CHART, destination=tmp_path)
    values = {**LABEL_STUDIO, **VARIANTS["all"]}
    packed = Chart.load(archive).render(values, name="dynamite", namespace="team")
    assert packed == chart().render(values, name="dynamite", namespace="team")


@EVERY
def test_pods_are_as_the_profile_restricted_says(values):
    for _, template in pods(rendered(values)):
        spec = template["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def ours():
    for _, template in pods(ALL):
        for container in template["spec"]["containers"]:
            if container["image"].startswith(IMAGE):
                yield container, template["spec"]


def test_ours_run_commands_and_settings_that_exist():
    known = {variable(name) for name in Settings.model_fields}
    for container, spec in ours():
        program, name, *options = container["args"]
        assert program == "dynamite"
        command = main.get_command(None, name)
        taken = {option for parameter in command.params for option in parameter.opts}
        assert {option for option in options if option.startswith("-")} <= taken
        assert {entry["name"] for entry in container["env"]} - {"QUEUE_PASSWORD"} <= known
        # Kubernetes would set DYNAMITE_PORT=tcp://… for a service that is called dynamite.
        assert spec["enableServiceLinks"] is False


def test_the_program_understands_the_settings_of_its_pods(monkeypatch):
    for container, _ in ours():
        for entry in container["env"]:
            monkeypatch.setenv(entry["name"], entry.get("value", "a-secret-0123456789"))
        monkeypatch.setenv("DYNAMITE_HOST", "0.0.0.0")  # the image does
        settings = load()
        assert settings.memory and "dynamite.team.svc" in settings.known_hosts
        assert settings.image_hosts == ("images.example.com",)
        assert settings.queue_url == "redis://:$(QUEUE_PASSWORD)@dynamite-queue:6379/0"


def test_every_queue_has_a_worker_and_the_web_server_needs_none():
    served = {c["args"][-1] for c, _ in ours() if c["args"][1] == "worker"}
    assert served == set(QUEUES)
    assert [c["args"][1:] for c, _ in ours() if c["args"][1] == "serve"] == [
        ["serve", "--no-worker"]
    ]


def test_secrets_are_named_and_never_written():
    asked = {
        entry["valueFrom"]["secretKeyRef"]["key"]
        for values in VARIANTS.values()
        for _, template in pods(rendered(values))
        for container in template["spec"]["containers"]
        for entry in container.get("env", [])
        if "valueFrom" in entry
    }
    comment = (CHART / "values.yaml").read_text().split("secret: dynamite")[0]
    assert all(re.search(rf"\b{key}\b", comment) for key in asked)
    for container, _ in ours():
        for entry in container["env"]:
            if re.search("PASSWORD|SECRET|TOKEN|API_KEY|USER", entry["name"]):
                assert "value" not in entry
    assert not [found for found in ALL if found["kind"] == "Secret"]


def test_one_gpu_for_each_backend_and_none_unless_asked_for():
    backend = one(ALL, "StatefulSet", "dynamite-backend")["spec"]["template"]["spec"]
    (container,) = backend["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"name": "DYNAMITE_DEVICE", "value": "cuda"} in container["env"]
    assert "nvidia" not in json.dumps(rendered({}))


def test_a_backend_is_ready_once_its_model_is_and_lives_without_the_queue():
    (container,) = one(ALL, "StatefulSet", "dynamite-backend")["spec"]["template"]["spec"][
        "containers"
    ]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "readiness", "liveness")
    }
    assert paths == {"startup": "/health", "readiness": "/health", "liveness": "/live"}
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > 300  # LOADING_SECONDS


def test_a_backend_has_time_to_drain():
    spec = one(ALL, "StatefulSet", "dynamite-backend")["spec"]["template"]["spec"]
    drains = {e["name"]: e.get("value") for e in spec["containers"][0]["env"]}[
        "DYNAMITE_DRAIN_SECONDS"
    ]
    assert spec["terminationGracePeriodSeconds"] > load(drain_seconds=drains).drain_seconds + 10


def test_folders_that_all_share_are_made_and_mounted():
    for container, spec in ours():
        (folders,) = spec["initContainers"]
        made = [word for word in folders["command"] if word.startswith("/")]
        told = {e.get("value", "") for e in container["env"] if e["name"].endswith("_DIR")}
        assert told == {*made, "/state/dynamite"}
        assert all(folder.startswith("/shared/") for folder in made)
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
            "/state",
            "/shared",
            "/tmp",
        }
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["shared"]["persistentVolumeClaim"]["claimName"] == "dynamite-shared"
    claim = one(ALL, "PersistentVolumeClaim", "dynamite-shared")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_an_upgrade_reaches_backends_one_by_one_while_the_workers_pause():
    objects = rendered({"workers": {"paused": True, "ingest": {"replicas": 3}}})
    backend = one(objects, "StatefulSet", "dynamite-backend")["spec"]
    assert (backend["replicas"], backend["updateStrategy"]["type"]) == (2, "RollingUpdate")
    for queue in ("ingest", "train"):
        worker = one(objects, "Deployment", f"dynamite-{queue}")["spec"]
        assert (worker["replicas"], worker["strategy"]) == (0, {"type": "Recreate"})
    assert one(rendered({}), "Deployment", "dynamite-ingest")["spec"]["replicas"] == 1


def selected(selector, labels):
    return selector.items() <= labels.items()


SELECTORS = {
    "Service": ["selector"],
    "PodDisruptionBudget": ["selector", "matchLabels"],
    "Deployment": ["selector", "matchLabels"],
    "StatefulSet": ["selector", "matchLabels"],
    "NetworkPolicy": ["podSelector", "matchLabels"],
}


@EVERY
def test_every_selector_finds_the_pods_it_is_for(values):
    objects = rendered(values)
    templates = dict(pods(objects))
    for found in objects:
        if path := SELECTORS.get(found["kind"]):
            selector = reduce(getitem, path, found["spec"])
            matches = [
                n for n, t in templates.items() if selected(selector, t["metadata"]["labels"])
            ]
            assert len(matches) == 1, (found["kind"], found["metadata"]["name"], matches)


def haproxy_config(values):
    return one(rendered(values), "ConfigMap", "dynamite-haproxy")["data"]["haproxy.cfg"]


@pytest.mark.parametrize(("values", "pods"), [({}, 2), (VARIANTS["all"], 8)])
def test_haproxy_has_our_config_with_a_line_for_each_pod_there_may_be(values, pods):
    config = haproxy_config(values)
    line = re.compile(r"^    server (\S+) (\S+)\n", re.MULTILINE)
    assert (
        line.sub("", config).strip() == line.sub("", (DEPLOY / "haproxy.cfg").read_text()).strip()
    )
    service = one(rendered(values), "StatefulSet", "dynamite-backend")["spec"]["serviceName"]
    wanted = [
        (f"backend-{n}", f"dynamite-backend-{n}.{service}.team.svc.cluster.local:9090")
        for n in range(pods)
    ]
    assert line.findall(config) == wanted * 2


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="`apt-get install haproxy`")
def test_haproxy_takes_it(tmp_path):
    (tmp_path / "haproxy.cfg").write_text(haproxy_config({}))
    words = ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rules_and_dashboard_are_those_of_prometheus_and_grafana():
    rule = one(ALL, "PrometheusRule", "dynamite")
    assert rule["spec"] == yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    shown = one(ALL, "ConfigMap", "dynamite-dashboard")["data"]["dynamite.json"]
    assert json.loads(shown) == json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


def test_prometheus_finds_the_backends_under_the_name_that_the_rules_ask_for():
    monitor = one(ALL, "ServiceMonitor", "dynamite")["spec"]
    service = one(ALL, "Service", "dynamite-backend")
    assert selected(monitor["selector"]["matchLabels"], service["metadata"]["labels"])
    job = service["metadata"]["labels"][monitor["jobLabel"]]
    rules = (DEPLOY / "prometheus" / "alerts.yaml").read_text()
    assert set(re.findall(r'job="(\w+)"', rules)) == {job}
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_prometheus_finds_the_figures_of_haproxy():
    monitor = one(ALL, "PodMonitor", "dynamite-haproxy")["spec"]
    template = one(ALL, "Deployment", "dynamite-haproxy")["spec"]["template"]
    assert selected(monitor["selector"]["matchLabels"], template["metadata"]["labels"])
    (container,) = template["spec"]["containers"]
    (port,) = [
        port["containerPort"]
        for port in container["ports"]
        if port["name"] == monitor["podMetricsEndpoints"][0]["port"]
    ]
    assert container["env"] == [{"name": "HAPROXY_FIGURES", "value": f"0.0.0.0:{port}"}]
    rules = one(ALL, "NetworkPolicy", "dynamite-haproxy")["spec"]["ingress"]
    assert [{"port": port}] in [rule["ports"] for rule in rules]


def test_the_network_lets_through_what_is_needed_and_nothing_else():
    def callers(name):
        rules = one(ALL, "NetworkPolicy", f"dynamite-{name}")["spec"].get("ingress", [])
        peers = [peer for rule in rules for peer in rule["from"]]
        part = "app.kubernetes.io/component"
        return {
            peer.get("podSelector", {}).get("matchLabels", {}).get(part, "others") for peer in peers
        }

    assert callers("backend") == {"haproxy", "others"}
    assert callers("haproxy") == {"others"}
    assert callers("queue") == {"backend", "ingest", "train", "memory"}
    assert all(callers(queue) == set() for queue in QUEUES)
    policies = {o["metadata"]["name"] for o in ALL if o["kind"] == "NetworkPolicy"}
    assert policies == {name for name, _ in pods(ALL)}


def test_images_of_others_are_those_of_the_compose_file():
    team = yaml.safe_load((DEPLOY / "compose.team.yaml").read_text())["services"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in ("queue", "haproxy"):
        assert values[name]["image"] == team[name]["image"]


ADAPTER = yaml.safe_load((DEPLOY / "helm" / "prometheus-adapter.yaml").read_text())["rules"][
    "custom"
]


def test_the_autoscaler_asks_for_what_the_adapter_offers():
    scaler = one(ALL, "HorizontalPodAutoscaler", "dynamite-backend")["spec"]
    asked = {metric["pods"]["metric"]["name"] for metric in scaler["metrics"]}
    assert asked == {rule["name"]["as"] for rule in ADAPTER}
    target = scaler["scaleTargetRef"]
    scaled = one(ALL, target["kind"], target["name"])
    assert "replicas" not in scaled["spec"]  # each upgrade would set them back
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 8)


def queries():
    """The adapter's questions about two pods, as it would write them."""
    for rule in ADAPTER:
        series = rule["seriesQuery"].partition("{")[0]
        query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.GroupBy>>", "pod")
        yield rule["name"]["as"], query.replace("<<.LabelMatchers>>", 'namespace="team"')


@pytest.mark.skipif(shutil.which("promtool") is None, reason="`apt-get install prometheus`")
def test_what_the_adapter_offers_is_a_number_with_clicks_and_without(tmp_path):
    asked = dict(queries())
    busy, idle = (f'{{namespace="team",pod="{name}"}}' for name in ("busy", "idle"))
    buckets = {
        "0.25": ("0+90x10", "0x10"),
        "0.5": ("0+100x10", "0x10"),
        "+Inf": ("0+100x10", "0x10"),
    }
    series = [
        {"series": f'dynamite_click_seconds_bucket{pod[:-1]},le="{le}"}}', "values": values[number]}
        for (le, values), (number, pod) in product(buckets.items(), enumerate((busy, idle)))
    ]
    series += [
        {"series": f"dynamite_device_waiting{busy}", "values": "6x10"},
        {"series": f"dynamite_device_waiting{idle}", "values": "0x10"},
    ]
    wanted = {"dynamite_click_seconds_p95": (0.375, 0), "dynamite_device_waiting": (6, 0)}
    tests = [
        {
            "expr": f"round({asked[name]}, 0.001)",
            "eval_time": "10m",
            "exp_samples": [
                {"labels": f'{{pod="{pod}"}}', "value": value}
                for pod, value in zip(("busy", "idle"), values, strict=True)
            ],
        }
        for name, values in wanted.items()
    ]
    whole = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(whole))
    words = ["promtool", "test", "rules", tmp_path / "test.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
