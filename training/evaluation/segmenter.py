"""What an evaluation needs of a method: open an image once, then turn clicks into a label map."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dynamite import ClickSet
from training.click_simulation import LabelMap

Image = NDArray[np.uint8]
"""H×W×3, RGB."""


class OpenedImage(Protocol):
    """One image, ready for clicks. It may remember what it answered to fewer clicks."""

    def segment(self, clicks: ClickSet) -> LabelMap:
        """Label map H×W of the image's size: −1 none, i the object of ``clicks.objects[i]``.

        The same array as before says that nothing was computed; another answer is another array.
        """


class Segmenter(Protocol):
    """A method under evaluation."""

    def open(self, image: Image) -> OpenedImage:
        """What is paid once per image."""
