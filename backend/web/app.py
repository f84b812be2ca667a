"""The web application: routes together with what every request needs (id, password, errors)."""

import logging
import secrets
import time
from typing import TYPE_CHECKING

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from backend.errors import RequestTooLargeError, UnauthorizedError, code_and_status, sentence
from backend.label_studio import routes
from backend.settings import Settings, variable
from backend.web import metrics, status_page
from backend.web.auth import is_authorized

if TYPE_CHECKING:
    from backend.web.services import Services

log = logging.getLogger(__name__)

OPEN = ("label_studio.health", "label_studio.webhook")
"""Endpoints without a password: Label Studio sends none with webhooks, which check themselves."""


def create_app(settings: Settings, services: "Services") -> Flask:
    """Build the application around services that are ready to be used."""
    app = Flask("backend", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(routes.blueprint(settings, services))
    app.register_blueprint(status_page.blueprint(settings, services))
    app.register_blueprint(metrics.blueprint(services))

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(6)
        g.started = time.perf_counter()
        if request.endpoint not in OPEN and not is_authorized(settings):
            raise UnauthorizedError(
                "this backend asks for a user name and password: in Label Studio, Settings → Model "
                "→ Edit → Basic Authentication, with DYNAMITE_BASIC_AUTH_USER and _PASSWORD"
            )

    @app.after_request
    def end(response: Response) -> Response:
        milliseconds = (time.perf_counter() - g.started) * 1000
        level = logging.DEBUG if response.status_code < 400 else logging.WARNING
        log.log(level, "%s", line(response.status_code, milliseconds))
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.errorhandler(RequestEntityTooLarge)
    def refuse(_: RequestEntityTooLarge) -> Response:
        words = (
            f"a request of {request.content_length or 0:,} bytes to "
            f"{path()} is over the "
            f"{settings.max_request_bytes:,} bytes allowed: set {variable('max_request_bytes')} "
            "higher, or retrieve predictions of fewer tasks at a time"
        )
        return failure(RequestTooLargeError(words), services)

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        return failure(error, services)

    return app


def failure(error: Exception, services: "Services") -> Response:
    """Any error as JSON with a stable code, a sentence and the request id; logged once."""
    if isinstance(error, HTTPException):
        code, status = error.name.lower().replace(" ", "_"), error.code or 500
        message = error.description or error.name
    else:
        code, status = code_and_status(error)
        message = sentence(error)
        unexpected = code == "internal_error"
        log.error("%s: %s", g.request_id, message, exc_info=error if unexpected else None)
        services.journal.error(code, message, g.request_id)
    body = {"error": {"code": code, "message": message, "request_id": g.request_id}}
    response = jsonify(body)
    response.status_code = status
    if status == UnauthorizedError.status:
        response.headers["WWW-Authenticate"] = 'Basic realm="DynaMITE"'
    return response


def line(status: int, milliseconds: float) -> str:
    """What the log says of a request: never its body, never a secret in its address."""
    return f"{g.request_id} {request.method} {path()} {status} {milliseconds:.0f} ms"


def path() -> str:
    """The request's path without a secret."""
    return routes.without_secret(request.path, is_route=request.url_rule is not None)
