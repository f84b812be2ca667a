"""The library's front door: images and clicks in, masks out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, overload

import numpy as np
import torch
from numpy.typing import NDArray

from dynamite.clicks import ClickSet
from dynamite.errors import InvalidInputError
from dynamite.network.config import Resize
from dynamite.network.model import DIVISOR, DynaMITE, FeatureMaps
from dynamite.network.prediction import Decision
from dynamite.network.queries import PackedClicks
from dynamite.network.refiner_boxes import Box, box_size
from dynamite.predict.crop_drawing import CropDrawer
from dynamite.predict.drawing import Drawing
from dynamite.predict.edges import follow_edges
from dynamite.predict.features import ImageFeatures, join_batch, split_batch
from dynamite.predict.hold_still import Shown, hold_still
from dynamite.predict.image_ops import (
    check_image,
    input_size,
    pad_to_multiple,
    resize_image,
    to_tensor,
)
from dynamite.predict.label_map import label_map
from dynamite.predict.pauses import Pause, pauses
from dynamite.predict.picture import keep_picture
from dynamite.predict.target_crops import target_crops
from dynamite.predict.unclicked import drop_unclicked_components, fill_unclicked_holes
from dynamite.predict.validation import require_list, require_output_size, require_type


class _ModelDefault:
    """Stands for "as the model's config says", because None already means "keep the size"."""


MODEL_DEFAULT: Final = _ModelDefault()


@dataclass(frozen=True)
class Segmentation:
    """The masks of all objects of an image; they never overlap.

    Attributes:
        label_map: (H, W) int16, the object index of each pixel, −1 for the background.
        scores: (N) float32 in 0…1, how sure the network is of each object.
    """

    label_map: NDArray[np.int16]
    scores: NDArray[np.float32]

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """(N, H, W), made on first use: N bytes per pixel."""
        indices = np.arange(len(self.scores), dtype=np.int16)
        masks: NDArray[np.bool_] = self.label_map == indices[:, None, None]
        return masks


class Predictor:
    """Encodes an image once, then answers any number of click sets on it.

    It remembers no clicks, only the features of the last crops around small objects.

    Args:
        model: from ``dynamite.load``.
        resize: input size of the network; None keeps each image's own size; left out, the model's
            ``config.resize`` applies.

    Raises:
        InvalidInputError: an argument of the wrong type.
    """

    def __init__(
        self, model: DynaMITE, resize: Resize | _ModelDefault | None = MODEL_DEFAULT
    ) -> None:
        self.model = require_type(model, DynaMITE, "the model of a Predictor")
        self.resize = model.config.resize if isinstance(resize, _ModelDefault) else resize
        if self.resize is not None:
            require_type(self.resize, Resize, "resize")
        self._crops = CropDrawer()

    @overload
    def encode(self, image: NDArray[np.uint8], *, pause: Pause | None = None) -> ImageFeatures: ...
    @overload
    def encode(
        self, image: Sequence[NDArray[np.uint8]], *, pause: Pause | None = None
    ) -> list[ImageFeatures]: ...

    @torch.inference_mode()
    def encode(
        self, image: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], *, pause: Pause | None = None
    ) -> ImageFeatures | list[ImageFeatures]:
        """Compute the features of an image, or of several in one pass.

        Args:
            image: (H, W, 3) uint8 RGB, at least 2×2 pixels; or a list of these, padded to one size.
            pause: called between the network's layers, every few milliseconds on a CPU. It may use
                this predictor.

        Returns:
            The features, or a list of them if a list was given.

        Raises:
            InvalidInputError: not such an image, or an empty list.
        """
        single = not isinstance(image, list | tuple)
        images = [check_image(one) for one in ([image] if single else image)]
        if not images:
            raise InvalidInputError("there is no image to encode")
        sizes = [input_size(one.shape[0], one.shape[1], self.resize) for one in images]
        resized = [resize_image(one, size) for one, size in zip(images, sizes, strict=True)]
        with pauses(self.model, pause):
            maps = self._maps(resized)
        features = [
            ImageFeatures(
                maps=own,
                image_size=(one.shape[0], one.shape[1]),
                input_size=size,
                model_version=self.model.version,
                picture=keep_picture(one, size) if self.model.config.target_crops else None,
            )
            for own, one, size in zip(maps, images, sizes, strict=True)
        ]
        return features[0] if single else features

    @overload
    def segment(
        self,
        features: ImageFeatures,
        clicks: ClickSet,
        output_size: tuple[int, int] | None = None,
        shown: Shown | None = None,
    ) -> Segmentation: ...
    @overload
    def segment(
        self,
        features: Sequence[ImageFeatures],
        clicks: Sequence[ClickSet],
        output_size: tuple[int, int] | None = None,
    ) -> list[Segmentation]: ...

    @torch.inference_mode()
    def segment(
        self,
        features: ImageFeatures | Sequence[ImageFeatures],
        clicks: ClickSet | Sequence[ClickSet],
        output_size: tuple[int, int] | None = None,
        shown: Shown | None = None,
    ) -> Segmentation | list[Segmentation]:
        """Return the masks of all clicked objects, predicted jointly.

        With what was ``shown`` before the newest clicks, other objects hold still: they change only
        where the clicked ones take or give pixels.

        Answers to a list differ a little from those to its images alone: images are padded to the
        largest, clicks to the most (docs/network.md, 5).

        Args:
            features: of one image, or a list of features encoded in one call.
            clicks: in pixels of the image as given to ``encode``; one ``ClickSet`` per image.
            output_size: (H, W) of the label map; the image's own size if left out.
            shown: what a person saw before the newest clicks; for one image only.

        Returns:
            The segmentation, or a list of them if a list was given.

        Raises:
            InvalidInputError: a click outside its image, features of another model version or on
                another device, lists of different lengths or of something else, or an output size
                that is not two whole numbers, below 1×1 or above
                ``dynamite.predict.validation.MAX_PIXELS``, or ``shown`` for several images or of
                another size.
        """
        single = isinstance(features, ImageFeatures)
        all_features = require_list(features, ImageFeatures, "features")
        all_clicks = require_list(clicks, ClickSet, "clicks")
        if len(all_features) != len(all_clicks) or not all_features:
            raise InvalidInputError(
                f"{len(all_features)} images and {len(all_clicks)} click sets do not pair: give "
                "one ClickSet per image"
            )
        if shown is not None and not single:
            raise InvalidInputError("shown belongs to one image: segment the images one by one")
        size = None if output_size is None else require_output_size(output_size)
        input_clicks = [
            self._to_input(one, own) for one, own in zip(all_features, all_clicks, strict=True)
        ]
        maps = join_batch([one.maps for one in all_features])
        packed = PackedClicks.pack(input_clicks, self.model.device, self.model.bootstrapper.extra)
        decisions = self.model.decide(self.model.interact(maps, packed), packed)
        results = [
            self._draw(one, own, decision, size or one.image_size, shown)
            for one, own, decision in zip(all_features, input_clicks, decisions, strict=True)
        ]
        if shown is not None:
            return replace(results[0], label_map=hold_still(results[0].label_map, shown))
        return results[0] if single else results

    def _maps(self, inputs: Sequence[NDArray[np.uint8]]) -> list[FeatureMaps]:
        """Return the feature maps of images of the network's input size, in one pass."""
        tensors = [self.model.normalize(to_tensor(one, self.model.device)) for one in inputs]
        maps = self.model.encode(pad_to_multiple(tensors, DIVISOR))
        return [maps] if len(inputs) == 1 else [split_batch(maps, at) for at in range(len(inputs))]

    def _draw(
        self,
        features: ImageFeatures,
        clicks: ClickSet,
        decision: Decision,
        size: tuple[int, int],
        shown: Shown | None,
    ) -> Segmentation:
        """Draw the label map of an output size; ``clicks`` are in pixels of the input."""
        padded = features.maps.padded_size
        down, across = (
            cells / pixels
            for cells, pixels in zip(decision.maps_Mhw.shape[1:], padded, strict=True)
        )
        height, width = features.input_size
        inside = math.ceil(height * down), math.ceil(width * across)
        drawing = Drawing(decision, inside)
        in_cells = clicks.scaled(across, down)
        if features.maps.guide is not None:
            follow_edges(drawing, in_cells, features.maps.guide[0])
        certainty_hw = drawing.certainty()  # handing cells over makes the network no surer
        if self.model.config.drop_unclicked_components:
            drop_unclicked_components(drawing, in_cells)
            fill_unclicked_holes(drawing, in_cells)
        labels = label_map(
            drawing.maps_Mhw,
            drawing.owners_M,
            padded_size=padded,
            input_size=features.input_size,
            output_size=size,
        )
        scores = drawing.scores(certainty_hw)
        result = Segmentation(labels.cpu().numpy(), scores.cpu().numpy())
        if features.picture is not None:
            pixels = size[0] / (height * down), size[1] / (width * across)
            crops = target_crops(
                drawing.owner_hw,
                in_cells.scaled(pixels[1], pixels[0]),
                cell=1 / down,
                pixels=pixels,
                output_size=size,
                moved=range(drawing.objects) if shown is None else shown.moved,
            )
            self._crops.draw(
                features.picture,
                crops,
                result.label_map,
                result.scores,
                encode=self._maps,
                segment=self._segment_crop,
            )
        return result

    def _segment_crop(
        self, maps: FeatureMaps, box: Box, clicks: ClickSet
    ) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Return the label map and the scores for the clicks in a box, which ``maps`` show."""
        features = ImageFeatures(maps, box_size(box), maps.padded_size, self.model.version)
        answer = self.segment(features, clicks)
        return answer.label_map, answer.scores

    def effective_clicks(self, clicks: ClickSet) -> ClickSet:
        """Return the clicks the network sees: where clicks are enforced, repeated ones count once.

        Equal effective clicks give equal answers.
        """
        return clicks.without_repeats() if self.model.config.enforce_clicks else clicks

    def _to_input(self, features: ImageFeatures, clicks: ClickSet) -> ClickSet:
        """Check clicks against features and return them in pixels of the network's input."""
        if features.model_version != self.model.version:
            raise InvalidInputError(
                f"the features are of model version {features.model_version!r}, this model is "
                f"{self.model.version!r}: encode the image again"
            )
        if features.device != self.model.device:
            raise InvalidInputError(
                f"the features are on {features.device}, the model on {self.model.device}: move "
                "them with features.to(device)"
            )
        height, width = features.image_size
        clicks.check_inside(height, width)
        effective = self.effective_clicks(clicks)
        down, across = features.input_size[0] / height, features.input_size[1] / width
        if self.model.config.enforce_clicks and max(down, across) > 1:
            # In an enlarged image a pixel covers several input pixels; only its middle is answered.
            effective = effective.pixel_centered()
        return effective.scaled(across, down)
