"""DynaMITE as a ``Segmenter``."""

from pathlib import Path

import torch

import dynamite
from dynamite import ClickSet, ImageFeatures, Predictor
from dynamite.errors import CheckpointError
from dynamite.network.config import PRESETS
from training.click_simulation import LabelMap
from training.evaluation.segmenter import Image, OpenedImage


class ModelSegmenter:
    """A predictor as a method under evaluation."""

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
        """Return the predictor's label map, the same array if the new clicks change nothing.

        A failed object can have hundreds of such clicks: once all its errors lie near earlier
        clicks, MODEL_SPEC 10.3 clicks pixel (0, 0).
        """
        heard = self._predictor.heard(clicks)
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
    """Load a model from a file, or a preset whose weights ship with the package.

    Args:
        checkpoint: a file or the name of a preset.
        preset: the network of a published file, which does not name it.
        device: a torch device.
        threads: number of torch threads; None leaves it unchanged.

    Raises:
        CheckpointError: there is no such file or preset, or the weights do not fit.
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
