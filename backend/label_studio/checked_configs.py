"""Remembers what each project's labelling config is good for, and what is wrong with it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

KEPT = 20
"""Projects remembered; the ones noted first go first."""


@dataclass(frozen=True)
class Checked:
    """What is known of a configuration, in words.

    ``problems``: what will not work, nothing if it fits; ``served``: which page serves which tag.
    """

    problems: tuple[str, ...] = ()
    served: tuple[str, ...] = ()


class CheckedConfigs:
    """What is known of each project's configuration. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_project: dict[str, Checked] = {}

    def note(self, project: str, checked: Checked) -> bool:
        """Note what is known of a project; return whether that is news."""
        with self._lock:
            is_news = self._by_project.get(project) != checked
            self._by_project[project] = checked
            while len(self._by_project) > KEPT:
                del self._by_project[next(iter(self._by_project))]
        return is_news

    @property
    def by_project(self) -> Mapping[str, Checked]:
        """What is known, by project number."""
        with self._lock:
            return dict(self._by_project)
