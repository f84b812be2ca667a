"""Puts the weights of a memory into the model that answers."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backend.serving.device_thread import Job
from backend.serving.engine import Image, Model
from dynamite.clicks import ClickSet
from dynamite.errors import CheckpointError

if TYPE_CHECKING:
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.hold_still import Shown
    from dynamite.predict.predictor import Predictor, Segmentation

log = logging.getLogger(__name__)


class RememberingPredictor:
    """Answers clicks with memory; where that fails, without it. Features are the model's own."""

    def __init__(self, plain: "Predictor", adapted: "Predictor") -> None:
        self._plain = plain
        self._adapted = adapted

    def encode(self, image: Image, *, pause: Callable[[], object]) -> "ImageFeatures":
        """Return the features of one RGB image, uint8 H×W×3; ``pause`` lets clicks go first."""
        return self._plain.encode(image, pause=pause)

    def segment(
        self, features: "ImageFeatures", clicks: ClickSet, *, shown: "Shown | None" = None
    ) -> "Segmentation":
        """Return disjoint masks of all objects, at the image's own size."""
        try:
            return self._adapted.segment(features, clicks, shown=shown)
        except Exception:
            log.exception("a memory cannot answer a click; the model answers without it")
            return self._plain.segment(features, clicks, shown=shown)


def with_memory(model: Model, digest: str, path: Path) -> Model:
    """Return the model with the weights of a memory.

    This happens in a thread of its own, as ``load_model`` does and says why.

    Raises:
        DynamiteError: the file is missing or damaged, or its weights do not fit.
    """
    job = Job(lambda: _adapt(model, digest, path))
    threading.Thread(target=job.run, name="loading", daemon=True).start()
    return job.future.result()


def _adapt(model: Model, digest: str, path: Path) -> Model:
    from dynamite import Predictor  # noqa: PLC0415  it loads torch
    from dynamite.adaptation import Adaptation  # noqa: PLC0415

    plain = model.predictor
    if not isinstance(plain, Predictor):
        raise CheckpointError(f"{type(plain).__name__} takes no memories")
    adaptation = Adaptation.load(path)
    if adaptation.digest != digest:
        raise CheckpointError(f"{path} is damaged: it is {adaptation.digest}, not {digest}")
    adapted = Predictor(adaptation.apply(plain.model), plain.resize)
    return Model(RememberingPredictor(plain, adapted), model.version, model.device, digest)
