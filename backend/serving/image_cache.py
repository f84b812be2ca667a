"""Images by their address: which content lies there, and its pixels when they are needed."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

import numpy as np
import numpy.typing as npt

from backend.images.decode import FRAME, decode
from backend.images.errors import ImageChangedError

REMEMBERED = 10_000
"""Addresses whose content is remembered."""

FRESH_SECONDS = 600.0
"""How long an address is believed to hold the same content."""

Pixels = npt.NDArray[np.uint8]


class Fetched(Protocol):
    """The bytes of an image file and their digest."""

    @property
    def data(self) -> bytes:
        """The file."""

    @property
    def digest(self) -> str:
        """Its SHA-256."""


class Fetcher(Protocol):
    """What is needed of an adapter's fetcher."""

    def fetch(self, value: str, task_id: int | str | None = None) -> Fetched:
        """The bytes of an image and their digest."""


class Picture:
    """One image: the digest of its content at once, its pixels on demand."""

    def __init__(self, digest: str, load: Callable[[], Pixels]) -> None:
        self.digest = digest
        self._load = load

    def pixels(self) -> Pixels:
        """The decoded image, uint8 H×W×3 RGB in the frame the browser shows."""
        return self._load()


class Pictures:
    """Opens images; an address seen a moment ago is not fetched again for its digest."""

    def __init__(self, fetcher: Fetcher, max_pixels: int) -> None:
        self._fetcher = fetcher
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def open(self, address: str, task: str) -> Picture:
        """The image at an address of Label Studio's ``data``; ``task`` is the task's number.

        Raises:
            ImageError: it cannot be fetched.
        """
        known = self._recall(address)
        if known is not None:
            return Picture(known, lambda: self._fetch_again(address, task, known))
        name, data = self._fetch(address, task)
        return Picture(name, lambda: self._decode(data))

    def use(self, fetcher: Fetcher) -> None:
        """Fetch with another fetcher from now on: addresses may mean another server."""
        self._fetcher = fetcher
        with self._lock:
            self._known.clear()

    def _fetch(self, address: str, task: str) -> tuple[str, bytes]:
        fetched = self._fetcher.fetch(address, task)
        name = f"{fetched.digest}-{FRAME}"
        self._remember(address, name)
        return name, fetched.data

    def _fetch_again(self, address: str, task: str, known: str) -> Pixels:
        """The pixels of content ``known``: others must not be kept under its name."""
        name, data = self._fetch(address, task)
        if name != known:
            raise ImageChangedError(
                f"the image of task {task} has been replaced by another: click again"
            )
        return self._decode(data)

    def _decode(self, data: bytes) -> Pixels:
        return decode(data, max_pixels=self._max_pixels)

    def _recall(self, address: str) -> str | None:
        with self._lock:
            when, name = self._known.get(_key(address), (float("-inf"), ""))
        return name if time.monotonic() - when < FRESH_SECONDS else None

    def _remember(self, address: str, name: str) -> None:
        key = _key(address)
        with self._lock:
            self._known[key] = (time.monotonic(), name)
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _key(address: str) -> bytes:
    """What an address is known by: a data: image is megabytes long."""
    return blake2b(address.encode(errors="surrogatepass"), digest_size=16).digest()
