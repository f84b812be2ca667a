"""The one owner of the model on a device: features of images, masks of clicks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from backend.serving.device_thread import DeviceThread, Job, Urgency
from dynamite.clicks import ClickSet
from dynamite.errors import DynamiteError

if TYPE_CHECKING:
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.predictor import Segmentation

Image = npt.NDArray[np.uint8]


class SupersededError(DynamiteError):
    """A newer call of the same annotator arrived before this one reached the model."""


class FeatureCache(Protocol):
    """What the engine needs of the feature cache: one computation per key, however many ask."""

    def get(
        self, digest: str, model_version: str, compute: Callable[[], "ImageFeatures"]
    ) -> "ImageFeatures":
        """The features kept under that key, else those of ``compute``, kept from now on."""


class Segmenter(Protocol):
    """What the engine needs of ``dynamite.Predictor``."""

    def encode(self, image: Image) -> "ImageFeatures":
        """The features of one RGB image, uint8 H×W×3."""

    def segment(
        self,
        features: "ImageFeatures",
        clicks: ClickSet,
        output_size: tuple[int, int] | None = None,
    ) -> "Segmentation":
        """Masks of all objects, disjoint, at the image's own size."""


@dataclass(frozen=True)
class Model:
    """A predictor with the name of its weights and of the device it is on."""

    predictor: Segmenter
    version: str
    device: str


class Engine:
    """Runs the model for many threads; clicks go before encodes, encodes before prewarming."""

    def __init__(
        self,
        model: Model,
        cache: FeatureCache,
        encoded: Callable[[float], object] = lambda _: None,
    ) -> None:
        """``encoded`` is told how long each encode took, without its wait for the device."""
        self._model = model
        self._cache = cache
        self._encoded = encoded
        self._device = DeviceThread()
        self._lock = threading.Lock()
        self._encodes: dict[tuple[str, str], Job[ImageFeatures]] = {}
        self._wanted: dict[tuple[str, str], int] = {}

    @property
    def model(self) -> Model:
        """The model new work is done with; keep the value for a whole request."""
        return self._model

    @property
    def waiting(self) -> int:
        """How much work is queued for the device."""
        return self._device.waiting

    def swap(self, model: Model) -> None:
        """Use ``model`` from now on; work that has begun finishes with the old one."""
        self._model = model

    def features(
        self,
        digest: str,
        image: Callable[[], Image],
        *,
        urgency: Urgency = Urgency.ENCODE,
        model: Model | None = None,
    ) -> "ImageFeatures":
        """The features of the image whose content has this digest; encodes it on a cache miss.

        ``image`` is called on a miss only. An encode that waits in the queue for nobody in
        particular moves forward when somebody urgent asks for the same image.
        """
        model = model or self._model
        key = (digest, model.version)
        with self._wanting(key, urgency):
            return self._cache.get(digest, model.version, lambda: self._encode(key, image, model))

    def segment(
        self,
        features: "ImageFeatures",
        clicks: ClickSet,
        *,
        superseded: Callable[[], bool] = lambda: False,
        output_size: tuple[int, int] | None = None,
        model: Model | None = None,
    ) -> "Segmentation":
        """Masks for the clicks.

        Raises:
            SupersededError: ``superseded()`` was true when the model's turn came.
        """
        predictor = (model or self._model).predictor

        def run() -> "Segmentation":
            if superseded():
                raise SupersededError("a newer call of the same annotator takes this one's place")
            return predictor.segment(features, clicks, output_size)

        return self._device.submit(Urgency.CLICK, run).future.result()

    def close(self) -> None:
        """Finish queued work and end the device's thread."""
        self._device.close()

    def _encode(
        self, key: tuple[str, str], image: Callable[[], Image], model: Model
    ) -> "ImageFeatures":
        pixels = image()

        def run() -> "ImageFeatures":
            started = time.perf_counter()
            features = model.predictor.encode(pixels)
            self._encoded(time.perf_counter() - started)
            return features

        with self._lock:
            urgency = Urgency(self._wanted.get(key, Urgency.PREWARM))
            job = self._device.submit(urgency, run)
            self._encodes[key] = job
        try:
            return job.future.result()
        finally:
            with self._lock:
                self._encodes.pop(key, None)

    @contextmanager
    def _wanting(self, key: tuple[str, str], urgency: Urgency) -> Iterator[None]:
        """Note how urgently a key is wanted, and hurry an encode of it that is queued already."""
        if urgency is Urgency.PREWARM:
            yield
            return
        with self._lock:
            self._wanted[key] = urgency
            if job := self._encodes.get(key):
                self._device.hurry(job, urgency)
        try:
            yield
        finally:
            with self._lock:
                self._wanted.pop(key, None)
