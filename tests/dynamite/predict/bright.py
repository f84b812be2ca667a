"""A network that is known exactly, and what it sees."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dynamite.network.config import preset
from dynamite.network.model import DynaMITE, FeatureMaps
from dynamite.network.prediction import STRIDE, Prediction
from dynamite.network.queries import PackedClicks
from dynamite.network.refiner import UPSCALE


class BrightIsObject(DynaMITE):
    """A network whose maps are known exactly: a cell's logit is how bright the image is there.

    ``refined`` says at which stride. Every click is on object 0; ``blind`` makes all background.
    """

    def __init__(self, *, refined: bool, blind: bool = False) -> None:
        overrides: dict[str, Any] = {"drop_unclicked_components": False}
        super().__init__(preset("lite").with_overrides(overrides))
        self.refined, self.blind, self.encodes = refined, blind, 0

    def encode(self, images_B3HW: Tensor) -> FeatureMaps:
        self.encodes += 1
        bright = images_B3HW.mean(1, keepdim=True)
        cells = avg_pool2d(bright, STRIDE)
        levels = (cells, cells, cells)
        return FeatureMaps(cells, levels, levels, (), avg_pool2d(bright, STRIDE // UPSCALE))

    def interact(
        self, maps: FeatureMaps, clicks: PackedClicks, *, auxiliary: bool = False
    ) -> Prediction:
        assert maps.detail is not None

        count = len(clicks.coords_per_image()[0])

        def for_and_against(map_1hw: Tensor, queries: int) -> Tensor:
            logits = torch.full_like(map_1hw, -1.0) if self.blind else map_1hw
            return torch.cat((*[logits] * queries, 1e-3 - logits))  # padding, 0, is background

        return Prediction(
            for_and_against(maps.mask_features[0], count)[None],
            (),
            torch.tensor([[0] * count + [-1]]),
            (for_and_against(maps.detail[0], 1),) if self.refined else None,
        )


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> NDArray[np.uint8]:
    """A bright disc on black; a pixel on its edge is as bright as the disc covers it."""
    down = np.abs(np.arange(size[0]) + 0.5 - y)[:, None]
    across = np.abs(np.arange(size[1]) + 0.5 - x)
    cover = np.clip(radius - np.hypot(down, across) + 0.5, 0, 1)
    return np.repeat((cover * 255).round().astype(np.uint8)[..., None], 3, axis=2)
