"""Chooses the images of a COCO json by their licence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data.problems import DatasetError


def with_licences(content: dict[str, Any], licences: Sequence[str], source: Path) -> dict[str, Any]:
    """Return the content with only the images whose licence begins with one of these texts.

    An image's ``license`` is a text, or the ``id`` of an entry of ``licenses``, as in COCO. An
    image that states none is left out.

    Args:
        content: the parsed json.
        licences: beginnings of names of licences, as the json writes them; empty: all images.
        source: the path of the json, for messages.

    Raises:
        DatasetError: no image has such a licence.
    """
    images = content.get("images")
    if not licences or not isinstance(images, list):
        return content
    listed = content.get("licenses")
    known = {one.get("id"): one.get("name") for one in listed} if isinstance(listed, list) else {}

    def is_wanted(image: Any) -> bool:
        stated = image.get("license") if isinstance(image, dict) else None
        text = stated if isinstance(stated, str) else known.get(stated)
        return isinstance(text, str) and text.startswith(tuple(licences))

    kept = [image for image in images if is_wanted(image)]
    if not kept:
        raise DatasetError(
            f"{source}: no image has a licence that begins with {' or '.join(map(repr, licences))}"
        )
    others = {image.get("id") for image in images if isinstance(image, dict)}
    others -= {image["id"] for image in kept}
    annotations = [
        one
        for one in content.get("annotations", ())
        if not isinstance(one, dict) or one.get("image_id") not in others
    ]
    return {**content, "images": kept, "annotations": annotations}
