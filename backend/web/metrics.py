"""``/metrics``; asks for the password where there is one, as everything but health does."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from backend.web.metrics_state import State

if TYPE_CHECKING:
    from backend.web.services import Services


def blueprint(services: "Services") -> Blueprint:
    """The route, with a registry of its own."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    for collector in (State(services), services.meters.clicks, services.meters.encodes):
        registry.register(collector)
    ProcessCollector(registry=registry)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes
