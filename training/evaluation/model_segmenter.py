"""DynaMITE as a ``Segmenter``."""

from pathlib import Path

import torch

import dynamite
from dynamite import ClickSet, ImageFeatures, Predictor, Shown
from dynamite.errors import CheckpointError
from dynamite.network.config import PRESETS
from training.click_simulation import LabelMap
from training.evaluation.segmenter import Image, OpenedImage


class ModelSegmenter:
    """A predictor as a method under evaluation.

    ``redraw_all`` lets every click redraw all objects; in use, the others hold still.
    """

    def __init__(self, predictor: Predictor, *, redraw_all: bool = False) -> None:
        self._predictor = predictor
        self._redraw_all = redraw_all

    def open(self, image: Image) -> OpenedImage:
        """Encode the image."""
        return _EncodedImage(self._predictor, self._predictor.encode(image), self._redraw_all)


class _EncodedImage:
    def __init__(self, predictor: Predictor, features: ImageFeatures, redraw_all: bool) -> None:
        self._predictor = predictor
        self._redraw_all = redraw_all
        self._features = features
        self._answered: tuple[LabelMap, ClickSet] | None = None

    def segment(self, clicks: ClickSet) -> LabelMap:
        """Return the predictor's label map, the same array if the new clicks change nothing.

        A failed object can have hundreds of clicks that change nothing: once its errors lie near
        earlier clicks, docs/evaluation.md clicks pixel (0, 0).
        """
        predictor, shown = self._predictor, None
        if self._answered is not None:
            label_map, before = self._answered
            if predictor.effective_clicks(before) == predictor.effective_clicks(clicks):
                return label_map
            shown = None if self._redraw_all else Shown.before(label_map, before, clicks)
        answer = predictor.segment(self._features, clicks, shown=shown).label_map
        self._answered = answer, clicks
        return answer


def load_segmenter(
    checkpoint: str | Path,
    preset: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    *,
    redraw_all: bool = False,
) -> ModelSegmenter:
    """Load a model from a file, or a preset whose weights ship with the package.

    Args:
        checkpoint: a file or the name of a preset.
        preset: the network of a published file, which does not name it.
        device: a torch device.
        threads: number of torch threads; None leaves it unchanged.
        redraw_all: let every click redraw all objects.

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
    return ModelSegmenter(Predictor(model), redraw_all=redraw_all)
