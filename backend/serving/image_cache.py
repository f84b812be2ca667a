"""Images by address: the digest of their content at once, their pixels on demand."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Protocol

import numpy as np
import numpy.typing as npt

from backend.errors import ImageChangedError
from backend.images import heap
from backend.images.decode import DECODER_VERSION, decode
from backend.images.pixel_budget import PixelBudget
from backend.serving.stages import Observe, Stage, timed, unobserved

MAX_ADDRESSES = 10_000
"""Limit on addresses whose digest is remembered."""

FRESH_SECONDS = 600.0
"""How long an address is assumed to have the same content."""

Pixels = npt.NDArray[np.uint8]


class Fetched(Protocol):
    """The file of an image."""

    @property
    def data(self) -> bytes:
        """Its bytes."""

    @property
    def digest(self) -> str:
        """A digest of its bytes."""


class Fetcher(Protocol):
    """Fetches the file of an image; ``ImageFetcher`` for Label Studio."""

    def fetch(self, value: str, task_id: int | str | None = None) -> Fetched:
        """Return the file at an address, as written in the data of a task.

        Raises:
            ImageError: It cannot be fetched.
        """


class LazyImage:
    """An image whose pixels are decoded, and if need be fetched again, on demand.

    ``digest`` names the pixels: the content of the file and the version of the decoder.
    """

    def __init__(self, digest: str, load: Callable[[], Pixels]) -> None:
        self.digest = digest
        self._load = load

    def pixels(self) -> Pixels:
        """Return the decoded image, uint8 H×W×3 RGB, oriented as the browser shows it.

        Raises:
            ImageError: It cannot be fetched again or decoded.
        """
        return self._load()


def pixel_budget(max_pixels: int) -> PixelBudget:
    """Return room for two largest images: one is decoded while the other one is encoded."""
    return PixelBudget(2 * max_pixels, heap.give_back)


class ImageCache:
    """Opens images; remembers the digest of an address for some minutes. Thread-safe."""

    def __init__(
        self,
        fetcher: Fetcher,
        max_pixels: int,
        budget: PixelBudget | None = None,
        outside: Callable[[], AbstractContextManager[object]] = nullcontext,
        observe: Observe = unobserved,
    ) -> None:
        """Open nothing yet.

        Args:
            fetcher: of the files.
            max_pixels: most pixels that are decoded.
            budget: of the pixels of all tools together; one of its own if left out.
            outside: surrounds each fetch, which may wait long for another server.
            observe: is told how long fetching and decoding take.
        """
        self._fetcher = fetcher
        self._max_pixels = max_pixels
        self._budget = budget or pixel_budget(max_pixels)
        self._outside = outside
        self._observe = observe
        self._lock = threading.Lock()
        self._digests: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def open(self, address: str, task: str) -> LazyImage:
        """Open the image at an address from the data of task number ``task``.

        Raises:
            ImageError: It cannot be fetched.
        """
        known = self._recall(address)
        if known is not None:
            return LazyImage(known, lambda: self._fetch_again(address, task, known))
        digest, data = self._fetch(address, task)
        return LazyImage(digest, lambda: self._decode(data))

    def use(self, fetcher: Fetcher) -> None:
        """Use another fetcher, and forget all digests: addresses may mean another server now."""
        self._fetcher = fetcher
        with self._lock:
            self._digests.clear()

    def _fetch(self, address: str, task: str) -> tuple[str, bytes]:
        with self._outside(), timed(self._observe, Stage.FETCH):
            fetched = self._fetcher.fetch(address, task)
        digest = f"{fetched.digest}-{DECODER_VERSION}"
        self._remember(address, digest)
        return digest, fetched.data

    def _fetch_again(self, address: str, task: str, known: str) -> Pixels:
        """Return the pixels with digest ``known``: no others may be cached under it."""
        digest, data = self._fetch(address, task)
        if digest != known:
            raise ImageChangedError(
                f"the image of task {task} has been replaced by another one: click again"
            )
        return self._decode(data)

    def _decode(self, data: bytes) -> Pixels:
        with timed(self._observe, Stage.DECODE):
            return decode(data, max_pixels=self._max_pixels, budget=self._budget)

    def _recall(self, address: str) -> str | None:
        with self._lock:
            when, digest = self._digests.get(_key(address), (float("-inf"), ""))
        return digest if time.monotonic() - when < FRESH_SECONDS else None

    def _remember(self, address: str, digest: str) -> None:
        key = _key(address)
        with self._lock:
            self._digests[key] = (time.monotonic(), digest)
            self._digests.move_to_end(key)
            while len(self._digests) > MAX_ADDRESSES:
                self._digests.popitem(last=False)


def _key(address: str) -> bytes:
    """Return a short key for an address: a data: URL can be megabytes long."""
    return blake2b(address.encode(errors="surrogatepass"), digest_size=16).digest()
