"""A page and a call → the page after it, and what to answer."""

from backend.session import (
    assign_clicks,
    build_answer_plan,
    saved_page,
    settle_accepted,
    sync_prompts,
)
from backend.session.annotator_page import Page
from backend.session.answer_plan import Plan
from backend.session.call import Evidence, Prompt
from backend.session.masks import MaskReader


def reconcile(page: Page, evidence: Evidence, read: MaskReader) -> tuple[Page, Plan]:
    """Take in one call. An empty context changes nothing and is answered with nothing."""
    if not evidence.context:
        return page, Plan()
    if overtaken(page, evidence):
        return page, Plan(overtaken=True)
    source = saved_page.choose(page, evidence)
    seen = sync_prompts.update(page, evidence, source)
    settled = settle_accepted.update(seen, source)
    given = assign_clicks.update(page, settled, evidence, source, read)
    return given, build_answer_plan.plan(given, evidence, source, read)


def overtaken(page: Page, evidence: Evidence) -> bool:
    """Whether a later call was taken in before this one.

    Then nothing in its context is new, and a click placed after all of these is missing. Deleting
    that click would make no call by itself, and the next call would bring something new.
    """
    context = [prompt for prompt in evidence.context if isinstance(prompt, Prompt)]
    known = [page.marks.get(prompt.id) for prompt in context]
    if not known or len(context) < len(evidence.context):
        return False
    for mark, prompt in zip(known, context, strict=True):
        if mark is None or mark.gone or _changed(mark.prompt, prompt):
            return False
    latest = max(mark.born for mark in known if mark is not None)
    return any(
        not mark.gone and mark.born > latest and evidence.covers(mark.prompt)
        for mark_id, mark in page.marks.items()
        if mark_id not in evidence.ids
    )


def _changed(known: Prompt, prompt: Prompt) -> bool:
    return (known.place, known.label) != (prompt.place, prompt.label)
