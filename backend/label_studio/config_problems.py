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
        self._remarks: dict[str, tuple[str, ...]] = {}

    def note(self, project: str, problems: Sequence[str], remarks: Sequence[str] = ()) -> bool:
        """Note the problems of a project, none if it fits; return whether that is news.

        ``remarks`` are what to know of a configuration that fits.
        """
        with self._lock:
            is_news = self._by_project.get(project) != tuple(problems)
            self._by_project[project] = tuple(problems)
            self._remarks[project] = tuple(remarks)
            while len(self._by_project) > KEPT:
                oldest = next(iter(self._by_project))
                del self._by_project[oldest], self._remarks[oldest]
        return is_news

    @property
    def by_project(self) -> Mapping[str, tuple[str, ...]]:
        """The problems by project number."""
        with self._lock:
            return dict(self._by_project)

    def remarks(self, project: str) -> tuple[str, ...]:
        """What to know of a project's configuration."""
        with self._lock:
            return self._remarks.get(project, ())
