"""Describes the routes in OpenAPI 3.1, for programs and people that call them.

The description is a file that is kept by hand (``backend/openapi.yaml``); tests hold it to the
routes and to what they answer.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from flask import Blueprint, Response, current_app, jsonify
from werkzeug.routing import Rule

FILE = Path(__file__).parents[1] / "openapi.yaml"

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")


def make_blueprint() -> Blueprint:
    """Return the route."""
    routes = Blueprint("description", __name__)

    @routes.get("/openapi.json")
    def description() -> Response:
        return jsonify(of_routes(read(), current_app.url_map.iter_rules()))

    return routes


def read() -> dict[str, Any]:
    """Return the whole description, of all routes that a backend can have."""
    described: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {name: value for name, value in described.items() if not name.startswith("x-")}


def of_routes(described: Mapping[str, Any], rules: Iterable[Rule]) -> dict[str, Any]:
    """Return what a description says of some routes; without CVAT there are fewer."""
    here = {
        (_VARIABLE.sub(r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in rule.methods or ()
    }
    paths = {
        path: {name: one for name, one in item.items() if name == "servers" or (path, name) in here}
        for path, item in described["paths"].items()
    }
    known = {path: item for path, item in paths.items() if item.keys() - {"servers"}}
    return {**described, "paths": known}
