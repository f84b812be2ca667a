"""Drafts, annotations and predictions of a task → saved pages."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.region_reader import RegionError, read_region, shown
from backend.session.call import ImageKey, Painted, Prompt, SavedPage


def read_saved_pages(
    kind: str, raw: object, images: Collection[ImageKey], notes: list[str]
) -> tuple[SavedPage, ...]:
    """The saved pages in a task's list; what cannot be read is left out and noted."""
    if not isinstance(raw, list):
        return ()
    saved_pages = []
    for entry in raw:
        if isinstance(entry, Mapping) and not entry.get("was_cancelled"):
            saved_pages.append(_saved_page(kind, entry, images, notes))
    return tuple(saved_pages)


def asking(
    saved_pages: Iterable[SavedPage], config: LabelingConfig, said: Collection[str]
) -> tuple[SavedPage, ...]:
    """The saved pages without keypoints and rectangles that ask for no mask.

    Landmarks and regions of interest: those whose label cannot have a mask, and those of a tag with
    ``smart="false"``. What the call itself names among its prompts (``said``, ids) stays.
    """
    ordinary = {control.name for control in config.controls if not control.smart}

    def asks(entry: Prompt | Painted) -> bool:
        if isinstance(entry, Painted) or entry.id in said:
            return True
        return entry.from_name not in ordinary and config.takes(entry.image.name, entry.label)

    return tuple(replace(s, entries=tuple(filter(asks, s.entries))) for s in saved_pages)


def _saved_page(
    kind: str, raw: Mapping[str, Any], images: Collection[ImageKey], notes: list[str]
) -> SavedPage:
    key = f"{kind}:{raw.get('id')}"
    annotation = raw.get("annotation")
    if isinstance(annotation, Mapping):
        annotation = annotation.get("id")
    return SavedPage(
        key=key,
        version=_version(str(raw.get("updated_at") or raw.get("created_at") or "")),
        entries=tuple(
            entry for entry in _entries(raw.get("result"), key, notes) if entry.image in images
        ),
        user=_user(raw),
        annotation=None if annotation is None else f"annotation:{annotation}",
    )


def _version(saved: str) -> str:
    """A time in the one form that can be compared as text: Label Studio leaves out zero fractions.

    What is no time stays as it is.
    """
    try:
        time = datetime.fromisoformat(saved)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return saved
    return time.isoformat(timespec="microseconds")


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


def _entries(result: object, key: str, notes: list[str]) -> Iterable[Prompt | Painted]:
    """The first of each id, but a mask without a label only where its id has no other."""
    found: dict[str, Prompt | Painted] = {}
    for raw in result if isinstance(result, list) else ():
        try:
            region = read_region(raw, unlabelled=True)
        except RegionError as error:
            notes.append(f"{shown(key)}: a region is left out: {error}")
            continue
        if region is not None and (region.id not in found or not found[region.id].label):
            found[region.id] = region
    return found.values()
