"""The five routes of Label Studio's protocol, and ours for warming; JSON stops here."""

import json
import logging
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from backend.errors import BadRequestError, NotJsonError, UnauthorizedError
from backend.label_studio import predict, setup, webhooks
from backend.settings import Settings
from backend.web.auth import same

if TYPE_CHECKING:
    from backend.web.services import Services

log = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[[], ResponseReturnValue])

SECRET_PREFIX = "/k/<secret>"  # noqa: S105  a pattern, no secret
"""Label Studio derives every address from the one it was given, so a secret can stand in front."""


def blueprint(settings: Settings, services: "Services") -> Blueprint:
    """The routes, each with and without the secret in front of it."""
    routes = Blueprint("label_studio", __name__)

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

    @both("/health", "GET")
    def health() -> Response:
        model = services.engine.model
        return jsonify(
            status="UP", model_class="DynaMITE", model_version=model.version, device=model.device
        )

    @both("/versions", "GET")
    def versions() -> Response:
        return jsonify(services.versions())

    @both("/setup", "POST")
    def set_up() -> Response:
        problems = setup.set_up(body(), services, is_trusted=setup.is_trusted(settings))
        version = services.engine.model.version
        return jsonify(model_version=version, problems=problems)

    @both("/predict", "POST")
    def predictions() -> Response:
        return jsonify(results=predict.predict(body(), services))

    @both("/warm", "POST")
    def warm() -> Response:
        count, problems = predict.warm(body(), services)
        return jsonify(warm=count, problems=problems)

    @both("/webhook", "POST")
    def webhook() -> tuple[Response, int]:
        kept = webhooks.receive(body(), services, webhooks.is_verified(settings, services))
        return jsonify(status="enqueued" if kept else "kept until the queue is back"), 201

    return routes


_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def without_secret(path: str, *, is_route: bool) -> str:
    """An address as it may be logged: in one that is no route of ours a secret may be anywhere."""
    return re.sub(r"^/k/[^/]*" if is_route else r"(?s)^/k/.*", "/k/…", path)


def body() -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        NotJsonError: it is no JSON, holds NaN, a number of absurd length or half a character, or
            nests too deeply.
        BadRequestError: it is JSON but no object.
    """
    if not request.is_json:
        raise NotJsonError("the request must have the content type application/json")
    try:
        text = request.get_data().decode()
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be kept
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise NotJsonError(f"the request's body cannot be read as JSON: {reason}") from None
    if not isinstance(value, dict):
        raise BadRequestError(f"the request must be a JSON object, not a {type(value).__name__}")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
