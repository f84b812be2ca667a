"""Stand-ins at seams of our own, shared by all tests: the network, the feature cache, images."""

import io
import json
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from PIL import Image

from backend.errors import ImageMissingError, ImageUnreachableError
from backend.images.decode import digest
from backend.label_studio.task_images import FetchedImage
from dynamite.clicks import ClickSet

RADIUS = 40
"""Pixels of the discs that ``DiscPredictor`` answers."""


def discs(clicks: ClickSet, height: int, width: int, radius: float) -> SimpleNamespace:
    """A segmentation: each pixel within ``radius`` of a click goes to its nearest click.

    Of two clicks on one spot the later one counts, as in the network.
    """
    label_map = np.full((height, width), -1, np.int16)
    nearest = np.full((height, width), float(radius))
    rows, columns = np.mgrid[:height, :width] + 0.5
    reach = int(radius) + 2
    owned = zip(clicks, clicks.owners, strict=True)
    for click, owner in sorted(owned, key=lambda pair: pair[0].time):
        top, left = max(0, int(click.y) - reach), max(0, int(click.x) - reach)
        near = np.s_[top : int(click.y) + reach, left : int(click.x) + reach]
        distance = np.hypot(rows[near] - click.y, columns[near] - click.x)
        closer = distance <= nearest[near]
        label_map[near][closer] = owner
        nearest[near][closer] = distance[closer]
    scores = np.full(len(clicks.objects), 0.9, np.float32)
    return SimpleNamespace(label_map=label_map, scores=scores)


@dataclass(frozen=True, eq=False)
class DiscFeatures:
    """What ``DiscPredictor`` knows of an image, as the feature cache takes it."""

    image: np.ndarray
    image_size: tuple[int, int]
    model_version: str = "discs-1"
    nbytes: int = 1000

    def to(self, device):
        return self

    def to_bytes(self, *, half):
        return json.dumps([*self.image_size, *self.image[0, 0].tolist()]).encode()

    @classmethod
    def from_bytes(cls, data):
        """A plain image again, as those of ``Photos`` are."""
        height, width, *color = json.loads(data)
        return cls(np.full((height, width, 3), color, np.uint8), (height, width))


@dataclass
class DiscPredictor:
    """A predictor whose masks are discs around clicks. It counts its work and can be slowed."""

    encodes: int = 0
    segments: int = 0
    order: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    fail: Exception | None = None

    def __post_init__(self):
        self.gate.set()

    def encode(self, image, *, pause):
        assert self.gate.wait(20)
        self.encodes += 1
        self.order.append(f"encode {image[0, 0, 0]}")
        return DiscFeatures(image, image.shape[:2])

    def segment(self, features, clicks, *, shown=None):
        self.segments += 1
        self.order.append("segment")
        if self.fail is not None:
            raise self.fail
        return discs(clicks, *features.image_size, RADIUS)


class KeyedCache:
    """Keeps features by key, one computation at a time."""

    misses = 0

    def __init__(self):
        self.kept, self.lock, self.locks = {}, threading.Lock(), {}

    def get(self, digest, model_version, compute):
        key = (digest, model_version)
        with self.lock:
            lock = self.locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self.kept:
                self.kept[key] = compute()
            return self.kept[key]

    def has(self, digest, model_version):
        return (digest, model_version) in self.kept

    def tiers(self):
        return []

    def close(self):
        """Nothing to write."""


class Photos:
    """Images by address, a plain color each.

    ``fetched`` are the addresses asked for; nothing can be fetched while ``is_away``; addresses
    that hold ``larger`` have a few more pixels.
    """

    def __init__(self, height: int = 400, width: int = 600) -> None:
        self.size = (height, width)
        self.fetched: list[str] = []
        self.is_away = False
        self.larger: str | None = None

    def fetch(self, value: str, task_id: int | str | None = None) -> FetchedImage:
        self.fetched.append(value)
        if self.is_away:
            raise ImageUnreachableError(f"{value} cannot be reached")
        if "missing" in value:
            raise ImageMissingError(f"there is no image at {value}")
        more = 10 if self.larger and self.larger in value else 0
        height, width = (side + more for side in self.size)
        shade = sum(value.encode()) % 256
        file = io.BytesIO()
        Image.new("RGB", (width, height), (shade, shade, shade)).save(file, "PNG")
        return FetchedImage(file.getvalue(), digest(file.getvalue()))
