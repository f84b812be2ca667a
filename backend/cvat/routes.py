"""The routes that CVAT calls as if this were its function host, and three for our own commands.

CVAT looks a function up before every call. Where it calls functions directly, by port, it posts to
``/`` and names none.
"""

from flask import Blueprint, Response, jsonify, request

from backend.cvat.callers import check_caller, check_peer
from backend.cvat.help_picture import help_picture
from backend.cvat.interactor import Interactor
from backend.cvat.interactor_request import read_project
from backend.cvat.metadata import FUNCTION, function
from backend.cvat.proposing import Proposing
from backend.cvat.warming import Warming
from backend.cvat.webhooks import MOST_BYTES, Webhooks
from backend.errors import ServingError
from backend.settings import Settings
from backend.web.auth import SIGNATURE
from backend.web.json_body import json_body, raw_body

NAME = "cvat"

OPEN = frozenset(
    f"{NAME}.{view}" for view in ("list_functions", "show_function", "invoke", "direct", "webhook")
)
"""Endpoints without Label Studio's password: CVAT has none; they check the caller themselves."""

JSON = "application/json"


class UnknownFunctionError(ServingError):
    """CVAT asks for a function that this backend has not."""

    code = "unknown_function"
    status = 404


def make_blueprint(
    settings: Settings,
    *,
    interactor: Interactor,
    proposing: Proposing,
    warming: Warming,
    webhooks: Webhooks,
) -> Blueprint:
    """The routes of CVAT's protocol."""
    routes = Blueprint(NAME, __name__)

    def described() -> dict[str, object]:
        return function(settings.port, help_picture())

    def answered() -> Response:
        agent = request.headers.get("User-Agent", "")
        return Response(interactor.answer(json_body(), agent), mimetype=JSON)

    @routes.get("/api/functions")
    def list_functions() -> Response:
        check_caller(settings)
        return jsonify({FUNCTION: described()})

    @routes.get("/api/functions/<name>")
    def show_function(name: str) -> Response:
        check_caller(settings)
        check_name(name)
        return jsonify(described())

    @routes.post("/api/function_invocations")
    def invoke() -> Response:
        check_caller(settings)
        check_name(request.headers.get("x-nuclio-function-name", FUNCTION))
        return answered()

    @routes.post("/")
    def direct() -> Response:
        check_caller(settings)
        return answered()

    @routes.post("/cvat/warm")
    def warm() -> Response:
        warming.warm(raw_body(), read_project(request.args.get("project")))
        return jsonify(warm=1)

    @routes.post("/cvat/boxes")
    def boxes() -> Response:
        return jsonify(masks=interactor.masks_in_boxes(json_body()))

    @routes.post("/cvat/proposals")
    def proposals() -> Response:
        return jsonify(proposals=proposing.answer(json_body()))

    @routes.post("/cvat/webhook")
    def webhook() -> Response:
        if settings.cvat_webhook_secret is None:
            check_peer(settings)
        webhooks.check(raw_body(MOST_BYTES), request.headers.get(SIGNATURE, ""))
        return jsonify(status=webhooks.receive(json_body()))

    return routes


def check_name(name: str) -> None:
    """Check that a function is ours.

    Raises:
        UnknownFunctionError: it is not.
    """
    if name != FUNCTION:
        raise UnknownFunctionError(
            f"there is no function {name[:60]!r} here, only {FUNCTION!r}: reload CVAT's page"
        )
