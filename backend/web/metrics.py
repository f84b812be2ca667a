"""``/metrics`` for Prometheus. Asks for the password where there is one."""

from collections.abc import Sequence

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector


def make_blueprint(collectors: Sequence[Collector]) -> Blueprint:
    """Return the route, with a registry of its own for the collectors and the process."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes
