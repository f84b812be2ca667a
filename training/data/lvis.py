"""Reads LVIS jsons, which are COCO jsons without crowds and with other file names.

LVIS is not exhaustively annotated: only some categories are labelled in each image.
"""

from pathlib import Path
from typing import Any, Unpack

from training.data.coco import CocoDataset
from training.data.coco_json import load_json
from training.data.open_options import OpenOptions

_PREFIX_OF_2014 = "COCO_"
"""Beginning of the file names of COCO 2014, which LVIS 0.5 uses."""

_NAME_LENGTH = len("000000000000.jpg")
"""Length of a file name of COCO 2017."""


def file_name(image: dict[str, Any]) -> str:
    """Return the file name of an image entry, such as ``train2017/000000000009.jpg``.

    The folder and name come from the entry's URL. An entry without a URL (LVIS 0.5) keeps its
    ``file_name`` without the prefix of COCO 2014.
    """
    url = image.get("coco_url")
    if isinstance(url, str) and url.count("/") >= 2:
        return "/".join(url.split("/")[-2:])
    name = str(image.get("file_name", ""))
    return name[-_NAME_LENGTH:] if name.startswith(_PREFIX_OF_2014) else name


def as_coco(content: dict[str, Any]) -> dict[str, Any]:
    """Convert a parsed LVIS json to COCO's form."""
    images = [
        {**image, "file_name": file_name(image), "exhaustive": False}
        if isinstance(image, dict)
        else image
        for image in content["images"]
    ]
    return {**content, "images": images}


def open_lvis(
    json_path: Path,
    image_folder: Path,
    *,
    name: str | None = None,
    **options: Unpack[OpenOptions],
) -> CocoDataset:
    """Open the set of an LVIS json; ``image_folder`` holds ``train2017/`` and ``val2017/``."""
    return CocoDataset(
        as_coco(load_json(json_path)),
        image_folder,
        json_path,
        name=name or json_path.stem,
        **options,
    )
