"""Reads who calls and what is on the page from the drafts and annotations of a task."""

from collections.abc import Sequence

from backend.errors import BadRequestError
from backend.label_studio.next.drawn_object import NextCall
from backend.label_studio.predict_request import Task, no_image, page_key
from backend.session.annotator_page import AnnotatorPage
from backend.session.call import Call
from backend.session.masks import MaskReader
from backend.session.prompts import Prompt
from backend.session.regions import ImageKey
from backend.session.saved_page import choose_source


def only_image(task: Task) -> ImageKey:
    """Return the image of a task that has one.

    Raises:
        BadRequestError: it has none (code ``no_image``) or several (``several_images``).
    """
    if len(task.images) > 1:
        raise BadRequestError(
            f"This task has {len(task.images)} images, and the page does not say which one you "
            "mean: use smart keypoints (KeyPointLabels) here, or tasks with one image.",
            code="several_images",
        )
    if not task.images:
        names = [tag.name for tag in task.config.images] or [""]
        raise BadRequestError(no_image(ImageKey(names[0]), task.config), code="no_image")
    return next(iter(task.images))


def next_call(
    project: str, task: Task, image: ImageKey, prompts: Sequence[Prompt], read: MaskReader
) -> NextCall:
    """Return the call with what is saved of its page.

    Raises:
        InvalidInputError: the masks have too many pixels (``MaskReader``).
    """
    key = page_key(project, task)
    said = Call(key, (), task.drafts, task.annotations, task.predictions)
    source = choose_source(AnnotatorPage(key), said)
    painted = [mask for mask in source.saved.masks.values() if mask.image == image]
    return NextCall(
        key,
        tuple(prompts),
        user=next((draft.user for draft in task.drafts if draft is source.saved), None),
        version=max((draft.version for draft in task.drafts), default=""),
        saved=tuple(read(mask) for mask in painted),
        is_binding=source.is_binding,
        annotators=frozenset(saved.user for saved in task.annotations if saved.user),
    )
