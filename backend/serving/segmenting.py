"""From a plan to the model's answers: each image fetched, encoded and segmented in turn."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from backend.errors import ImageTimeoutError, code_and_status
from backend.label_studio.predict_request import Task
from backend.serving.batch_deadline import BatchDeadline
from backend.serving.engine import Model, SupersededError
from backend.session.answer_plan import Plan
from backend.session.call import ImageKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from backend.web.services import Services
    from dynamite.predict.predictor import Segmentation


def segment(
    plan: Plan,
    task: Task,
    services: "Services",
    superseded: "Callable[[], bool]",
    model: Model,
    needed: ImageKey | None = None,
    waits: BatchDeadline | None = None,
) -> "dict[ImageKey, Segmentation]":
    """The model's answer for each image of the plan that has something to segment.

    An image that fails is left out, so that it does not cost the others their masks; unless it is
    the one ``needed``, which comes first. After it a click waits for one silent host at most: the
    images that are left then show their last masks. A batch asks as ``waits`` allows.

    Raises:
        SupersededError: ``superseded()`` became true: nobody wants the answer any more, or there
            is no time left for it.
    """
    done = {}
    parts = [part for part in plan.images if part.targets]
    for part in sorted(parts, key=lambda part: part.image != needed):
        if superseded():
            raise SupersededError("a newer request of the same annotator replaces this one")
        try:
            address = task.images[part.image]
            with waits.asking(address) if waits else nullcontext():
                picture = services.images.open(address, task.id)
                features = services.engine.features(picture.digest, picture.pixels, model=model)
            clicks = part.clicks(*features.image_size)
            if clicks is not None:
                done[part.image] = services.engine.segment(
                    features, clicks, superseded=superseded, model=model
                )
        except SupersededError:
            raise
        except Exception as error:
            if part.image == needed:
                raise
            code, _ = code_and_status(error)
            services.report(code, error)
            if needed is not None and isinstance(error, ImageTimeoutError):
                break
    return done
