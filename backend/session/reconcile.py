"""Takes in a call: a page and a call become the page after it and the plan of an answer."""

from dataclasses import replace

from backend.session.annotator_page import AnnotatorPage
from backend.session.answer_plan import AnswerPlan
from backend.session.assign_clicks import assign_clicks
from backend.session.build_answer_plan import build_answer_plan
from backend.session.call import Call
from backend.session.like import like_asked
from backend.session.masks import MaskReader
from backend.session.presume import presume_relabelled
from backend.session.prompts import Prompt
from backend.session.saved_page import choose_source
from backend.session.settle_accepted import settle_accepted
from backend.session.sync_prompts import sync_prompts


def reconcile(
    page: AnnotatorPage, call: Call, read: MaskReader
) -> tuple[AnnotatorPage, AnswerPlan]:
    """Take in one call. An empty context changes nothing and is answered with nothing."""
    if not call.context:
        return page, AnswerPlan()
    if is_stale(page, call):
        return page, AnswerPlan(is_stale=True)
    source = choose_source(page, call)
    synced = sync_prompts(page, call, source)
    accepted = settle_accepted(synced, call, source, read)
    settled = presume_relabelled(page, accepted, call)
    assigned = assign_clicks(page, settled, call, source, read)
    plan = build_answer_plan(assigned, source, read)
    return assigned, replace(plan, like=like_asked(assigned, call, source, read))


def is_stale(page: AnnotatorPage, call: Call) -> bool:
    """Whether a later call was taken in before this one.

    Its context then holds nothing new and lacks a click drawn after all of its own. Deleting that
    click makes no call by itself, and the next call would bring something new.
    """
    context = [entry for entry in call.context if isinstance(entry, Prompt)]
    known = [page.prompts.get(drawn.id) for drawn in context]
    if not known or len(context) < len(call.context):
        return False
    for prompt, drawn in zip(known, context, strict=True):
        if prompt is None or prompt.removed or _has_changed(prompt.drawn, drawn):
            return False
    latest = max(prompt.born for prompt in known if prompt is not None)
    return any(
        not prompt.removed and prompt.born > latest and call.covers(prompt.drawn)
        for prompt_id, prompt in page.prompts.items()
        if prompt_id not in call.ids
    )


def _has_changed(known: Prompt, drawn: Prompt) -> bool:
    return (known.place, known.label) != (drawn.place, drawn.label)
