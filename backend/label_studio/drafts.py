"""Drafts, annotations and predictions of a task → snapshots of pages."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from backend.label_studio.wire import RegionError, read_region
from backend.session.evidence import ImageKey, Painted, Prompt, Snapshot


def read_snapshots(
    kind: str, raw: object, images: Collection[ImageKey], notes: list[str]
) -> tuple[Snapshot, ...]:
    """The snapshots in a task's list; what cannot be read is left out and noted."""
    if not isinstance(raw, list):
        return ()
    snapshots = []
    for entry in raw:
        if isinstance(entry, Mapping) and not entry.get("was_cancelled"):
            snapshots.append(_snapshot(kind, entry, images, notes))
    return tuple(snapshots)


def _snapshot(
    kind: str, raw: Mapping[str, Any], images: Collection[ImageKey], notes: list[str]
) -> Snapshot:
    key = f"{kind}:{raw.get('id')}"
    annotation = raw.get("annotation")
    if isinstance(annotation, Mapping):
        annotation = annotation.get("id")
    return Snapshot(
        key=key,
        version=str(raw.get("updated_at") or raw.get("created_at") or ""),
        entries=tuple(
            entry for entry in _entries(raw.get("result"), key, notes) if entry.image in images
        ),
        user=_user(raw),
        annotation=None if annotation is None else f"annotation:{annotation}",
    )


def _user(raw: Mapping[str, Any]) -> str | None:
    """A user's number: drafts have it at the end of ``created_username``, "e-mail, number"."""
    completed_by = raw.get("completed_by")
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("id")
    if completed_by is not None:
        return str(completed_by)
    _, _, number = str(raw.get("created_username") or "").rpartition(", ")
    if number.isdigit():
        return number
    user = raw.get("user")
    return None if user is None else str(user)


def _entries(result: object, key: str, notes: list[str]) -> Iterator[Prompt | Painted]:
    if not isinstance(result, list):
        return
    seen: set[str] = set()
    for raw in result:
        try:
            region = read_region(raw)
        except RegionError as error:
            notes.append(f"{key}: a region is left out: {error}")
            continue
        if region is not None and region.id not in seen:
            seen.add(region.id)
            yield region
