"""Reads the drafts, annotations and predictions of a task (docs/label-studio-protocol.md, 6)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.raw_values import shown
from backend.label_studio.result_list import read_results
from backend.session.call import Entry, SavedPage
from backend.session.paint import Paint
from backend.session.regions import ImageKey


def read_saved_pages(
    kind: str,
    raw: object,
    config: LabelingConfig,
    images: Collection[ImageKey],
    notes: list[str],
) -> tuple[SavedPage, ...]:
    """Return the saved pages in a task's list; what cannot be read is noted in ``notes``.

    ``kind`` is "draft", "annotation" or "prediction"; ``images`` are the task's.
    """
    if not isinstance(raw, list):
        return ()
    saved_pages = []
    for entry in raw:
        if isinstance(entry, Mapping) and not entry.get("was_cancelled"):
            saved_pages.append(_saved_page(kind, entry, config, images, notes))
    return tuple(saved_pages)


def keep_prompts(
    saved_pages: Iterable[SavedPage], config: LabelingConfig, named: Collection[str]
) -> tuple[SavedPage, ...]:
    """Drop keypoints and rectangles that are not mask prompts: landmarks, regions of interest.

    These have a label that cannot have a mask, or a tag with ``smart="false"``. The prompts that
    the request itself names (``named``, ids) stay.
    """
    ordinary = {control.name for control in config.controls if not control.smart}

    def is_kept(entry: Entry) -> bool:
        if isinstance(entry, Paint) or entry.id in named:
            return True
        return entry.from_name not in ordinary and config.takes(entry.image.name, entry.label)

    return tuple(replace(s, entries=tuple(filter(is_kept, s.entries))) for s in saved_pages)


def _saved_page(
    kind: str,
    raw: Mapping[str, Any],
    config: LabelingConfig,
    images: Collection[ImageKey],
    notes: list[str],
) -> SavedPage:
    key = f"{kind}:{raw.get('id')}"
    annotation = raw.get("annotation")
    if isinstance(annotation, Mapping):
        annotation = annotation.get("id")
    return SavedPage(
        key=key,
        version=_version(str(raw.get("updated_at") or raw.get("created_at") or "")),
        entries=tuple(
            e for e in _entries(raw.get("result"), key, config, notes) if e.image in images
        ),
        user=_user(raw),
        annotation=None if annotation is None else f"annotation:{annotation}",
    )


def _version(saved: str) -> str:
    """Return a time in a form that sorts as text; Label Studio leaves out fractions that are zero.

    Text that is no time stays as it is.
    """
    try:
        time = datetime.fromisoformat(saved)
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return saved
    return time.isoformat(timespec="microseconds")


def _user(raw: Mapping[str, Any]) -> str | None:
    """Return a user's number; a draft's ``created_username`` is "e-mail, number"."""
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


def _entries(result: object, key: str, config: LabelingConfig, notes: list[str]) -> list[Entry]:
    found = read_results(result if isinstance(result, list) else (), config)
    notes += [f"{shown(key)}: a region is left out: {error}" for _, error in found.errors]
    return found.entries
