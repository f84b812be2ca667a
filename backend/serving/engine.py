"""Owns the model on a device: computes features of images and masks for clicks."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from backend.serving.device_thread import DeviceThread, Job, Urgency
from backend.serving.stages import Observe, Stage, timed, unobserved
from dynamite.clicks import ClickSet
from dynamite.errors import DynamiteError

if TYPE_CHECKING:
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.hold_still import Shown
    from dynamite.predict.predictor import Segmentation

Image = npt.NDArray[np.uint8]


class SupersededError(DynamiteError):
    """A newer request of the same annotator arrived before this one reached the model."""


class FeatureCache(Protocol):
    """What the engine needs of the feature cache: one computation per key at a time."""

    def get(
        self, digest: str, model_version: str, compute: Callable[[], "ImageFeatures"]
    ) -> "ImageFeatures":
        """Return the cached features, or call ``compute`` and cache its result."""

    def has(self, digest: str, model_version: str) -> bool:
        """Whether ``get`` would return at once."""


class Segmenter(Protocol):
    """What the engine needs of ``dynamite.Predictor``."""

    def encode(self, image: Image, *, pause: Callable[[], object]) -> "ImageFeatures":
        """Return the features of one RGB image, uint8 H×W×3; call ``pause`` now and then."""

    def segment(
        self, features: "ImageFeatures", clicks: ClickSet, *, shown: "Shown | None" = None
    ) -> "Segmentation":
        """Return disjoint masks of all objects, at the image's own size."""


@dataclass(frozen=True)
class Model:
    """A predictor with its model version and its device.

    Attributes:
        predictor: encodes and segments.
        version: of its weights; features belong to it.
        device: where it runs.
        memory: the digest of a project's memory, if the predictor answers with one. Features do not
            depend on it.
        plain: the model without that memory, and
        without: the labels whose objects it answers for.
    """

    predictor: Segmenter
    version: str
    device: str
    memory: str = ""
    plain: "Model | None" = None
    without: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What made a mask: the version, and the memory that took part."""
        return f"{self.version}+m{self.memory}" if self.memory else self.version

    def for_labels(self, labels: Iterable[str]) -> "Model":
        """Return what answers clicks on objects of these labels.

        It costs no second pass: the other objects of the image hold still, whatever answers.
        """
        if self.plain is not None and not self.without.isdisjoint(labels):
            return self.plain
        return self


class Engine:
    """Runs the model for many threads: clicks before encodes, encodes before prewarming.

    An encode pauses for what is more urgent, so that a click on a warm image waits for none.
    """

    def __init__(
        self,
        model: Model,
        cache: FeatureCache,
        observe: Observe = unobserved,
    ) -> None:
        """``observe`` is told how long encodes and clicks take, and how long clicks wait."""
        self._model = model
        self._cache = cache
        self._observe = observe
        self._device = DeviceThread()
        self._lock = threading.Lock()
        self._encodes: dict[tuple[str, str], Job[ImageFeatures]] = {}
        self._wanted: dict[tuple[str, str], int] = {}

    @property
    def model(self) -> Model:
        """The current model. Read it once per request and pass it on."""
        return self._model

    @property
    def waiting(self) -> int:
        """How many jobs are queued for the device."""
        return self._device.waiting

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest of these jobs has waited; 0 without any."""
        return self._device.oldest_seconds

    def swap(self, model: Model) -> None:
        """Use ``model`` from now on; work already queued or running uses the old one."""
        self._model = model

    def features(
        self,
        digest: str,
        image: Callable[[], Image],
        *,
        urgency: Urgency = Urgency.ENCODE,
        model: Model | None = None,
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> "ImageFeatures":
        """Return the features of the image with this digest; encode it on a cache miss.

        A queued prewarming encode moves forward when a click needs the same image.

        Args:
            digest: names the image's content.
            image: returns the pixels, uint8 H×W×3 RGB; called only on a miss.
            urgency: position in the device's queue.
            model: the model to encode with; None means the current one.
            waiting: surrounds what may take as long as an encode.

        Raises:
            Exception: whatever ``image`` or ``waiting`` raises.
            ClosedError: the engine is closed.
        """
        model = model or self._model
        key = (digest, model.version)
        is_ready = self._cache.has(*key)
        with nullcontext() if is_ready else waiting(), self._wanting(key, urgency):
            return self._cache.get(digest, model.version, lambda: self._encode(key, image, model))

    def segment(
        self,
        features: "ImageFeatures",
        clicks: ClickSet,
        *,
        shown: "Shown | None" = None,
        superseded: Callable[[], bool] = lambda: False,
        model: Model | None = None,
        urgency: Urgency = Urgency.CLICK,
    ) -> "Segmentation":
        """Return the masks for all clicks.

        Args:
            features: of the image, from ``features`` with the same model.
            clicks: all clicks of all objects, in pixels of the image.
            shown: what was shown before the newest of them; without it, no object holds still.
            superseded: asked just before the model runs, to skip outdated requests.
            model: the model to segment with; None means the current one.
            urgency: position in the device's queue.

        Raises:
            SupersededError: ``superseded()`` returned true.
            ClosedError: the engine is closed.
        """
        predictor = (model or self._model).predictor

        def run() -> "Segmentation":
            self._observe(Stage.WAIT, time.perf_counter() - asked)
            if superseded():
                raise SupersededError("a newer request of the same annotator replaces this one")
            with timed(self._observe, Stage.SEGMENT):
                return predictor.segment(features, clicks, shown=shown)

        asked = time.perf_counter()
        return self._device.submit(urgency, run).future.result()

    def close(self) -> None:
        """Finish the queued work and end the device's thread."""
        self._device.close()

    def _encode(
        self, key: tuple[str, str], image: Callable[[], Image], model: Model
    ) -> "ImageFeatures":
        pixels = image()

        def run() -> "ImageFeatures":
            with self._lock:
                is_awaited = key in self._wanted
            if is_awaited:
                self._observe(Stage.WAIT, time.perf_counter() - asked)
            with timed(self._observe, Stage.ENCODE):
                return model.predictor.encode(pixels, pause=self._device.breathe)

        asked = time.perf_counter()
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
        """Record how urgently a key is wanted, and hurry its encode if one is queued."""
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
