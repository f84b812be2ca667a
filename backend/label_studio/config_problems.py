"""Remembers what is wrong with each project's labelling configuration."""

import threading
from collections.abc import Mapping, Sequence

KEPT = 20
"""Projects remembered; the ones noted first go first."""


class ConfigProblems:
    """The problems of each project's configuration, in words. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_project: dict[str, tuple[str, ...]] = {}

    def note(self, project: str, problems: Sequence[str]) -> bool:
        """Note the problems of a project, none if it fits; return whether that is news."""
        with self._lock:
            is_news = self._by_project.get(project) != tuple(problems)
            self._by_project[project] = tuple(problems)
            while len(self._by_project) > KEPT:
                del self._by_project[next(iter(self._by_project))]
        return is_news

    @property
    def by_project(self) -> Mapping[str, tuple[str, ...]]:
        """The problems by project number."""
        with self._lock:
            return dict(self._by_project)
