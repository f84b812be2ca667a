"""Plans pre-labelling: masks for the rectangles, keypoints and predictions saved in a task."""

from dataclasses import replace

from backend.label_studio.predict_request import PredictRequest, Task, page_key
from backend.session.annotator_page import AnnotatorPage
from backend.session.answer_plan import AnswerPlan
from backend.session.call import Call, SavedPage
from backend.session.masks import MAX_PIXELS, MaskReader
from backend.session.paint import Paint
from backend.session.prompts import Prompt
from backend.session.reconcile import reconcile


def plan_batch(request: PredictRequest, task: Task, *, max_pixels: int = MAX_PIXELS) -> AnswerPlan:
    """What to segment for ``task``; a plan without images where nothing asks for a mask.

    The newest annotation with rectangles or keypoints counts, else the newest such prediction. Each
    rectangle is an object; the keypoints of a label are one object together. Labels that cannot
    have a mask are left out. ``max_pixels``: of the largest image.

    Raises:
        InvalidInputError: the masks have too many pixels (``MaskReader``).
    """
    for saved_pages in (task.annotations, task.predictions):
        for saved in sorted(saved_pages, key=lambda s: s.version, reverse=True):
            usable = _usable(task, saved)
            if usable.entries:
                return _plan(request, task, usable, MaskReader(max_pixels))
    return AnswerPlan()


def _usable(task: Task, saved: SavedPage) -> SavedPage:
    """The saved page without what cannot have a mask; empty if nothing in it asks for one."""
    asking = {
        entry.id
        for entry in saved.entries
        if isinstance(entry, Prompt) and task.accepts(entry.image, entry.label)
    }
    if not asking:
        return replace(saved, entries=())
    background = task.config.background
    return replace(
        saved,
        entries=tuple(
            entry
            for entry in saved.entries
            if entry.id in asking or isinstance(entry, Paint) or entry.label in background
        ),
    )


def _plan(request: PredictRequest, task: Task, saved: SavedPage, read: MaskReader) -> AnswerPlan:
    """Plan as if a person had just drawn the last prompt on a page that shows the saved one."""
    newest = next(entry for entry in saved.entries[::-1] if isinstance(entry, Prompt))
    alike = Call(task.id, (newest,))
    context = tuple(entry for entry in saved.entries if alike.covers(entry))
    key = page_key(request.project, task)  # region ids are derived from it
    call = Call(key, context, (saved,), background=task.config.background)
    _, plan = reconcile(AnnotatorPage(key), call, read)
    return plan
