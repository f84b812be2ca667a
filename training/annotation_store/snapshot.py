"""An immutable folder of what is to be trained on and judged by, named by its content.

``corrected/``, ``unchanged/`` and ``holdout/`` are COCO sets of their own, their images hard links.
An image is held out or not by its digest alone: once held out, always held out.
"""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from dynamite.files import discard, replacing
from training.annotation_store.selection import counting
from training.annotation_store.store import AnnotationStore
from training.annotation_store.unknown import unknown
from training.annotation_store.values import AcceptedImage

log = logging.getLogger(__name__)

CORRECTED, UNCHANGED, HOLDOUT = PARTS = ("corrected", "unchanged", "holdout")


@dataclass(frozen=True)
class SnapshotRules:
    """What decides about the content beside the annotations.

    ``holdout`` is the share of images that are judged by; in projects that are ``exhaustive``
    everything unlabelled is background, unless some of the annotation was set aside.
    """

    holdout: float = 0.2
    exhaustive: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Snapshot:
    """``folder`` is named ``digest``; ``images`` of each part; ``change`` is the store's."""

    digest: str
    folder: Path
    images: dict[str, int]
    change: int


def write_snapshot(
    store: AnnotationStore, projects: Iterable[int], folder: Path, rules: SnapshotRules
) -> Snapshot:
    """Write what counts of some projects to ``folder``/DIGEST; there already: only touch it."""
    change = store.change()
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    missing = 0
    incomplete = store.incomplete()
    for image, annotation in counting(store.annotations(sorted(projects))):
        if not store.image_path(image.digest).is_file():
            missing += 1
            continue
        # What was set aside is there all the same, and must not be taught as background.
        whole = annotation.annotation_id not in incomplete
        entry = {"image": image, "exhaustive": whole and annotation.project in rules.exhaustive}
        parts[part_of(image, rules.holdout)].append(entry)
    if missing:
        log.warning("%d accepted images are left out: no file in %s", missing, store.folder)
    contents = {part: _coco(entries) for part, entries in parts.items()}
    text = json.dumps(contents, sort_keys=True, separators=(",", ":"))
    digest = sha256(text.encode()).hexdigest()[:24]
    images = {part: len(entries) for part, entries in parts.items()}
    target = folder / digest
    if _whole(contents, target):
        os.utime(target)  # cleaning goes by that
    else:
        _write(contents, store, target)
    return Snapshot(digest, target, images, change)


def part_of(image: AcceptedImage, holdout: float) -> str:
    """Where an image belongs."""
    number = blake2b(image.digest.encode(), digest_size=8).digest()
    if int.from_bytes(number, "big") / 2**64 < holdout:
        return HOLDOUT
    return UNCHANGED if image.unchanged else CORRECTED


def _whole(contents: dict[str, Any], target: Path) -> bool:
    """Whether all of it is there; after a power cut a file may be, with nothing in it."""
    return all(
        _holds(target / part / "annotations.json", content)
        and all((target / part / image["file_name"]).is_file() for image in content["images"])
        for part, content in contents.items()
    )


def _holds(path: Path, content: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == content)
    except (OSError, ValueError):
        return False


def _write(contents: dict[str, Any], store: AnnotationStore, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        for part, content in contents.items():
            (draft / part / "images").mkdir(parents=True)
            with replacing(draft / part / "annotations.json") as file:
                file.write_text(json.dumps(content), encoding="utf-8")
            for image in content["images"]:
                _link(store.image_path(image["digest"]), draft / part / image["file_name"])
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():
                raise
            if not _whole(contents, target):  # else another process wrote the same
                discard(target)
                draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _coco(entries: list[dict[str, Any]]) -> dict[str, Any]:
    labels = sorted({r.label for entry in entries for r in entry["image"].regions})
    categories = {label: number for number, label in enumerate(labels, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, start=1):
        image: AcceptedImage = entry["image"]
        images.append(
            {
                "id": number,
                "file_name": f"images/{image.digest}",
                "height": image.height,
                "width": image.width,
                "digest": image.digest,
                "exhaustive": entry["exhaustive"],
            }
        )
        ignored = None if entry["exhaustive"] else unknown(image)
        for region in image.regions:
            written = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": categories[region.label],
                "segmentation": image.segmentation(region),
                "area": region.area,
                "iscrowd": 0,
                "origin": region.origin,
                "model_version": region.model_version,
                "clicks": region.clicks,
            }
            if ignored is not None:
                written["ignore"], ignored = ignored, None
            annotations.append(written)
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for label, number in categories.items()],
    }
