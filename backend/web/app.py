"""The web application: the adapters' routes, and what every request needs: id, password, errors."""

import logging
import secrets
import time
from collections.abc import Iterable, Sequence

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from backend import request_id
from backend.errors import (
    RequestTooLargeError,
    TooManyGuessesError,
    UnauthorizedError,
    UnknownHostError,
    code_and_status,
    sentence,
)
from backend.serving.error_journal import ErrorJournal
from backend.settings import Settings, variable
from backend.settings.secret_words import masked, secret_words
from backend.web.adapter import Adapter
from backend.web.auth import SIGNATURE, Guesses, is_authorized
from backend.web.health import OPEN
from backend.web.hosts import is_known_host
from backend.web.reason_phrase import reason_phrase

log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    journal: ErrorJournal,
    adapters: Sequence[Adapter],
    pages: Sequence[Blueprint] = (),
) -> Flask:
    """Build the application.

    Args:
        settings: with the password and the limits.
        journal: takes the errors that are answered.
        adapters: the annotation tools to mount.
        pages: routes for people and monitoring.
    """
    app = Flask("backend", template_folder="templates", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for blueprint in (*(adapter.blueprint for adapter in adapters), *pages):
        app.register_blueprint(blueprint)
    open_endpoints = OPEN.union(*(adapter.open_endpoints for adapter in adapters))

    guesses = Guesses()
    secrets_of_settings = secret_words(settings)

    def is_guess() -> bool:
        """Whether the request carries a password or a secret, right or wrong."""
        has_secret = g.get("secret") is not None or SIGNATURE in request.headers
        return has_secret or request.authorization is not None

    def shown_path() -> str:
        """The request's path without a secret."""
        path = request.path
        for adapter in adapters:
            path = adapter.hide_secret(path, is_route=request.url_rule is not None)
        return path

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        request_id.follow(given if request_id.ID.fullmatch(given) else secrets.token_hex(6))
        g.started = time.perf_counter()
        host = request.headers.get("Host")
        if not is_known_host(host, settings):
            raise UnknownHostError(
                f"this backend is not known as {str(host)[:100]!r}: if that is its name, add it to "
                f"{variable('known_hosts')}"
            )
        if is_guess() and guesses.is_full(str(request.remote_addr)):
            raise TooManyGuessesError("too many wrong passwords or secrets: wait a second")
        if request.endpoint not in open_endpoints and not is_authorized(settings):
            raise UnauthorizedError(
                "this backend asks for a user name and password: in Label Studio, Settings → Model "
                "→ Edit → Basic Authentication, with DYNAMITE_BASIC_AUTH_USER and _PASSWORD"
            )

    @app.after_request
    def end(response: Response) -> Response:
        milliseconds = (time.perf_counter() - g.started) * 1000
        level = logging.DEBUG if response.status_code < 400 else logging.WARNING
        line = f"{request.method} {shown_path()} {response.status_code}"
        log.log(level, "%s %.0f ms", line, milliseconds)  # never the body
        response.headers["X-Request-Id"] = request_id.current()
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        request_id.follow("")  # the thread goes on to other requests

    @app.errorhandler(RequestEntityTooLarge)
    def refuse(_: RequestEntityTooLarge) -> Response:
        words = (
            f"a request of {request.content_length or 0:,} bytes to {shown_path()} is over the "
            f"{request.max_content_length or 0:,} bytes allowed"
        )
        if request.max_content_length == settings.max_request_bytes:
            words += (
                f": set {variable('max_request_bytes')} higher, or retrieve predictions of fewer "
                "tasks at a time"
            )
        return _failure(RequestTooLargeError(words), journal, secrets_of_settings)

    @app.errorhandler(UnauthorizedError)
    def slow_down(error: UnauthorizedError) -> Response:
        if is_guess():
            guesses.slow_down(str(request.remote_addr))
        return _failure(error, journal, secrets_of_settings)

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        return _failure(error, journal, secrets_of_settings)

    return app


def _failure(error: Exception, journal: ErrorJournal, secret: Iterable[str]) -> Response:
    """Answer an error as JSON with a stable code, a sentence and the request id; log it once.

    The sentence is the reason phrase, too. Nowhere does it hold the words that are ``secret``.
    """
    if isinstance(error, HTTPException):
        code, status = error.name.lower().replace(" ", "_"), error.code or 500
        message = masked(error.description or error.name, secret)
    else:
        code, status = code_and_status(error)
        message = masked(sentence(error), secret)
        unexpected = code == "internal_error"
        log.error("%s", message, exc_info=error if unexpected else None)
        journal.error(code, message, request_id.current())
    body = {"error": {"code": code, "message": message, "request_id": request_id.current()}}
    response = jsonify(body)
    response.status_code = status
    if isinstance(error, HTTPException):  # which methods are allowed, and the like
        others = (header for header in error.get_headers() if header[0] != "Content-Type")
        response.headers.extend(others)
    if phrase := reason_phrase(message):
        response.status = f"{status} {phrase}"
    if status == UnauthorizedError.status:
        response.headers["WWW-Authenticate"] = 'Basic realm="DynaMITE"'
    return response
