"""The status page at ``/``: plain HTML, no JavaScript, everything shown is escaped."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, render_template

from backend.jobs.job_queue import JobQueue
from backend.serving.engine import Engine
from backend.serving.error_journal import ErrorJournal
from backend.settings import Settings
from backend.web.adapter import Adapter
from backend.web.model_status import ModelStatus

if TYPE_CHECKING:
    from backend.features.cache import FeatureCache
    from dynamite.predict.features import ImageFeatures

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""The page may load nothing and run nothing, whatever ends up in it."""


def make_blueprint(
    settings: Settings,
    *,
    engine: Engine,
    cache: "FeatureCache[ImageFeatures]",
    queue: JobQueue,
    model_status: ModelStatus,
    journal: ErrorJournal,
    adapters: Sequence[Adapter],
) -> Blueprint:
    """The page as a route."""
    routes = Blueprint("status", __name__)

    @routes.get("/")
    def page() -> Response:
        html = render_template(
            "status.html",
            model=engine.model,
            waiting=engine.waiting,
            tiers=cache.tiers(),
            queues=queue.depths(),
            workers=queue.workers() or {},
            on_disk=queue.on_disk,
            training=model_status.training(),
            asked=model_status.asked(),
            backlog=model_status.backlog(),
            problem=model_status.problem,
            tools=[(adapter.title, adapter.status()) for adapter in adapters],
            guarded=settings.basic_auth_user is not None,
            errors=journal.errors,
            megabytes=megabytes,
        )
        response = make_response(html)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes


def megabytes(size: int) -> str:
    """A size in bytes for people: 1,234 MB."""
    return f"{size / 1e6:,.0f} MB"
