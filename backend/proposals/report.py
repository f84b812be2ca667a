"""What is said of pre-labelling on the status page."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.proposing.kept import KeptDescriptions, Project

MOST_LABELS = 8
"""Labels shown of a project."""


@dataclass(frozen=True)
class PrelabelRow:
    """Whether the tasks of one project are pre-labelled, in words, label by label.

    Attributes:
        project: source and number.
        lines: one for each label.
        is_off: whether a label is not pre-labelled, because its proposals are mostly wrong.
    """

    project: Project
    lines: tuple[str, ...]
    is_off: bool


def prelabelled(kept: KeptDescriptions, wants: Callable[[Project], bool]) -> list[PrelabelRow]:
    """Return a row for each described project that is pre-labelled."""
    return list(_rows(kept, wants))


def _rows(kept: KeptDescriptions, wants: Callable[[Project], bool]) -> Iterator[PrelabelRow]:
    for project in sorted(kept.projects()):
        record = kept.record(project) if wants(project) else None
        if record is not None:
            # What is off is what somebody looks for.
            found = sorted(record.verdicts, key=lambda one: one.is_on)
            lines = tuple(map(str, found[:MOST_LABELS]))
            yield PrelabelRow(project, lines, any(not one.is_on for one in found))
