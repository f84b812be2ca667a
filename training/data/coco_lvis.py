"""COCO and LVIS annotate the same pictures; together they name more objects than either.

The rule, for each image of LVIS: all its LVIS objects stay, since their outlines are finer. A
COCO object is added unless it is the same as one of them, that is, unless their IoU reaches
SAME_OBJECT. COCO's crowds stay crowds. Categories of equal name are one. Which object is a part of
which is seen when they are painted (training.data.sample.paint), as everywhere else.
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
from training.data.progress import watch

SAME_OBJECT = 0.5

_CATEGORY = {"id": int, "name": str}
_IMAGE = {"id": int | str, "height": int, "width": int}
_ANNOTATION = {"id": int | str, "image_id": int | str, "category_id": int | str}


@dataclass(frozen=True)
class Merged:
    """A COCO json of both, with what went into it."""

    content: dict[str, Any]
    from_lvis: int
    from_coco: int
    same: int  # COCO objects that LVIS has too
    problems: Problems


def merge(
    coco: dict[str, Any], lvis: dict[str, Any], source: Path, same_object: float = SAME_OBJECT
) -> Merged:
    """Both jsons (parsed) as one; `source` names them in problems.

    Annotation ids become `lvis-ID` and `coco-ID`. Entries without what is needed and masks that
    cannot be read are left out and listed in `problems`; it is for the caller to settle them.
    """
    problems = Problems()
    categories, coco_category = _merge_categories(
        *(_sound(content, "categories", _CATEGORY, source, problems) for content in (coco, lvis))
    )
    of_coco, of_lvis = (
        _by_image(_sound(content, "annotations", _ANNOTATION, source, problems))
        for content in (coco, lvis)
    )
    images, annotations = [], []
    counts = {"lvis": 0, "coco": 0}
    same = 0
    sound_images = _sound(lvis, "images", _IMAGE, source, problems)
    for image in watch(sound_images, "Merging COCO and LVIS"):
        shape = (image["height"], image["width"])
        name = file_name(image)
        images.append({**image, "file_name": name, "exhaustive": False})
        where = f"{source} ({name})"
        fine = _readable(of_lvis[image["id"]], shape, where, problems)
        coarse = _readable(of_coco[image["id"]], shape, where, problems)
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
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The annotations whose masks can be read, each with its mask as RLE."""
    pairs = []
    for entry in entries:
        try:
            pairs.append((entry, to_rle(entry.get("segmentation"), shape)))
        except MaskError as error:
            problems.add(error.kind, where, entry.get("id"), str(error))
    return pairs


def _duplicates(
    coarse: list[dict[str, Any]], fine: list[dict[str, Any]], same_object: float
) -> list[bool]:
    if not coarse or not fine:
        return [False] * len(coarse)
    iou = np.asarray(coco_mask.iou(coarse, fine, [0] * len(fine)))
    return [bool(best >= same_object) for best in iou.max(axis=1)]


def _sound(
    content: dict[str, Any],
    part: str,
    keys: Mapping[str, type | UnionType],
    source: Path,
    problems: Problems,
) -> list[dict[str, Any]]:
    """The entries of a part that have these keys; the others are problems."""
    listed = content.get(part, [])
    sound = []
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
            sound.append(entry)
    return sound


def _by_image(annotations: list[dict[str, Any]]) -> defaultdict[Any, list[dict[str, Any]]]:
    found: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        found[annotation["image_id"]].append(annotation)
    return found


def _merge_categories(
    coco: list[dict[str, Any]], lvis: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[Any, Any]]:
    """LVIS's categories and COCO's others; and the new ids of COCO's."""
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
