"""DynaMITE as a method under evaluation."""

from pathlib import Path

import torch

import dynamite
from dynamite import ClickSet, ImageFeatures, Predictor
from dynamite.errors import CheckpointError
from dynamite.network.config import PRESETS
from training.click_simulation import LabelMap
from training.evaluation.segmenter import Image, OpenedImage


class ModelSegmenter:
    """A predictor behind the seam of the evaluation."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def open(self, image: Image) -> OpenedImage:
        """Encode the image."""
        return _EncodedImage(self._predictor, self._predictor.encode(image))


class _EncodedImage:
    def __init__(self, predictor: Predictor, features: ImageFeatures) -> None:
        self._predictor = predictor
        self._features = features
        self._heard: ClickSet | None = None
        self._answer: LabelMap | None = None

    def segment(self, clicks: ClickSet) -> LabelMap:
        """The predictor's label map; the very same one where a click says nothing new.

        Of an object that failed, hundreds of clicks can be such: docs/evaluation.md makes them on
        pixel (0, 0) once all its errors lie near earlier clicks.
        """
        heard = self._predictor.effective_clicks(clicks)
        if self._answer is None or heard != self._heard:
            self._answer = self._predictor.segment(self._features, clicks).label_map
            self._heard = heard
        return self._answer


def load_segmenter(
    checkpoint: str | Path,
    preset: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> ModelSegmenter:
    """The model of a file, or of a preset whose weights ship with the package.

    ``preset`` is needed for a published file, which does not say what it is.

    Raises:
        CheckpointError: neither a file nor a preset, or weights that do not fit.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    path = Path(checkpoint)
    if path.is_file():
        if preset is None:
            model = dynamite.load_file(path, device=device)
        else:
            model = dynamite.load(preset, path, device=device)
    elif checkpoint in PRESETS:
        model = dynamite.load(checkpoint, device=device)
    else:
        raise CheckpointError(
            f"{checkpoint}: neither a checkpoint file nor one of {', '.join(PRESETS)}"
        )
    return ModelSegmenter(Predictor(model))
