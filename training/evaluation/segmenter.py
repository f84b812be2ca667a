"""The interface of a method under evaluation: open an image, then turn clicks into label maps."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet
from training.click_simulation import LabelMap

Image = NDArray[np.uint8]
"""H×W×3, RGB."""


class OpenedImage(Protocol):
    """One image, ready for clicks. It may keep its earlier answers."""

    def segment(self, clicks: ClickSet) -> LabelMap:
        """Return the label map, H×W of the image's size: −1 none, i for ``clicks.objects[i]``.

        Returning the same array as before means that nothing was computed; a new answer must be a
        new array.
        """


class Segmenter(Protocol):
    """A method under evaluation."""

    def open(self, image: Image) -> OpenedImage:
        """Do the work that is needed once per image."""
