"""``/setup``: what Label Studio says of itself, and what is wrong with a project's config."""

import logging
from typing import TYPE_CHECKING, Any

from flask import request

from backend.errors import BadRequestError
from backend.label_studio import labeling_config
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.services import Services

log = logging.getLogger(__name__)


def set_up(body: dict[str, Any], services: "Services", *, is_trusted: bool) -> list[str]:
    """Take note of a project; returns what will not work with its config, in words.

    Called often and again for the same project: quick, and the same each time.
    """
    project = str(body.get("project", "")).partition(".")[0] or "?"
    schema = body.get("schema", "")
    if not isinstance(schema, str):
        raise BadRequestError("the labelling config in 'schema' must be a string of XML")
    if is_trusted and project.isdecimal():
        services.note_project(int(project))
    hostname, token = body.get("hostname"), body.get("access_token")
    if is_trusted and isinstance(hostname, str) and isinstance(token, str):
        services.learn_label_studio(hostname, token)
    if not schema:
        return []
    try:
        problems = labeling_config.parse(schema, services.background_labels).problems
    except BadRequestError as error:
        problems = (str(error),)
    if services.journal.config(project, problems):
        for problem in problems:
            log.warning("project %s: %s", project, problem)
    return list(problems)


def is_trusted(settings: Settings) -> bool:
    """Whether the caller may tell where Label Studio is and with which token.

    It passed the password if there is one; without one, only this machine is believed.
    """
    if settings.basic_auth_user is not None:
        return True
    return request.remote_addr in ("127.0.0.1", "::1")
