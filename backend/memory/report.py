"""What is said of the memories: on the status page, in the metrics, on the command line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from training.memory.evidence import LabelOutcome
from training.memory.kept import Project, Record

MOST_LABELS = 8
"""Labels shown of a project; a config may have hundreds."""


@dataclass(frozen=True)
class MemoryRow:
    """The memory of one project, in words.

    Attributes:
        project: whose it is.
        words: why it is on or off.
        labels: what it brings, label by label; empty where it was not tried.
        is_on: whether clicks are answered with it.
    """

    project: str
    words: str
    labels: tuple[str, ...]
    is_on: bool


def describe(records: Iterable[Record], version: str) -> list[MemoryRow]:
    """Describe memories for people, as the model ``version`` uses them."""
    return [_row(record, version) for record in sorted(records, key=lambda one: one.key)]


def by_state(records: Iterable[Record], loaded: Mapping[Project, str]) -> dict[str, int]:
    """Count memories by state; those of ``loaded`` answer clicks in this process."""
    is_on = [record.is_on for record in records]
    return {"on": sum(is_on), "off": len(is_on) - sum(is_on), "loaded": len(loaded)}


def _row(record: Record, version: str) -> MemoryRow:
    project = f"project {record.project} of {record.source}"
    shown = tuple(map(_label, record.labels[:MOST_LABELS]))
    if record.is_on and record.model_version != version:
        words = f"off: it was learned from {record.model_version}, and is being learned again"
        return MemoryRow(project, words, shown, is_on=False)
    return MemoryRow(project, record.words, shown, is_on=record.is_on)


def _label(row: LabelOutcome) -> str:
    clicks, first = row.clicks, row.first_iou
    return (
        f"{row.label} ({row.objects} objects): {clicks[0]:.1f} → {clicks[1]:.1f} clicks, "
        f"IoU after the first {first[0]:.2f} → {first[1]:.2f}"
    )
