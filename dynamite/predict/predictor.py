"""Images and clicks in, masks out: the library's front door."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynamite.clicks import ClickSet
from dynamite.errors import InvalidInputError
from dynamite.network.config import Resize
from dynamite.network.model import DIVISOR, DynaMITE
from dynamite.network.prediction import Decision
from dynamite.network.queries import PackedClicks
from dynamite.predict.features import ImageFeatures, join_batch, split_batch
from dynamite.predict.image_ops import (
    check_image,
    input_size,
    pad_to_multiple,
    resize_image,
    to_tensor,
)
from dynamite.predict.label_map import label_map
from dynamite.predict.unclicked_components import without_stray_parts
from dynamite.predict.validation import checked_size, list_of, of_kind
from dynamite.predict.winner_map import Lead
from dynamite.predict.zoom_in import zoom_in


class _ModelDefault:
    """Stands for "as the model's config says", since None already means "keep the size"."""


MODEL_DEFAULT: Final = _ModelDefault()


@dataclass(frozen=True)
class Segmentation:
    """The masks of all objects of an image; they never overlap.

    ``label_map`` (H, W) int16 holds the object index of each pixel, −1 for the background;
    ``scores`` (N) float32 in 0…1 how sure the network is of each object; ``query_logits``
    (Q, H/4, W/4) float32 the logits of every query of the padded input, those of the clicks that
    are ``heard`` first, before merging (and before the refiner of ``lite``).
    """

    label_map: NDArray[np.int16]
    scores: NDArray[np.float32]
    query_logits: NDArray[np.float32] = field(repr=False)

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """(N, H, W), made on first use: N times the memory of an image."""
        indices = np.arange(len(self.scores), dtype=np.int16)
        masks: NDArray[np.bool_] = self.label_map == indices[:, None, None]
        return masks


class Predictor:
    """Encodes an image once and answers clicks on it. Holds no state of any image.

    Args:
        model: from ``dynamite.load``.
        resize: input size of the network; None keeps each image's own size; left out, it is what
            ``model.config.resize`` says.
    """

    def __init__(
        self, model: DynaMITE, resize: Resize | _ModelDefault | None = MODEL_DEFAULT
    ) -> None:
        self.model = of_kind(model, DynaMITE, "the model of a Predictor")
        self.resize = model.config.resize if isinstance(resize, _ModelDefault) else resize
        if self.resize is not None:
            of_kind(self.resize, Resize, "resize")

    @overload
    def encode(self, image: NDArray[np.uint8]) -> ImageFeatures: ...
    @overload
    def encode(self, image: Sequence[NDArray[np.uint8]]) -> list[ImageFeatures]: ...

    @torch.inference_mode()
    def encode(
        self, image: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
    ) -> ImageFeatures | list[ImageFeatures]:
        """Features of an image (H×W×3 uint8 RGB), or of several in one padded pass.

        Raises:
            InvalidInputError: not such an image.
        """
        single = not isinstance(image, list | tuple)
        images = [check_image(one) for one in ([image] if single else image)]
        if not images:
            raise InvalidInputError("there is no image to encode")
        sizes = [input_size(one.shape[0], one.shape[1], self.resize) for one in images]
        inputs = [
            self.model.normalize(to_tensor(resize_image(one, size), self.model.device))
            for one, size in zip(images, sizes, strict=True)
        ]
        maps = self.model.encode(pad_to_multiple(inputs, DIVISOR))
        features = [
            ImageFeatures(
                maps=maps if len(images) == 1 else split_batch(maps, index),
                image_size=(one.shape[0], one.shape[1]),
                input_size=size,
                model_version=self.model.version,
                image=one.copy() if self.model.config.zoom_in else None,
            )
            for index, (one, size) in enumerate(zip(images, sizes, strict=True))
        ]
        return features[0] if single else features

    @overload
    def segment(
        self,
        features: ImageFeatures,
        clicks: ClickSet,
        output_size: tuple[int, int] | None = None,
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
    ) -> Segmentation | list[Segmentation]:
        """The masks of all clicked objects, jointly.

        In a list the answers differ a little from those given alone: images are padded to the
        largest, and clicks to the most (MODEL_SPEC 5.3).

        Args:
            features: of one image, or of several encoded in one call.
            clicks: in pixels of the image as given to ``encode``; one ``ClickSet`` an image.
            output_size: (H, W) of the label map; the image's own size if left out.

        Raises:
            InvalidInputError: a click outside its image, features of another model version or on
                another device, lists of different lengths or of something else, an output size
                that is none, below 1×1 or above ``dynamite.predict.validation.MAX_PIXELS``.
        """
        single = isinstance(features, ImageFeatures)
        all_features = list_of(features, ImageFeatures, "features")
        all_clicks = list_of(clicks, ClickSet, "clicks")
        if len(all_features) != len(all_clicks) or not all_features:
            raise InvalidInputError(
                f"{len(all_features)} images and {len(all_clicks)} click sets do not pair"
            )
        wanted = None if output_size is None else checked_size(output_size)
        moved = [
            self._to_input(one, said) for one, said in zip(all_features, all_clicks, strict=True)
        ]
        maps = join_batch([one.maps for one in all_features])
        packed = PackedClicks.pack(moved, self.model.device, self.model.bootstrapper.extra)
        prediction = self.model.interact(maps, packed)
        results = []
        for one, said, in_input, logits, decision in zip(
            all_features,
            all_clicks,
            moved,
            prediction.logits_BQhw.float(),
            self.model.decide(prediction, packed),
            strict=True,
        ):
            labels, scores = self._drawn(one, in_input, decision, wanted or one.image_size)
            found = labels.cpu().numpy()
            if one.image is not None and wanted in (None, one.image_size):
                found = zoom_in(one.image, said, found, self._look)
            results.append(Segmentation(found, scores.cpu().numpy(), logits.cpu().numpy()))
        return results[0] if single else results

    def _drawn(
        self, features: ImageFeatures, clicks: ClickSet, decision: Decision, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """The label map of that size and the objects' scores; ``clicks`` in pixels of the input."""
        padded = features.maps.padded_size
        down, across = (
            cells / pixels
            for cells, pixels in zip(decision.maps_Mhw.shape[1:], padded, strict=True)
        )
        height, width = features.input_size
        inside = math.ceil(height * down), math.ceil(width * across)
        lead = Lead.of(decision, len(clicks.objects), inside)
        if self.model.config.drop_stray_parts:
            in_cells = clicks.moved(left=0, top=0, scale_x=across, scale_y=down)
            decision, lead = without_stray_parts(decision, lead, in_cells)
        labels = label_map(
            decision.maps_Mhw,
            decision.owners_M,
            padded_size=padded,
            input_size=features.input_size,
            output_size=size,
        )
        return labels, lead.scores(len(clicks.objects))

    def heard(self, clicks: ClickSet) -> ClickSet:
        """The clicks that are answered: where they are obeyed, one said again counts once."""
        return clicks.without_repeats() if self.model.config.obey_clicks else clicks

    def _look(self, crop: NDArray[np.uint8], clicks: ClickSet) -> NDArray[np.int16]:
        """The label map of a crop, for zoom-in: its features serve this one answer."""
        features = replace(self.encode(crop), image=None)
        return self.segment(features, clicks).label_map

    def _to_input(self, features: ImageFeatures, clicks: ClickSet) -> ClickSet:
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
        heard = self.heard(clicks)
        down, across = features.input_size[0] / height, features.input_size[1] / width
        if self.model.config.obey_clicks and max(down, across) > 1:
            # A pixel of an enlarged image is many of the input's: its middle is what is answered.
            heard = heard.centred()
        return heard.moved(left=0, top=0, scale_x=across, scale_y=down)
