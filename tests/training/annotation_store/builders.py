"""Accepted annotations made of rectangles, on images of plain noise."""

import cv2
import numpy as np

from training.annotation_store import AcceptedAnnotation, AcceptedImage, Origin, ProjectKey, Region
from training.data.masks import encode

SOURCE = "label_studio"


def project(number: int, source: str = SOURCE) -> ProjectKey:
    return ProjectKey(source, number)


def photo(number: int, height: int = 40, width: int = 60) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def rectangle(x: int, y: int, width: int, height: int, shape=(40, 60)) -> np.ndarray:
    mask = np.zeros(shape, np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask


def region(mask, label="cat", origin=Origin.DRAWN, name="r1", **more) -> Region:
    return Region(name, label, encode(mask)["counts"], int(mask.sum()), origin, **more)


def annotation(number: int, digest: str, *, updated="2026-01-01T00:00:00.000000+00:00", **more):
    regions = more.pop("regions", (region(rectangle(5, 5, 20, 10)),))
    image = AcceptedImage(digest, 40, 60, tuple(regions))
    values = {"source": SOURCE, "task": number, "project": 1} | more
    return AcceptedAnnotation(annotation_id=number, updated_at=updated, images=(image,), **values)
