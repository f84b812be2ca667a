"""The status page at ``/``: plain HTML, no JavaScript, everything shown is escaped."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, render_template

from backend.label_studio.access import unused_token
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.web.services import Services

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""The page may load nothing and run nothing, whatever ends up in it."""


def blueprint(settings: Settings, services: "Services") -> Blueprint:
    """The page as a route."""
    routes = Blueprint("status", __name__)

    @routes.get("/")
    def page() -> Response:
        html = render_template(
            "status.html",
            model=services.engine.model,
            waiting=services.engine.waiting,
            tiers=services.cache.tiers() if services.cache else [],
            queues=services.queue.depths(),
            on_disk=services.queue.on_disk,
            training=services.training(),
            asked=services.asked(),
            backlog=services.backlog(),
            problem=services.watcher.problem if services.watcher else None,
            label_studio=services.label_studio_address or "not known yet",
            unused_token=unused_token(settings),
            guarded=settings.basic_auth_user is not None,
            loopback=settings.is_loopback,
            configs=services.journal.configs,
            errors=services.journal.errors,
            megabytes=megabytes,
        )
        response = make_response(html)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes


def megabytes(size: int) -> str:
    """A size for people: 1,234 MB."""
    return f"{size / 1e6:,.0f} MB"
