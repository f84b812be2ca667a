"""The interactor as an agent's function, for CVAT Enterprise and CVAT Online::

    cvat-cli function create-native DynaMITE --function-module backend.cvat.agent
    cvat-cli function run-agent ID --function-module backend.cvat.agent

Parameters (``-p NAME=TYPE:VALUE``): ``preset=str:lite``, ``checkpoint=str:FILE``,
``device=str:cuda``, ``cache_mb=int:500``. The agent runs the function in a process of its own.
"""

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import cvat_sdk.auto_annotation as sdk
import numpy as np
import numpy.typing as npt
from cvat_sdk import models
from PIL import Image

from backend.cvat import rle
from backend.cvat.interactor_request import read_prompts
from backend.cvat.planning import plan_answer
from backend.features.key import Key
from backend.features.memory import MemoryTier
from backend.images.rgb import to_rgb
from backend.session.composing import ComposedMask, compose
from dynamite.errors import DynamiteError
from dynamite.lifeline import die_with_parent

if TYPE_CHECKING:
    from dynamite.predict.features import ImageFeatures
    from dynamite.predict.predictor import Predictor

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Frame:
    """What the agent keeps of a frame: small, because it keeps every frame for ten minutes.

    Attributes:
        number: names the frame in this process.
        picture: uint8 h×w×3 RGB, no larger than the network's input.
        size: H, W of the frame.
    """

    number: int
    picture: npt.NDArray[np.uint8]
    size: tuple[int, int]


class Function:
    """Answers an agent's calls; features are kept within a budget, others computed again."""

    spec = sdk.InteractionFunctionSpec(min_pos_points=0, min_neg_points=0, min_bounding_boxes=0)

    def __init__(self, preset: str, checkpoint: str | None, device: str, cache_mb: int) -> None:
        self._preset = preset
        self._checkpoint = checkpoint
        self._device = device
        self._cache: MemoryTier[ImageFeatures] = MemoryTier(cache_mb * MEGABYTE)
        self._numbers = count()

    @cached_property
    def predictor(self) -> "Predictor":
        """The model, loaded on first use: commands that only describe the function need none."""
        import dynamite  # noqa: PLC0415  it loads torch
        from backend.serving.loading import choose_device  # noqa: PLC0415

        device = choose_device(self._device, "-p device")
        return dynamite.Predictor(dynamite.load(self._preset, self._checkpoint, device=device))

    def preprocess_image(
        self,
        context: sdk.InteractionFunctionContext,  # noqa: ARG002  the agent passes it by place
        image: Image.Image,
    ) -> Frame:
        """Return a frame, its features computed."""
        from dynamite.predict.image_ops import input_size, resize_image  # noqa: PLC0415

        pixels = to_rgb(image)
        size = (pixels.shape[0], pixels.shape[1])
        wanted = input_size(*size, self.predictor.resize)
        if wanted[0] < size[0]:
            pixels = resize_image(pixels, wanted)
        frame = Frame(next(self._numbers), pixels, size)
        self._features(frame)
        return frame

    def detect(
        self,
        context: sdk.InteractionFunctionContext,  # noqa: ARG002  the agent passes it by place
        pp_image: Frame,
        prompts: sdk.InteractionPrompts,
    ) -> list[sdk.InteractionResultShape]:
        """Return a mask for each box, or for the clicks; nothing where there is none.

        Raises:
            BadFunctionError: a click or a box is absurd; the annotator sees its words.
        """
        try:
            return [_shape(mask) for mask in self._masks(pp_image, prompts) if mask.mask.any()]
        except DynamiteError as error:
            raise sdk.BadFunctionError(str(error)) from error

    def _masks(self, frame: Frame, prompts: sdk.InteractionPrompts) -> list[ComposedMask]:
        asked = read_prompts(
            _lists(prompts.pos_points),
            _lists(prompts.neg_points),
            _lists(prompts.bounding_box or ()),  # several boxes come as that many pairs of corners
        )
        plan = plan_answer(asked, frame.size)
        clicks = plan.click_set(*frame.size)
        if clicks is None:
            return []
        return list(compose(plan, self.predictor.segment(self._features(frame), clicks)))

    def _features(self, frame: Frame) -> "ImageFeatures":
        key = Key(str(frame.number), self.predictor.model.version)
        known = self._cache.get(key)
        if known is None:
            known = replace(self.predictor.encode(frame.picture), image_size=frame.size)
            self._cache.put(key, known)
        return known


def create(
    preset: str = "lite", checkpoint: str | None = None, device: str = "auto", cache_mb: int = 500
) -> Function:
    """Return the function, as ``cvat-cli`` asks for it.

    In the process that an agent starts for it, the model is loaded at once, and the process ends
    with the agent, which would leave it behind when it is told to terminate.
    """
    function = Function(preset, checkpoint, device, cache_mb)
    if multiprocessing.parent_process() is not None:
        die_with_parent(os.getppid())
        _ = function.predictor
    return function


def _shape(mask: ComposedMask) -> sdk.InteractionResultShape:
    score = models.AttributeValRequest(
        spec_id=int(sdk.InteractionResultAttributes.CONFIDENCE), value=f"{mask.score or 0.0:.2f}"
    )
    return sdk.InteractionResultShape(type="mask", points=rle.encode(mask.mask), attributes=[score])


def _lists(points: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return points as lists, as they come in JSON."""
    return [list(point) for point in points]
