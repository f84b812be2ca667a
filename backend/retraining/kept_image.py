"""Keeps the file of an accepted image in the annotation store."""

import cv2
import numpy as np

from backend.images.decode import decode
from dynamite.orientation import decode_upright
from training.annotation_store import AnnotationStore


def keep_image(store: AnnotationStore, data: bytes, max_pixels: int) -> tuple[str, tuple[int, int]]:
    """Keep an image file, as PNG where training would else see other pixels than people did.

    Args:
        store: keeps it.
        data: the file.
        max_pixels: largest image, in pixels.

    Returns:
        Its digest and its size H, W.

    Raises:
        ImageError: it cannot be decoded.
    """
    pixels = decode(data, max_pixels=max_pixels)
    plain = decode_upright(data)
    if plain is None or not np.array_equal(plain, pixels):
        data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    return store.put_image(data), (pixels.shape[0], pixels.shape[1])
