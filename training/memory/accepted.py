"""The newest accepted images of a project, as samples."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from math import sqrt

import cv2
import numpy as np

from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationStore,
    ProjectKey,
)
from training.annotation_store.selection import counting
from training.annotation_store.unknown import unknown
from training.data.box_mask import decode_box
from training.data.images import read_image
from training.data.masks import decode
from training.data.problems import DatasetError
from training.data.sample import AnnotatedObject, Sample, compose

log = logging.getLogger(__name__)

MOST_IMAGES = 16
"""Images that a memory knows: the newest. More would take minutes more and bring little."""

MAX_PIXELS = 4_000_000
"""Larger images are reduced to this: the network sees fewer pixels anyway."""


def accepted_samples(
    store: AnnotationStore, project: ProjectKey, *, exhaustive: bool, most: int = MOST_IMAGES
) -> list[Sample]:
    """Return the newest accepted images of a project that have objects, the newest first.

    Their ids are their names (``name_of``).

    Args:
        store: the accepted annotations.
        project: whose images.
        exhaustive: everything unlabelled is background, unless an object was set aside.
        most: how many images.
    """
    incomplete = store.incomplete()
    counted = counting(store.annotations({project}))
    counted.sort(key=lambda one: (one[1].updated_at, one[0].digest), reverse=True)
    samples = (
        _sample(store, *pair, exhaustive=exhaustive and pair[1].key not in incomplete)
        for pair in counted
    )
    return _first(most, samples)


def accepted_names(store: AnnotationStore, project: ProjectKey) -> set[str]:
    """Return the names of all accepted images of a project that have objects."""
    return {name_of(*one) for one in counting(store.annotations({project}))}


def name_of(image: AcceptedImage, annotation: AcceptedAnnotation) -> str:
    """Return a name for an image with these masks: 16 hexadecimal digits.

    It changes with the annotation. The content of the image cannot be told from it.
    """
    words = f"{image.digest} {annotation.key} {annotation.updated_at}"
    return blake2b(words.encode(), digest_size=8).hexdigest()


def _first(most: int, samples: Iterator[Sample | None]) -> list[Sample]:
    found: list[Sample] = []
    for sample in samples:
        if sample is not None:
            found.append(sample)
            if len(found) == most:
                break
    return found


def _sample(
    store: AnnotationStore,
    image: AcceptedImage,
    annotation: AcceptedAnnotation,
    *,
    exhaustive: bool,
) -> Sample | None:
    shape = image.height, image.width
    try:
        pixels = read_image(store.image_path(image.digest))
    except DatasetError as error:
        log.warning("memory leaves an image out: %s", error)
        return None
    if pixels.shape[:2] != shape:
        log.warning("memory leaves an image out: %s is not %s (H, W)", image.digest, shape)
        return None
    objects = [
        AnnotatedObject(
            decode_box(image.segmentation(region), shape),
            region.label,
            region.area,
            region.region_id,
        )
        for region in image.regions
    ]
    rest = None if exhaustive else unknown(image)
    ignored = None if rest is None else decode(rest, shape)
    sample = _reduced(
        compose(pixels, objects, name_of(image, annotation), unknown=ignored, exhaustive=exhaustive)
    )
    visible = np.flatnonzero(sample.areas).tolist()
    return sample.keep(visible) if visible else None


def _reduced(sample: Sample) -> Sample:
    height, width = sample.label_map.shape
    scale = sqrt(MAX_PIXELS / (height * width))
    if scale >= 1:
        return sample
    size = max(1, int(width * scale)), max(1, int(height * scale))
    nearest = cv2.INTER_NEAREST_EXACT
    return replace(
        sample,
        image=np.asarray(cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA), np.uint8),
        label_map=np.asarray(cv2.resize(sample.label_map, size, interpolation=nearest), np.int32),
        ignore=cv2.resize(sample.ignore.astype(np.uint8), size, interpolation=nearest) > 0,
        whole_areas=(),
    )
