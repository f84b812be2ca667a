"""Handles ``/setup``: what Label Studio says of itself, and whether a project's config fits.

See docs/label-studio-protocol.md, 2.
"""

import logging
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from typing import Any

from backend.errors import BadRequestError, ImageError
from backend.label_studio import config_check, labeling_config
from backend.label_studio.checked_configs import Checked, CheckedConfigs
from backend.label_studio.connection import Connection
from backend.label_studio.served_tags import served_tags
from backend.settings import Settings
from backend.web.auth import has_proof, is_guarded, is_local

log = logging.getLogger(__name__)

TRIAL = {"dynamite_doctor": "a trial"}
"""Extra parameters of doctor's trial connection, which is undone at once: nothing is learned."""

_NUMBER = re.compile(r"[0-9]{1,18}")


class Trust(Enum):
    """How far a caller of /setup is believed."""

    PROVEN = "it sent the password or the secret"
    LOCAL = "it is on this machine, and neither is configured"
    NONE = "it proved nothing"


class Setup:
    """Takes in ``/setup`` calls. Label Studio repeats them for the same project."""

    def __init__(
        self,
        connection: Connection,
        checked_configs: CheckedConfigs,
        background_labels: Iterable[str],
        like_labels: Iterable[str],
        note_project: Callable[[int], None],
    ) -> None:
        """``note_project`` remembers a connected project without making the call wait."""
        self._connection = connection
        self._checked_configs = checked_configs
        self._labels = tuple(background_labels), tuple(like_labels)
        self._note_project = note_project

    def set_up(self, body: dict[str, Any], *, trust: Trust) -> Checked:
        """Take in one call.

        Args:
            body: what Label Studio sent.
            trust: how far the caller is believed about where Label Studio is.

        Returns:
            What will not work with the project's config, and which page serves which of its tags.
        """
        project = str(body.get("project", "")).partition(".")[0]
        if not _NUMBER.fullmatch(project):
            project = "?"
        schema = body.get("schema", "")
        if not isinstance(schema, str):
            raise BadRequestError("the labelling config in 'schema' must be a string of XML")
        checked = self._check(schema) if schema else Checked()
        if body.get("extra_params") == TRIAL:
            return checked
        if trust is not Trust.NONE:
            learned = self._learn(body, trust)
            checked = replace(checked, problems=(*learned, *checked.problems))
            if project != "?":
                self._note_project(int(project))
        if (schema or checked.problems) and self._checked_configs.note(project, checked):
            for problem in checked.problems:
                log.warning("project %s: %s", project, problem)
        return checked

    def _learn(self, body: dict[str, Any], trust: Trust) -> list[str]:
        """Learn where Label Studio is. A fault in it must not fail the call, which connects."""
        hostname, token = body.get("hostname"), body.get("access_token")
        if isinstance(hostname, str) and isinstance(token, str):
            try:
                self._connection.learn(hostname, token, is_proven=trust is Trust.PROVEN)
                self._connection.try_token()
            except ImageError as error:
                words = textwrap.shorten(str(error), 500, placeholder="…")
                return [
                    f"what Label Studio says of itself cannot be used: {words} (set "
                    "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or Label Studio's own "
                    "LABEL_STUDIO_HOST)"
                ]
        return []

    def _check(self, schema: str) -> Checked:
        try:
            config = labeling_config.parse(schema, *self._labels)
            return Checked(tuple(config_check.problems(config)), served_tags(config))
        except BadRequestError as error:
            return Checked((str(error),))


def trust_in_caller(settings: Settings) -> Trust:
    """Return how far the caller is believed about where Label Studio is, and with which token."""
    if has_proof(settings):
        return Trust.PROVEN
    return Trust.LOCAL if not is_guarded(settings) and is_local() else Trust.NONE
