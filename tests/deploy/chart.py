"""The Helm chart as Helm's own library renders it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helm_python.chart import Chart

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "dynamite"
LABEL_STUDIO = {"labelStudio": {"url": "http://label-studio.tools.svc:8080"}}

VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "all": {
        "backend": {"replicas": 3, "gpu": True, "runtimeClassName": "nvidia"},
        "workers": {"memory": {"enabled": True}, "train": {"gpu": True}},
        "autoscaling": {"enabled": True, "maxReplicas": 8},
        "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
        "knownHosts": ["clicks.example.com"],
        "settings": {"DYNAMITE_IMAGE_HOSTS": "images.example.com"},
        "image": {"repository": "registry.example/dynamite", "pullSecrets": ["registry"]},
    },
    "of others": {
        "queue": {"enabled": False},
        "shared": {"existingClaim": "team"},
        "networkPolicy": {"enabled": False},
    },
}


@cache
def chart() -> Chart:
    """Return the chart."""
    return Chart.load(CHART)


def rendered(values: dict[str, Any], *, release: str = "dynamite") -> list[dict[str, Any]]:
    """Return the objects of a release in the namespace ``team``."""
    files = chart().render({**LABEL_STUDIO, **values}, name=release, namespace="team")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the object of a kind with a name."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the pod templates: name of the workload, template."""
    for found in objects:
        if found["kind"] in {"Deployment", "StatefulSet"}:
            yield found["metadata"]["name"], found["spec"]["template"]
