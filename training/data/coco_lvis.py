"""Merges the annotations of COCO and LVIS, which cover the same photos.

For each image of LVIS: keep all its LVIS objects, because their outlines are finer; add each COCO
object unless its IoU with an LVIS object reaches ``SAME_OBJECT``; keep COCO's crowds as crowds.
Categories with the same name become one.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from training.data.lvis import file_name
from training.data.masks import MaskError, to_rle
from training.data.problems import Problems
from training.data.unknown_area import unknown_area
from training.progress import track

SAME_OBJECT = 0.5
"""IoU from which a COCO and an LVIS mask count as the same object."""

_CATEGORY = {"id": int, "name": str}
"""Keys that a category must have, with their types; the same below for images and annotations."""

_IMAGE = {"id": int | str, "height": int, "width": int}
_ANNOTATION = {"id": int | str, "image_id": int | str, "category_id": int | str}


@dataclass(frozen=True)
class Merged:
    """The merged COCO json, and the number of objects from each source."""

    content: dict[str, Any]
    from_lvis: int
    from_coco: int
    same: int  # COCO objects dropped because LVIS has them too
    problems: Problems


def merge(
    coco: dict[str, Any], lvis: dict[str, Any], source: Path, same_object: float = SAME_OBJECT
) -> Merged:
    """Merge two parsed jsons.

    Annotation ids become ``lvis-ID`` and ``coco-ID``. Incomplete entries and unreadable masks are
    left out and listed in ``problems``, which the caller must settle.

    Args:
        coco: COCO's json.
        lvis: LVIS's json.
        source: the file to name in problems.
        same_object: IoU from which two masks are the same object.
    """
    problems = Problems()
    categories, coco_category = _merge_categories(
        *(_complete(content, "categories", _CATEGORY, source, problems) for content in (coco, lvis))
    )
    of_coco, of_lvis = (
        _by_image(_complete(content, "annotations", _ANNOTATION, source, problems))
        for content in (coco, lvis)
    )
    images, annotations = [], []
    counts = {"lvis": 0, "coco": 0}
    same = 0
    images_of_lvis = _complete(lvis, "images", _IMAGE, source, problems)
    for image in track(images_of_lvis, "Merging COCO and LVIS"):
        shape = (image["height"], image["width"])
        name = file_name(image)
        images.append({**image, "file_name": name, "exhaustive": False})
        where = f"{source} ({name})"
        fine, unread_fine = _readable(of_lvis[image["id"]], shape, where, problems)
        coarse, unread_coarse = _readable(of_coco[image["id"]], shape, where, problems)
        annotations += [{**entry, "id": f"lvis-{entry['id']}"} for entry in unread_fine]
        for entry in unread_coarse:
            category = coco_category.get(entry.get("category_id"))
            annotations.append({**entry, "id": f"coco-{entry['id']}", "category_id": category})
        for entry, _ in fine:
            annotations.append({**entry, "id": f"lvis-{entry['id']}", "iscrowd": 0})
            counts["lvis"] += 1
        duplicate = _duplicates([rle for _, rle in coarse], [rle for _, rle in fine], same_object)
        for (entry, _), is_same in zip(coarse, duplicate, strict=True):
            if is_same and not entry.get("iscrowd"):
                same += 1
                continue
            category = coco_category.get(entry.get("category_id"))
            annotations.append({**entry, "id": f"coco-{entry['id']}", "category_id": category})
            counts["coco"] += 1
    content = {"images": images, "annotations": annotations, "categories": categories}
    return Merged(content, counts["lvis"], counts["coco"], same, problems)


def _readable(
    entries: list[dict[str, Any]], shape: tuple[int, int], where: str, problems: Problems
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[dict[str, Any]]]:
    """Return the annotations whose masks are readable, each with its mask as an RLE.

    Returns:
        These, and the others as crowds, so that no object left out becomes background.
    """
    pairs, unread = [], []
    for entry in entries:
        try:
            pairs.append((entry, to_rle(entry.get("segmentation"), shape)))
        except MaskError as error:
            problems.add(error.kind, where, entry.get("id"), str(error))
            area = unknown_area(entry, shape)
            unread.append({**entry, "iscrowd": 1, "segmentation": area})
    return pairs, unread


def _duplicates(
    coarse: list[dict[str, Any]], fine: list[dict[str, Any]], same_object: float
) -> list[bool]:
    if not coarse or not fine:
        return [False] * len(coarse)
    iou = np.asarray(coco_mask.iou(coarse, fine, [0] * len(fine)))
    return [bool(best >= same_object) for best in iou.max(axis=1)]


def _complete(
    content: dict[str, Any],
    part: str,
    keys: Mapping[str, type | UnionType],
    source: Path,
    problems: Problems,
) -> list[dict[str, Any]]:
    """Return the entries of a part that have these keys; the others become problems."""
    listed = content.get(part, [])
    complete = []
    for entry in listed if isinstance(listed, list) else [listed]:
        lacks = [
            key
            for key, kind in keys.items()
            if not isinstance(entry, dict) or not isinstance(entry.get(key), kind)
        ]
        if lacks:
            detail = f"no {' and '.join(lacks)} to use in {part}: {entry!r:.60}"
            problems.add("bad entry", source, None, detail)
        else:
            complete.append(entry)
    return complete


def _by_image(annotations: list[dict[str, Any]]) -> defaultdict[Any, list[dict[str, Any]]]:
    found: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        found[annotation["image_id"]].append(annotation)
    return found


def _merge_categories(
    coco: list[dict[str, Any]], lvis: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[Any, Any]]:
    """Return the merged categories, and the new id of each of COCO's."""
    merged = [{"id": entry["id"], "name": entry["name"]} for entry in lvis]
    by_name = {entry["name"].replace("_", " "): entry["id"] for entry in merged}
    new_ids = {}
    for entry in coco:
        name = entry["name"].replace("_", " ")
        if name not in by_name:
            by_name[name] = max(by_name.values(), default=0) + 1
            merged.append({"id": by_name[name], "name": entry["name"]})
        new_ids[entry["id"]] = by_name[name]
    return merged, new_ids
