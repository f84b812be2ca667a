"""An immutable folder with the data of one training, named by its content.

``corrected/``, ``unchanged/`` and ``holdout/`` are separate COCO sets whose images are hard links.
The digest of an image alone decides whether it is held out: once held out, always held out.
"""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from dynamite.files import discard, replacing
from training.annotation_store.keys import ProjectKey
from training.annotation_store.selection import counting
from training.annotation_store.store import AnnotationStore
from training.annotation_store.unknown import unknown
from training.annotation_store.values import AcceptedImage

log = logging.getLogger(__name__)

CORRECTED, UNCHANGED, HOLDOUT = PARTS = ("corrected", "unchanged", "holdout")


@dataclass(frozen=True)
class SnapshotRules:
    """What decides about the content besides the annotations.

    Attributes:
        holdout: share of the images that only judge a model, 0 to 1.
        exhaustive: projects in which everything unlabelled is background, unless an object of the
            annotation was set aside.
    """

    holdout: float = 0.2
    exhaustive: frozenset[ProjectKey] = frozenset()


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk.

    Attributes:
        digest: of its content; names the folder.
        folder: where it is.
        images: how many images each part has.
        change: number of the store's last change that it has seen.
    """

    digest: str
    folder: Path
    images: dict[str, int]
    change: int


def write_snapshot(
    store: AnnotationStore, projects: Iterable[ProjectKey], folder: Path, rules: SnapshotRules
) -> Snapshot:
    """Write what counts of some projects to ``folder``/DIGEST; if it is there, only touch it."""
    change = store.change()
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    missing = 0
    incomplete = store.incomplete()
    for image, annotation in counting(store.annotations(frozenset(projects))):
        if not store.image_path(image.digest).is_file():
            missing += 1
            continue
        # An object that was set aside is in the image: it must not be taught as background.
        whole = annotation.key not in incomplete
        entry = {"image": image, "exhaustive": whole and annotation.project_key in rules.exhaustive}
        parts[part_of(image, rules.holdout)].append(entry)
    if missing:
        log.warning("%d accepted images are left out: no file in %s", missing, store.folder)
    contents = {part: _coco(entries) for part, entries in parts.items()}
    text = json.dumps(contents, sort_keys=True, separators=(",", ":"))
    digest = sha256(text.encode()).hexdigest()[:24]
    images = {part: len(entries) for part, entries in parts.items()}
    target = folder / digest
    if _whole(contents, target):
        os.utime(target)  # the cleanup goes by the time of the last change
    else:
        _write(contents, store, target)
    return Snapshot(digest, target, images, change)


def count_held_out(store: AnnotationStore, projects: Iterable[ProjectKey], holdout: float) -> int:
    """Count the images of some projects that a snapshot would hold out, without writing one."""
    counted = counting(store.annotations(frozenset(projects)))
    return sum(part_of(image, holdout) == HOLDOUT for image, _ in counted)


def part_of(image: AcceptedImage, holdout: float) -> str:
    """Return the part of the snapshot that an image belongs to."""
    number = blake2b(image.digest.encode(), digest_size=8).digest()
    if int.from_bytes(number, "big") / 2**64 < holdout:
        return HOLDOUT
    return UNCHANGED if image.unchanged else CORRECTED


def _whole(contents: dict[str, Any], target: Path) -> bool:
    """Return whether all of it is there; after a power cut a file may be empty."""
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
