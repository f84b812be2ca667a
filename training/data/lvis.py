"""LVIS json: COCO's form but for crowds, file names, and a promise it does not make.

LVIS annotates only some categories of an image, so its samples are never exhaustive.
"""

from pathlib import Path
from typing import Any, Unpack

from training.data.coco import CocoDataset
from training.data.coco_entries import load_json
from training.data.open_options import Opening

_PREFIX_OF_2014 = "COCO_"
_NAME_LENGTH = len("000000000000.jpg")


def file_name(image: dict[str, Any]) -> str:
    """Where an image of COCO or LVIS lies: `train2017/000000000009.jpg`, from its address.

    Entries without an address (LVIS 0.5) keep their file name, without a prefix of 2014.
    """
    address = image.get("coco_url")
    if isinstance(address, str) and address.count("/") >= 2:
        return "/".join(address.split("/")[-2:])
    name = str(image.get("file_name", ""))
    return name[-_NAME_LENGTH:] if name.startswith(_PREFIX_OF_2014) else name


def as_coco(content: dict[str, Any]) -> dict[str, Any]:
    """An LVIS json in COCO's form."""
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
    **how: Unpack[Opening],
) -> CocoDataset:
    """The set of an LVIS json; `image_folder` holds `train2017/` and `val2017/`."""
    return CocoDataset(
        as_coco(load_json(json_path)),
        image_folder,
        json_path,
        name=name or json_path.stem,
        **how,
    )
