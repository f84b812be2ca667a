"""Which projects train which line of models, and which projects label every object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Project = tuple[str, int]
"""A project as its source and its number there; the annotation store's ``ProjectKey`` is one."""

NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
"""A line of models, or a source: the tool or server that a project belongs to."""

SHARED = "shared"
"""The line of every project that has none of its own."""


@dataclass(frozen=True)
class Lines:
    """The lines of models of the projects that are named in the settings."""

    by_project: Mapping[Project, str] = field(default_factory=dict)

    def of(self, project: Project) -> str:
        """Return the line that a project trains; ``shared`` unless it is named."""
        return self.by_project.get(project, SHARED)

    @property
    def names(self) -> set[str]:
        """Every line that some project may train."""
        return {SHARED, *self.by_project.values()}


@dataclass(frozen=True)
class Projects:
    """The projects that a setting names; ``projects`` is None if it names all."""

    projects: frozenset[Project] | None = frozenset()

    def __contains__(self, project: Project) -> bool:
        return self.projects is None or project in self.projects


def parse_lines(text: str, source: str) -> Lines:
    """Parse ``plants=3,4 cells=cvat:7``.

    Args:
        text: what the setting says.
        source: the source of the projects that are given as a bare number.

    Raises:
        ValueError: the text has another form, or names a project twice.
    """
    found: dict[Project, str] = {}
    for part in text.replace(";", " ").split():
        line, equals, projects = part.partition("=")
        if not equals or not NAME.fullmatch(line):
            raise ValueError(f"DYNAMITE_LINES: {part!r} is not like plants=3,4 or cells=cvat:7")
        for word in projects.split(","):
            project = _project(word, source)
            if project is None:
                raise ValueError(f"DYNAMITE_LINES: {part!r} is not like plants=3,4 or cells=cvat:7")
            if project in found:
                raise ValueError(f"DYNAMITE_LINES: project {word} is named twice")
            found[project] = line
    return Lines(found)


def parse_projects(setting: str, text: str, source: str) -> Projects:
    """Parse ``3,4,cvat:7`` or ``all``.

    Args:
        setting: its name.
        text: what the setting says.
        source: the source of the projects that are given as a bare number.

    Raises:
        ValueError: the text has another form.
    """
    if text.strip().lower() == "all":
        return Projects(None)
    words = [word.strip() for word in text.split(",") if word.strip()]
    found = {_project(word, source) for word in words}
    known = frozenset(project for project in found if project is not None)
    if len(known) < len(found):
        raise ValueError(f"{setting} is {text!r}: write projects like 3,4,cvat:7, or all")
    return Projects(known)


def _project(word: str, source: str) -> Project | None:
    """Parse ``3`` or ``cvat:3``; None if it is neither."""
    before, colon, number = word.rpartition(":")
    named = before if colon else source
    if not NAME.fullmatch(named) or not (number.isascii() and number.isdecimal()):
        return None
    return named, int(number)
