"""The digest of an address is remembered for a while; its pixels always match the digest."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from backend.errors import ImageChangedError
from backend.images.decode import DECODER_VERSION, digest
from backend.label_studio.task_images import FetchedImage
from backend.serving import image_cache
from backend.serving.image_cache import ImageCache


class Shelf:
    """One address whose content can be replaced."""

    def __init__(self, gray: int) -> None:
        self.fetches = 0
        self.put(gray)

    def put(self, gray: int) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 3), (gray, gray, gray)).save(buffer, "PNG")
        self.data = buffer.getvalue()

    def fetch(self, value: str, task_id: int | str | None = None) -> FetchedImage:
        self.fetches += 1
        return FetchedImage(self.data, digest(self.data))


def test_a_known_address_is_fetched_again_only_for_its_pixels() -> None:
    shelf = Shelf(10)
    images = ImageCache(shelf, 1000)
    first, second = images.open("a", "1"), images.open("a", "1")
    assert (first.digest, shelf.fetches) == (second.digest, 1)
    assert np.array_equal(first.pixels(), second.pixels())
    assert shelf.fetches == 2


def test_a_replaced_image_never_goes_by_the_old_digest() -> None:
    shelf = Shelf(10)
    images = ImageCache(shelf, 1000)
    old = images.open("a", "7").digest
    shelf.put(200)
    stale = images.open("a", "7")
    assert stale.digest == old
    with pytest.raises(ImageChangedError, match=r"task 7.*click again"):
        stale.pixels()
    fresh = images.open("a", "7")
    assert fresh.digest != old
    assert fresh.pixels().max() == 200


def test_another_decoder_gives_the_same_file_another_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Features cached by the old digest depend on the pixels of the old decoder."""
    shelf = Shelf(10)
    old = ImageCache(shelf, 1000).open("a", "1").digest
    monkeypatch.setattr(image_cache, "DECODER_VERSION", DECODER_VERSION + 1)
    assert ImageCache(shelf, 1000).open("a", "1").digest != old


def test_what_is_remembered_of_a_data_image_is_small() -> None:
    shelf = Shelf(10)
    images = ImageCache(shelf, 1000)
    for number in range(3):
        for _ in range(2):
            images.open(f"data:image/png;base64,{number}" + "a" * 1_000_000, "1")
    assert shelf.fetches == 3
    assert len(pickle.dumps(images._digests)) < 1000
