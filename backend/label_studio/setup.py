"""``/setup``: what Label Studio says of itself, and what is wrong with a project's config."""

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import request

from backend.errors import BadRequestError, ImageError
from backend.label_studio import labeling_config
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.web.services import Services

log = logging.getLogger(__name__)

TRIAL = {"dynamite_doctor": "a trial"}
"""Extra parameters of a connection that is undone at once: nothing is learned from it."""

_NUMBER = re.compile(r"[0-9]{1,18}")


def set_up(body: dict[str, Any], services: "Services", *, is_trusted: bool) -> list[str]:
    """Take note of a project; returns what will not work with its config, in words.

    Called often and again for the same project: quick, and the same each time.
    """
    project = str(body.get("project", "")).partition(".")[0]
    if not _NUMBER.fullmatch(project):
        project = "?"
    schema = body.get("schema", "")
    if not isinstance(schema, str):
        raise BadRequestError("the labelling config in 'schema' must be a string of XML")
    if body.get("extra_params") == TRIAL:
        return list(_config_problems(schema, services)) if schema else []
    problems: list[str] = []
    if is_trusted:
        if project != "?":
            services.note_project(int(project))
        problems += _learn(body, services)
    if schema:
        problems += _config_problems(schema, services)
    if (schema or problems) and services.journal.config(project, problems):
        for problem in problems:
            log.warning("project %s: %s", project, problem)
    return problems


def _learn(body: dict[str, Any], services: "Services") -> list[str]:
    """Hear where Label Studio is; what is wrong with it must not fail the call, which attaches."""
    hostname, token = body.get("hostname"), body.get("access_token")
    if isinstance(hostname, str) and isinstance(token, str):
        try:
            services.learn_label_studio(hostname, token)
        except ImageError as error:
            return [
                f"what Label Studio says of itself cannot be used: {error} (set "
                "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or LABEL_STUDIO_HOST of Label Studio)"
            ]
    return []


def _config_problems(schema: str, services: "Services") -> Sequence[str]:
    try:
        return labeling_config.parse(schema, services.background_labels).problems
    except BadRequestError as error:
        return [str(error)]


def is_trusted(settings: Settings) -> bool:
    """Whether the caller may tell where Label Studio is and with which token.

    It passed the password if there is one; without one, only this machine is believed.
    """
    if settings.basic_auth_user is not None:
        return True
    return request.remote_addr in ("127.0.0.1", "::1")
