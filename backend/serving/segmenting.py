"""Runs a plan through the model: each image opened, encoded and segmented in turn."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from backend.errors import ImageTimeoutError
from backend.serving.engine import Engine, Image, Model, SupersededError
from backend.session.answer_plan import AnswerPlan
from backend.session.hold_still import shown_before
from backend.session.regions import ImageKey

if TYPE_CHECKING:
    from dynamite.predict.predictor import Segmentation


class OpenedImage(Protocol):
    """An image of a task: the digest of its content at once, its pixels when needed."""

    @property
    def digest(self) -> str:
        """Names the content and how it is decoded."""

    def pixels(self) -> Image:
        """Return the decoded image, uint8 H×W×3 RGB, in the orientation the browser shows."""


OpenImage = Callable[[ImageKey], OpenedImage]
"""Opens an image of the task in question; raises ``ImageError`` where it cannot be had."""

Guard = Callable[[ImageKey], AbstractContextManager[object]]
"""Surrounds the fetching of an image; may refuse it with an ``ImageError``."""

Report = Callable[[Exception], None]
"""Takes note of an error that the caller will not see."""


def segment_plan(
    plan: AnswerPlan,
    open_image: OpenImage,
    *,
    engine: Engine,
    model: Model,
    report: Report,
    is_superseded: Callable[[], bool],
    needed: ImageKey | None = None,
    guard: Guard = lambda _: nullcontext(),
    awaits: Callable[[str], object] = lambda _: None,
    waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> "dict[ImageKey, Segmentation]":
    """Segment every image of the plan that has targets.

    An image that fails is left out, so that it does not cost the others their masks; unless it is
    the ``needed`` one, which comes first. After that one a click waits for one silent host at most.
    ``awaits`` is told what comes next, in words; ``waiting`` surrounds the wait for an encode.

    Returns:
        The model's answers by image; without those left out.

    Raises:
        SupersededError: ``is_superseded()`` became true: the answer is not wanted any more.
        Exception: whatever was wrong with the ``needed`` image.
    """
    done = {}
    parts = [part for part in plan.images if part.targets]
    for part in sorted(parts, key=lambda part: part.image != needed):
        if is_superseded():
            raise SupersededError("a newer request of the same annotator replaces this one")
        try:
            with guard(part.image):
                awaits("its image")
                image = open_image(part.image)
                awaits("the features of its image")
                features = engine.features(image.digest, image.pixels, model=model, waiting=waiting)
            clicks = part.click_set(*features.image_size)
            if clicks is not None:
                awaits("its masks")
                done[part.image] = engine.segment(
                    features,
                    clicks,
                    shown=shown_before(part, *features.image_size),
                    superseded=is_superseded,
                    model=model,
                )
        except SupersededError:
            raise
        except Exception as error:
            if part.image == needed:
                raise
            report(error)
            if needed is not None and isinstance(error, ImageTimeoutError):
                break
    return done
