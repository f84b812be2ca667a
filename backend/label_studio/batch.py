"""Pre-labelling: masks for the rectangles, keypoints and predictions that lie in a task."""

from dataclasses import replace

from backend.label_studio.predict_request import Call, Task, page_key
from backend.session.annotator_page import Page
from backend.session.answer_plan import Plan
from backend.session.call import Evidence, Painted, Prompt, SavedPage
from backend.session.masks import MaskReader
from backend.session.reconcile import reconcile


def plan(call: Call, task: Task) -> Plan:
    """What to segment for ``task`` in a batch call; without images if there is nothing to go by.

    The newest annotation with rectangles or keypoints counts, else the newest prediction with some:
    each rectangle is an object, the keypoints of a label are one together. Labels that cannot have
    a mask are left out.
    """
    for saved_pages in (task.annotations, task.predictions):
        for saved in sorted(saved_pages, key=lambda s: s.version, reverse=True):
            usable = _usable(call, saved)
            if usable.entries:
                return _planned(call, task, usable)
    return Plan()


def _usable(call: Call, saved: SavedPage) -> SavedPage:
    """The saved page without what cannot have a mask; empty if nothing in it asks for one."""
    named = {
        entry.id
        for entry in saved.entries
        if isinstance(entry, Prompt) and call.config.brush(entry.image.name, entry.label)
    }
    if not named:
        return replace(saved, entries=())
    return replace(
        saved,
        entries=tuple(
            entry
            for entry in saved.entries
            if entry.id in named
            or isinstance(entry, Painted)
            or entry.label in call.config.background
        ),
    )


def _planned(call: Call, task: Task, saved: SavedPage) -> Plan:
    """As if a person had just drawn the last prompt on a page that shows the saved one."""
    newest = next(entry for entry in saved.entries[::-1] if isinstance(entry, Prompt))
    alike = Evidence(task.id, (newest,))
    context = tuple(entry for entry in saved.entries if alike.covers(entry))
    key = page_key(call.project, task)  # regions that clicks began are known by it
    evidence = Evidence(key, context, (saved,), background=call.config.background)
    _, planned = reconcile(Page(key), evidence, MaskReader())
    return planned
