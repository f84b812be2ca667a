"""The routes of Label Studio's protocol, and one of ours to warm images; JSON stops here.

See docs/label-studio-protocol.md, 1.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, g, jsonify
from flask.typing import ResponseReturnValue

from backend.errors import UnauthorizedError
from backend.jobs.job_queue import JobQueue
from backend.label_studio import webhooks
from backend.label_studio.connection import Connection
from backend.label_studio.predict import Predict
from backend.label_studio.setup import Setup, trust_in_caller
from backend.serving.engine import Engine
from backend.settings import Settings
from backend.web.auth import same
from backend.web.health import Health
from backend.web.json_body import json_body

View = TypeVar("View", bound=Callable[[], ResponseReturnValue])

NAME = "label_studio"

OPEN = frozenset({f"{NAME}.health", f"{NAME}.webhook"})
"""Endpoints without a password: Label Studio sends none with webhooks, which check themselves."""

SECRET_PREFIX = "/k/<secret>"  # noqa: S105  a pattern, no secret
"""Label Studio derives every address from the one it was given, so a secret can go in front."""


def make_blueprint(
    settings: Settings,
    *,
    engine: Engine,
    connection: Connection,
    predict: Predict,
    setup: Setup,
    queue: JobQueue,
    health: Health,
) -> Blueprint:
    """The routes, each with and without the secret in front; those of ``health`` with it."""
    routes = Blueprint(NAME, __name__)

    def both(path: str, method: str) -> Callable[[View], View]:
        def register(view: View) -> View:
            routes.add_url_rule(path, view.__name__, view, methods=[method])
            routes.add_url_rule(SECRET_PREFIX + path, view.__name__, view, methods=[method])
            return view

        return register

    @routes.url_value_preprocessor
    def take_secret(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001
        g.secret = (values or {}).pop("secret", None)

    @routes.before_request
    def check_secret() -> None:
        wanted = settings.webhook_secret
        if g.secret is not None and not (wanted and same(g.secret, wanted.get_secret_value())):
            raise UnauthorizedError(
                "the secret in the address is not the configured one: connect http://HOST:PORT/k/ "
                "followed by DYNAMITE_WEBHOOK_SECRET"
            )

    routes.add_url_rule(f"{SECRET_PREFIX}/health", "health", health.health)
    routes.add_url_rule(f"{SECRET_PREFIX}/versions", "versions", health.versions)

    @both("/setup", "POST")
    def set_up() -> Response:
        checked = setup.set_up(json_body(), trust=trust_in_caller(settings))
        return jsonify(
            model_version=engine.model.version, problems=checked.problems, served=checked.served
        )

    @both("/predict", "POST")
    def predictions() -> Response:
        return jsonify(results=predict.predict(json_body()))

    @both("/warm", "POST")
    def warm() -> Response:
        count, problems = predict.warm(json_body())
        return jsonify(warm=count, problems=problems)

    @both("/webhook", "POST")
    def webhook() -> tuple[Response, int]:
        proven = webhooks.is_proven(settings, can_ask=connection.can_ask)
        body = json_body(webhooks.MOST_BYTES)
        is_queued = webhooks.receive(body, queue, proven=proven, source=settings.label_studio_name)
        return jsonify(status="enqueued" if is_queued else "kept until the queue is back"), 201

    return routes


def hide_secret(path: str, *, is_route: bool) -> str:
    """An address as it may be logged; in one that is no route of ours a secret may be anywhere."""
    return re.sub(r"^/k/[^/]*" if is_route else r"(?s)^/k/.*", "/k/…", path)
