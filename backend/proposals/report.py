"""What is said of pre-labelling on the status page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from training.proposing.kept import KeptDescriptions, Project, Record

MOST_LABELS = 8
"""Labels shown of a project."""

NOTHING_YET = "nothing is proposed yet: a worker describes the masks of submitted tasks"


@dataclass(frozen=True)
class PrelabelRow:
    """Whether the tasks of one project are pre-labelled, in words, label by label.

    Attributes:
        project: source and number.
        lines: one for each label.
        is_off: whether nothing is proposed yet, or a label's proposals are mostly wrong.
    """

    project: Project
    lines: tuple[str, ...]
    is_off: bool


def prelabelled(
    kept: KeptDescriptions, wants: Callable[[Project], bool], connected: Iterable[Project]
) -> list[PrelabelRow]:
    """Return a row for each project that is pre-labelled and connected or described."""
    projects = sorted({*kept.projects(), *connected})
    return [_row(project, kept.record(project)) for project in projects if wants(project)]


def _row(project: Project, record: Record | None) -> PrelabelRow:
    if record is None or not record.entries:
        return PrelabelRow(project, (NOTHING_YET,), is_off=True)
    # What is off is what somebody looks for.
    found = sorted(record.verdicts, key=lambda one: one.is_on)
    lines = tuple(map(str, found[:MOST_LABELS]))
    return PrelabelRow(project, lines, any(not one.is_on for one in found))
