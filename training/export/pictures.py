"""What is exported: pictures with their objects, and the files of the pictures."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from dynamite.orientation import orientation
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationStore,
    Region,
    counting,
)
from training.data.images import FAULTS, decode_image
from training.data.masks import decode
from training.export.outlines import Mask

_ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}
"""File endings of the formats that other programs read. Others are written as PNG."""

_DIGITS = 8
"""How much of an image's digest stands in its name."""


@dataclass(frozen=True)
class Picture:
    """One image with the objects of one annotation.

    Attributes:
        name: unique in an export; letters, digits, ``_`` and ``-`` only.
        image: its size and its objects.
        annotation: where they come from.
        complete: whether no object of the annotation was set aside.
    """

    name: str
    image: AcceptedImage
    annotation: AcceptedAnnotation
    complete: bool

    def mask(self, region: Region) -> Mask:
        """Return the mask of one of its objects, bool H×W."""
        return decode(self.image.segmentation(region), (self.image.height, self.image.width))


def pictures(
    store: AnnotationStore, annotations: Iterable[AcceptedAnnotation], *, every: bool
) -> list[Picture]:
    """Return the pictures of some annotations, ordered by task.

    Args:
        store: where the annotations are.
        annotations: which ones; skipped ones and images without an object are left out.
        every: whether each annotation of an image is a picture of its own. Else one counts for each
            image, as for trainings (``annotation_store.counting``).
    """
    given = [one for one in annotations if not one.cancelled]
    if every:
        chosen = [(image, one) for one in given for image in one.images if image.regions]
    else:
        chosen = counting(given)
    sources = {annotation.source for _, annotation in chosen}
    incomplete = store.incomplete()
    found = []
    for image, one in chosen:
        parts = [f"task-{one.task}", image.digest[:_DIGITS]]
        if every:
            parts.insert(1, f"annotation-{one.annotation_id}")
        if len(sources) > 1:
            parts.insert(0, one.source)
        found.append(Picture("-".join(parts), image, one, one.key not in incomplete))
    return sorted(found, key=lambda p: (p.annotation.source, p.annotation.task, p.name))


def write_image(data: bytes, folder: Path, name: str) -> str:
    """Write the file of an image; return its name.

    It stays as it is if every program shows it alike. A picture that its metadata turn, or of a
    rare format, is written as PNG, as browsers show it, since many programs do not turn pictures.

    Raises:
        DatasetError: it cannot be read.
    """
    ending = _ending(data)
    if ending is None:
        pixels = decode_image(data, name)
        data, ending = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes(), "png"
    file = f"{name}.{ending}"
    (folder / file).write_bytes(data)
    return file


def _ending(data: bytes) -> str | None:
    """Return the ending of a file that every program shows alike; None for any other."""
    file = io.BytesIO(data)
    try:
        if orientation(file) != 1:
            return None
        with Image.open(file) as image:
            return _ENDINGS.get(image.format or "")
    except FAULTS:
        return None
