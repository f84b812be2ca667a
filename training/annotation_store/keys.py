"""What identifies annotations, tasks and projects: where they come from, and their number there.

Every tool, and every Label Studio, counts from 1: the number alone says nothing.
"""

from typing import NamedTuple


class ProjectKey(NamedTuple):
    """A project of a source, the short name of an annotation tool or server."""

    source: str
    number: int

    def __str__(self) -> str:
        return f"{self.source}:{self.number}"


class TaskKey(NamedTuple):
    """A task of a source."""

    source: str
    number: int


class AnnotationKey(NamedTuple):
    """An annotation of a source."""

    source: str
    number: int
